# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Restarts with a canary: its pods are held and judged, and the strategy from before is given back, also after a kill."""

from __future__ import annotations

import copy
import itertools
import json
from unittest import mock

import calling
import pytest
from canaries import STRATEGY, SteppingCluster, pod_of, rolled_out
from simulation import Executor, Killed, Noting

from ansible_collections.restartx.core.plugins.module_utils.cluster import web
from ansible_collections.restartx.core.plugins.module_utils.cluster.errors import Forbidden, Unreachable
from ansible_collections.restartx.core.plugins.module_utils.engine.executor import Answer
from ansible_collections.restartx.core.plugins.module_utils.engine.gate_series import GateSeries
from ansible_collections.restartx.core.plugins.module_utils.gates import gate as gates
from ansible_collections.restartx.core.plugins.module_utils.gates import judgement
from ansible_collections.restartx.core.plugins.module_utils.gates.prometheus import PrometheusGate
from ansible_collections.restartx.core.plugins.module_utils.record import journal
from ansible_collections.restartx.core.plugins.module_utils.rollout import kinds, restart
from ansible_collections.restartx.core.plugins.module_utils.rollout.errors import RolloutError
from ansible_collections.restartx.core.plugins.module_utils.schedule.errors import PlanError, ScheduleError

PATH = journal.path("restartx-system", journal.name_of("ca", "r1"))
CANARY = {"pods": 1, "hold": "60s"}
KINDS = ("Deployment", "StatefulSet")


def plan(kind="Deployment", canary=True, gates=None, **defaults):
    canary = CANARY if canary is True else canary
    return {
        "version": 1,
        "name": "ca",
        "defaults": {"namespace": "shop", "timeout": "30s", **defaults},
        "workloads": [{"id": "api", "kind": kind, "name": "api", **({"canary": canary} if canary else {})}],
        **({"gates": gates} if gates else {}),
    }


def start(cluster, plan, run="r1", check_mode=False, **options):
    cluster.go_on(Executor(cluster))
    return calling.run(
        "k8s_rollout_restart", cluster, check_mode, plan=plan, run_id=run, journal={"clusters": ["eu"]}, **options
    )


def api_of(cluster, kind="Deployment"):
    return cluster.objects[kinds.path(kind, "shop", "api")]


def strategy_of(cluster, kind="Deployment"):
    spec = api_of(cluster, kind)["spec"]
    return {name: spec[name] for name in ("strategy", "updateStrategy", "paused") if name in spec}


def outcome(result):
    (one,) = result["results"]
    return one["outcome"], one["message"]


def held(cluster):
    return json.loads(cluster.objects[PATH]["data"][journal.KEY])["workloads"]


@pytest.mark.parametrize("kind", KINDS)
def test_the_first_pod_is_held_before_the_others_are_replaced_and_the_strategy_is_given_back(kind):
    cluster = SteppingCluster([rolled_out(kind, "api")])
    before = copy.deepcopy(strategy_of(cluster, kind))
    result = start(cluster, plan(kind))
    assert outcome(result)[0] == "restarted", result
    assert cluster.replaced == [("api", 1), ("api", 3)]
    assert strategy_of(cluster, kind) == before
    assert cluster.executor.clock.passed > 60
    assert len(cluster.patches) == (3 if kind == "Deployment" else 2)


def kill(cluster, plan, at, run="r1"):
    """A start that is killed at this instant."""

    def end():
        raise Killed

    Executor(cluster).later(at, end)
    options = {"plan": plan, "run_id": run, "journal": {"clusters": ["eu"]}}
    with pytest.raises(Killed):
        calling.run("k8s_rollout_restart", cluster, **options)


def is_tight(cluster, kind, before):
    """Whether nothing is looser than before, besides the surge."""
    spec = strategy_of(cluster, kind)
    if kind == "StatefulSet":  # of three pods, only the last one is replaced
        return spec == before or spec["updateStrategy"]["rollingUpdate"]["partition"] == 2
    return spec == before or spec["strategy"]["rollingUpdate"]["maxUnavailable"] == 0


def moments(kind):
    """The moments after each event of a start that ends well."""
    cluster = SteppingCluster([rolled_out(kind, "api")])
    executor = Noting(cluster)
    calling.run("k8s_rollout_restart", cluster, plan=plan(kind), run_id="r1", journal={"clusters": ["eu"]})
    return executor.moments


@pytest.mark.parametrize("kind", KINDS)
def test_a_kill_at_any_moment_leaves_nothing_looser_and_a_resume_ends_as_if_there_was_none(kind):
    for at in moments(kind):
        cluster = SteppingCluster([rolled_out(kind, "api")])
        before = copy.deepcopy(strategy_of(cluster, kind))
        kill(cluster, plan(kind), at)
        assert is_tight(cluster, kind, before), at
        result = start(cluster, plan(kind))
        assert outcome(result)[0] in ("restarted", "already_restarted"), (at, result)
        assert strategy_of(cluster, kind) == before, at
        assert cluster.replaced[-1] == ("api", 3), at
        assert len({pod["metadata"]["annotations"][restart.WRITTEN_AT] for pod in cluster.pods}) == 1, at
        assert "canary" in held(cluster)[f"{kind}/shop/api"]


SHUT = {"shut": {"tcp": "127.0.0.1:1", "timeout": "20s"}}  # a port on which nothing listens
GATED = {**CANARY, "gates": ["shut"]}


def breaking(kind, how, at=30.0):
    """A cluster on which something happens to the pod of the canary while it is held."""
    cluster = SteppingCluster([rolled_out(kind, "api")])
    executor = Executor(cluster)
    executor.later(at, lambda: how(cluster, api_of(cluster, kind), cluster.pods[0]))
    return cluster


def carry_out(cluster, plan, run="r1"):
    """A start in the executor that the cluster has already."""
    return calling.run("k8s_rollout_restart", cluster, plan=plan, run_id=run, journal={"clusters": ["eu"]})


def flaps(cluster, one, pod):
    cluster.get_ready(one, pod, is_ready=False)
    cluster.executor.later(1, lambda: cluster.get_ready(one, pod))


