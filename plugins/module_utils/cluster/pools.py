# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The connection pools to one server, direct or through its proxy.

They are pools of urllib3. The kubernetes package would make the same ones, but its import takes half a second of CPU in
each module.
"""

from __future__ import annotations

import typing as t
from urllib.parse import unquote, urlsplit

from ansible_collections.restartx.core.plugins.module_utils.cluster.credential import Credential
from ansible_collections.restartx.core.plugins.module_utils.cluster.endpoint import Endpoint
from ansible_collections.restartx.core.plugins.module_utils.cluster.errors import ConfigError
from ansible_collections.restartx.core.plugins.module_utils.cluster.libraries import urllib3
from ansible_collections.restartx.core.plugins.module_utils.cluster.tls import tls_context
from ansible_collections.restartx.core.plugins.module_utils.cluster.url import bare

_KEPT = 64  # connections; if more threads work at once, the other connections are closed after use


def make_pools(endpoint: Endpoint, credential: Credential) -> urllib3.PoolManager:
    """A urllib3 pool manager that uses the certificate of this credential. Raises ConfigError for bad certificates."""
    options: dict = {"maxsize": _KEPT}
    if endpoint.host.startswith("https:"):
        options["ssl_context"] = tls_context(endpoint.authority, endpoint.validate, credential, endpoint.where)
        options["cert_reqs"] = "CERT_REQUIRED" if endpoint.validate else "CERT_NONE"
        if endpoint.server_name:
            options["server_hostname"] = endpoint.server_name
    if not endpoint.validate:
        urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)  # the user has turned validation off
    if not endpoint.proxy:
        return urllib3.PoolManager(**options)
    if endpoint.proxy.startswith("socks"):
        return _socks_pools(endpoint.proxy, options)
    headers: dict[str, t.Any] = {**_basic_auth(endpoint.proxy), **endpoint.proxy_headers}
    proxy_headers = urllib3.util.make_headers(**headers)
    return urllib3.ProxyManager(bare(endpoint.proxy), proxy_headers=proxy_headers, **options)


def _socks_pools(proxy: str, options: dict) -> urllib3.PoolManager:
    """Like kubectl, lets the proxy look up names: it may know some that are unknown here."""
    try:
        from urllib3.contrib.socks import SOCKSProxyManager
    except ImportError:  # it needs PySocks
        raise ConfigError(f'the proxy "{bare(proxy)}" needs the Python package PySocks: install it') from None
    url = bare(proxy)
    if url.startswith("socks5:"):
        url = url.replace("socks5:", "socks5h:", 1)
    name, password = _user_of(proxy) or (None, None)
    return SOCKSProxyManager(url, username=name, password=password, **options)


def _basic_auth(proxy: str) -> dict[str, str]:
    user = _user_of(proxy)
    return {"proxy_basic_auth": ":".join(user)} if user else {}


def _user_of(url: str) -> tuple[str, str] | None:
    """The user name and the password in a URL, decoded."""
    parts = urlsplit(url)
    return (unquote(parts.username), unquote(parts.password or "")) if parts.username else None
