# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A gate on an expression of Prometheus.

The HTTP API: https://prometheus.io/docs/prometheus/latest/querying/api/#instant-queries
"""

from __future__ import annotations

import math
import typing as t
from dataclasses import dataclass, replace

from ansible_collections.restartx.core.plugins.module_utils.cluster import web
from ansible_collections.restartx.core.plugins.module_utils.gates.provider import (
    ASK_SECONDS,
    Answer,
    Asking,
    GateError,
)

SHOWN = 3  # series in a sentence


@dataclass(frozen=True)
class Bounds:
    """What each value must be; None is not checked."""

    most: float | None = None
    least: float | None = None
    equals: float | None = None

    def broken(self, value: float) -> str | None:
        """What is wrong with a value; None if nothing is. NaN and infinity come from a division by zero."""
        if math.isnan(value) or math.isinf(value):
            return "which cannot be compared"
        if self.most is not None and value > self.most:
            return f"above {number(self.most)}"
        if self.least is not None and value < self.least:
            return f"below {number(self.least)}"
        if self.equals is not None and value != self.equals:
            return f"not {number(self.equals)}"
        return None


@dataclass(frozen=True)
class PrometheusGate:
    """Each series of the answer must be within the bounds. No series at all counts as closed."""

    expression: str
    server: web.Site
    bounds: Bounds

    def about(self) -> str:
        return f"Prometheus {self.server.shown}: {self.expression}"

    def ask(self, asking: Asking) -> Answer:
        site = replace(self.server, url=f"{self.server.url.rstrip('/')}/api/v1/query")
        return self.answer(web.get(site, ASK_SECONDS, {"query": self.expression}))

    def answer(self, reply: web.Reply) -> Answer:
        """What an answer of the server means. Raises GateError if it is not one of Prometheus."""
        series = self._series(reply)
        if not series:
            return Answer(False, f'"{self.expression}" has no value')
        bad = [
            f"{name or 'it'} is {number(value)}, {wrong}"
            for name, value in series
            if (wrong := self.bounds.broken(value))
        ]
        if bad:
            more = f", and {len(bad) - SHOWN} more" if len(bad) > SHOWN else ""
            return Answer(False, f'"{self.expression}": {"; ".join(bad[:SHOWN])}{more}')
        if len(series) == 1:
            return Answer(True, f'"{self.expression}" is {number(series[0][1])}')
        values = [value for _name, value in series]
        return Answer(
            True, f'"{self.expression}" has {len(series)} values, {number(min(values))} to {number(max(values))}'
        )

    def _series(self, reply: web.Reply) -> list[tuple[str, float]]:
        """The labels and the value of each series. Raises GateError if Prometheus did not answer the question."""
        try:
            content = reply.json()
            if content["status"] != "success":
                raise GateError(
                    f"{self.server.shown} refuses the expression: {content.get('error', 'it does not say why')}"
                )
            kind, result = content["data"]["resultType"], content["data"]["result"]
            if kind == "scalar":
                return [("", float(result[1]))]
            if kind == "vector":
                return [(_labels(one["metric"]), float(one["value"][1])) for one in result]
        except (ValueError, KeyError, TypeError, IndexError) as error:
            raise GateError(f"{self.server.shown} gives no answer of Prometheus (status {reply.status})") from error
        raise GateError(f'"{self.expression}" gives a {kind}; it must give a number, or one for each series')


def _labels(metric: t.Mapping[str, str]) -> str:
    name = metric.get("__name__", "")
    labels = ", ".join(f'{label}="{value}"' for label, value in sorted(metric.items()) if label != "__name__")
    return f"{name}{{{labels}}}" if labels else name


def number(value: float) -> str:
    """A number as people write it."""
    return f"{value:.15g}" if math.isfinite(value) else str(value)
