# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Restarts pod by pod: OnDelete workloads whose pods are evicted one at a time, also after a kill, and undone in the same way."""

from __future__ import annotations

import itertools
import json
import re
from pathlib import Path
from unittest import mock

import calling
import pytest
import yaml
from one_by_one import EvictingCluster, on_delete
from simulation import Executor, Killed, Noting
from starts import message, outcome

from ansible_collections.restartx.core.plugins.module_utils.cluster.errors import (
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    ServerFailed,
    Throttled,
    Unreachable,
)
from ansible_collections.restartx.core.plugins.module_utils.record import journal
from ansible_collections.restartx.core.plugins.module_utils.record.progress import ProgressWriter
from ansible_collections.restartx.core.plugins.module_utils.rollout import kinds, marks
from ansible_collections.restartx.core.plugins.module_utils.rollout.errors import RolloutError
from ansible_collections.restartx.core.plugins.module_utils.schedule.errors import ScheduleError
from ansible_collections.restartx.core.plugins.module_utils.schedule.plan import check

ORDINAL = {"order": "ordinal"}


def restart(cluster, check_mode=False, kind="StatefulSet", between_pods="ordinal", run="r1", **options):
    """A start of its own: the controllers of the cluster go on from where they are. A text is only the order."""
    between_pods = {"order": between_pods} if isinstance(between_pods, str) else between_pods
    cluster.go_on(Executor(cluster))
    given = {"namespace": "shop", "kind": [kind], "name": ["db"], "run_id": run, "timeout": "30s", **options}
    given |= {"between_pods": between_pods} if between_pods else {}
    return calling.run("k8s_rollout_restart", cluster, check_mode, **given)


def runs(cluster):
    """The run that each pod carries, by name."""
    return {pod["metadata"]["name"]: kinds.annotations_of(pod).get(marks.RUN) for pod in cluster.pods}


def test_the_pods_are_evicted_one_at_a_time_from_the_highest_ordinal_down():
    cluster = EvictingCluster(on_delete())
    result = restart(cluster)
    assert outcome(result) == "restarted", result
    assert cluster.evicted == ["db-2", "db-1", "db-0"]
    assert cluster.fewest["db"] == 2
    assert runs(cluster) == {"db-0": "r1", "db-1": "r1", "db-2": "r1"}
    assert not [asked for asked in cluster.asked if asked[0] == "delete"]
    assert [name for _at, name in cluster.patches] == ["db"]


@pytest.mark.parametrize(
    "kind, order, evicted",
    [
        ("DaemonSet", "age", ["db-4", "db-3", "db-2", "db-1", "db-0"]),
        ("StatefulSet", "age", ["db-4", "db-3", "db-2", "db-1", "db-0"]),
        ("StatefulSet", "zone", ["db-2", "db-3", "db-0", "db-4", "db-1"]),
        ("DaemonSet", "zone", ["db-2", "db-3", "db-0", "db-4", "db-1"]),
    ],
)
def test_the_order_of_the_pods_is_as_asked_for(kind, order, evicted):
    cluster = EvictingCluster(on_delete(kind, replicas=5))
    result = restart(cluster, kind=kind, between_pods={"order": order})
    assert outcome(result) == "restarted", result
    assert cluster.evicted == evicted
    assert cluster.fewest["db"] == 4


def test_a_new_pod_must_stay_ready_before_the_next_one_is_evicted():
    times = []
    cluster = EvictingCluster(on_delete(minReadySeconds=20))
    cluster.allow = lambda pod: times.append(cluster.executor.clock.passed)
    for settle, least in (("60s", 60), ("1s", 20)):
        times.clear()
        result = restart(cluster, between_pods={"order": "ordinal", "settle": settle}, run=settle)
        assert outcome(result) == "restarted", result
        # The first one waits for nothing. Between two of them a pod ends, starts and gets ready, which takes four seconds.
        assert times[0] < 1 and all(
            least + 4 <= after - before < least + 7 for before, after in itertools.pairwise(times)
        )


def test_a_pod_that_is_not_ready_any_more_stops_the_others_until_it_is():
    cluster = EvictingCluster(on_delete())
    executor = Executor(cluster)
    executor.later(20, lambda: cluster.set_ready(cluster.pods[-1], "False"))
    executor.later(80, lambda: cluster.set_ready(cluster.pods[-1], "True"))
    times = []
    cluster.allow = lambda pod: times.append(cluster.executor.clock.passed)
    options = {"namespace": "shop", "kind": ["StatefulSet"], "timeout": "5m"}
    between = {"order": "ordinal", "settle": "30s"}
    result = calling.run("k8s_rollout_restart", cluster, between_pods=between, **options)
    assert outcome(result) == "restarted", result
    assert times[0] < 1 and times[1] >= 110 and cluster.evicted == ["db-2", "db-1", "db-0"]


def test_what_is_not_ready_already_is_replaced_first():
    cluster = EvictingCluster(on_delete())
    cluster.go_on(Executor(cluster))
    cluster.set_ready(cluster.pods[0], "False")
    cluster.broken.add("db-0")  # only with a run, so that a resume does not mend it before
    result = restart(cluster)
    assert cluster.evicted[:1] == ["db-0"] and outcome(result) in ("failed", "unfinished")


