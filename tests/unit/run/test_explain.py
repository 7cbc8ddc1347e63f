# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A cause comes with the last lines of a log where there is one, and without them where it may not be read."""

from __future__ import annotations

import datetime

import pytest

from ansible_collections.restartx.core.plugins.module_utils.cluster.errors import Forbidden, Invalid, ServerFailed
from ansible_collections.restartx.core.plugins.module_utils.run.explain import find_cause

from simulation import FakeCluster, Run, deployment

NOW = datetime.datetime(2026, 11, 24, 22, 0, tzinfo=datetime.timezone.utc)
ENDED = {"terminated": {"reason": "Error", "exitCode": 1}}
LOOPS = {"waiting": {"reason": "CrashLoopBackOff"}}
LOG = "/api/v1/namespaces/shop/pods/cart-1-x/log"


def cluster_with(state, last=None, log=""):
    """A cluster in which the one pod of the Deployment cart has a container in this state, and it has this log."""
    cluster = FakeCluster([deployment("cart")])
    (cart,) = cluster.objects.values()
    cluster.add_pod(cart, "Whatever")
    (pod,) = cluster.pods
    pod["metadata"]["name"] = "cart-1-x"
    pod["status"]["containerStatuses"][0] |= {"state": state, "lastState": last or {}}
    cluster.logs = []

    def text(path, params=None, *, deadline=None):
        cluster.logs.append((path, params))
        if isinstance(log, Exception):
            raise log
        return log

    cluster.text = text
    return cluster, cart


@pytest.mark.parametrize(
    "state, last, previous",
    [(LOOPS, ENDED, True), (ENDED, None, False), ({"running": {}}, ENDED, True)],
    ids=["waits for its next try", "has just ended", "runs again"],
)
def test_the_log_is_that_of_the_instance_that_ended(state, last, previous):
    cluster, cart = cluster_with(state, last, "one\ntwo\n")
    found = find_cause(cluster, cart, NOW)
    assert found.cause.log == ("one", "two")
    assert cluster.logs == [(LOG, {"container": "main", "previous": previous, "tailLines": 5, "limitBytes": 16384})]


@pytest.mark.parametrize(
    "state, last",
    [
        ({"waiting": {"reason": "ImagePullBackOff"}}, None),
        ({"waiting": {"reason": "CreateContainerConfigError"}}, None),
        (LOOPS, {"terminated": {"reason": "StartError", "exitCode": 128}}),
    ],
)
def test_what_never_ran_has_no_log(state, last):
    cluster, cart = cluster_with(state, last)
    assert find_cause(cluster, cart, NOW).cause.log == ()
    assert cluster.logs == []


def test_where_nothing_is_wrong_there_is_nothing_to_find():
    cluster, cart = cluster_with({"waiting": {"reason": "ContainerCreating"}})
    assert find_cause(cluster, cart, NOW).cause is None


@pytest.mark.parametrize(
    "error, deaf",
    [
        (Forbidden("may not get pods/log", status=403), "may not get pods/log"),
        (ServerFailed("its node does not answer", status=500), None),
        (Invalid("the previous container is gone", status=400), None),
    ],
)
def test_without_a_log_the_cause_is_told_all_the_same(error, deaf):
    found = find_cause(*cluster_with(LOOPS, ENDED, error), NOW)
    assert (found.cause.code, found.cause.log, found.deaf) == ("crash_loop", (), deaf)


def test_that_logs_may_not_be_read_is_one_warning_however_many_workloads_fail():
    cluster = FakeCluster([deployment(name) for name in "ab"], breaks={"a", "b"})

    def text(path, params=None, *, deadline=None):
        raise Forbidden("may not get pods/log", status=403)

    cluster.text = text
    run = Run(("a", "b"), cluster=cluster, timeout=5.0)
    for name in "ab":
        run.world.later(2, lambda name=name: broken(cluster, run.workload(name)))
    run.carry_out()
    assert [run.task(name).cause.code for name in "ab"] == ["crash_loop", "crash_loop"]
    assert len(run.loop.warnings) == 1
    assert run.loop.warnings[0].startswith("no log lines with the cause for Deployment shop/")
    assert run.loop.warnings[0].endswith(": may not get pods/log")


def broken(cluster, one):
    cluster.add_pod(one, "CrashLoopBackOff")
    cluster.pods[-1]["status"]["containerStatuses"][0]["lastState"] = ENDED
