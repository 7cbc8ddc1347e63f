# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Restarts pod by pod whose leader is the pod that says so itself, asked through the API server."""

from __future__ import annotations

import json

import pytest
from one_by_one import EvictingCluster, on_delete

from ansible_collections.restartx.core.plugins.module_utils.cluster.api import Reply
from ansible_collections.restartx.core.plugins.module_utils.cluster.errors import Forbidden, ServerFailed, Unreachable
from ansible_collections.restartx.core.plugins.module_utils.rollout.errors import RolloutError
from ansible_collections.restartx.core.plugins.module_utils.schedule.errors import ScheduleError
from tests.unit.verbs.test_between_pods import later, message, outcome, plan, restart, start

SECRET = "hunter2"
PODS = "/api/v1/namespaces/shop/pods"
BY_STATUS = {"http": {"port": 8008, "path": "/primary"}}
BY_BODY = {"http": {"port": 8008, "path": "/", "scheme": "https"}, "that": "role == 'primary'"}


def path_of(name, how):
    http = how["http"]
    scheme = "https:" if http.get("scheme") == "https" else ""
    return f"{PODS}/{scheme}{name}:{http['port']}/proxy{http['path']}"


class Asked:
    """What the pods of a cluster answer: who leads can change."""

    def __init__(self, cluster, how, leaders):
        self.cluster, self.how, self.leaders = cluster, how, set(leaders)
        self.instead = {}
        for place in range(9):
            cluster.answers[path_of(f"db-{place}", how)] = lambda name=f"db-{place}": self.answer(name)

    def answer(self, name):
        if name in self.instead:
            given = self.instead[name]
            if isinstance(given, Exception):
                raise given
            return given
        leads = name in self.leaders
        if "that" not in self.how:
            return Reply(200 if leads else 503, SECRET.encode())
        return Reply(200, json.dumps({"role": "primary" if leads else "replica", "password": SECRET}).encode())


@pytest.mark.parametrize("how", [BY_STATUS, BY_BODY], ids=["status", "body"])
def test_the_pod_that_says_that_it_leads_goes_last_also_if_another_one_leads_later(how):
    cluster = EvictingCluster(on_delete(replicas=5))
    asked = Asked(cluster, how, ["db-3"])

    def allow(pod):
        asked.leaders = {"db-1"} if pod["metadata"]["name"] == "db-4" else {"db-3"}

    cluster.allow = allow
    result = restart(cluster, between_pods={"order": "ordinal", "leader": how})
    assert outcome(result) == "restarted", result
    assert cluster.evicted == ["db-4", "db-3", "db-2", "db-1", "db-0"]

    cluster = EvictingCluster(on_delete(replicas=3))
    Asked(cluster, how, ["db-2"])
    assert outcome(restart(cluster, between_pods={"order": "ordinal", "leader": how})) == "restarted"
    assert cluster.evicted == ["db-1", "db-0", "db-2"]
    questions = [path for verb, path in cluster.asked if verb == "reply"]
    assert len(questions) == 3 * 3  # once before each eviction, and never while a pod is being replaced


STRANGE = [
    (
        Reply(500, SECRET.encode()),
        "status",
        "none of its pods says that it leads (GET http://POD:8008/primary): db-0 answers with status 503",
    ),
    (
        Unreachable("no answer in time"),
        "status",
        "pod db-2 could not be asked (GET http://POD:8008/primary): no answer in time; to see it: kubectl ",
    ),
    (
        ServerFailed(SECRET, status=503),
        "status",
        "the API server answers with status 503; to see it: kubectl --context simulated get --raw /api/v1/namespaces/shop/pods/db-2:8008/proxy/primary",
    ),
    (Forbidden(SECRET, status=403), "status", "status 403; rbac/leader_http.yml grants get pods/proxy; to see it: "),
    (
        Reply(503, b"{}"),
        "body",
        "pod db-2 could not be asked (GET https://POD:8008/): it answers with status 503, not 200",
    ),
    (Reply(200, SECRET.encode()), "body", "its answer is no JSON for which \"role == 'primary'\" could be evaluated"),
    (Reply(200, b"[1]"), "body", "none of its pods says that it leads"),
]


