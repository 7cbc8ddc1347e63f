# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Where a cluster is and how it is reached: what options, environment and kubeconfig say, put together."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from urllib.parse import quote

from ansible_collections.restartx.core.plugins.module_utils.cluster import kubeconfig
from ansible_collections.restartx.core.plugins.module_utils.cluster.credential import Credential, Source
from ansible_collections.restartx.core.plugins.module_utils.cluster.errors import ConfigError
from ansible_collections.restartx.core.plugins.module_utils.cluster.files import content_of, read_file
from ansible_collections.restartx.core.plugins.module_utils.cluster.secret import secrets_in
from ansible_collections.restartx.core.plugins.module_utils.cluster.url import bare, is_url, password_of
from ansible_collections.restartx.core.plugins.module_utils.cluster.user import (
    source_of_options,
    source_of_user,
    token_file_source,
)

POD_FOLDER = "/var/run/secrets/kubernetes.io/serviceaccount"
_DEFAULT = "~/.kube/config"
_SCHEMES = ("https", "http", "socks5", "socks5h", "socks4", "socks4a")  # all of them for proxies
_NOBODY = Source("an anonymous user", Credential)


@dataclass(frozen=True)
class Endpoint:
    """Everything about one server but the credentials themselves; `source` gives those."""

    host: str
    source: Source
    where: str  # what described this server, for messages
    context: str | None = None
    authority: bytes | None = None
    validate: bool = True
    server_name: str | None = None
    proxy: str | None = field(default=None, repr=False)
    no_proxy: str | None = None
    proxy_headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    impersonation: tuple[tuple[str, str], ...] = ()
    secrets: frozenset[str] = field(default=frozenset(), repr=False)


def find_endpoint(
    auth: Mapping, environ: Mapping[str, str], plugin_timeout: float, pod_folder: str = POD_FOLDER
) -> Endpoint:
    """Find the server that `auth` (see auth.resolve) means; raises ConfigError.

    Host with credentials: that server, and nothing else is read. Kubeconfig or context: from the kubeconfig, whose
    values single options replace. A host alone: that server without credentials, such as a local proxy. Nothing:
    KUBECONFIG, then ~/.kube/config, then the cluster of the pod we run in.
    """
    given = source_of_options(auth)
    named = "kubeconfig" in auth or "context" in auth
    if "host" in auth and (given or not named):
        endpoint = Endpoint(auth["host"], given or _NOBODY, "the options")
    else:
        source = auth.get("kubeconfig") or _default_kubeconfig(environ, named)
        if source:
            endpoint = _of_kubeconfig(auth, source, given, environ, plugin_timeout)
        else:
            endpoint = _of_pod(environ, pod_folder, given)
    return _with_options(endpoint, auth)


def _default_kubeconfig(environ: Mapping[str, str], wanted: bool) -> str | None:
    """The kubeconfig nobody named. KUBECONFIG counts even if missing: a typo must not mean another cluster."""
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
    """The cluster of the pod we run in (https://kubernetes.io/docs/tasks/run-application/access-api-from-pod/)."""
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


def _with_options(endpoint: Endpoint, auth: Mapping) -> Endpoint:
    """The endpoint with what single options replace in it, checked."""
    changes: dict = {name: auth[name] for name in ("host", "proxy", "no_proxy", "proxy_headers") if name in auth}
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
            raise ConfigError(f"{name} of {endpoint.where} cannot stand in a header: use printable ASCII characters")
    host = endpoint.host.strip().rstrip("/")
    for name, url, schemes in (("host", host, _SCHEMES[:2]), ("proxy", endpoint.proxy, _SCHEMES)):
        if url and not is_url(url, schemes):
            raise ConfigError(f'{name} "{bare(url)}" of {endpoint.where} is no URL: write it like https://name:port')
    if bare(host) != host:
        raise ConfigError(
            f'host "{bare(host)}" of {endpoint.where} holds a user: set username and password in its place'
        )
    return replace(endpoint, host=host, secrets=endpoint.secrets | ({password_of(endpoint.proxy)} - {None}))