def test_a_budget_that_allows_no_eviction_is_waited_for_with_its_answer():
    cluster = EvictingCluster(on_delete())
    cluster.allow = lambda pod: "db needs 3 healthy pods and has 3 currently"
    cluster.go_on(executor := Executor(cluster))
    executor.later(300, lambda: setattr(cluster, "allow", lambda pod: None))
    options = {"namespace": "shop", "kind": ["StatefulSet"], "between_pods": ORDINAL, "timeout": "30s", "run_id": "r1"}
    result = calling.run("k8s_rollout_restart", cluster, **options)
    assert outcome(result) == "restarted", result
    assert executor.clock.passed > 300 and cluster.evicted == ["db-2", "db-1", "db-0"]

    cluster.allow = lambda pod: (
        "db needs 3 healthy pods and has 3 currently" if pod["metadata"]["name"] == "db-1" else None
    )
    result = restart(cluster, wait_timeout="2m", run="r2")
    assert outcome(result) == "unfinished"
    assert message(result) == (
        "the wait_timeout of 2m for the whole call is over; last seen: 1 of 3 pods are new; pod db-1 may not be evicted yet: "
        "db needs 3 healthy pods and has 3 currently"
    )
    cluster.allow = lambda pod: None
    cluster.evicted.clear()
    assert outcome(restart(cluster, run="r2")) == "already_restarted"
    assert cluster.evicted == ["db-1", "db-0"]


def _end():
    raise Killed


@pytest.mark.parametrize("kind", ["StatefulSet", "DaemonSet"])
def test_a_start_that_was_killed_at_any_moment_is_resumed_with_the_rest(kind):
    between = {"order": "ordinal" if kind == "StatefulSet" else "age"}
    cluster = EvictingCluster(on_delete(kind))
    executor = Noting(cluster)
    options = {"kind": [kind], "namespace": "shop", "run_id": "r1"}
    calling.run("k8s_rollout_restart", cluster, between_pods=between, **options)
    moments = executor.moments
    assert len(moments) > 20
    for at in moments:
        cluster = EvictingCluster(on_delete(kind))
        Executor(cluster).later(at, _end)
        with pytest.raises(Killed):
            calling.run("k8s_rollout_restart", cluster, between_pods=between, **options)
        result = restart(cluster, kind=kind, between_pods=between)
        assert outcome(result) in ("restarted", "already_restarted"), (at, result)
        assert cluster.evicted == ["db-2", "db-1", "db-0"] and cluster.fewest["db"] == 2, at
        assert set(runs(cluster).values()) == {"r1"}, at
        assert len(cluster.patches) == 1, at


def test_a_pod_that_does_not_come_back_is_a_failure_and_nothing_further_is_evicted():
    cluster = EvictingCluster(on_delete())
    cluster.broken.add("db-1")
    result = restart(cluster)
    assert outcome(result) == "unfinished", result
    assert "2 of 3 pods are new; pod db-1 is new and not ready" in message(result)
    assert cluster.evicted == ["db-2", "db-1"]


def test_an_undo_after_a_failure_replaces_the_pods_of_the_run_and_no_others():
    cluster = EvictingCluster(on_delete(replicas=4))
    cluster.broken.add("db-1")
    result = restart(cluster, on_failure="undo")
    assert outcome(result) == "undone", result
    assert cluster.evicted == ["db-3", "db-2", "db-1", "db-1", "db-3", "db-2"]
    assert set(runs(cluster).values()) == {None}
    assert cluster.fewest["db"] >= 2


def test_an_undo_without_time_for_its_evictions_says_what_is_still_to_be_done():
    cluster = EvictingCluster(on_delete())
    cluster.broken.add("db-1")
    result = restart(cluster, on_failure="undo", wait_timeout="20s")
    assert outcome(result) == "unfinished"
    assert "the template is back, but there was no time to evict the pods of run r1" in message(result)
    assert marks.RUN not in kinds.template_annotations(cluster.objects[kinds.path("StatefulSet", "shop", "db")])


def test_a_deploy_in_the_middle_ends_it_and_nothing_of_the_deploy_is_rolled_out():
    cluster = EvictingCluster(on_delete())
    one = cluster.objects[kinds.path("StatefulSet", "shop", "db")]
    cluster.go_on(executor := Executor(cluster))

    def deploy():
        one["spec"]["template"]["spec"]["containers"][0]["image"] = "shop/main:2"
        cluster.touch(one)
        cluster._roll_out(one)

    executor.later(20, deploy)
    between = {"order": "ordinal", "settle": "60s"}
    result = calling.run("k8s_rollout_restart", cluster, namespace="shop", kind=["StatefulSet"], between_pods=between)
    assert outcome(result) == "superseded", result
    assert cluster.evicted == ["db-2"]


@pytest.mark.parametrize(
    "order, verb, words",
    [
        (
            "ordinal",
            ("create", "pods"),
            "to create pods/eviction in namespace shop, which between_pods needs; nothing was touched",
        ),
        ("zone", ("get", "nodes"), "kubectl --context simulated apply -f rbac/zones.yml"),
    ],
)
def test_a_missing_permission_is_told_before_anything_is_touched(order, verb, words):
    cluster = EvictingCluster(on_delete())
    cluster.denied.add(verb)
    with pytest.raises(RolloutError) as told:
        restart(cluster, between_pods={"order": order})
    assert words in str(told.value)
    assert not cluster.patches and not cluster.evicted


def test_a_dry_run_evicts_nothing():
    cluster = EvictingCluster(on_delete())
    result = restart(cluster, check_mode=True)
    assert outcome(result) == "restarted" and not cluster.evicted and cluster.dry_runs == 1


@pytest.mark.parametrize(
    "options, words",
    [
        (
            {"kind": ["Deployment"]},
            "between_pods: the pods of a Deployment are always replaced by its controller; set kind to ",
        ),
        ({"kind": ["DaemonSet"]}, "between_pods.order: the pods of a DaemonSet have no ordinals; write age or zone"),
        ({"wait": False}, "between_pods: needs wait: true"),
        ({"between_pods": {}}, "between_pods is an empty mapping; give it a value, or leave the option out"),
    ],
)
def test_what_makes_no_sense_is_refused(options, words):
    cluster = EvictingCluster(on_delete())
    given = {"namespace": "shop", "kind": ["StatefulSet"], "between_pods": ORDINAL, **options}
    with pytest.raises(RolloutError) as told:
        calling.run("k8s_rollout_restart", cluster, **given)
    assert str(told.value).startswith(words)


