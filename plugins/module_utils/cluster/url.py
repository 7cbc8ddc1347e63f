# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""URLs of servers and proxies."""

from __future__ import annotations

from collections.abc import Collection
from urllib.parse import unquote, urlsplit

_SHORTEST_TOKEN = 16  # a user name of this length counts as a token; hiding every "ann" in all output helps nobody


def is_url(url: str, schemes: Collection[str]) -> bool:
    """Whether this is an absolute URL of one of these schemes, with a host name and, if there is a port, a valid
    one."""
    try:
        parts = urlsplit(url)
        return parts.scheme in schemes and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        return False


def bare(url: str | None) -> str:
    """The URL without user name and password, for messages."""
    scheme, separator, rest = (url or "").rpartition("://")
    name, slash, path = rest.partition("/")
    return f"{scheme}{separator}{name.rpartition('@')[2]}{slash}{path}"


def secrets_in_url(url: object) -> set[str]:
    """The password in a URL, as written and decoded. A user name without a password may be a token."""
    try:
        parts = urlsplit(str(url or ""))
        name, password = parts.username, parts.password
    except ValueError:
        return set()
    if not password:
        password = name if len(name or "") >= _SHORTEST_TOKEN else None
    return {password, unquote(password)} if password else set()
