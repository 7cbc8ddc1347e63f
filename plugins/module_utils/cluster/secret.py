# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which strings must never be shown, and how they are taken out of a text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

_NAME = re.compile(r"token|secret|passw|passphrase|api_?key|access_?key|private_?key|credential", re.IGNORECASE)
_USER_KEYS = ("token", "password", "client-key-data")
_PROVIDER_KEYS = ("id-token", "refresh-token", "access-token", "client-secret")
# What programs tend to quote when they fail: web tokens, and values after a telling name.
_TELLING = re.compile(
    r"\beyJ[\w-]+\.[\w-]+(?:\.[\w-]*)?|(?<=bearer )\S+|(?<=(?:token|etkey)[=:])\s*\S+|(?<=(?:secret|ssword)[=:])\s*\S+",
    re.IGNORECASE,
)
_SHORTEST_GUESS = 8  # what we only guess to be secret must be this long: hiding every "1" in all output helps nobody
HIDDEN = "********"


def secrets_in_user(user: Mapping) -> set[str]:
    """The secrets in a kubeconfig's user entry, also those given to its credential plugin or provider."""
    secrets = {str(user[key]) for key in _USER_KEYS if user.get(key)}
    provider = (user.get("auth-provider") or {}).get("config") or {}
    secrets |= {str(provider[key]) for key in _PROVIDER_KEYS if provider.get(key)}
    for pair in (user.get("exec") or {}).get("env") or []:
        if isinstance(pair, Mapping) and _NAME.search(str(pair.get("name"))):
            secrets |= {value for value in (str(pair.get("value") or ""),) if len(value) >= _SHORTEST_GUESS}
    return secrets


def hide(text: str, secrets: Iterable[str]) -> str:
    """The text without the secrets, and without what looks like one."""
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, HIDDEN)
    return _TELLING.sub(HIDDEN, text)
