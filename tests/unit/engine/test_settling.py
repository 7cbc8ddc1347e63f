# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""`settle` counts from the rollout itself: what was restarted by an earlier start and has been well since pays once."""

from __future__ import annotations

import copy
import datetime

import pytest
from simulation import DEFAULTS, RUN, START, FakeCluster, Run, workload

from ansible_collections.restartx.core.plugins.module_utils.cluster import watch
from ansible_collections.restartx.core.plugins.module_utils.cluster.errors import Forbidden, Unreachable
from ansible_collections.restartx.core.plugins.module_utils.engine.executor import Interrupted, Opened
from ansible_collections.restartx.core.plugins.module_utils.engine.permission import RunOptions
from ansible_collections.restartx.core.plugins.module_utils.rollout import restart
from ansible_collections.restartx.core.plugins.module_utils.schedule.plan import Entry

SETTLE = 600.0
KINDS = ("Deployment", "StatefulSet", "DaemonSet")


def ago(seconds):
    return (START - datetime.timedelta(seconds=seconds)).isoformat().replace("+00:00", "Z")


def carried(kind, since):
    """A run over one workload that an earlier start of it restarted, and that has been well for so many seconds."""
    one = workload(kind, "api", **{restart.RUN: RUN})
    cluster = FakeCluster([one])
    if since is not None and kind == "Deployment":
        one["status"]["conditions"] = [
            {"type": "Available", "status": "True", "lastTransitionTime": ago(since + 99)},
            {"type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable", "lastUpdateTime": ago(since)},
        ]
    elif since is not None:
        ready = {"type": "Ready", "status": "True", "lastTransitionTime": ago(since)}
        owner = {
            "kind": kind,
            "name": "api",
            "uid": one["metadata"]["uid"],
            "controller": True,
            "apiVersion": "apps/v1",
        }
        labels = one["spec"]["template"]["metadata"]["labels"]
        meta = {"name": "api-0", "namespace": "shop", "labels": labels, "ownerReferences": [owner]}
        cluster.pods = [{"metadata": meta, "status": {"conditions": [ready]}}]
    entry = Entry("all", kinds=(kind,), names=("api",), namespaces=("shop",))
    return Run(entry, cluster=cluster, settle=SETTLE, timeout=2000.0)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("since, left", [(3 * 3600, 0), (SETTLE, 0), (400.0, 200.0), (None, SETTLE), (-50.0, SETTLE)])
def test_what_has_been_well_since_an_earlier_start_settles_only_for_the_rest(kind, since, left):
    run = carried(kind, since).carry_out()
    assert run.outcome("api") == "already_restarted"
    assert left <= run.executor.clock.passed <= left + 1.1


@pytest.mark.parametrize("kind", ["StatefulSet", "DaemonSet"])
def test_a_dead_pod_that_is_left_over_is_not_waited_for(kind):
    run = carried(kind, SETTLE)
    dead = copy.deepcopy(run.cluster.pods[0])
    dead["metadata"]["name"] = "api-evicted"
    dead["status"] = {"phase": "Failed", "reason": "Evicted"}
    run.cluster.pods.append(dead)
    run.carry_out()
    assert run.executor.clock.passed <= 1.1


@pytest.mark.parametrize("kind", KINDS)
def test_a_restart_of_this_call_settles_for_the_whole_time(kind):
    run = carried(kind, 3 * 3600)
    del run.task("api").object["spec"]["template"]["metadata"]["annotations"]
    del run.workload("api")["spec"]["template"]["metadata"]["annotations"]
    run.carry_out()
    assert run.outcome("api") == "restarted"
    assert run.executor.clock.passed >= SETTLE


def test_what_breaks_while_it_settles_begins_anew():
    run = carried("Deployment", 400.0)
    api = run.workload("api")

    def set_available(count):
        api["status"]["availableReplicas"] = count
        run.cluster.show(api)

    run.executor.later(100.0, lambda: set_available(1))
    run.executor.later(150.0, lambda: set_available(2))
    run.carry_out()
    assert run.executor.clock.passed >= 150 + SETTLE


def test_pods_that_may_not_be_read_cost_the_whole_time_and_nothing_else():
    run = carried("StatefulSet", 3 * 3600)
    run.cluster.fail = lambda verb, path: Forbidden("no", status=403) if path.endswith("/pods") else None
    run.carry_out()
    assert run.outcome("api") == "already_restarted"
    assert SETTLE <= run.executor.clock.passed < SETTLE + 2


# -- a connection that is lost in mid-run ----------------------------------------------------------------------------

GONE = Unreachable("no connection to https://simulated:6443: connection refused", transient=True)


def broken(options=DEFAULTS, timeout=25.0):
    """A restart that does not come up, and whose watch is interrupted after five seconds."""
    cluster = FakeCluster([workload("Deployment", "api")], breaks={"api"})
    run = Run(("api",), cluster=cluster, timeout=timeout, options=options)
    for moment in (5.0, 7.0, 11.0):
        run.executor.later(moment, lambda: run.executor.see(Interrupted(GONE)))
    return run


@pytest.mark.parametrize(
    "options, timeout, words",
    [
        (DEFAULTS, 25.0, "not done after 25s: "),
        (
            RunOptions(deadline=25.0, wait_timeout=25.0),
            None,
            "the wait_timeout of 25s for the whole call is over; last seen: ",
        ),
    ],
    ids=["timeout", "deadline"],
)
def test_a_connection_that_is_lost_is_told_before_what_was_last_seen(options, timeout, words):
    run = broken(options, timeout).carry_out()
    assert run.outcome("api") == "unfinished"
    assert run.task("api").message.startswith(
        f"{GONE}, so nothing was seen of it for 20s; {words}Waiting for deployment"
    )


@pytest.mark.parametrize("recovered", [Opened(), None], ids=["opened", "an event"])
def test_a_connection_that_came_back_is_not_told(recovered):
    run = broken()
    api = copy.deepcopy(run.workload("api"))
    run.executor.later(12.0, lambda: run.executor.see(recovered or watch.Changed(api)))
    run.carry_out()
    assert run.task("api").message.startswith("not done after 25s: Waiting for deployment")
