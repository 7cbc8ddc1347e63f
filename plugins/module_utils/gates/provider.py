# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a gate asks: the interface of all providers, and their answer.

A new provider is a file beside this one, and a row in read.py.
"""

from __future__ import annotations

import datetime
import typing as t
from dataclasses import dataclass

from ansible_collections.restartx.core.plugins.module_utils.cluster.api import Reader

ASK_SECONDS = 10.0  # how long one answer may take


class GateError(Exception):
    """The gate could not be asked, or its answer cannot be understood. One sentence; the gate counts as closed."""


@dataclass(frozen=True)
class Answer:
    """Whether the gate is open now, and a clause about it. A `final` answer does not change any more."""

    is_open: bool
    said: str
    final: bool = False
    log: tuple[str, ...] = ()  # last lines, without secrets


@dataclass(frozen=True)
class Asking:
    """What a provider may use: the cluster, the time of day, and the deadline, an instant of the cluster's clock."""

    cluster: Reader
    now: datetime.datetime
    deadline: float


class Provider(t.Protocol):
    """One way to find out whether the restart may go on."""

    def about(self) -> str:
        """What is asked, for people: `job "migrate" in namespace "shop"`. It holds no secrets."""

    def ask(self, asking: Asking) -> Answer:
        """Asks once. Raises GateError or ClusterError if it could not be asked."""
