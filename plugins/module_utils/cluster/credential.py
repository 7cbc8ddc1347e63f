# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The credentials that are sent to the server: where they come from, and when they are renewed."""

from __future__ import annotations

import base64
import copy
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from ansible_collections.restartx.core.plugins.module_utils.cluster.certificate import (
    expiry_of_certificate,
    expiry_of_token,
)
from ansible_collections.restartx.core.plugins.module_utils.cluster.errors import (
    ClusterError,
    ConfigError,
    CredentialPlugin,
)

REREAD = 60.0  # seconds after which files are read again, as client-go does with token files
TRANSIENT_SECONDS = 300.0  # seconds for which a failure to renew credentials counts as temporary
_AHEAD = 300.0  # seconds before its expiry at which it is renewed, or a quarter of its lifetime if that is shorter
_PAUSE = 10.0  # seconds between two attempts to renew it before it expires
_BEARER = "Bearer "


@dataclass(frozen=True)
class Credential:
    """The Authorization header and the client certificate with its key (PEM), each None if there is none."""

    authorization: str | None = field(default=None, repr=False)
    certificate: bytes | None = field(default=None, repr=False)
    key: bytes | None = field(default=None, repr=False)
    expires: float | None = None  # seconds since 1970; known only for credentials from plugins

    @property
    def secrets(self) -> set[str]:
        """The strings that must not be shown: the value of the header, and the token in it."""
        header = self.authorization
        return {header, header.split(" ", 1)[-1]} if header else set()

    @property
    def token_expires(self) -> datetime | None:
        """When the token expires, as it says itself; None if there is none, or if it does not say."""
        if not self.authorization or not self.authorization.startswith(_BEARER):
            return None
        return expiry_of_token(self.authorization[len(_BEARER) :])

    def expired(self, now: float) -> str | None:
        """What has expired, as a clause; None if nothing has. `now` is in seconds since 1970."""
        certificate_expires = expiry_of_certificate(self.certificate) if self.certificate else None
        for what, end in (("client certificate", certificate_expires), ("token", self.token_expires)):
            if end and end.timestamp() <= now:
                return f"the {what} expired on {end.astimezone(UTC):%Y-%m-%d at %H:%M} UTC"
        return None


@dataclass(frozen=True)
class Source:
    """Where a credential comes from.

    `words` name its owner. `fetch` gets the credential, and raises ClusterError if it cannot. `renewable`: another
    fetch can return another credential. `max_age`: seconds after which it is fetched again (None: not before it
    expires). `renewed`: another program renews it for sure. `token_file`: the token is in a file, which may be renewed
    or not. `cancel` ends a fetch that is in progress.
    """

    words: str
    fetch: Callable[[], Credential]
    renewable: bool = False
    max_age: float | None = None
    renewed: bool = False
    token_file: bool = False
    cancel: Callable[[], None] = lambda: None


def _in_background(call: Callable[[], None]) -> None:
    # A daemon: a plugin that hangs must not keep the module from ending.
    threading.Thread(target=call, name="restartx-credentials", daemon=True).start()