def test_a_workload_whose_controller_replaces_the_pods_is_refused():
    leader = {"leader": {"label": "role=primary"}}
    for kind, between_pods, words in (
        (
            "DaemonSet",
            {"order": "age"},
            "and only a journal knows its strategy after a kill; give plan and journal, or ",
        ),
        ("StatefulSet", {"order": "age"}, "and not by age; write order: ordinal, or "),
        ("StatefulSet", ORDINAL | leader, "so its leader cannot go last; "),
        ("StatefulSet", ORDINAL, "and only a journal knows its partition after a kill; give plan and journal, or "),
    ):
        cluster = EvictingCluster(on_delete(kind, updateStrategy={"type": "RollingUpdate"}))
        result = restart(cluster, kind=kind, between_pods=between_pods)
        assert outcome(result) == "refused" and not cluster.patches
        told = f"{words}set spec.updateStrategy.type to OnDelete, or leave between_pods out for it"
        assert told in message(result)


@pytest.mark.parametrize("kind", ["StatefulSet", "DaemonSet"])
def test_a_template_that_waits_for_its_owner_is_not_rolled_out_by_a_restart(kind):
    cluster = noted(on_delete(kind))
    later(cluster)
    deploy(cluster, kind=kind)
    between = {"order": "age"}
    for check_mode in (True, False):
        result = restart(cluster, check_mode, kind=kind, between_pods=between)
        assert outcome(result) == "refused" and not cluster.patches and not cluster.evicted
        assert "has 3 pods that are not of its template, which waits until they are deleted" in message(result)
        command = "kubectl get pods --namespace shop --selector app=db --label-columns controller-revision-hash"
        assert message(result).endswith(f"; to see them: {command}")
    for pod in list(cluster.pods):
        cluster._gone(cluster._owner(pod), pod)
    assert outcome(restart(cluster, kind=kind, between_pods=between)) == "restarted"


def test_what_an_earlier_run_has_left_of_its_restart_is_no_such_template():
    cluster = noted(on_delete())
    restart(cluster, between_pods={"order": "ordinal", "settle": "60s"}, wait_timeout="30s")
    assert cluster.evicted == ["db-2"]
    later(cluster)
    assert outcome(restart(cluster, run="r2")) == "restarted"
    assert set(runs(cluster).values()) == {"r2"}


def test_without_the_option_it_is_refused_and_named():
    result = restart(EvictingCluster(on_delete()), between_pods=None)
    assert outcome(result) == "refused"
    assert message(result).endswith("or have its pods evicted one by one with the option between_pods")


def plan(between_pods, gates=None, **defaults):
    entry = {"id": "db", "kind": "StatefulSet", "name": "db", "between_pods": between_pods}
    defaults = {"namespace": "shop", "timeout": "30s", **defaults}
    return {
        "version": 1,
        "name": "ca",
        "defaults": defaults,
        "workloads": [entry],
        **({"gates": gates} if gates else {}),
    }


def start(cluster, plan, run="r1", **options):
    cluster.go_on(Executor(cluster))
    options = {"plan": plan, "run_id": run, "journal": {"clusters": ["eu"]}, **options}
    return calling.run("k8s_rollout_restart", cluster, **options)


QUORUM = {"quorum": {"job": "shop/quorum", "timeout": "5m"}}
GATED = {"order": "ordinal", "gates": ["quorum"]}


class Gate:
    """A Job that is complete as long as this is open."""

    def __init__(self, cluster):
        self._job = {"status": {}}
        cluster.objects["/apis/batch/v1/namespaces/shop/jobs/quorum"] = self._job
        self.set(True)

    def set(self, is_open):
        self._job["status"]["conditions"] = [{"type": "Complete", "status": str(is_open)}]


def test_a_gate_is_asked_before_each_pod_and_holds_it_while_it_is_closed():
    cluster = EvictingCluster(on_delete())
    gate, times = Gate(cluster), []

    def allow(pod):
        times.append(cluster.executor.clock.passed)
        gate.set(False)
        cluster.executor.later(100, lambda: gate.set(True))

    cluster.allow = allow
    result = start(cluster, plan(GATED, QUORUM))
    assert outcome(result) == "restarted", result
    assert cluster.evicted == ["db-2", "db-1", "db-0"]
    assert times[0] < 1 and all(100 <= after - before < 120 for before, after in itertools.pairwise(times))


def test_a_gate_is_asked_again_after_a_budget_did_not_allow_the_eviction():
    cluster = EvictingCluster(on_delete())
    gate, refused = Gate(cluster), []

    def allow(pod):
        if not refused:
            gate.set(False)
            refused.append(cluster.executor.clock.passed)
            cluster.executor.later(100, lambda: gate.set(True))
            return "not now"
        assert cluster.executor.clock.passed > 100
        return None

    cluster.allow = allow
    assert outcome(start(cluster, plan(GATED, QUORUM))) == "restarted"
    assert refused and cluster.evicted == ["db-2", "db-1", "db-0"]


def test_a_gate_that_does_not_open_in_time_ends_it_and_a_resume_goes_on_with_the_rest():
    cluster = EvictingCluster(on_delete())
    gate = Gate(cluster)
    cluster.allow = lambda pod: gate.set(False)
    result = start(cluster, plan(GATED, QUORUM))
    assert outcome(result) == "unfinished"
    assert message(result).startswith(
        'no further pod is evicted: the gate "quorum" (job "quorum" in namespace "shop") is '
    )
    assert cluster.evicted == ["db-2"]
    gate.set(True)
    cluster.allow = lambda pod: None
    assert outcome(start(cluster, plan(GATED, QUORUM))) == "already_restarted"
    assert cluster.evicted == ["db-2", "db-1", "db-0"] and len(cluster.patches) == 1


