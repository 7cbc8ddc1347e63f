# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A cause comes with the last lines of a log where there is one, and without them where it may not be read."""

from __future__ import annotations

import datetime

import pytest
from simulation import FakeCluster, Run, deployment

from ansible_collections.restartx.core.plugins.module_utils.cluster.api import Listing
from ansible_collections.restartx.core.plugins.module_utils.cluster.errors import Forbidden, Invalid, ServerFailed
from ansible_collections.restartx.core.plugins.module_utils.engine.diagnose import find_cause
from ansible_collections.restartx.core.plugins.module_utils.engine.lifecycle import FULL_LOGS
from ansible_collections.restartx.core.plugins.module_utils.engine.permission import RunOptions

NOW = datetime.datetime(2026, 11, 24, 22, 0, tzinfo=datetime.UTC)
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
    pod["status"]["containerStatuses"][0] |= {"state": state, "lastState": last or {}, "restartCount": 2}
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
    assert cluster.logs == [(LOG, {"container": "main", "previous": previous, "tailLines": 20, "limitBytes": 65536})]


def test_a_container_that_is_started_again_before_its_log_is_read_has_the_log_of_the_instance_before():
    cluster, cart = cluster_with(ENDED, None, "")
    asked = cluster.logs

    def text(path, params=None, *, deadline=None):
        asked.append((path, params))
        return "giving up\n" if params["previous"] else ""

    cluster.text = text
    assert find_cause(cluster, cart, NOW).cause.log == ("giving up",)
    assert [params["previous"] for _path, params in asked] == [False, True]


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
    "error, log_denied",
    [
        (Forbidden("may not get pods/log", status=403), "may not get pods/log"),
        (ServerFailed("its node does not answer", status=500), None),
        (Invalid("the previous container is gone", status=400), None),
    ],
)
def test_without_a_log_the_cause_is_told_all_the_same(error, log_denied):
    found = find_cause(*cluster_with(LOOPS, ENDED, error), NOW)
    assert (found.cause.code, found.cause.log, found.log_denied) == ("crash_loop", (), log_denied)


def test_that_logs_may_not_be_read_is_one_warning_however_many_workloads_fail():
    cluster = FakeCluster([deployment(name) for name in "ab"], breaks={"a", "b"})

    def text(path, params=None, *, deadline=None):
        raise Forbidden("may not get pods/log", status=403)

    cluster.text = text
    run = Run(("a", "b"), cluster=cluster, timeout=5.0)
    for name in "ab":
        run.executor.later(2, lambda name=name: broken(cluster, run.workload(name)))
    run.carry_out()
    assert [run.task(name).cause.code for name in "ab"] == ["crash_loop", "crash_loop"]
    assert len(run.loop.warnings) == 1
    assert run.loop.warnings[0].startswith("no log lines with the cause for Deployment shop/")
    assert run.loop.warnings[0].endswith(": may not get pods/log")


def broken(cluster, one):
    cluster.add_pod(one, "CrashLoopBackOff")
    cluster.pods[-1]["status"]["containerStatuses"][0]["lastState"] = ENDED


NO_NAME = "dial tcp: lookup orders-db on 10.96.0.10:53: no such host"
DENY = {
    "metadata": {"name": "deny", "namespace": "shop"},
    "spec": {"podSelector": {}, "policyTypes": ["Egress"]},
}


def answering(cluster, **answers):
    """The cluster, which also has what stands at the end of these paths. Returns what is asked for of that."""
    asked, listed = [], cluster.list

    def ask(path, params):
        asked.append((path, params))
        answer = answers[path.rpartition("/")[2]]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def wrapped(path, params=None, *, deadline=None):
        mine = path.rpartition("/")[2] in answers and (params or {}).get("fieldSelector") != "type=Warning"
        return Listing(ask(path, params), "1") if mine else listed(path, params, deadline=deadline)

    cluster.list = wrapped
    cluster.get = lambda path, params=None, *, deadline=None: ask(path, params)
    return asked