BREAKS = {
    "its pod api-x1 is no longer ready": lambda cluster, one, pod: cluster.get_ready(one, pod, is_ready=False),
    "the container main of its pod api-x1 was restarted": SteppingCluster.restart_container,
    "its pod api-x1 is gone": lambda cluster, one, pod: cluster.pods.remove(pod),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("why", BREAKS)
def test_a_canary_that_does_not_stay_well_has_failed_and_stays_held(kind, why):
    cluster = breaking(kind, BREAKS[why])
    result = carry_out(cluster, plan(kind))
    assert outcome(result)[0] == "failed"
    assert outcome(result)[1].startswith(f"the canary failed: {why}; it stays held after its canary (")
    assert "ansible-playbook restartx.core.leftovers -e repair=true" in outcome(result)[1]
    assert cluster.replaced == [("api", 1)]
    spec = strategy_of(cluster, kind)
    if kind == "Deployment":
        assert spec["paused"] is True
        assert spec["strategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}
    else:
        assert spec["updateStrategy"]["rollingUpdate"]["partition"] == 2


def test_a_pod_that_was_not_ready_for_a_moment_has_failed_even_if_nobody_looked():
    cluster = breaking("Deployment", flaps)
    cluster.show = lambda one: None if 25 < cluster.executor.clock.passed < 35 else SteppingCluster.show(cluster, one)
    result = carry_out(cluster, plan())
    assert outcome(result)[1].startswith("the canary failed: its pod api-x1 was not ready for a while")
    assert cluster.executor.clock.passed > 60  # it was found at the end of the hold


def test_after_a_failed_canary_the_run_goes_on_with_another_one_when_it_is_resumed():
    cluster = breaking("Deployment", BREAKS["its pod api-x1 is no longer ready"])
    before = copy.deepcopy(strategy_of(cluster))
    carry_out(cluster, plan())
    cluster.pods.clear()
    result = start(cluster, plan())
    assert outcome(result)[0] == "restarted", result
    assert restart.attempt_of(api_of(cluster), "r1") == 2
    assert cluster.replaced == [("api", 1), ("api", 1), ("api", 3)]
    assert strategy_of(cluster) == before


def test_pods_of_a_stateful_set_that_are_ready_again_are_judged_as_they_are_when_it_is_resumed():
    kind = "StatefulSet"
    cluster = breaking(kind, BREAKS["its pod api-x1 is no longer ready"])
    before = copy.deepcopy(strategy_of(cluster, kind))
    assert outcome(carry_out(cluster, plan(kind)))[0] == "failed"
    cluster.get_ready(api_of(cluster, kind), cluster.pods[0])
    result = start(cluster, plan(kind))
    assert outcome(result)[0] == "restarted" and cluster.executor.clock.passed > 60, result
    assert restart.attempt_of(api_of(cluster, kind), "r1") == 1
    assert cluster.replaced == [("api", 1), ("api", 3)]
    assert strategy_of(cluster, kind) == before


def test_a_deployment_whose_canary_fails_is_undone_and_gets_its_strategy_back_in_the_same_patch():
    cluster = breaking("Deployment", BREAKS["the container main of its pod api-x1 was restarted"])
    before = copy.deepcopy(strategy_of(cluster))
    result = carry_out(cluster, plan(on_failure="undo"))
    assert outcome(result)[0] == "undone", result
    assert strategy_of(cluster) == before
    assert len(cluster.patches) == 3  # restart, pause, undo
    assert restart.run_of(api_of(cluster)) is None


def test_the_undo_of_the_run_gives_back_what_a_killed_start_left_held():
    cluster = SteppingCluster([rolled_out("Deployment", "api")])
    before = copy.deepcopy(strategy_of(cluster))
    kill(cluster, plan(), 30)
    assert strategy_of(cluster)["paused"] is True
    cluster.go_on(Executor(cluster))
    result = calling.run("k8s_rollout_undo", cluster, run_id="r1", journal={"plan": "ca"})
    assert outcome(result)[0] == "undone", result
    assert strategy_of(cluster) == before


def test_the_undo_gives_back_the_strategy_of_what_somebody_deployed_meanwhile_and_nothing_else():
    cluster = SteppingCluster([rolled_out("Deployment", "api")])
    before = copy.deepcopy(strategy_of(cluster))
    kill(cluster, plan(), 30)
    template = api_of(cluster)["spec"]["template"]
    del template["metadata"]["annotations"]
    deployed = copy.deepcopy(template)
    cluster.go_on(Executor(cluster))
    calling.run("k8s_rollout_undo", cluster, run_id="r1", journal={"plan": "ca"})
    assert strategy_of(cluster) == before
    assert api_of(cluster)["spec"]["template"] == deployed


def test_what_a_colleague_changed_while_the_canary_was_held_is_kept():
    own = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 3, "maxUnavailable": 1}}

    def change(cluster, one, pod):
        one["spec"]["strategy"] = copy.deepcopy(own)
        cluster.touch(one)
        cluster.show(one)

    cluster = breaking("Deployment", change)
    result = carry_out(cluster, plan())
    assert outcome(result)[0] == "restarted", result
    assert strategy_of(cluster) == {"strategy": own}


def set_back(cluster, at):
    """A colleague applies the manifest, which has the strategy from before."""
    Executor(cluster).later(
        at, lambda: cluster.edit(api_of(cluster), lambda one: one["spec"].update(strategy=copy.deepcopy(STRATEGY)))
    )


@pytest.mark.parametrize("budgets", ["report", "enforce"])
def test_who_sets_the_strategy_back_during_the_hold_leaves_the_pause_to_the_run(budgets):
    cluster = SteppingCluster([rolled_out("Deployment", "api", 4)])
    set_back(cluster, 30)
    result = carry_out(cluster, plan(budgets=budgets))
    assert outcome(result)[0] == "restarted", result
    assert strategy_of(cluster) == {"strategy": STRATEGY} and cluster.replaced[-1] == ("api", 4)


@pytest.mark.parametrize("module", ["k8s_rollout_restart", "k8s_rollout_undo", "k8s_rollout_leftovers"])
def test_a_pause_is_released_after_a_kill_if_somebody_has_set_the_strategy_back(module):
    cluster = SteppingCluster([rolled_out("Deployment", "api", 4)])
    kill(cluster, plan(), 30)
    set_back(cluster, 0)
    cluster.executor.next(10)
    assert strategy_of(cluster) == {"strategy": STRATEGY, "paused": True}
    cluster.go_on(Executor(cluster))
    if module == "k8s_rollout_restart":
        calling.run(module, cluster, plan=plan(), run_id="r1", journal={"clusters": ["eu"]})
    elif module == "k8s_rollout_undo":
        assert outcome(calling.run(module, cluster, run_id="r1", journal={"plan": "ca"}))[0] == "undone"
    else:
        calling.run(module, cluster, repair=True)
    assert strategy_of(cluster) == {"strategy": STRATEGY}


