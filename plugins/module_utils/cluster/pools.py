# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The connection pools to one server: urllib3's, as the kubernetes package makes them (proxies, SOCKS, no_proxy)."""

from __future__ import annotations

from ansible_collections.restartx.core.plugins.module_utils.cluster.credential import Credential
from ansible_collections.restartx.core.plugins.module_utils.cluster.endpoint import Endpoint
from ansible_collections.restartx.core.plugins.module_utils.cluster.errors import ConfigError
from ansible_collections.restartx.core.plugins.module_utils.cluster.libraries import kubernetes, urllib3
from ansible_collections.restartx.core.plugins.module_utils.cluster.tls import tls_context
from ansible_collections.restartx.core.plugins.module_utils.cluster.url import bare

_KEPT = 64  # connections; where more threads work at once, the others are closed after use


def make_pools(endpoint: Endpoint, credential: Credential):
    """A urllib3 pool manager that shows this credential's certificate; raises ConfigError for bad certificates."""
    configuration = kubernetes.client.Configuration()
    configuration.host = endpoint.host
    configuration.verify_ssl = endpoint.validate
    configuration.tls_server_name = endpoint.server_name
    configuration.connection_pool_maxsize = _KEPT
    # Both are set even if empty: some versions of the package would take them from HTTPS_PROXY and NO_PROXY.
    configuration.proxy = endpoint.proxy
    configuration.no_proxy = endpoint.no_proxy
    if endpoint.proxy_headers:
        configuration.proxy_headers = urllib3.util.make_headers(**endpoint.proxy_headers)
    try:
        pools = kubernetes.client.ApiClient(configuration).rest_client.pool_manager
    except (ImportError, urllib3.exceptions.ProxySchemeUnknown):
        raise ConfigError(
            f'the proxy "{bare(endpoint.proxy)}" needs PySocks and a kubernetes package that knows SOCKS: install both'
        ) from None
    if endpoint.host.startswith("https:"):
        pools.connection_pool_kw["ssl_context"] = tls_context(
            endpoint.authority, endpoint.validate, credential, endpoint.where
        )
    if not endpoint.validate:
        urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)  # the user asked for it, once is enough
    return pools
