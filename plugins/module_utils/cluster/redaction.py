# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which strings must never be shown, and how they are removed from a text."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from urllib.parse import quote

from ansible_collections.restartx.core.plugins.module_utils.cluster.url import secrets_in_url

_NAME = re.compile(r"token|secret|passw|api_?key|access_?key|private_?key|credential", re.IGNORECASE)
_KEYS = {"token", "password", "client-key-data", "id-token", "refresh-token", "access-token", "client-secret"}
# What programs often quote when they fail: JSON web tokens, and values after names of secrets.
_TELLING = re.compile(
    r"\beyJ[\w-]+\.[\w-]+(?:\.[\w-]*)?|(?<=bearer )\S+|(?<=(?:token|etkey)[=:])\s*\S+|(?<=(?:secret|ssword)[=:])\s*\S+",
    re.IGNORECASE,
)
_SHORTEST_GUESS = 8  # shorter values are not hidden only because of their name: hiding every "1" helps nobody
HIDDEN = "********"


def secrets_in(content: object) -> set[str]:
    """The secrets anywhere in a kubeconfig or a part of it, whatever its structure.

    In the environment of a credential plugin, the names of variables decide.
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
    return secrets | secrets_in_url(content.get("proxy-url")) | secrets_in_url(content.get("server"))


def spellings(secrets: Iterable[str]) -> set[str]:
    """The secrets, also in the forms in which Python, JSON and URLs write them."""
    return {
        each for secret in secrets for each in (secret, repr(secret)[1:-1], json.dumps(secret)[1:-1], quote(secret))
    }


def hide(text: str, secrets: Iterable[str]) -> str:
    """The text without the secrets, and without what looks like one."""
    for secret in sorted(spellings(secrets), key=len, reverse=True):
        text = text.replace(secret, HIDDEN)
    return _TELLING.sub(HIDDEN, text)