def test_what_the_run_has_paused_after_it_gave_the_strategy_back_is_not_released():
    cluster = SteppingCluster([rolled_out("Deployment", "api", 4)])
    start(cluster, plan())
    cluster.patch(
        kinds.path("Deployment", "shop", "api"), {"spec": {"paused": True}}, "merge", field_manager="restartx"
    )
    assert strategy_of(cluster) == {"strategy": STRATEGY, "paused": True}
    edited = json.loads(cluster.objects[PATH]["data"][journal.KEY])
    edited["workloads"]["Deployment/shop/api"]["outcome"] = "unfinished"
    cluster.objects[PATH]["data"][journal.KEY] = json.dumps(edited)
    cluster.go_on(Executor(cluster))
    calling.run("k8s_rollout_leftovers", cluster, repair=True, run_id="r1")
    assert strategy_of(cluster) == {"strategy": STRATEGY, "paused": True}


def test_gates_must_open_after_the_hold_or_the_canary_has_failed():
    cluster = SteppingCluster([rolled_out("Deployment", "api")])
    result = start(cluster, plan(canary=GATED, gates=SHUT, on_failure="undo"))
    assert outcome(result)[0] == "undone"
    told = 'the canary failed: the gate "shut" (port 127.0.0.1:1) is closed: it did not open within 20s: '
    assert outcome(result)[1].startswith(told)
    assert cluster.replaced == [("api", 1), ("api", 3)]  # the rest is the undo


def test_a_gate_that_may_stay_closed_is_told_and_the_restart_goes_on():
    gates = {"shut": {**SHUT["shut"], "on_timeout": "continue"}}
    cluster = SteppingCluster([rolled_out("Deployment", "api")])
    verb, call = calling.prepare(
        "k8s_rollout_restart",
        cluster,
        plan=plan(canary=GATED, gates=gates),
        run_id="r1",
        journal={"clusters": ["eu"]},
    )
    assert outcome(calling.carry_out(verb, call))[0] == "restarted"
    assert any('the gate "shut" counts as open for Deployment shop/api' in warning for warning in call.warnings)
    assert cluster.executor.clock.passed > 80


def test_pods_that_cannot_be_read_let_nothing_go_on():
    cluster = SteppingCluster([rolled_out("Deployment", "api")])
    cluster.fail = lambda verb, path: Unreachable("no route", transient=True) if path.endswith("/pods") else None
    result = start(cluster, plan(timeout="10m"))
    assert outcome(result)[0] == "unfinished"
    assert "the canary could not be judged: its pods could not be read: no route" in outcome(result)[1]
    assert cluster.replaced == [("api", 1)]


@pytest.mark.parametrize("kind", KINDS)
def test_the_only_pod_is_the_whole_canary_and_is_held_all_the_same(kind):
    cluster = SteppingCluster([rolled_out(kind, "api", replicas=1)])
    before = copy.deepcopy(strategy_of(cluster, kind))
    verb, call = calling.prepare(
        "k8s_rollout_restart", cluster, plan=plan(kind), run_id="r1", journal={"clusters": ["eu"]}
    )
    assert outcome(calling.carry_out(verb, call))[0] == "restarted"
    assert f"{kind} shop/api: the canary is all that is restarted, so no other pod waits for it" in call.warnings
    assert cluster.executor.clock.passed > 60
    assert strategy_of(cluster, kind) == before


@pytest.mark.parametrize("kind", KINDS)
def test_without_pods_there_is_nothing_to_hold(kind):
    cluster = SteppingCluster([rolled_out(kind, "api", replicas=0)])
    before = copy.deepcopy(strategy_of(cluster, kind))
    assert outcome(start(cluster, plan(kind)))[0] == "restarted"
    assert cluster.executor.clock.passed < 30
    assert strategy_of(cluster, kind) == before


def test_the_rest_goes_on_after_the_window_has_closed():
    cluster = SteppingCluster([rolled_out("Deployment", "api")])
    window = {"hours": "21:00-22:01", "timezone": "UTC"}
    result = start(cluster, {**plan(canary={"hold": "2m"}), "window": window})
    assert outcome(result)[0] == "restarted", result


RECREATE = {"type": "Recreate"}


def applied(one, *path, manager="argocd"):
    fields = {}
    for part in reversed(path):
        fields = {f"f:{part}": fields}
    one["metadata"]["managedFields"] = [{"manager": manager, "operation": "Apply", "fieldsV1": fields}]
    return one


@pytest.mark.parametrize(
    "one, told",
    [
        (rolled_out("Deployment", "api", strategy=RECREATE), "has the strategy Recreate"),
        (
            applied(rolled_out("Deployment", "api"), "spec", "strategy", "rollingUpdate"),
            '"argocd" owns the strategy of',
        ),
        (
            applied(rolled_out("StatefulSet", "api"), "spec", "updateStrategy", "rollingUpdate", "partition"),
            "take spec.updateStrategy.rollingUpdate out of what it applies, or leave canary out for it",
        ),
    ],
    ids=["recreate", "deployment", "stateful set"],
)
@pytest.mark.parametrize("module", ["k8s_rollout_plan", "k8s_rollout_restart"])
def test_a_workload_that_cannot_have_a_canary_is_refused(module, one, told):
    cluster = SteppingCluster([copy.deepcopy(one)])
    options = {"journal": {"clusters": ["eu"]}} if module == "k8s_rollout_restart" else {}
    result = calling.run(module, cluster, plan=plan(one["kind"]), **options)
    assert outcome(result)[0] == "refused" and told in outcome(result)[1]
    assert not cluster.patches


def test_a_strategy_that_nobody_owns_by_apply_or_that_we_own_is_no_hindrance():
    one = applied(rolled_out("Deployment", "api"), "spec", "strategy", "rollingUpdate", manager="restartx")
    assert outcome(start(SteppingCluster([one]), plan()))[0] == "restarted"
    one = applied(rolled_out("Deployment", "api"), "spec", "template")
    assert outcome(start(SteppingCluster([one]), plan()))[0] == "restarted"