def test_the_undo_of_a_run_evicts_its_pods_in_the_same_order_also_if_it_is_killed_in_between():
    whole = EvictingCluster(on_delete())
    start(whole, plan(ORDINAL))
    whole.evicted.clear()
    whole.go_on(executor := Noting(whole))
    undo = {"run_id": "r1", "journal": {"plan": "ca"}}
    result = calling.run("k8s_rollout_undo", whole, **undo)
    assert outcome(result) == "undone", result
    assert whole.evicted == ["db-2", "db-1", "db-0"] and whole.fewest["db"] == 2
    moments = executor.moments
    for at in moments:
        cluster = EvictingCluster(on_delete())
        start(cluster, plan(ORDINAL))
        cluster.evicted.clear()
        cluster.go_on(executor := Executor(cluster))
        executor.later(at, _end)
        with pytest.raises(Killed):
            calling.run("k8s_rollout_undo", cluster, **undo)
        cluster.go_on(Executor(cluster))
        undo["journal"]["break_lock"] = "killed"
        before = len(cluster.evicted)
        result = calling.run("k8s_rollout_undo", cluster, **undo)
        assert outcome(result) == "undone" or before == 3, (at, result)
        assert outcome(result) in ("undone", "unchanged")
        assert cluster.evicted == ["db-2", "db-1", "db-0"] and cluster.fewest["db"] == 2, at
        assert set(runs(cluster).values()) == {None}, at


def test_the_undo_of_a_run_evicts_the_pods_of_an_entry_with_several_kinds():
    cluster = EvictingCluster(on_delete(), on_delete("DaemonSet", "agent"))
    several = plan({"order": "age"})
    several["workloads"][0] |= {"kind": ["StatefulSet", "DaemonSet"], "name": ["db", "agent"]}
    start(cluster, several)
    evicted, cluster.evicted = sorted(cluster.evicted), []
    cluster.go_on(Executor(cluster))
    result = calling.run("k8s_rollout_undo", cluster, run_id="r1", journal={"plan": "ca"})
    assert [one["outcome"] for one in result["results"]] == ["undone", "undone"], result
    assert len(evicted) == 6 and sorted(cluster.evicted) == evicted and set(runs(cluster).values()) == {None}


@pytest.mark.parametrize("change", ["no entry", "no plan"])
def test_the_undo_of_a_run_evicts_pods_also_if_the_plan_does_not_say_how(change):
    cluster = EvictingCluster(on_delete())
    start(cluster, plan(ORDINAL))
    (path,) = [path for path in cluster.objects if path.endswith(journal.name_of("ca", "r1"))]
    data = cluster.objects[path]["data"]
    if change == "no plan":
        data[journal.PLAN_KEY] = "of another version"
    else:
        kept = json.loads(data[journal.KEY])
        kept["workloads"]["StatefulSet/shop/db"]["entry"] = None
        data[journal.KEY] = json.dumps(kept)
    cluster.evicted.clear()
    cluster.go_on(Executor(cluster))
    result = calling.run("k8s_rollout_undo", cluster, run_id="r1", journal={"plan": "ca"})
    assert outcome(result) == "undone", result
    assert sorted(cluster.evicted) == ["db-0", "db-1", "db-2"] and set(runs(cluster).values()) == {None}


def test_the_undo_of_a_whole_run_evicts_pods_of_workloads_that_only_an_earlier_start_had():
    cluster = EvictingCluster(on_delete(), on_delete(name="web"))
    web = {"id": "web", "kind": "StatefulSet", "name": "web", "between_pods": ORDINAL}
    whole = plan(ORDINAL, on_failure="undo", undo_scope="run")
    cluster.go_on(Executor(cluster))
    cluster.allow = lambda pod: _end() if pod["metadata"]["name"] == "web-2" else None
    both = {**whole, "workloads": [*whole["workloads"], {**web, "after": ["db"]}]}
    with pytest.raises(Killed):
        calling.run("k8s_rollout_restart", cluster, plan=both, run_id="r1", journal={"clusters": ["eu"]})
    evicted, cluster.evicted, cluster.allow = cluster.evicted, [], lambda pod: None
    cluster.broken.add("web-1")
    result = start(cluster, {**whole, "workloads": [web]})
    assert [(one["name"], one["outcome"]) for one in result["results"]] == [("web", "undone"), ("db", "undone")], result
    assert evicted == ["db-2", "db-1", "db-0"] and sorted(cluster.evicted[4:]) == sorted(evicted)
    assert set(runs(cluster).values()) == {None}


def test_an_undo_waits_for_a_budget_until_its_timeout_and_says_so():
    cluster = EvictingCluster(on_delete())
    start(cluster, plan(ORDINAL, timeout="3m", grace="20s"))
    cluster.evicted.clear()
    cluster.allow = lambda pod: "db needs 3 healthy pods and has 3 currently"
    cluster.go_on(executor := Executor(cluster))
    result = calling.run("k8s_rollout_undo", cluster, run_id="r1", journal={"plan": "ca"})
    assert outcome(result) == "unfinished" and not cluster.evicted
    assert message(result).startswith(
        "not done after 3m: 3 pods of the run are left; pod db-2 may not be evicted yet: db needs 3 healthy pods"
    )
    assert executor.clock.passed >= 180


