# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The connection options with their environment variables: names, precedence, and which values are secret.

The names are those of kubernetes.core. An option takes precedence over its variables. An empty option counts as not
set. An explicit `context` or `kubeconfig` option takes precedence over the whole K8S_AUTH_* group. Otherwise these
variables would direct every inventory host to one cluster, because AWX sets host and token for a whole job. Variables
that do not select the cluster still count: K8S_AUTH_KUBECONFIG beside a `context` option (it names the file of the
context), and always those of the proxy.
"""

from __future__ import annotations

from collections.abc import Mapping

from ansible_collections.restartx.core.plugins.module_utils.cluster.redaction import secrets_in
from ansible_collections.restartx.core.plugins.module_utils.cluster.url import secrets_in_url

# option -> environment variables; the first one that is set counts
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
_WAY = ("proxy", "no_proxy")
PROXY_HEADERS = ("proxy_basic_auth", "basic_auth", "user_agent")
_PATHS = ("ca_cert", "ssl_ca_cert", "client_cert", "cert_file", "client_key", "key_file")
_FALSE = ("0", "false", "no")


class Concealed(str):
    """A placeholder for a value that must not be shown. Its text is safe to log, and `content` is the value."""

    __slots__ = ("content",)
    content: object


def concealed(options: Mapping) -> dict:
    """The options to replace before anything is logged: a kubeconfig that is given as content and not as a path.

    Such a kubeconfig can hold secrets in places that are not known, such as the arguments of a credential plugin.
    """
    content = options.get("kubeconfig")
    if content is None or (isinstance(content, str) and not is_content(content)):
        return {}
    stand_in = Concealed("VALUE_SPECIFIED_IN_NO_LOG_PARAMETER")  # Ansible's own words
    stand_in.content = content
    return {"kubeconfig": stand_in}


def resolve(options: Mapping, environ: Mapping[str, str]) -> dict:
    """The values that count, by option name. Options that are not set anywhere are absent.

    `options` are a module's parameters (other keys are ignored), `environ` the environment. `proxy_headers` is a dict.
    """
    found = {name: options.get(name) for name in (*VARIABLES, "proxy_headers")}
    if isinstance(found["kubeconfig"], Concealed):
        found["kubeconfig"] = found["kubeconfig"].content
    found = {name: value for name, value in found.items() if value not in (None, "", [], {})}
    variables = tuple(VARIABLES)
    if "kubeconfig" in found:
        variables = _WAY
    elif "context" in found:
        variables = ("kubeconfig", *_WAY)
    headers = {name: environ.get(f"K8S_AUTH_PROXY_HEADERS_{name.upper()}") for name in PROXY_HEADERS}
    found.setdefault("proxy_headers", headers)
    for name in variables:
        text = next((environ[variable] for variable in VARIABLES[name] if environ.get(variable)), None)
        if text is not None:
            found.setdefault(name, _typed(name, text))
    given = found.pop("proxy_headers", None)
    given = given if isinstance(given, Mapping) else {}  # Ansible has not checked the options yet
    headers = {name: given[name] for name in PROXY_HEADERS if given.get(name)}
    return found | ({"proxy_headers": headers} if headers else {})


def secrets_of(options: Mapping, environ: Mapping[str, str] | None = None) -> set[str]:
    """The secrets that options and environment hold themselves, for Ansible's no_log.

    Secrets in kubeconfig files and from credential plugins are known only later: see `Cluster.secrets`.
    """
    auth = resolve(options, environ or {})
    secrets = {str(auth[name]) for name in ("api_key", "password") if name in auth}
    for headers in (auth.get("proxy_headers"), options.get("proxy_headers")):
        secrets |= _secrets_in_headers(headers)
    texts = [auth.get("kubeconfig"), *(options.get(name) for name in _PATHS)]
    secrets |= {text for text in texts if isinstance(text, str) and is_content(text)}
    secrets |= secrets_in_url(auth.get("proxy")) | secrets_in_url(auth.get("host"))
    return secrets | secrets_in(auth.get("kubeconfig"))


def _secrets_in_headers(headers: object) -> set[str]:
    """The secrets in proxy headers, unknown headers included: Ansible shows what it refuses."""
    if not isinstance(headers, Mapping):
        return {headers} if isinstance(headers, str) and headers else set()
    values = {str(value) for name, value in headers.items() if value and name != "user_agent"}
    return values | {value.partition(":")[2] for value in values} - {""}


def is_content(text: str) -> bool:
    """Whether a text that should be the path of a file is the content of one."""
    return "\n" in text or text.lstrip().startswith(("{", "-----BEGIN"))


def _typed(name: str, text: str) -> object:
    if name == "validate_certs":
        return text.lower() not in _FALSE
    if name == "persist_config":
        return text.lower() in ("1", "true", "yes", "on")
    if name == "impersonate_groups":
        return [group.strip() for group in text.split(",") if group.strip()]
    return text
