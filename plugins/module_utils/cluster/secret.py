# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which strings must never be shown, and how they are taken out of a text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from ansible_collections.restartx.core.plugins.module_utils.cluster.url import password_of

_NAME = re.compile(r"token|secret|passw|api_?key|access_?key|private_?key|credential", re.IGNORECASE)
_KEYS = {"token", "password", "client-key-data", "id-token", "refresh-token", "access-token", "client-secret"}
# What programs tend to quote when they fail: web tokens, and values after a telling name.
_TELLING = re.compile(
    r"\beyJ[\w-]+\.[\w-]+(?:\.[\w-]*)?|(?<=bearer )\S+|(?<=(?:token|etkey)[=:])\s*\S+|(?<=(?:secret|ssword)[=:])\s*\S+",
    re.IGNORECASE,
)
_SHORTEST_GUESS = 8  # what we only guess to be secret must be this long: hiding every "1" in all output helps nobody
HIDDEN = "********"


def secrets_in(content: object) -> set[str]:
    """The secrets anywhere in a kubeconfig or a part of it, whatever its shape.

    In the environment of a credential plugin they are guessed from the names.
    """
    if isinstance(content, list):
        return set().union(*map(secrets_in, content))
    if not isinstance(content, Mapping):
        return set()
    secrets = set().union(*map(secrets_in, content.values()))
    secrets |= {str(value) for key, value in content.items() if key in _KEYS and value}
    value = str(content.get("value") or "")
    if _NAME.search(str(content.get("name"))) and len(value) >= _SHORTEST_GUESS:
        secrets.add(value)
    password = password_of(str(content.get("proxy-url") or ""))
    return secrets | ({password} if password else set())


def hide(text: str, secrets: Iterable[str]) -> str:
    """The text without the secrets, and without what looks like one."""
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, HIDDEN)
    return _TELLING.sub(HIDDEN, text)
