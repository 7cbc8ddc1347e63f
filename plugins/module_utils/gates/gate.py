# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A gate: what is asked, and how."""

from __future__ import annotations

import datetime
from dataclasses import dataclass

from ansible_collections.restartx.core.plugins.module_utils.cluster.api import Reader
from ansible_collections.restartx.core.plugins.module_utils.cluster.errors import ClusterError
from ansible_collections.restartx.core.plugins.module_utils.gates.judgement import Limits
from ansible_collections.restartx.core.plugins.module_utils.gates.provider import (
    ASK_SECONDS,
    Answer,
    Asking,
    GateError,
    Provider,
)


@dataclass(frozen=True)
class Gate:
    """What is asked, and how."""

    provider: Provider
    limits: Limits


def ask(gate: Gate, cluster: Reader, now: datetime.datetime, instant: float) -> Answer:
    """One answer. A gate that cannot be asked is closed. `instant` is now, by the clock of the cluster."""
    try:
        return gate.provider.ask(Asking(cluster, now, instant + ASK_SECONDS))
    except (GateError, ClusterError) as error:
        return Answer(False, f"it could not be asked: {error}")


def ask_numbered(
    question: int, gate: Gate, cluster: Reader, now: datetime.datetime, instant: float
) -> tuple[int, Answer]:
    """The number of the question, and what ask() answers."""
    return question, ask(gate, cluster, now, instant)
