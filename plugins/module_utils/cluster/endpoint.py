# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Where a cluster is and how it is reached, from the options, the environment and the kubeconfig."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from urllib.parse import quote

from ansible_collections.restartx.core.plugins.module_utils.cluster import kubeconfig
from ansible_collections.restartx.core.plugins.module_utils.cluster.credential import Credential, Source
from ansible_collections.restartx.core.plugins.module_utils.cluster.errors import ConfigError
from ansible_collections.restartx.core.plugins.module_utils.cluster.files import content_of, read_file
from ansible_collections.restartx.core.plugins.module_utils.cluster.proxy import is_excepted, proxy_of_environment
from ansible_collections.restartx.core.plugins.module_utils.cluster.redaction import secrets_in
from ansible_collections.restartx.core.plugins.module_utils.cluster.url import bare, is_url, secrets_in_url
from ansible_collections.restartx.core.plugins.module_utils.cluster.user import (
    source_of_options,
    source_of_user,
    token_file_source,
)

POD_FOLDER = "/var/run/secrets/kubernetes.io/serviceaccount"
_DEFAULT = "~/.kube/config"
PROXY_SCHEMES = ("http", "https", "socks5", "socks5h", "socks4", "socks4a")
NOBODY = Source("an anonymous user", Credential)


@dataclass(frozen=True)
class Endpoint:
    """Everything about one server except the credentials; `source` returns those."""

    host: str
    source: Source
    where: str  # what defines this server, for messages
    context: str | None = None
    authority: bytes | None = None
    validate: bool = True
    server_name: str | None = None
    proxy: str | None = field(default=None, repr=False)
    proxy_headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    impersonation: tuple[tuple[str, str], ...] = ()
    secrets: frozenset[str] = field(default=frozenset(), repr=False)


def find_endpoint(
    auth: Mapping, environ: Mapping[str, str], plugin_timeout: float, pod_folder: str = POD_FOLDER
) -> Endpoint:
    """Find the server that `auth` (see auth.resolve) selects, and the proxy that leads to it; raises ConfigError.

    Host with credentials: that server, and nothing else is read. Kubeconfig or context: the server in the kubeconfig,
    with its values replaced by single options. A host alone: that server without credentials, such as a local proxy.
    None of these: KUBECONFIG, then ~/.kube/config, then the cluster of the pod that this runs in.
    """
    given = source_of_options(auth)
    named = "kubeconfig" in auth or "context" in auth
    if "host" in auth and (given or not named):
        endpoint = Endpoint(auth["host"], given or NOBODY, "the options")
    else:
        source = auth.get("kubeconfig") or _default_kubeconfig(environ, named)
        if source:
            endpoint = _of_kubeconfig(auth, source, given, environ, plugin_timeout)
        else:
            endpoint = _of_pod(environ, pod_folder, given)
    return _with_options(endpoint, auth, environ)


def _default_kubeconfig(environ: Mapping[str, str], wanted: bool) -> str | None:
    """The kubeconfig without the option. KUBECONFIG counts even if its files are missing: a typo must not select
    another cluster."""
    if environ.get("KUBECONFIG"):
        return environ["KUBECONFIG"]
    return _DEFAULT if wanted or os.path.exists(os.path.expanduser(_DEFAULT)) else None


def _of_kubeconfig(
    auth: Mapping, source: str | Mapping, given: Source | None, environ: Mapping[str, str], plugin_timeout: float
) -> Endpoint:
    chosen = kubeconfig.choose(kubeconfig.load(source), auth.get("context"))
    cluster, user = chosen.cluster, chosen.user
    where = f'context "{chosen.context}" of {chosen.where}'
    persist = bool(auth.get("persist_config"))
    impersonation = [("Impersonate-User", user["as"])] if user.get("as") else []
    impersonation += [("Impersonate-Uid", user["as-uid"])] if user.get("as-uid") else []
    impersonation += [("Impersonate-Group", group) for group in user.get("as-groups") or []]
    for key, values in (user.get("as-user-extra") or {}).items():
        impersonation += [(f"Impersonate-Extra-{quote(str(key), safe='')}", value) for value in values or []]
    return Endpoint(
        host=cluster["server"],
        source=given or source_of_user(chosen, environ, plugin_timeout, persist),
        where=where,
        context=chosen.context,
        authority=content_of(cluster, "certificate-authority", where),
        validate=not cluster.get("insecure-skip-tls-verify"),
        server_name=cluster.get("tls-server-name"),
        proxy=cluster.get("proxy-url"),
        impersonation=tuple(impersonation),
        secrets=frozenset(secrets_in([cluster, user])),
    )


