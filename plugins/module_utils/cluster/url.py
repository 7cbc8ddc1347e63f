# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""URLs of servers and proxies."""

from __future__ import annotations

from collections.abc import Collection
from urllib.parse import urlsplit


def is_url(url: str, schemes: Collection[str]) -> bool:
    """Whether this is an absolute URL of one of these schemes, with a host name and, if any, a possible port."""
    try:
        parts = urlsplit(url)
        return parts.scheme in schemes and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        return False


def bare(url: str | None) -> str:
    """The URL without user name and password, to be shown."""
    scheme, separator, rest = (url or "").rpartition("://")
    name, slash, path = rest.partition("/")
    return f"{scheme}{separator}{name.rpartition('@')[2]}{slash}{path}"


def password_of(url: str | None) -> str | None:
    """The password in a URL; None where there is none."""
    try:
        return urlsplit(url).password if url else None
    except ValueError:
        return None
