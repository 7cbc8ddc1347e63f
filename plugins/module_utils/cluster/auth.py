# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The connection options with their environment variables: names, precedence, and what in them is secret.

Names are kubernetes.core's. An option that is set beats its variables; an option left empty counts as not set. An
explicit `context` or `kubeconfig` option beats the whole K8S_AUTH_* group, for these variables (AWX sets host and token
for a whole job) would otherwise send every inventory host to one cluster. Only K8S_AUTH_KUBECONFIG still counts beside
a `context` option: it says in which file the context is, not which cluster is meant.
"""

from __future__ import annotations

from collections.abc import Mapping

from ansible_collections.restartx.core.plugins.module_utils.cluster.secret import secrets_in
from ansible_collections.restartx.core.plugins.module_utils.cluster.url import password_of

# option -> environment variables, the first that is set counts
VARIABLES: dict[str, tuple[str, ...]] = {
    "kubeconfig": ("K8S_AUTH_KUBECONFIG",),
    "context": ("K8S_AUTH_CONTEXT",),
    "host": ("K8S_AUTH_HOST",),
    "username": ("K8S_AUTH_USERNAME",),
    "password": ("K8S_AUTH_PASSWORD",),
    "api_key": ("K8S_AUTH_API_KEY",),
    "validate_certs": ("K8S_AUTH_VALIDATE_CERTS", "K8S_AUTH_VERIFY_SSL"),
    "ca_cert": ("K8S_AUTH_CA_CERT", "K8S_AUTH_SSL_CA_CERT"),
    "client_cert": ("K8S_AUTH_CLIENT_CERT", "K8S_AUTH_CERT_FILE"),
    "client_key": ("K8S_AUTH_CLIENT_KEY", "K8S_AUTH_KEY_FILE"),
    "proxy": ("K8S_AUTH_PROXY",),
    "no_proxy": ("K8S_AUTH_NO_PROXY",),
    "persist_config": ("K8S_AUTH_PERSIST_CONFIG",),
    "impersonate_user": ("K8S_AUTH_IMPERSONATE_USER",),
    "impersonate_groups": ("K8S_AUTH_IMPERSONATE_GROUPS",),
}
PROXY_HEADERS = ("proxy_basic_auth", "basic_auth", "user_agent")
_FALSE = ("0", "false", "no")


def resolve(options: Mapping, environ: Mapping[str, str]) -> dict:
    """The values that count, by option name; what is set nowhere is absent.

    `options` are a module's parameters (other keys are ignored), `environ` the environment. `proxy_headers` is a dict.
    """
    found = {
        name: options[name] for name in (*VARIABLES, "proxy_headers") if options.get(name) not in (None, "", [], {})
    }
    if "kubeconfig" in found:
        variables = ()
    elif "context" in found:
        variables = ("kubeconfig",)
    else:
        variables = tuple(VARIABLES)
        headers = {name: environ.get(f"K8S_AUTH_PROXY_HEADERS_{name.upper()}") for name in PROXY_HEADERS}
        found.setdefault("proxy_headers", headers)
    for name in variables:
        text = next((environ[variable] for variable in VARIABLES[name] if environ.get(variable)), None)
        if text is not None:
            found.setdefault(name, _typed(name, text))
    given = found.pop("proxy_headers", None) or {}
    headers = {name: given[name] for name in PROXY_HEADERS if given.get(name)}
    return found | ({"proxy_headers": headers} if headers else {})


def secrets_of(options: Mapping, environ: Mapping[str, str] | None = None) -> set[str]:
    """The secrets that options and environment hold themselves, for Ansible's no_log.

    Those in kubeconfig files and those that credential plugins give are known later: see `Cluster.secrets`.
    """
    auth = resolve(options, environ or {})
    secrets = {str(auth[name]) for name in ("api_key", "password") if name in auth}
    secrets |= {value for name, value in auth.get("proxy_headers", {}).items() if name.endswith("basic_auth")}
    secrets |= {password_of(auth.get("proxy"))} - {None}
    return secrets | secrets_in(auth.get("kubeconfig"))


def _typed(name: str, text: str) -> object:
    if name == "validate_certs":
        return text.lower() not in _FALSE
    if name == "persist_config":
        return text.lower() in ("1", "true", "yes", "on")
    if name == "impersonate_groups":
        return [group.strip() for group in text.split(",") if group.strip()]
    return text
