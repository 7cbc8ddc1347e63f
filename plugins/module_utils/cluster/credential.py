# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What proves to the server who we are, where it comes from, and when it is fetched anew."""

from __future__ import annotations

import base64
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timezone

from ansible_collections.restartx.core.plugins.module_utils.cluster.certificate import (
    expiry_of_certificate,
    expiry_of_token,
)
from ansible_collections.restartx.core.plugins.module_utils.cluster.errors import ConfigError

REREAD = 60.0  # seconds; client-go reads token files anew as often
_EARLY = 10.0  # seconds before its end at which a credential is fetched anew
_BEARER = "Bearer "


@dataclass(frozen=True)
class Credential:
    """The Authorization header and the client certificate with its key (PEM), each None where there is none."""

    authorization: str | None = field(default=None, repr=False)
    certificate: bytes | None = field(default=None, repr=False)
    key: bytes | None = field(default=None, repr=False)
    expires: float | None = None  # seconds since 1970; known for what credential plugins give

    @property
    def secrets(self) -> set[str]:
        """What must not be shown: the header's value, and the token in it."""
        header = self.authorization
        return {header, header.split(" ", 1)[-1]} if header else set()

    def expired(self, now: float) -> str | None:
        """What in this has expired, in words; None if nothing has. `now` is in seconds since 1970."""
        ends = [("client certificate", expiry_of_certificate(self.certificate) if self.certificate else None)]
        if self.authorization and self.authorization.startswith(_BEARER):
            ends.append(("token", expiry_of_token(self.authorization[len(_BEARER) :])))
        for what, end in ends:
            if end and end.timestamp() <= now:
                return f"the {what} expired on {end.astimezone(timezone.utc):%Y-%m-%d at %H:%M} UTC"
        return None


@dataclass(frozen=True)
class Source:
    """Where a credential comes from.

    `words` say whose it is. `read` fetches it and raises ClusterError when it cannot be had. `renewable`: reading again
    can give another one. `max_age`: seconds after which it is read again (None: not before it expires).
    """

    words: str
    read: Callable[[], Credential]
    renewable: bool = False
    max_age: float | None = None


class Credentials:
    """The current credential of a source; thread-safe. `now` is the time of day in seconds since 1970."""

    def __init__(self, source: Source, now: Callable[[], float] = time.time) -> None:
        self._source = source
        self._now = now
        self._lock = threading.Lock()
        self._credential: Credential | None = None
        self._read_at = 0.0
        self._generation = 0
        self.words = source.words
        self.secrets: frozenset[str] = frozenset()

    def current(self) -> tuple[int, Credential]:
        """The credential to send now, with the number of its reading; raises ClusterError when it cannot be had."""
        with self._lock:
            if self._credential is None or self._is_old(self._credential):
                self._read()
            return self._generation, self._credential

    def renew(self, generation: int) -> bool:
        """After the server refused the credential of that reading: True when there is a newer one to try."""
        with self._lock:
            if self._generation == generation and self._source.renewable:
                self._read()
            return self._generation != generation

    def hint(self) -> str:
        """Why the server refuses the current credential and what to do, as far as it can be seen in it."""
        with self._lock:
            credential = self._credential
        if credential is None:
            return ""
        expired = credential.expired(self._now())
        if expired:
            return f"{expired}, renew the expired one"
        if not credential.authorization and not credential.certificate:
            return "none were sent, give a token (api_key), a client certificate or another context"
        return ""

    def _is_old(self, credential: Credential) -> bool:
        if not self._source.renewable:
            return False
        if credential.expires is not None and self._now() >= credential.expires - _EARLY:
            return True
        return self._source.max_age is not None and self._now() >= self._read_at + self._source.max_age

    def _read(self) -> None:
        self._credential = self._source.read()
        self._read_at = self._now()
        self._generation += 1
        self.secrets |= self._credential.secrets


def bearer(token: object, where: str) -> str:
    """The Authorization header for a token; `where` names its origin. ConfigError for what cannot stand in a header."""
    token = str(token).strip()
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        raise ConfigError(f"the token of {where} is empty or holds characters that no token has: give the bare token")
    return _BEARER + token


def basic(username: str, password: str) -> str:
    """The Authorization header for a user name and password."""
    return "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()
