# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The waves of a run: which clusters are worked on at the same time, and how lists of them read."""

from __future__ import annotations

import typing as t
from collections import Counter

from ansible_collections.restartx.core.plugins.module_utils.rollout import words
from ansible_collections.restartx.core.plugins.module_utils.rollout.errors import RolloutError

NAMES_SHOWN = 8  # of a list of clusters or workloads in one line


def batches(
    hosts: t.Sequence[str], waves: t.Mapping[str, t.Any], last_first: bool = False
) -> tuple[list[str], list[int]]:
    """The hosts in the order of their waves, and the size of each wave. Raises RolloutError if a wave is not a number."""
    numbers = {host: _wave(host, waves) for host in hosts}
    ordered = sorted(hosts, key=lambda host: numbers[host], reverse=last_first)
    return ordered, list(Counter(numbers[host] for host in ordered).values())


def waves_text(hosts: t.Sequence[str], serial: t.Sequence[int]) -> str:
    """The waves for people: `eu-west, then us-east and us-west`."""
    waves, begin = [], 0
    for size in serial:
        waves.append(some(hosts[begin : begin + size], " and " if size == 2 else ", "))
        begin += size
    return ", then ".join(waves)


def _wave(host: str, waves: t.Mapping[str, t.Any]) -> float:
    try:
        return float(waves.get(host, 0))
    except (TypeError, ValueError) as error:
        raise RolloutError(f"restartx_wave of {host}: {waves[host]} is not a number") from error


def some(names: t.Sequence[str], joint: str = ", ") -> str:
    """A list for a sentence, with at most a few names."""
    return words.some(names, NAMES_SHOWN, joint)