@pytest.mark.parametrize("check_mode", [False, True])
def test_the_undo_of_a_run_names_a_missing_permission_before_anything_is_touched(check_mode):
    cluster = EvictingCluster(on_delete())
    start(cluster, plan(ORDINAL))
    cluster.denied.add(("create", "pods"))
    cluster.evicted.clear()
    patches, undo = len(cluster.patches), {"run_id": "r1", "journal": {"plan": "ca"}}
    cluster.go_on(Executor(cluster))
    with pytest.raises(RolloutError, match="to create pods/eviction in namespace shop, which between_pods needs"):
        calling.run("k8s_rollout_undo", cluster, check_mode, **undo)
    assert len(cluster.patches) == patches and not cluster.evicted
    cluster.denied.clear()
    cluster.go_on(Executor(cluster))
    assert outcome(calling.run("k8s_rollout_undo", cluster, check_mode, **undo)) == "undone"


def deploy(cluster, marked=True, kind="StatefulSet"):
    """Somebody sets another image. A replaced object does not have the marks of the run."""
    one = cluster.objects[kinds.path(kind, "shop", "db")]
    owned = {"f:spec": {"f:template": {"f:spec": {"f:containers": {}}}}}
    _own(cluster, one, "kubectl-client-side-apply", owned)
    if not marked:
        one["spec"]["template"]["metadata"].pop("annotations", None)
    one["spec"]["template"]["spec"]["containers"][0]["image"] = "shop/main:2"
    cluster.touch(one)
    cluster._roll_out(one)


def _own(cluster, one, manager, owned):
    """The API server notes who writes, and when."""
    entries = [entry for entry in one["metadata"].get("managedFields", []) if entry["manager"] != manager]
    written = {"manager": manager, "operation": "Update", "time": cluster._now(), "fieldsV1": owned}
    one["metadata"]["managedFields"] = [*entries, written]


def noted(*workloads):
    """A cluster that notes who writes."""
    cluster = EvictingCluster(*workloads)
    owned = {"f:spec": {"f:template": {"f:metadata": {"f:annotations": {f"f:{marks.RUN}": {}}}}}}
    cluster.before_patch = lambda one: _own(cluster, one, "restartx", owned)
    return cluster


def later(cluster, seconds=600.0):
    """The time of the next start."""
    executor = Executor(cluster)
    cluster.go_on(executor)
    executor.clock.passed = seconds
    return executor


CHANGED = 'the template of statefulset "db" in namespace "shop" was changed after run "r1" had restarted it'


@pytest.mark.parametrize("journaled", [False, True])
def test_a_deploy_between_two_starts_is_not_rolled_out_by_the_second_one(journaled):
    cluster = noted(on_delete())
    between = {"order": "ordinal", "settle": "60s"}
    options = {"plan": plan(between), "journal": {"clusters": ["eu"]}} if journaled else {"between_pods": between}
    options |= {"run_id": "r1", **({} if journaled else {"namespace": "shop", "kind": ["StatefulSet"]})}
    result = calling.run("k8s_rollout_restart", cluster, wait_timeout="30s", **options)
    assert outcome(result) == "unfinished" and cluster.evicted == ["db-2"]
    later(cluster)
    deploy(cluster)
    result = calling.run("k8s_rollout_restart", cluster, **options)
    assert outcome(result) == "superseded" and cluster.evicted == ["db-2"]
    assert message(result).startswith(f'{CHANGED}; the last other change of it was by "kubectl-client-side-apply" (')
    assert images(cluster) == {"shop/main:1"} and len(cluster.patches) == 1
    if journaled:
        assert message(result).endswith("; to restart it again: -e restartx_retry=superseded")
        later(cluster, 1200.0)
        options["journal"]["retry"] = ["superseded"]
        assert outcome(calling.run("k8s_rollout_restart", cluster, **options)) == "restarted"
        assert images(cluster) == {"shop/main:2"}
    else:
        later(cluster, 1200.0)
        for pod in list(cluster.pods):
            cluster._gone(cluster._owner(pod), pod)  # its owner rolls it out
        for gone in list(cluster.missing):
            cluster._create(*gone)
        assert outcome(calling.run("k8s_rollout_restart", cluster, **options)) == "already_restarted"


def test_what_a_run_has_done_stays_so_after_a_deploy():
    cluster = noted(on_delete())
    start(cluster, plan(ORDINAL))
    cluster.evicted.clear()
    later(cluster)
    deploy(cluster)
    options = {"plan": plan(ORDINAL), "run_id": "r1", "journal": {"clusters": ["eu"]}}
    result = calling.run("k8s_rollout_restart", cluster, **options)
    assert outcome(result) == "already_restarted" and not cluster.evicted
    assert message(result).startswith(CHANGED)


def test_a_deploy_that_is_seen_before_the_answer_to_the_restart_is_not_rolled_out():
    cluster = noted(on_delete())
    executor = later(cluster, 0.0)
    executor.late = 2.0
    executor.later(1.0, lambda: deploy(cluster))
    result = calling.run("k8s_rollout_restart", cluster, namespace="shop", kind=["StatefulSet"], between_pods=ORDINAL)
    assert outcome(result) == "superseded" and not cluster.evicted and len(cluster.patches) == 1


def images(cluster):
    return {pod["spec"]["containers"][0]["image"] for pod in cluster.pods}


def test_the_undo_of_a_run_does_not_roll_out_what_was_deployed_since():
    cluster = EvictingCluster(on_delete())
    start(cluster, plan(ORDINAL))
    cluster.go_on(executor := Executor(cluster))
    executor.clock.passed = 600.0
    deploy(cluster, marked=False)
    cluster.evicted.clear()
    result = calling.run("k8s_rollout_undo", cluster, run_id="r1", journal={"plan": "ca"})
    assert outcome(result) == "unchanged" and not cluster.evicted
    assert "so these of the run are not evicted: db-0, db-1, db-2" in message(result)
    assert images(cluster) == {"shop/main:1"}