@pytest.mark.parametrize(
    "policies, also",
    [([DENY], ["network_policy", "dns"]), ([], ["dns"]), (Forbidden("may not list", status=403), ["dns"])],
)
def test_network_policies_are_read_only_for_a_log_that_complains_and_nobody_has_to_allow_it(policies, also):
    cluster, cart = cluster_with(LOOPS, ENDED, f"starting\n{NO_NAME}\n")
    asked = answering(cluster, networkpolicies=policies)
    found = find_cause(cluster, cart, NOW)
    assert (found.cause.code, [one.code for one in found.cause.also]) == ("crash_loop", also)
    assert found.log_denied is None
    assert asked == [("/apis/networking.k8s.io/v1/namespaces/shop/networkpolicies", None)]
    quiet, cart = cluster_with(LOOPS, ENDED, "giving up\n")
    asked = answering(quiet, networkpolicies=policies)
    assert find_cause(quiet, cart, NOW).cause.also == () and asked == []
    assert find_cause(*cluster_with(LOOPS, ENDED, NO_NAME), NOW, lines=0).cause.also == ()


def without_a_node(message):
    """A cluster in which the one pod of the Deployment cart finds no node."""
    cluster, cart = cluster_with({"waiting": {"reason": "ContainerCreating"}})
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}
    cluster.pods[0]["status"] |= {"conditions": [condition], "containerStatuses": []}
    return cluster, cart


TAINTED = "0/{} nodes are available: {} node(s) had untolerated taint(s)."
BAD = {"metadata": {"name": "n1"}, "status": {"conditions": [{"type": "Ready", "status": "Unknown"}]}}


@pytest.mark.parametrize(
    "number, nodes, code, reads",
    [
        (1, [BAD], "node_not_ready", True),
        (1, Forbidden("may not list nodes", status=403), "unschedulable", True),
        (101, [BAD], "unschedulable", False),
    ],
)
def test_nodes_are_read_if_taints_keep_a_pod_from_all_of_few_nodes(number, nodes, code, reads):
    cluster, cart = without_a_node(TAINTED.format(number, number))
    asked = answering(cluster, nodes=nodes, events=[])
    assert find_cause(cluster, cart, NOW).cause.code == code
    assert [path for path, _params in asked if path.endswith("nodes")] == (["/api/v1/nodes"] if reads else [])


@pytest.mark.parametrize(
    "message, asks",
    [("0/2 nodes are available: 2 Insufficient cpu.", True), ("unbound immediate PersistentVolumeClaims", False)],
)
def test_preemptions_are_read_only_if_a_pod_finds_no_room(message, asks):
    cluster, cart = without_a_node(message)
    asked = answering(cluster, events=[], nodes=[])
    find_cause(cluster, cart, NOW)
    assert asked == ([("/api/v1/namespaces/shop/events", {"fieldSelector": "reason=Preempted"})] if asks else [])


@pytest.mark.parametrize("age, reads", [(29, False), (31, True)])
@pytest.mark.parametrize("node, code", [(BAD, "node_not_ready"), (Forbidden("may not get nodes", status=403), None)])
def test_the_node_of_a_pod_that_has_not_begun_is_read_after_a_while(age, reads, node, code):
    cluster, cart = cluster_with({"waiting": {"reason": "ContainerCreating"}})
    (pod,) = cluster.pods
    pod["spec"]["nodeName"] = "n1"
    pod["status"]["phase"] = "Pending"
    pod["metadata"]["creationTimestamp"] = (NOW - datetime.timedelta(seconds=age)).isoformat()
    asked = answering(cluster, n1=node)
    found = find_cause(cluster, cart, NOW).cause
    assert (found and found.code) == (code if reads else None)
    assert asked == ([("/api/v1/nodes/n1", None)] if reads else [])


def test_after_many_failures_logs_are_shorter():
    names = [f"w{number:02}" for number in range(FULL_LOGS + 1)]
    cluster = FakeCluster([deployment(name) for name in names], breaks=set(names))
    asked = []

    def text(path, params=None, *, deadline=None):
        asked.append(params["tailLines"])
        return "giving up\n"

    cluster.text = text
    run = Run(tuple(names), cluster=cluster, timeout=5.0, options=RunOptions())
    for name in names:
        run.executor.later(2, lambda name=name: broken(cluster, run.workload(name)))
    run.carry_out()
    assert asked == [20] * FULL_LOGS + [5]
