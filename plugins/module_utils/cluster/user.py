# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Where the credentials come from: the options, or the user of the kubeconfig."""

from __future__ import annotations

from collections.abc import Mapping

from ansible_collections.restartx.core.plugins.module_utils.cluster.credential import (
    REREAD,
    Credential,
    Source,
    basic,
    bearer,
)
from ansible_collections.restartx.core.plugins.module_utils.cluster.errors import ConfigError
from ansible_collections.restartx.core.plugins.module_utils.cluster.files import content_of, read_file
from ansible_collections.restartx.core.plugins.module_utils.cluster.kubeconfig import Chosen
from ansible_collections.restartx.core.plugins.module_utils.cluster.plugin import Plugin
from ansible_collections.restartx.core.plugins.module_utils.cluster.provider import provider_source

_PAIRS = (("username", "password"), ("client_cert", "client_key"))


def source_of_options(auth: Mapping) -> Source | None:
    """The credentials in the options; None if there are none. One option of a pair without the other is an error."""
    for pair in _PAIRS:
        missing = [name for name in pair if name not in auth]
        if len(missing) == 1 and not (missing == ["client_key"] and b"PRIVATE KEY" in read_file(auth["client_cert"])):
            raise ConfigError(f"{pair[0]} and {pair[1]} belong together: set {missing[0]} as well")
    if "api_key" in auth:
        header, words = bearer(auth["api_key"], "api_key"), "api_key"
    elif "username" in auth:
        header, words = basic(auth["username"], auth["password"]), f'user "{auth["username"]}"'
    elif "client_cert" in auth:
        header, words = None, f'client certificate "{auth["client_cert"]}"'
    else:
        return None

    def fetch() -> Credential:
        path = auth.get("client_cert")
        if not path:
            return Credential(header)
        return Credential(header, read_file(path), read_file(auth.get("client_key") or path))

    lasting = "client_cert" not in auth
    return Source(words, fetch, renewable=not lasting, max_age=None if lasting else REREAD)


def source_of_user(chosen: Chosen, environ: Mapping[str, str], plugin_timeout: float, persist: bool) -> Source:
    """The credentials of the kubeconfig's user, in client-go's order: token file, token, plugin, provider, password."""
    user = chosen.user
    words = chosen.whose
    if not user.get("tokenFile") and not user.get("token"):
        if user.get("exec"):
            plugin = Plugin(chosen, environ, plugin_timeout)
            return Source(words, plugin.fetch, renewable=True, renewed=True, cancel=plugin.cancel)
        if user.get("auth-provider"):
            return provider_source(chosen, persist)

    def header() -> str | None:
        if user.get("tokenFile"):
            token = read_file(user["tokenFile"]).decode("utf-8", "replace")
            return bearer(token, f'the token file "{user["tokenFile"]}"')
        if user.get("token"):
            return bearer(user["token"], words)
        if user.get("username") and user.get("password"):
            return basic(user["username"], user["password"])
        return None

    def fetch() -> Credential:
        certificate, key = (content_of(user, name, words) for name in ("client-certificate", "client-key"))
        if bool(certificate) != bool(key):
            raise ConfigError(f"{words} has only one of client-certificate and client-key: add the other one")
        return Credential(header(), certificate, key)

    from_files = any(user.get(name) for name in ("tokenFile", "client-certificate", "client-key"))
    max_age = REREAD if from_files else None
    return Source(words, fetch, renewable=from_files, max_age=max_age, token_file=bool(user.get("tokenFile")))


def token_file_source(path: str, words: str) -> Source:
    """The token in a file that another program renews."""

    def fetch() -> Credential:
        return Credential(bearer(read_file(path).decode("utf-8", "replace"), f'the token file "{path}"'))

    return Source(words, fetch, renewable=True, max_age=REREAD, renewed=True)