@pytest.mark.parametrize("on_failure", [False, True], ids=["of a run", "after a failure"])
def test_a_deploy_between_the_evictions_of_an_undo_ends_it(on_failure):
    cluster = EvictingCluster(on_delete())
    if on_failure:
        cluster.broken.add("db-1")
    else:
        start(cluster, plan(ORDINAL))
        cluster.evicted.clear()
    cluster.go_on(executor := Executor(cluster))
    executor.clock.passed = 600.0
    seen = []

    def allow(pod):
        one = cluster.objects[kinds.path("StatefulSet", "shop", "db")]
        if marks.RUN not in kinds.template_annotations(one) and not seen:
            seen.append(pod)
            executor.later(1.5, lambda: deploy(cluster, marked=False))

    cluster.allow = allow
    if on_failure:
        options = {"namespace": "shop", "kind": ["StatefulSet"], "on_failure": "undo", "timeout": "30s", "run_id": "r1"}
        result = calling.run("k8s_rollout_restart", cluster, between_pods=ORDINAL, **options)
        assert outcome(result) == "unfinished" and "its undo superseded: the template of " in message(result)
        assert cluster.evicted == ["db-2", "db-1", "db-1"]
    else:
        result = calling.run("k8s_rollout_undo", cluster, run_id="r1", journal={"plan": "ca"})
        assert outcome(result) == "superseded" and cluster.evicted == ["db-2"]
        assert "so these of the run are not evicted: db-0, db-1" in message(result)


def test_the_undo_of_an_older_run_leaves_the_pods_of_a_later_one_alone():
    cluster = EvictingCluster(on_delete())
    cluster.go_on(executor := Executor(cluster))
    executor.clock.passed = 100.0
    restart(cluster, run="r0")
    cluster.go_on(executor := Executor(cluster))
    executor.clock.passed = 1000.0
    options = {"plan": plan(ORDINAL), "run_id": "r1", "journal": {"clusters": ["eu"]}}
    calling.run("k8s_rollout_restart", cluster, **options)
    cluster.evicted.clear()
    cluster.go_on(Executor(cluster))
    result = calling.run("k8s_rollout_undo", cluster, run_id="r1", journal={"plan": "ca"})
    assert outcome(result) == "undone" and cluster.evicted == ["db-2", "db-1", "db-0"]
    assert set(runs(cluster).values()) == {"r0"}
    cluster.evicted.clear()
    cluster.go_on(Executor(cluster))
    assert outcome(calling.run("k8s_rollout_undo", cluster, run_id="r1", journal={"plan": "ca"})) == "unchanged"
    assert not cluster.evicted


def test_the_check_of_a_plan_finds_nothing_wrong_with_on_delete_and_names_missing_permissions():
    cluster = EvictingCluster(on_delete())
    cluster.go_on(Executor(cluster))
    result = calling.run("k8s_rollout_plan", cluster, plan=plan({"order": "zone"}))
    assert outcome(result) == "planned", result
    assert "on_delete" not in [one["code"] for one in result["findings"]]
    cluster.denied |= {("create", "pods"), ("get", "nodes")}
    with pytest.raises(RolloutError) as told:
        calling.run("k8s_rollout_plan", cluster, plan=plan({"order": "zone"}))
    assert "create pods/eviction in namespace shop" in str(told.value) and "rbac/zones.yml" in str(told.value)


def failing(cluster, error, times=1):
    """A cluster that answers the first evictions with an error."""
    left = [times]

    def fail(verb, path):
        if verb != "evict" or not left[0]:
            return None
        left[0] -= 1
        return error(path)

    cluster.fail = fail
    return cluster


@pytest.mark.parametrize(
    "error",
    [
        lambda path: Throttled("busy", status=429, transient=True),
        lambda path: ServerFailed("down", status=503, transient=True, ambiguous=True),
        lambda path: Unreachable("no answer", transient=True, ambiguous=True),
        lambda path: Conflict("another uid", status=409),
        lambda path: NotFound("gone", status=404),
    ],
    ids=["busy", "down", "unreachable", "conflict", "gone"],
)
def test_an_eviction_that_fails_for_a_moment_is_tried_again(error):
    cluster = failing(EvictingCluster(on_delete()), error, times=3)
    result = restart(cluster)
    assert outcome(result) == "restarted", result
    assert cluster.evicted == ["db-2", "db-1", "db-0"]
    assert len([verb for verb, _path in cluster.asked if verb == "evict"]) == 6


@pytest.mark.parametrize(
    "error, words",
    [
        (lambda path: Forbidden("you may not", status=403), "you may not; rbac/between_pods.yml grants it"),
        (
            lambda path: ServerFailed("This pod has more than one PodDisruptionBudget", status=500, transient=True),
            "This pod has more than one PodDisruptionBudget; leave one budget that selects it",
        ),
        (lambda path: Invalid("what?", status=422), "what?"),
        (lambda path: Forbidden("not on Fridays", status=403, refusal="a policy said so"), "not on Fridays"),
    ],
    ids=["forbidden", "two budgets", "invalid", "by a policy"],
)
def test_an_eviction_that_cannot_succeed_is_a_failure(error, words):
    cluster = failing(EvictingCluster(on_delete()), error, times=9)
    result = restart(cluster)
    assert (outcome(result), message(result)) == ("failed", words) and not cluster.evicted


def test_an_eviction_that_keeps_failing_ends_it_after_the_timeout():
    error = ServerFailed("the webhook does not answer", status=500, transient=True)
    cluster = failing(EvictingCluster(on_delete()), lambda path: error, times=2000)
    result = restart(cluster)
    assert outcome(result) == "unfinished" and not cluster.evicted
    assert message(result) == (
        "0 of 3 pods are new; pod db-2 could not be evicted for 30s: the webhook does not answer"
    )
    assert 30 <= cluster.executor.clock.passed < 60