@pytest.mark.parametrize("answer, how, told", STRANGE, ids=[f"{row[1]}-{place}" for place, row in enumerate(STRANGE)])
def test_nothing_is_evicted_while_a_ready_pod_gives_no_answer_and_no_body_is_shown(answer, how, told):
    how = BY_STATUS if how == "status" else BY_BODY
    cluster = EvictingCluster(on_delete())
    asked = Asked(cluster, how, ["db-2"])
    asked.instead["db-2"] = answer
    result = restart(cluster, between_pods={"order": "ordinal", "leader": how}, wait_timeout="2m")
    assert outcome(result) == "unfinished" and not cluster.evicted
    assert "0 of 3 pods are new; its leader is not known: " in message(result) and told in message(result)
    assert SECRET not in json.dumps(result)
    asked.instead.clear()
    later(cluster)
    assert outcome(restart(cluster, between_pods={"order": "ordinal", "leader": how})) == "already_restarted"
    assert cluster.evicted == ["db-1", "db-0", "db-2"]


def test_nothing_is_evicted_while_two_pods_say_that_they_lead_or_the_expression_gives_no_truth():
    for how, leaders, told in (
        (
            BY_STATUS,
            ["db-0", "db-2"],
            "several of its pods say that they lead (GET http://POD:8008/primary): db-0, db-2",
        ),
        (
            BY_STATUS,
            [],
            "none of its pods says that it leads (GET http://POD:8008/primary): db-0 answers with status 503, db-1 ",
        ),
        ({**BY_BODY, "that": "role"}, ["db-0"], 'its answer gives neither true nor false for "role"'),
    ):
        cluster = EvictingCluster(on_delete())
        Asked(cluster, how, leaders)
        result = restart(cluster, between_pods={"order": "ordinal", "leader": how}, wait_timeout="1m")
        assert outcome(result) == "unfinished" and not cluster.evicted and told in message(result)


def test_a_pod_that_is_not_ready_need_not_answer_but_counts_if_it_leads():
    for leaders, evicted in ((["db-2"], ["db-0", "db-1", "db-2"]), (["db-0", "db-2"], [])):
        cluster = EvictingCluster(on_delete())
        asked = Asked(cluster, BY_STATUS, leaders)
        cluster.pods[0]["status"]["conditions"][0]["status"] = "False"
        if not evicted:
            told = "several of its pods say that they lead"
        else:
            asked.instead["db-0"] = Unreachable("no answer in time")
            cluster.allow = lambda pod, asked=asked: asked.instead.clear()
        result = restart(
            cluster, between_pods={"order": "ordinal", "leader": BY_STATUS}, wait_timeout="5m", timeout="10m"
        )
        assert cluster.evicted == evicted, result
        assert evicted or told in message(result)


def test_the_permission_is_asked_for_before_anything_is_touched():
    for call in (
        lambda cluster: restart(cluster, between_pods={"order": "ordinal", "leader": BY_STATUS}),
        lambda cluster: start(cluster, plan({"order": "ordinal", "leader": BY_STATUS})),
    ):
        cluster = EvictingCluster(on_delete())
        Asked(cluster, BY_STATUS, ["db-2"])
        cluster.denied.add(("get", "pods"))
        with pytest.raises(RolloutError) as told:
            call(cluster)
        assert "to get pods/proxy in namespace shop, which between_pods needs; nothing was touched" in str(told.value)
        command = (
            "kubectl --context simulated apply -f rbac/leader_http.yml; kubectl --context simulated create rolebinding "
        )
        assert command in str(told.value) and not cluster.patches


def test_an_expression_that_is_none_is_a_mistake():
    wrong = {**BY_BODY, "that": "role =="}
    with pytest.raises(ScheduleError, match=r"between_pods of selection: leader: that: \"role ==\" is not a JMESPath"):
        restart(EvictingCluster(on_delete()), between_pods={"order": "ordinal", "leader": wrong})