@pytest.mark.parametrize(
    "options, told",
    [
        ({}, "canary: needs the option journal, because only the journal knows after a kill what the strategy was"),
        ({"journal": {"clusters": ["eu"]}, "wait": False}, "canary: needs wait: true"),
    ],
)
def test_what_a_canary_needs_is_said_before_anything_is_asked(options, told):
    cluster = SteppingCluster([rolled_out("Deployment", "api")])
    with pytest.raises(RolloutError) as error:
        calling.run("k8s_rollout_restart", cluster, plan=plan(), **options)
    assert told in str(error.value)
    assert not cluster.asked


@pytest.mark.parametrize("kind", KINDS)
def test_a_dry_run_sends_the_first_patch_and_changes_nothing(kind):
    cluster = SteppingCluster([rolled_out(kind, "api")])
    before = copy.deepcopy(api_of(cluster, kind)["spec"])
    result = start(cluster, plan(kind), check_mode=True)
    assert outcome(result) == ("restarted", "restarted (server dry run)")
    assert api_of(cluster, kind)["spec"] == before
    assert (cluster.dry_runs, cluster.patches) == (1, [])
    assert outcome(calling.run("k8s_rollout_plan", cluster, plan=plan(kind)))[0] == "planned"


def test_the_check_of_a_plan_lets_a_killed_run_be_resumed_and_another_run_is_refused():
    cluster = SteppingCluster([rolled_out("Deployment", "api")])
    kill(cluster, plan(), 30)
    cluster.go_on(Executor(cluster))
    result = calling.run("k8s_rollout_plan", cluster, plan=plan())
    assert outcome(result)[0] == "planned", result
    assert not [one for one in result["findings"] if one["severity"] == "blocker"]
    result = start(cluster, plan(canary=None), run="r2")
    assert outcome(result)[0] == "refused"
    assert 'is held by the canary of run "r1" (paused and maxSurge 1 and maxUnavailable 0)' in outcome(result)[1]


def leftovers_of(cluster, **options):
    cluster.go_on(Executor(cluster))
    result = calling.run("k8s_rollout_leftovers", cluster, **options)
    return [(one["code"], one["repaired"]) for one in result["leftovers"] if one["code"] != "locked"], result


def test_leftovers_tell_what_the_canary_of_a_killed_run_holds_and_continue_the_run():
    cluster = SteppingCluster([rolled_out("Deployment", "api")])
    before = copy.deepcopy(strategy_of(cluster))
    kill(cluster, plan(), 30)
    found, result = leftovers_of(cluster)
    assert found == [("unfinished", False)]
    (one,) = [one for one in result["leftovers"] if one["code"] == "unfinished"]
    assert "; its canary holds it: paused and maxSurge 1 and maxUnavailable 0" in one["sentence"]
    found, result = leftovers_of(cluster, repair=True)
    assert found == [("unfinished", True)], result
    assert strategy_of(cluster) == before
    assert cluster.executor.clock.passed > 60  # judged again


@pytest.mark.parametrize("kind", KINDS)
def test_leftovers_give_back_the_strategy_of_what_no_start_of_the_run_takes_on(kind):
    cluster = SteppingCluster([rolled_out(kind, "api")])
    before = copy.deepcopy(strategy_of(cluster, kind))
    kill(cluster, plan(kind), 30)
    # Somebody else has restarted it.
    api_of(cluster, kind)["spec"]["template"]["metadata"]["annotations"] = {
        restart.RESTARTED_AT: "2026-11-25T08:00:00Z"
    }
    found, _result = leftovers_of(cluster)
    assert found == [("tightened", False)]
    found, result = leftovers_of(cluster, repair=True)
    assert found == [("tightened", True)], result
    assert strategy_of(cluster, kind) == before
    assert restart.run_of(api_of(cluster, kind)) is None


def test_a_plan_that_no_longer_has_the_canary_lets_the_rollout_go_on():
    cluster = SteppingCluster([rolled_out("Deployment", "api")])
    before = copy.deepcopy(strategy_of(cluster))
    kill(cluster, plan(), 30)
    result = start(cluster, plan(canary=None))
    assert outcome(result)[0] == "restarted", result
    assert strategy_of(cluster) == before
    assert cluster.executor.clock.passed < 55


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("denied", [False, True], ids=["", "denied"])
def test_what_somebody_deploys_while_the_canary_is_held_is_not_held_with_it(kind, denied):
    def deploy(cluster, one, pod):
        del one["spec"]["template"]["metadata"]["annotations"]
        one["spec"]["template"]["spec"]["containers"][0]["image"] = "shop/main:2"
        cluster.touch(one)
        cluster.show(one)

    cluster = breaking(kind, deploy)
    before = copy.deepcopy(strategy_of(cluster, kind))
    if denied:
        cluster.fail = lambda verb, path: (
            Forbidden("may not patch", status=403) if verb == "patch" and cluster.executor.clock.passed > 20 else None
        )
    result = carry_out(cluster, plan(kind, on_failure="undo"))
    assert outcome(result)[0] == "superseded", result
    assert api_of(cluster, kind)["spec"]["template"]["spec"]["containers"][0]["image"] == "shop/main:2"
    if denied:
        assert "; its strategy could not be given back: may not patch; it stays held after its" in outcome(result)[1]
        assert strategy_of(cluster, kind) != before
    else:
        assert outcome(result)[1].endswith("; its strategy was given back")
        assert strategy_of(cluster, kind) == before


def test_a_call_that_ends_during_the_hold_leaves_the_canary_to_the_next_start():
    cluster = SteppingCluster([rolled_out("StatefulSet", "api")])
    before = copy.deepcopy(strategy_of(cluster, "StatefulSet"))
    result = start(cluster, plan("StatefulSet"), wait_timeout="30s")
    assert outcome(result)[0] == "unfinished"
    assert "canary: 1 of 3 pods new, holding for 1m" in outcome(result)[1]
    assert "it stays held after its canary (partition 2)" in outcome(result)[1]
    assert held(cluster)["StatefulSet/shop/api"]["outcome"] == "in_progress"
    assert outcome(start(cluster, plan("StatefulSet")))[0] == "restarted"
    assert strategy_of(cluster, "StatefulSet") == before