def test_a_lost_answer_to_an_eviction_does_no_harm():
    cluster = EvictingCluster(on_delete())
    plain = cluster.create
    lost = []

    def create(path, body, **options):
        answer = plain(path, body, **options)
        if path.endswith("/eviction") and not lost:
            lost.append(path)
            raise Unreachable("no answer", transient=True, ambiguous=True)
        return answer

    cluster.create = create
    assert outcome(restart(cluster)) == "restarted"
    assert cluster.evicted == ["db-2", "db-1", "db-0"] and cluster.fewest["db"] == 2


def test_nothing_is_evicted_while_the_pods_cannot_be_read():
    cluster = EvictingCluster(on_delete())
    cluster.fail = lambda verb, path: (
        Unreachable("no route", transient=True) if path.endswith("/pods") and cluster.evicted else None
    )
    result = restart(cluster, timeout="10m")
    assert outcome(result) == "unfinished" and cluster.evicted == ["db-2"]
    assert message(result) == "its pods could not be read, so none was evicted any more: no route"


def test_a_successor_that_is_not_of_the_newest_revision_ends_it():
    cluster = EvictingCluster(on_delete())
    add = cluster._add

    def strip(one, name, node, ready):
        pod = add(one, name, node, ready)
        pod["metadata"]["labels"]["controller-revision-hash"] = "by-a-webhook"
        return pod

    cluster._add = strip
    result = restart(cluster)
    assert outcome(result) == "failed" and cluster.evicted == ["db-2"]
    assert "pod db-2 was created after an eviction and is not of the newest revision" in message(result)


def test_what_is_waited_for_is_told_as_progress():
    told = []
    cluster = EvictingCluster(on_delete())
    cluster.allow = lambda pod: "db needs 3 healthy pods and has 3 currently"
    cluster.go_on(executor := Executor(cluster))
    options = {"namespace": "shop", "kind": ["StatefulSet"], "between_pods": ORDINAL, "wait_timeout": "20s"}
    verb, call = calling.prepare("k8s_rollout_restart", cluster, **options)
    call.progress = ProgressWriter("/nowhere:eu", executor.clock)
    call.progress._pipe = mock.Mock(open=True, write=told.append)
    calling.carry_out(verb, call)
    texts = [line["text"] for line in told if line["event"] == "task"]
    assert "0 of 3 pods are new; pod db-2 may not be evicted yet: db needs 3 healthy pods and has 3 currently" in texts


def test_the_plan_of_the_page_is_one():
    page = (Path(__file__).parents[3] / "docs" / "between-pods.md").read_text()
    (written,) = re.findall("```yaml\n(restart_plan.*?)```", page, re.DOTALL)
    (entry,) = check(yaml.safe_load(written)["restart_plan"]).entries
    assert (entry.between_pods.order, entry.between_pods.settle, entry.between_pods.gates) == (
        "ordinal",
        30.0,
        ("quorum",),
    )


LEASE = "/apis/coordination.k8s.io/v1/namespaces/shop/leases/db"
BY_LEASE = {
    "object": {"api_version": "coordination.k8s.io/v1", "kind": "Lease", "name": "db"},
    "that": "spec.holderIdentity",
}


def led_by(cluster, name):
    """The pod of this name leads: its label says so, and a Lease."""
    for pod in cluster.pods:
        pod["metadata"]["labels"]["role"] = "primary" if pod["metadata"]["name"] == name else "replica"
    resources = [{"kind": "Lease", "name": "leases", "namespaced": True}]
    cluster.objects["/apis/coordination.k8s.io/v1"] = {"resources": resources}
    cluster.objects[LEASE] = {"spec": {"holderIdentity": f"{name}_4711"}}


@pytest.mark.parametrize("leader", [{"label": "role=primary"}, BY_LEASE], ids=["label", "lease"])
@pytest.mark.parametrize("on_failure", ["stop", "undo"])
def test_the_leader_goes_last_and_is_looked_for_before_each_pod(leader, on_failure):
    cluster = EvictingCluster(on_delete(replicas=5))
    led_by(cluster, "db-3")

    def allow(pod):
        name = pod["metadata"]["name"]
        if name == "db-4":
            led_by(cluster, "db-1")  # it moves to one that was not replaced yet
        if name == "db-1":
            led_by(cluster, "db-3")

    cluster.allow = allow
    between = {"order": "ordinal", "leader": leader}
    result = restart(cluster, between_pods=between, on_failure=on_failure)
    assert outcome(result) == "restarted", result
    assert cluster.evicted == ["db-4", "db-3", "db-2", "db-0", "db-1"]


@pytest.mark.parametrize(
    "leader, told",
    [
        ({"label": "role=primary"}, "none of its pods has the label role=primary"),
        (BY_LEASE, 'lease "db" in namespace "shop" could not be asked: /apis/coordination.k8s.io/v1'),
    ],
)
def test_nothing_is_evicted_while_the_leader_is_not_known(leader, told):
    cluster = EvictingCluster(on_delete())
    led_by(cluster, "db-2")

    def allow(pod):
        led_by(cluster, "nobody")
        del cluster.objects[LEASE]

    cluster.allow = allow
    result = restart(cluster, between_pods={"order": "ordinal", "leader": leader}, wait_timeout="10m")
    assert outcome(result) == "unfinished" and cluster.evicted == ["db-1"]
    assert f"last seen: 1 of 3 pods are new; its leader is not known: {told}" in message(result)


