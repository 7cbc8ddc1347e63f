# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A gate on the answer of a web server."""

from __future__ import annotations

import datetime
import re
from dataclasses import dataclass

from ansible_collections.restartx.core.plugins.module_utils.cluster import web
from ansible_collections.restartx.core.plugins.module_utils.cluster.certificate import expiry_of_der
from ansible_collections.restartx.core.plugins.module_utils.gates.expression import Expression
from ansible_collections.restartx.core.plugins.module_utils.gates.provider import (
    ASK_SECONDS,
    Answer,
    Asking,
    GateError,
)
from ansible_collections.restartx.core.plugins.module_utils.schedule import duration


@dataclass(frozen=True)
class HttpGate:
    """The answer to a GET request. What is None is not checked; durations are seconds. The body is never shown."""

    site: web.Site
    statuses: tuple[int, ...] = (200,)
    matches: re.Pattern[str] | None = None
    that: Expression | None = None
    max_latency: float | None = None
    certificate_for: float | None = None  # how long the certificate must stay valid

    def about(self) -> str:
        return f"GET {self.site.shown}"

    def ask(self, asking: Asking) -> Answer:
        return self.answer(web.get(self.site, ASK_SECONDS), asking.now)

    def answer(self, reply: web.Reply, now: datetime.datetime) -> Answer:
        """What an answer of the server means at this time of day. Raises GateError if it cannot be understood."""
        wrong = self._wrong(reply, now)
        return Answer(wrong is None, f"{self.about()} {wrong or f'answers with status {reply.status}'}")

    def _wrong(self, reply: web.Reply, now: datetime.datetime) -> str | None:
        if reply.status not in self.statuses:
            return f"answers with status {reply.status}, not {' or '.join(map(str, self.statuses))}"
        if self.max_latency is not None and reply.seconds > self.max_latency:
            return f"took {reply.seconds:.2f}s, more than {duration.text(self.max_latency)}"
        if self.certificate_for is not None:
            expires = expiry_of_der(reply.certificate) if reply.certificate else None
            if expires is None:
                return "shows no certificate whose end could be read"
            if (expires - now).total_seconds() < self.certificate_for:
                return f"has a certificate that ends on {expires:%Y-%m-%d %H:%M} UTC, within {duration.text(self.certificate_for)}"
        if self.matches is not None and not self.matches.search(reply.body.decode(errors="replace")):
            return f'has a body that does not match "{self.matches.pattern}"'
        return self._untrue(reply)

    def _untrue(self, reply: web.Reply) -> str | None:
        if self.that is None:
            return None
        try:
            content = reply.json()
        except ValueError:
            raise GateError(
                f'{self.about()} has a body that is not JSON, so "{self.that.text}" cannot be evaluated'
            ) from None
        holds, _shown = self.that.holds(content)
        return None if holds else f'has a body of which "{self.that.text}" is not true'