def test_a_partition_of_its_own_is_kept_and_its_pods_are_no_canary():
    own = {"type": "RollingUpdate", "rollingUpdate": {"partition": 1}}
    cluster = SteppingCluster([rolled_out("StatefulSet", "api", replicas=4, strategy=own)])
    assert outcome(start(cluster, plan("StatefulSet")))[0] == "restarted"
    assert cluster.replaced == [("api", 1), ("api", 3)]
    own["rollingUpdate"]["maxUnavailable"] = 1
    assert strategy_of(cluster, "StatefulSet") == {"updateStrategy": own}


def test_a_canary_that_failed_with_on_failure_pause_is_released_by_the_repair_and_judged_again():
    cluster = breaking("Deployment", BREAKS["its pod api-x1 is no longer ready"])
    before = copy.deepcopy(strategy_of(cluster))
    result = carry_out(cluster, plan(on_failure="pause"))
    assert outcome(result)[0] == "failed"
    stays = "it stays held after its canary (paused and maxSurge 1 and maxUnavailable 0)"
    assert f"; it is paused for inspection; {stays}; to find and give back" in outcome(result)[1]
    result = start(cluster, plan(on_failure="pause"))
    assert outcome(result)[0] == "refused" and "kubectl" not in outcome(result)[1]
    found, result = leftovers_of(cluster)
    assert [code for code, _repaired in found] == ["paused", "unfinished"]
    assert "restartx.core.leftovers" in result["leftovers"][0]["command"]
    cluster.pods.clear()
    found, _result = leftovers_of(cluster, repair=True, codes=["paused"])
    assert strategy_of(cluster) == before  # by the release alone
    found, result = leftovers_of(cluster, repair=True)
    assert all(repaired for _code, repaired in found), result
    assert strategy_of(cluster) == before
    assert restart.attempt_of(api_of(cluster), "r1") == 2


def test_all_of_a_percentage_is_held_and_ready_before_the_hold_begins():
    cluster = SteppingCluster([rolled_out("Deployment", "api", replicas=10)], ready=8.0)
    assert outcome(start(cluster, plan(canary={"pods": "25%", "hold": "60s"})))[0] == "restarted"
    assert cluster.replaced == [("api", 3), ("api", 10)]
    assert cluster.executor.clock.passed > 68


COMPARING = {
    **CANARY,
    "compare": {
        "prometheus": 'sum(errors{pod=~"$canary"}) / sum(errors{pod=~"$stable"})',
        "url": "http://prometheus:9090",
        "max_ratio": 1.2,
    },
}


@pytest.fixture
def prometheus(monkeypatch):
    """What Prometheus was asked, and what it answers."""
    asked, answers = [], [1.0]

    def ask(self, asking):
        asked.append(self.expression)
        value = answers[0] if len(answers) == 1 else answers.pop(0)
        metric = {"metric": {}, "value": [0, str(value)]}
        content = {"status": "success", "data": {"resultType": "vector", "result": [metric]}}
        return self.answer(web.Reply(200, json.dumps(content).encode(), 0.1))

    monkeypatch.setattr(PrometheusGate, "ask", ask)
    return asked, answers


def with_old_pods(kind):
    cluster = SteppingCluster([rolled_out(kind, "api")])
    old = []
    for number in (90, 91):
        cluster.created = number
        old.append(pod_of(api_of(cluster, kind), "old", number))
    made = cluster._roll_out

    def roll_out(one):
        made(one)
        cluster.pods += old

    cluster._roll_out = roll_out
    return cluster


@pytest.mark.parametrize("kind", KINDS)
def test_a_number_of_the_canary_is_compared_with_that_of_the_other_pods(kind, prometheus):
    asked, answers = prometheus
    cluster = with_old_pods(kind)
    answers[:] = [1.5, 1.1]
    assert outcome(start(cluster, plan(kind, canary=COMPARING)))[0] == "restarted"
    assert len(asked) == 2 and len(set(asked)) == 1
    new = 'sum(errors{pod=~"api-x92"})'
    assert asked[0] == f'{new} / sum(errors{{pod=~"api-x90|api-x91"}})'


@pytest.mark.parametrize("value", [1.3, float("nan")])
def test_a_comparison_that_is_not_good_within_a_minute_fails_the_canary(value, prometheus):
    _asked, answers = prometheus
    answers[:] = [value]
    result = start(with_old_pods("Deployment"), plan(canary=COMPARING, on_failure="undo"))
    assert outcome(result)[0] == "undone"
    assert "the canary failed: the comparison with the other pods (Prometheus http" in outcome(result)[1]
    assert "it did not open within 1m" in outcome(result)[1]


def test_without_other_pods_there_is_nothing_to_compare(prometheus):
    cluster = SteppingCluster([rolled_out("StatefulSet", "api", replicas=1)])
    verb, call = calling.prepare(
        "k8s_rollout_restart",
        cluster,
        plan=plan("StatefulSet", canary=COMPARING),
        run_id="r1",
        journal={"clusters": ["eu"]},
    )
    assert outcome(calling.carry_out(verb, call))[0] == "restarted"
    assert prometheus[0] == []
    assert any("has no other pods to compare its canary with" in warning for warning in call.warnings)


@pytest.mark.parametrize("module", ["k8s_rollout_plan", "k8s_rollout_restart"])
def test_credentials_of_a_comparison_are_checked_before_anything_is_asked(module):
    cluster = SteppingCluster([rolled_out("Deployment", "api")])
    comparing = {**COMPARING, "compare": {**COMPARING["compare"], "auth": "monitoring"}}
    options = {"journal": {"clusters": ["eu"]}} if module == "k8s_rollout_restart" else {}
    with pytest.raises(ScheduleError) as told:
        calling.run(module, cluster, plan=plan(canary=comparing), **options)
    assert 'the canary of api: compare: auth: restartx_gate_auth has no "monitoring"' in str(told.value)
    assert not cluster.asked


