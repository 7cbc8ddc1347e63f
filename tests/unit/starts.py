# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Starts of a run of a plan with its journal on a simulated cluster, how they are killed, and what they come to."""

from __future__ import annotations

import calling
from simulation import Executor, Killed


def carry_out(cluster, plan, run="r1", check_mode=False, **options):
    """A start in the executor that the cluster has, or a new one. An option that is None is not given."""
    given = {"plan": plan, "run_id": run, "journal": {"clusters": ["eu"]}, **options}
    given = {name: value for name, value in given.items() if value is not None}
    return calling.run("k8s_rollout_restart", cluster, check_mode, **given)


def start(cluster, plan, run="r1", check_mode=False, **options):
    """The same in an executor of its own, to which the cluster goes on."""
    cluster.go_on(Executor(cluster))
    return carry_out(cluster, plan, run, check_mode, **options)


def end():
    """Kills the start that is carried out."""
    raise Killed


def kill(cluster, plan, at):
    """A start that is killed so many seconds after it began. One that ends before raises no error."""
    Executor(cluster).later(at, end)
    try:
        carry_out(cluster, plan)
    except Killed:
        return
    raise AssertionError(f"it ended before {at} s")


def ended(result):
    """The outcome of the only workload, and its message."""
    (one,) = result["results"]
    return one["outcome"], one["message"]


def outcome(result):
    """The outcome of the only workload."""
    return ended(result)[0]


def message(result):
    """Its message."""
    return ended(result)[1]
