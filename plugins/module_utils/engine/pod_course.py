# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How far a workload is whose pods are evicted."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ansible_collections.restartx.core.plugins.module_utils.rollout import pod_order


@dataclass
class Course:
    """How far one workload is. Instants are of the monotonic clock."""

    asked_at: float | None = None  # while the pods are read
    question: int | None = None  # the number of that read; answers to others are late
    again: bool = False  # something has changed meanwhile
    evicting: bool = False  # a pod is being evicted
    outdated: bool = False  # that eviction is one of the step before
    finished: bool = False  # no pod is left to be replaced
    unread: t.Sequence[str] | None = None  # nodes whose zones are to be read before the pods are read again
    ready: dict[pod_order.Ready, float] = field(default_factory=dict)  # new pods, and when each was seen so first
    evicted: dict[str, str] = field(default_factory=dict)  # the pod that was evicted in each place, by its uid
    places: dict[str, str] = field(default_factory=dict)  # of the pods that are replaced together, each with its zone
    joins: bool = False  # the next pod is evicted while others are being replaced
    due: float | None = None  # when the pods are to be read
    unread_since: float | None = None
    failing_since: float | None = None  # while evictions end with errors that may go away
    done: str = ""  # how far it is, in words
    evicted_name: str = ""  # of the pod that is being evicted