def test_a_strategy_like_that_of_a_canary_which_is_over_is_the_owners_own():
    cluster = SteppingCluster([rolled_out("Deployment", "api")])
    start(cluster, plan())
    own = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
    api_of(cluster)["spec"]["strategy"] = copy.deepcopy(own)
    assert outcome(start(cluster, plan()))[0] == "already_restarted"
    assert strategy_of(cluster) == {"strategy": own}
    assert outcome(start(cluster, plan(), run="r2"))[0] == "restarted"
    assert strategy_of(cluster) == {"strategy": own}
    cluster.go_on(Executor(cluster))
    calling.run("k8s_rollout_undo", cluster, run_id="r1", journal={"plan": "ca"})
    calling.run("k8s_rollout_undo", cluster, run_id="r2", journal={"plan": "ca"})
    assert strategy_of(cluster) == {"strategy": own}


def test_pods_without_marks_are_known_by_their_revision():
    # An admission policy has removed the annotations.
    cluster = SteppingCluster([rolled_out("Deployment", "api")])
    made = cluster._replace

    def replace(one, number):
        made(one, number)
        for pod in cluster.pods:
            pod["metadata"].pop("annotations", None)

    cluster._replace = replace
    assert outcome(start(cluster, plan()))[0] == "restarted"
    assert cluster.replaced == [("api", 1), ("api", 3)]
    assert cluster.executor.clock.passed > 60


def test_the_workloads_of_a_module_have_no_canary():
    cluster = SteppingCluster([rolled_out("Deployment", "api")])
    with pytest.raises(PlanError) as told:
        workloads = [{"id": "api", "namespace": "shop", "name": "api", "canary": CANARY}]
        calling.run("k8s_rollout_restart", cluster, workloads=workloads)
    assert "workloads[0].canary: only a plan has canaries; give the whole plan, or leave canary out" in str(told.value)


@pytest.mark.parametrize("kind", KINDS)
def test_what_an_older_run_holds_is_given_back_before_the_newer_run_goes_on(kind):
    cluster = SteppingCluster([rolled_out(kind, "api")])
    before = copy.deepcopy(strategy_of(cluster, kind))
    kill(cluster, plan(kind), 30)
    assert outcome(start(cluster, plan(kind), run="r2"))[0] == "refused"
    found, _result = leftovers_of(cluster)
    assert sorted(found) == [("tightened", False), ("unfinished", False)]
    found, result = leftovers_of(cluster, repair=True)
    assert sorted(found) == [("tightened", True), ("unfinished", True)], result
    assert strategy_of(cluster, kind) == before
    assert restart.run_of(api_of(cluster, kind)) == "r2"


def test_a_stateful_set_without_an_update_of_its_own_is_held_although_the_server_adds_to_it():
    bare = {"type": "RollingUpdate"}
    cluster = SteppingCluster([rolled_out("StatefulSet", "api", strategy=bare)])
    kill(cluster, plan("StatefulSet"), 30)
    assert strategy_of(cluster, "StatefulSet")["updateStrategy"]["rollingUpdate"] == {
        "partition": 2,
        "maxUnavailable": 1,
    }
    result = start(cluster, plan("StatefulSet"))
    assert outcome(result)[0] == "restarted", outcome(result)
    assert cluster.replaced == [("api", 1), ("api", 3)]
    assert cluster.executor.clock.passed > 60
    assert strategy_of(cluster, "StatefulSet") == {"updateStrategy": bare}


def test_what_a_colleague_adds_to_an_update_that_was_absent_is_kept():
    def change(cluster, one, pod):
        cluster.edit(one, lambda now: now["spec"]["updateStrategy"]["rollingUpdate"].update(maxUnavailable=2))

    cluster = SteppingCluster([rolled_out("StatefulSet", "api", strategy={"type": "RollingUpdate"})])
    executor = Executor(cluster)
    executor.later(30, lambda: change(cluster, api_of(cluster, "StatefulSet"), None))
    assert outcome(carry_out(cluster, plan("StatefulSet")))[0] == "restarted"
    own = {"partition": 0, "maxUnavailable": 2}
    assert strategy_of(cluster, "StatefulSet")["updateStrategy"]["rollingUpdate"] == own


def not_patched(verb, path):
    return Forbidden("may not patch", status=403) if verb == "patch" and "/deployments/" in path else None


OWN = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}


@pytest.fixture
def never_sent():
    """A cluster with the journal of a run that has sent nothing, whose operator then set what a canary would set."""
    cluster = SteppingCluster([rolled_out("Deployment", "api")])
    cluster.fail = not_patched
    assert outcome(start(cluster, plan()))[0] == "failed"
    cluster.fail = lambda verb, path: None
    assert "canary" in held(cluster)["Deployment/shop/api"]
    cluster.edit(api_of(cluster), lambda one: one["spec"].update(strategy=copy.deepcopy(OWN)))
    return cluster


def test_a_canary_that_was_never_sent_gives_nothing_back(never_sent):
    assert outcome(start(never_sent, plan()))[0] == "restarted"
    assert strategy_of(never_sent) == {"strategy": OWN}
    assert never_sent.replaced == [("api", 1), ("api", 3)]


def test_a_canary_that_was_never_sent_holds_nothing(never_sent):
    found, _result = leftovers_of(never_sent)
    assert [code for code, _repaired in found] == ["failed"]
    assert outcome(start(never_sent, plan(), run="r2"))[0] == "restarted"
    never_sent.go_on(Executor(never_sent))
    calling.run("k8s_rollout_undo", never_sent, run_id="r1", journal={"plan": "ca"})
    assert strategy_of(never_sent) == {"strategy": OWN}


def test_only_the_run_whose_canary_holds_a_workload_is_named():
    cluster = SteppingCluster([rolled_out("Deployment", "api")])
    cluster.fail = not_patched
    start(cluster, plan())
    cluster.fail = lambda verb, path: None
    cluster.go_on(Executor(cluster))
    kill(cluster, plan(), 30, run="r2")
    found, _result = leftovers_of(cluster)
    assert "tightened" not in [code for code, _repaired in found]
    assert 'the canary of run "r2"' in outcome(start(cluster, plan(), run="r3"))[1]


def deploys(cluster, one, pod=None):
    """A colleague restarts a workload in another way, so that it no longer carries the run."""
    again = {restart.RESTARTED_AT: "2026-11-25T08:00:00Z"}
    cluster.edit(one, lambda now: now["spec"]["template"]["metadata"]["annotations"].update(again))