def test_an_undo_does_not_wait_for_a_leader_and_lets_one_that_is_known_go_last():
    cluster = EvictingCluster(on_delete())
    led_by(cluster, "db-2")
    leader = {"order": "ordinal", "leader": {"label": "role=primary"}}
    start(cluster, plan(leader))
    assert cluster.evicted == ["db-1", "db-0", "db-2"]
    for name, evicted in (("db-1", ["db-2", "db-0", "db-1"]), ("nobody", ["db-2", "db-1", "db-0"])):
        led_by(cluster, name)
        cluster.evicted.clear()
        cluster.go_on(Executor(cluster))
        assert outcome(calling.run("k8s_rollout_undo", cluster, run_id="r1", journal={"plan": "ca"})) == "undone"
        assert cluster.evicted == evicted
        cluster.go_on(Executor(cluster))
        options = {"plan": plan(ORDINAL), "run_id": "r1", "journal": {"clusters": ["eu"], "retry": ["undone"]}}
        calling.run("k8s_rollout_restart", cluster, **options)


def test_a_leader_that_cannot_be_looked_for_is_a_mistake():
    wrong = {"order": "ordinal", "leader": {**BY_LEASE, "that": "spec..x"}}
    with pytest.raises(ScheduleError, match=r"between_pods of selection: leader: that: \"spec..x\" is not a JMESPath"):
        restart(EvictingCluster(on_delete()), between_pods=wrong)


def test_a_secret_may_not_name_the_leader():
    secret = {"object": {"api_version": "v1", "kind": "Secret", "name": "db"}, "that": "data.password"}
    cluster = EvictingCluster(on_delete())
    with pytest.raises(RolloutError, match=r"between_pods\.leader\.object: messages would show what a Secret gives"):
        restart(cluster, between_pods={"order": "ordinal", "leader": secret})
    assert not cluster.patches and not cluster.evicted


def test_nothing_is_evicted_outside_the_window_and_that_is_no_failure_to_undo():
    cluster = EvictingCluster(on_delete())
    window = {"hours": "21:00-22:01", "timezone": "UTC"}  # a minute from now
    options = {"between_pods": {"order": "ordinal", "settle": "90s"}, "on_failure": "undo", "window": window}
    result = restart(cluster, **options)
    assert outcome(result) == "unfinished" and cluster.evicted == ["db-2"]
    assert message(result).startswith("1 of 3 pods are new; no further pod is evicted: ")
    assert set(runs(cluster).values()) == {None, "r1"}
    cluster.go_on(executor := Executor(cluster))
    executor.clock.passed = 7200.0
    again = {"namespace": "shop", "kind": ["StatefulSet"], "run_id": "r1", **options}
    result = calling.run("k8s_rollout_restart", cluster, **again)
    assert outcome(result) == "not_started" and cluster.evicted == ["db-2"]
    assert outcome(restart(cluster)) == "already_restarted" and cluster.evicted == ["db-2", "db-1", "db-0"]


def one_after_another(cluster):
    """Checks that no pod of another workload is missing when one is evicted. Returns the instants of the evictions."""
    times = {}

    def allow(pod):
        mine, others = (
            cluster._owner(pod),
            [one for one in cluster.objects.values() if one.get("kind") == "StatefulSet"],
        )
        times.setdefault(mine["metadata"]["name"], cluster.executor.clock.passed)
        assert [one["status"]["readyReplicas"] for one in others if one is not mine] == [3, 3]

    cluster.allow = allow
    return times


@pytest.mark.parametrize(
    "limits, apart", [({"max_parallel": 1}, 0), ({"stagger": "5m"}, 300)], ids=["limit", "stagger"]
)
def test_what_an_earlier_start_has_begun_waits_for_its_turn_like_the_others(limits, apart):
    names = ("db", "db2", "db3")
    cluster = EvictingCluster(*(on_delete(name=name) for name in names))
    gate = Gate(cluster)
    cluster.allow = lambda pod: gate.set(False)
    given = plan(GATED, QUORUM, **limits)
    given["defaults"]["on_failure"] = "continue"
    given["workloads"] = [{**given["workloads"][0], "id": name, "name": name} for name in names]
    assert {one["outcome"] for one in start(cluster, given)["results"]} == {"unfinished"}
    assert len(cluster.patches) == 3
    gate.set(True)
    times = one_after_another(cluster)
    assert {one["outcome"] for one in start(cluster, given)["results"]} == {"already_restarted"}
    instants = [times[name] for name in names]
    assert all(after - before >= max(apart - 1, 8) for before, after in itertools.pairwise(instants))
    assert cluster.fewest == dict.fromkeys(names, 2)
    cluster.evicted.clear()
    one_after_another(cluster)
    later(cluster)
    for one in [one for one in cluster.objects.values() if one.get("kind") == "StatefulSet"]:
        del one["spec"]["template"]["metadata"]["annotations"]  # as an undo that was killed leaves it
        cluster.touch(one)
        cluster._roll_out(one)
    undone = calling.run("k8s_rollout_undo", cluster, run_id="r1", journal={"plan": "ca"})
    assert {one["outcome"] for one in undone["results"]} == {"undone"} and len(cluster.evicted) == 9


def test_what_fail_fast_leaves_is_unfinished_because_no_controller_goes_on():
    cluster = EvictingCluster(on_delete(), on_delete(name="web"))
    cluster.broken.add("web-2")
    later(cluster, 0.0)
    options = {"namespace": "shop", "kind": ["StatefulSet"], "run_id": "r1", "timeout": "30s", "fail_fast": True}
    between = {"order": "ordinal", "settle": "5m"}
    result = calling.run("k8s_rollout_restart", cluster, between_pods=between, **options)
    found = {one["name"]: one["outcome"] for one in result["results"]}
    assert found == {"db": "unfinished", "web": "unfinished"} and cluster.evicted == ["db-2", "web-2"]
    told = next(one["message"] for one in result["results"] if one["name"] == "db")
    assert told.startswith(
        "fail_fast: StatefulSet shop/web unfinished; last seen: 1 of 3 pods are new, and must stay ready"
    )