class Credentials:
    """The current credential of a source; thread-safe. `now` is the time of day in seconds since 1970.

    A thread renews a credential before it expires. So a credential plugin that hangs delays no request as long as the
    old credential is valid. Only one fetch is in progress at a time, and callers that need its result wait for it. A
    failure after an earlier success is transient until fetches have failed for `TRANSIENT_SECONDS` seconds.
    """

    def __init__(
        self,
        source: Source,
        now: Callable[[], float] = time.time,
        in_background: Callable[[Callable[[], None]], None] = _in_background,
    ) -> None:
        self._source = source
        self._now = now
        self._in_background = in_background
        self._changed = threading.Condition()
        self._credential: Credential | None = None
        self._fetched_at = 0.0
        self._generation = 0
        self._fetching = False
        self._fetches = 0  # how many have ended
        self._failure: Exception | None = None  # of the last fetch
        self._failing_since: float | None = None
        self._pause_until = 0.0  # before this time, nothing is fetched ahead of its expiry
        self.words = source.words
        self.secrets: frozenset[str] = frozenset()

    def current(self, max_wait: float | None = None) -> tuple[int, Credential]:
        """The credential to send now, with the number of its fetch.

        Raises ClusterError if there is none, or none within `max_wait` seconds (None: no limit).
        """
        with self._changed:
            if self._credential is None or self._has_ended(self._credential):
                self._fetch_now(max_wait)
            elif self._is_due(self._credential) and self._now() >= self._pause_until:
                self._begin_fetch()
            if self._credential is None:
                raise AssertionError("a credential was fetched, or the error raised")
            return self._generation, self._credential

    def renew(self, generation: int, max_wait: float | None = None) -> bool:
        """Called after the server refused the credential of that fetch. True if there is a newer one to try."""
        with self._changed:
            if self._generation == generation and self._source.renewable:
                self._fetch_now(max_wait)
            return self._generation != generation

    def close(self) -> None:
        """End a fetch that is in progress."""
        self._source.cancel()

    def hint(self) -> str:
        """Why the server refuses the current credential and what to do, as far as the credential shows it."""
        with self._changed:
            credential = self._credential
        if credential is None:
            return ""
        expired = credential.expired(self._now())
        if expired:
            return f"{expired}; renew it"
        if not credential.authorization and not credential.certificate:
            return "none were sent, give a token (api_key), a client certificate or another context"
        return ""

    def _has_ended(self, credential: Credential) -> bool:
        return self._source.renewable and credential.expires is not None and self._now() >= credential.expires

    def _is_due(self, credential: Credential) -> bool:
        if not self._source.renewable:
            return False
        if credential.expires is not None:
            lifetime = credential.expires - self._fetched_at
            if self._now() >= credential.expires - min(_AHEAD, lifetime / 4):
                return True
        return self._source.max_age is not None and self._now() >= self._fetched_at + self._source.max_age

    def _begin_fetch(self) -> None:
        if not self._fetching:
            self._fetching = True
            self._in_background(self._fetch)

    def _fetch_now(self, max_wait: float | None) -> None:
        """Wait for the result of a fetch. The lock is held, except while waiting."""
        before = self._fetches
        self._begin_fetch()
        if not self._changed.wait_for(lambda: self._fetches != before, max_wait):
            raise CredentialPlugin(
                f"no new credentials of {self.words} came within {max_wait:.0f} seconds: check where they come from",
                transient=True,
            )
        if self._failure is not None:
            failure = copy.copy(self._failure)  # several threads may get it, and each sets its own attributes
            if isinstance(failure, ClusterError) and self._credential is not None:
                failure.transient = self._now() - (self._failing_since or self._now()) < TRANSIENT_SECONDS
            raise failure

    def _fetch(self) -> None:
        """The body of the thread."""
        credential, failure = None, None
        try:
            credential = self._source.fetch()
        except Exception as error:  # raised by the caller that waits for the credential
            failure = error
        with self._changed:
            now = self._now()
            self._fetching, self._fetches, self._failure = False, self._fetches + 1, failure
            if credential is None:
                self._failing_since = now if self._failing_since is None else self._failing_since
                self._pause_until = now + _PAUSE
            else:
                self._credential, self._fetched_at, self._failing_since = credential, now, None
                self._generation += 1
                self.secrets |= credential.secrets
            self._changed.notify_all()


def bearer(token: object, where: str) -> str:
    """The Authorization header for a token; `where` names its origin. Raises ConfigError if a header cannot hold it."""
    token = str(token).strip()
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        raise ConfigError(f"the token of {where} is empty or holds characters that no token has: give the bare token")
    return _BEARER + token


def basic(username: str, password: str) -> str:
    """The Authorization header for a user name and password."""
    return "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()