def test_a_pause_by_the_canary_is_given_back_even_if_the_strategy_was_the_same_before():
    cluster = SteppingCluster([rolled_out("Deployment", "api", strategy=OWN)])
    executor = Executor(cluster)
    executor.later(30, lambda: deploys(cluster, api_of(cluster)))
    result = carry_out(cluster, plan())
    assert outcome(result)[0] == "superseded"
    assert outcome(result)[1].endswith("; its strategy was given back")
    assert strategy_of(cluster) == {"strategy": OWN}


def test_a_pause_by_the_canary_of_a_killed_run_is_found_even_if_the_strategy_was_the_same_before():
    cluster = SteppingCluster([rolled_out("Deployment", "api", strategy=OWN)])
    kill(cluster, plan(), 30)
    deploys(cluster, api_of(cluster))
    found, _result = leftovers_of(cluster, repair=True)
    assert found == [("tightened", True)]
    assert strategy_of(cluster) == {"strategy": OWN}


def test_a_pause_by_a_colleague_is_no_canary():
    cluster = SteppingCluster([rolled_out("Deployment", "api", strategy=OWN)])
    cluster.fail = not_patched
    start(cluster, plan())
    cluster.fail = lambda verb, path: None
    cluster.edit(api_of(cluster), lambda one: one["spec"].update(paused=True))
    found, _result = leftovers_of(cluster)
    assert "tightened" not in [code for code, _repaired in found]


@pytest.mark.parametrize("kind", KINDS)
def test_the_only_pod_is_judged_even_if_it_is_ready_at_once(kind):
    own = OWN if kind == "Deployment" else None
    cluster = SteppingCluster([rolled_out(kind, "api", replicas=1, strategy=own)], ready=0.0)
    assert outcome(start(cluster, plan(kind)))[0] == "restarted"
    assert cluster.executor.clock.passed > 60
    assert outcome(start(cluster, plan(kind)))[0] == "already_restarted"
    assert cluster.executor.clock.passed < 30  # not judged again


def unread_between(cluster, begin, end):
    """The pods cannot be read for a while, in which a status changes."""

    def fail(verb, path):
        unread = path.endswith("/pods") and begin <= cluster.executor.clock.passed < end
        return Unreachable("no route", transient=True) if unread else None

    cluster.fail = fail
    cluster.executor.later(begin, lambda: cluster.show(api_of(cluster)))


@pytest.mark.parametrize("begin, end", [(30, 31), (30, 90), (62, 63)])
def test_pods_that_cannot_be_read_for_a_while_are_read_again_and_the_hold_ends(begin, end):
    cluster = SteppingCluster([rolled_out("Deployment", "api")])
    Executor(cluster)
    unread_between(cluster, begin, end)
    options = {"plan": plan(), "run_id": "r1", "journal": {"clusters": ["eu"]}, "wait_timeout": "5m"}
    assert outcome(calling.run("k8s_rollout_restart", cluster, **options))[0] == "restarted"
    assert max(60, end) < cluster.executor.clock.passed < 100


@pytest.fixture
def questions(monkeypatch):
    """When which gate was asked. A gate named open opens."""
    asked = []

    def ask(gate, cluster, now, instant):
        asked.append((round(instant), gate.provider.about()))
        return judgement.Answer("127.0.0.1:2" in gate.provider.about(), "told")

    monkeypatch.setattr(gates, "ask", ask)
    return asked


def test_pods_that_cannot_be_read_ask_no_gate_again(questions):
    cluster = SteppingCluster([rolled_out("Deployment", "api")])
    Executor(cluster)
    unread_between(cluster, 64, 500)
    gates = {"shut": {**SHUT["shut"], "timeout": "1m"}}
    assert outcome(carry_out(cluster, plan(canary=GATED, gates=gates)))[0] == "failed"
    instants = [at for at, _gate in questions]
    assert len(instants) > 2
    assert all(later - at >= 10 for at, later in itertools.pairwise(instants[:-1]))


def test_a_late_answer_of_a_gate_opens_no_other(questions):
    cluster = SteppingCluster([rolled_out("Deployment", "api")])
    Executor(cluster)
    made = GateSeries._ask

    def twice(self, task, series):
        made(self, task, series)
        late = Answer(("canary_gate", task.key), (series.question, judgement.Answer(True, "late")))
        if series.left[0][0] == "open":
            self._executor.later(0.5, lambda: late)

    gates = {"open": {"tcp": "127.0.0.1:2"}, **SHUT}
    with mock.patch.object(GateSeries, "_ask", twice):
        result = carry_out(cluster, plan(canary={**CANARY, "gates": ["open", "shut"]}, gates=gates))
    assert outcome(result)[0] == "failed" and 'the gate "shut"' in outcome(result)[1]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("cut", ["killed", "ended"])
def test_what_only_its_canary_holds_is_not_held_for_inspection(kind, cut):
    cluster = SteppingCluster([rolled_out(kind, "api")])
    before, pausing = copy.deepcopy(strategy_of(cluster, kind)), plan(kind, on_failure="pause")
    if cut == "killed":
        kill(cluster, pausing, 30)
    else:
        assert outcome(start(cluster, pausing, wait_timeout="30s"))[0] == "unfinished"
    found, _result = leftovers_of(cluster)
    assert found == [("unfinished", False)]
    result = start(cluster, pausing)
    assert outcome(result)[0] == "restarted", outcome(result)
    assert cluster.executor.clock.passed > 60
    assert strategy_of(cluster, kind) == before


def sets_image(one):
    """As kubectl set image: the annotations of the template stay."""
    one["spec"]["template"]["spec"]["containers"][0]["image"] = "shop/main:2"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("at", [0.025, 0.035, 1, 30, 61.9])
def test_a_deploy_that_keeps_the_marks_is_neither_judged_nor_held(kind, at):
    cluster = SteppingCluster([rolled_out(kind, "api")])
    before = copy.deepcopy(strategy_of(cluster, kind))
    Executor(cluster).later(at, lambda: cluster.edit(api_of(cluster, kind), sets_image, "kubectl-set"))
    result = carry_out(cluster, plan(kind, on_failure="undo"))
    assert outcome(result)[0] == "superseded", outcome(result)
    told = f'the template of {kind.lower()} "api" in namespace "shop" was changed after run "r1" had restarted it; '
    assert outcome(result)[1].startswith(f'{told}the last other change of it was by "kubectl-set" (Update at 2026')
    assert outcome(result)[1].endswith("; its strategy was given back")
    assert strategy_of(cluster, kind) == before
    assert api_of(cluster, kind)["spec"]["template"]["spec"]["containers"][0]["image"] == "shop/main:2"