def _of_pod(environ: Mapping[str, str], folder: str, given: Source | None) -> Endpoint:
    """The cluster of the pod that this runs in
    (https://kubernetes.io/docs/tasks/run-application/access-api-from-pod/)."""
    name, port = environ.get("KUBERNETES_SERVICE_HOST"), environ.get("KUBERNETES_SERVICE_PORT")
    token = os.path.join(folder, "token")
    if not name or not port or not os.path.exists(token):
        raise ConfigError(
            f"no cluster is given, {_DEFAULT} does not exist, and this is no pod: "
            "set context, kubeconfig, or host with credentials"
        )
    return Endpoint(
        host=f"https://[{name}]:{port}" if ":" in name else f"https://{name}:{port}",
        source=given or token_file_source(token, "the pod's service account"),
        where="the pod we run in",
        authority=read_file(os.path.join(folder, "ca.crt")),
    )


def _with_options(endpoint: Endpoint, auth: Mapping, environ: Mapping[str, str]) -> Endpoint:
    """The endpoint with its values replaced by single options, and checked."""
    changes: dict = {name: auth[name] for name in ("host", "proxy_headers") if name in auth}
    if "validate_certs" in auth:
        changes["validate"] = auth["validate_certs"]
    if "ca_cert" in auth:
        changes["authority"] = read_file(auth["ca_cert"])
    if "impersonate_user" in auth:
        groups = [("Impersonate-Group", group) for group in auth.get("impersonate_groups", [])]
        changes["impersonation"] = (("Impersonate-User", auth["impersonate_user"]), *groups)
    elif "impersonate_groups" in auth:
        raise ConfigError("impersonate_groups alone is not possible: set impersonate_user as well")
    endpoint = replace(endpoint, **changes)
    for name, value in endpoint.impersonation:
        if not value.isascii() or not value.isprintable():
            raise ConfigError(f"{name} of {endpoint.where} cannot be sent in a header: use printable ASCII characters")
    host = endpoint.host.strip().rstrip("/")
    _check_url("host", host, endpoint.where, ("https", "http"))
    if bare(host) != host:
        raise ConfigError(
            f'host "{bare(host)}" of {endpoint.where} holds a user: set username and password in its place'
        )
    proxy = _proxy_to(host, endpoint, auth, environ)
    return replace(endpoint, host=host, proxy=proxy, secrets=endpoint.secrets | secrets_in_url(proxy))


def _proxy_to(host: str, endpoint: Endpoint, auth: Mapping, environ: Mapping[str, str]) -> str | None:
    """The URL of the proxy: from the options, the kubeconfig, or HTTPS_PROXY or HTTP_PROXY as kubectl reads them.

    The option `no_proxy` applies to all of them. NO_PROXY applies only to a proxy from the environment.
    """
    no_proxy = auth.get("no_proxy")
    proxy = auth.get("proxy") or endpoint.proxy
    if proxy:
        if no_proxy and is_excepted(host, no_proxy):
            return None
        _check_url("proxy" if "proxy" in auth else "proxy-url", proxy, endpoint.where, PROXY_SCHEMES)
        return proxy
    found = proxy_of_environment(host, environ, no_proxy)
    if found is None:
        return None
    variable, proxy = found
    _check_url(variable, proxy, "the environment", PROXY_SCHEMES)
    return proxy


def _check_url(name: str, url: str, where: str, schemes: Sequence[str]) -> None:
    if not is_url(url, schemes):
        raise ConfigError(f'{name} "{bare(url)}" of {where} is not a URL: write it like {schemes[0]}://name:port')