@pytest.mark.parametrize("kind", KINDS)
def test_a_change_of_something_else_does_not_end_the_canary(kind):
    cluster = SteppingCluster([rolled_out(kind, "api")])
    changes = [lambda one: one["metadata"].update(finalizers=[]), lambda one: one["spec"].update(minReadySeconds=1)]
    executor = Executor(cluster)
    for at, change in zip([20, 40], changes):
        executor.later(at, lambda change=change: cluster.edit(api_of(cluster, kind), change))
    assert outcome(carry_out(cluster, plan(kind)))[0] == "restarted"
    assert cluster.replaced == [("api", 1), ("api", 3)]


def denied_from(cluster, first, last=99):
    """The patches of workloads with these numbers are denied. Patches are counted from 1."""
    sent = []

    def fail(verb, path):
        if verb != "patch" or "/configmaps/" in path:
            return None
        sent.append(path)
        return Forbidden("may not patch", status=403) if first <= len(sent) <= last else None

    cluster.fail = fail


HELD = (
    "it stays held after its canary (paused and maxSurge 1 and maxUnavailable 0); to find and give back what is left: "
)


def test_after_an_undo_that_failed_it_is_told_what_the_canary_still_holds():
    cluster = breaking("Deployment", BREAKS["its pod api-x1 is gone"])
    denied_from(cluster, 3)
    result = carry_out(cluster, plan(on_failure="undo"))
    assert outcome(result)[0] == "failed"
    assert f"; its undo failed: may not patch; {HELD}" in outcome(result)[1]


def two():
    both = plan()
    both["workloads"].append({"id": "web", "kind": "Deployment", "name": "web"})
    return both


def test_what_an_undone_run_still_holds_is_found_and_given_back():
    cluster = SteppingCluster([rolled_out("Deployment", name) for name in ("api", "web")])
    before = copy.deepcopy(strategy_of(cluster))
    kill(cluster, two(), 30)
    cluster.go_on(Executor(cluster))
    cluster.fail = lambda verb, path: not_patched(verb, path) if path.endswith("/api") else None
    result = calling.run("k8s_rollout_undo", cluster, run_id="r1", journal={"plan": "ca"})
    told = {one["name"]: (one["outcome"], one["message"]) for one in result["results"]}
    assert told["web"][0] == "undone" and told["api"][0] == "failed"
    assert told["api"][1].startswith(f"may not patch; {HELD}")
    assert json.loads(cluster.objects[PATH]["data"][journal.KEY])["state"] == "undone"
    cluster.fail = lambda verb, path: None
    found, _result = leftovers_of(cluster)
    assert found == [("tightened", False)]
    found, result = leftovers_of(cluster, repair=True)
    assert found == [("tightened", True)], result
    assert strategy_of(cluster) == before


@pytest.mark.parametrize("denied, patches", [(2, 2), (3, 3)], ids=["pause", "release"])
def test_a_request_of_a_canary_that_is_denied_is_a_failure_of_the_workload(denied, patches):
    cluster = SteppingCluster([rolled_out("Deployment", "api")])
    before = copy.deepcopy(strategy_of(cluster))
    Executor(cluster)
    denied_from(cluster, denied, denied)
    result = carry_out(cluster, plan(on_failure="undo"))
    assert outcome(result)[0] == "undone" and outcome(result)[1].startswith("may not patch; undone: ")
    assert strategy_of(cluster) == before
    assert len(cluster.patches) == patches


def test_a_deployment_that_could_not_be_paused_is_not_told_to_be_held():
    cluster = SteppingCluster([rolled_out("Deployment", "api")])
    Executor(cluster)
    denied_from(cluster, 2)
    result = carry_out(cluster, plan(on_failure="stop"))
    assert outcome(result)[0] == "failed" and "held" not in outcome(result)[1]
    goes_on = (
        "its rollout goes on, because it is not paused, with what its canary has set (maxSurge 1 and maxUnavailable 0)"
    )
    assert outcome(result)[1].startswith(f"may not patch; {goes_on}; to find and give back what is left: ")


def parts_read(cluster):
    return [path for verb, path in cluster.asked if verb == "get" and path.endswith(".r1.1")]


def test_what_a_run_with_a_split_journal_holds_is_seen_by_another_run(monkeypatch):
    monkeypatch.setattr(journal, "INLINE", 1)
    cluster = SteppingCluster([rolled_out("StatefulSet", "api"), rolled_out("Deployment", "web")])
    of_both = plan("StatefulSet")
    of_both["workloads"].append({"id": "web", "kind": "Deployment", "name": "web"})
    kill(cluster, of_both, 30)
    assert f"{PATH}.1" in cluster.objects
    cluster.go_on(Executor(cluster))
    result = start(cluster, of_both, run="r2")
    told = {one["name"]: (one["outcome"], one["message"]) for one in result["results"]}
    assert told["api"][0] == "refused" and 'is held by the canary of run "r1" (partition 2)' in told["api"][1]
    assert [one["outcome"] for one in calling.run("k8s_rollout_plan", cluster, plan=of_both)["results"]] == [
        "planned"
    ] * 2


def test_the_workloads_of_a_finished_run_are_not_read(monkeypatch):
    monkeypatch.setattr(journal, "INLINE", 0)
    cluster = SteppingCluster([rolled_out("Deployment", "api")])
    start(cluster, plan())
    cluster.asked.clear()
    assert outcome(start(cluster, plan(), run="r2"))[0] == "restarted"
    assert not parts_read(cluster)


def test_a_deploy_that_is_seen_after_what_it_did_to_the_pods_is_no_failure_of_the_canary():
    def deploy(cluster, one, pod):
        cluster.pods.remove(pod)
        cluster.show(one)
        cluster.executor.later(0.005, lambda: cluster.edit(one, sets_image, "kubectl-set"))

    cluster = breaking("Deployment", deploy)
    before = copy.deepcopy(strategy_of(cluster))
    result = carry_out(cluster, plan(on_failure="undo"))
    assert outcome(result)[0] == "superseded", outcome(result)
    assert strategy_of(cluster) == before
