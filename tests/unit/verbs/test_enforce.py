# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Restarts with `budgets: enforce`: the strategy undercuts no budget meanwhile, and is what it was afterwards."""

from __future__ import annotations

import copy
import json
from datetime import UTC, datetime

import budgets
import calling
import pytest
from canaries import SteppingCluster, rolled_out
from simulation import Executor, Killed, Noting
from starts import carry_out, end, ended, kill, start

from ansible_collections.restartx.core.plugins.module_utils.cluster.api import Listing
from ansible_collections.restartx.core.plugins.module_utils.cluster.errors import Forbidden
from ansible_collections.restartx.core.plugins.module_utils.engine.canary_steps import EnforceStep
from ansible_collections.restartx.core.plugins.module_utils.engine.requests import Mode
from ansible_collections.restartx.core.plugins.module_utils.record import journal
from ansible_collections.restartx.core.plugins.module_utils.rollout import kinds, restart
from ansible_collections.restartx.core.plugins.module_utils.rollout.canary import Canary
from ansible_collections.restartx.core.plugins.module_utils.rollout.errors import RolloutError

PATH = journal.path("restartx-system", journal.name_of("ca", "r1"))
LOOSE = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 2}}
BOTH = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "50%"}}
THREE = {"type": "RollingUpdate", "rollingUpdate": {"partition": 0, "maxUnavailable": 3}}
RECREATE = {"type": "Recreate"}
FIRST = datetime(2026, 11, 24, 22, 0, tzinfo=UTC)


class Cluster(SteppingCluster):
    """A cluster with one budget for all pods of its workload. The strategy at each new pod is noted."""

    def __init__(self, one, **spec):
        super().__init__([one])
        self.one, self.spec = one, spec
        self.strategies: list[dict] = []
        self.before = copy.deepcopy(strategy_of(self))

    @property
    def healthy(self):
        return [budgets.pod(self.api, number) for number in range(self.api["spec"]["replicas"])]

    @property
    def api(self):
        return self.objects[kinds.path(self.one["kind"], "shop", "api")]

    def list(self, path, params=None, *, deadline=None):
        if path.endswith("/poddisruptionbudgets"):
            self._ask("list", path, deadline)
            selector = {"matchLabels": self.one["spec"]["template"]["metadata"]["labels"]}
            return Listing([budgets.budget("all", selector, pods=self.healthy, **self.spec)], "1")
        if path.endswith("/pods") and not (params or {}).get("fieldSelector") and not self.pods:
            self._ask("list", path, deadline)
            return Listing(self.healthy, "1")
        return super().list(path, params, deadline=deadline)

    def _replace(self, one, number):
        self.strategies.append(copy.deepcopy(strategy_of(self)))
        super()._replace(one, number)


def strategy_of(cluster):
    spec = cluster.api["spec"]
    return {name: spec[name] for name in ("strategy", "updateStrategy", "paused") if name in spec}


def rolling(strategies):
    return [next(iter(one.values()))["rollingUpdate"] for one in strategies]


def cluster_of(kind="Deployment", strategy=None, replicas=4, **spec):
    return Cluster(rolled_out(kind, "api", replicas, strategy or LOOSE), **(spec or {"minAvailable": replicas}))


def plan(kind="Deployment", **defaults):
    return {
        "version": 1,
        "name": "ca",
        "defaults": {"namespace": "shop", "timeout": "30s", "budgets": "enforce", **defaults},
        "workloads": [{"id": "api", "kind": kind, "name": "api"}],
    }


CASES = {
    "no room": ("Deployment", LOOSE, {"minAvailable": 4}, {"maxSurge": 1, "maxUnavailable": 0}),
    "room for one": ("Deployment", LOOSE, {"minAvailable": 3}, {"maxSurge": 0, "maxUnavailable": 1}),
    "a surge": ("Deployment", BOTH, {"minAvailable": 3}, {"maxSurge": "25%", "maxUnavailable": 0}),
    "a StatefulSet": ("StatefulSet", THREE, {"maxUnavailable": 1}, {"partition": 0, "maxUnavailable": 1}),
}


@pytest.mark.parametrize("case", CASES)
def test_the_strategy_is_tightened_by_the_restart_and_given_back_afterwards(case):
    kind, strategy, spec, tight = CASES[case]
    cluster = cluster_of(kind, strategy, **spec)
    before = copy.deepcopy(strategy_of(cluster))
    result = start(cluster, plan(kind))
    assert ended(result)[0] == "restarted", result
    assert all(one == tight for one in rolling(cluster.strategies)) and cluster.replaced[-1] == ("api", 4)
    assert strategy_of(cluster) == before
    assert len(cluster.patches) == 2
    assert len({pod["metadata"]["annotations"][restart.WRITTEN_AT] for pod in cluster.pods}) == 1


def test_a_strategy_that_undercuts_nothing_is_left_alone():
    cluster = cluster_of(strategy=LOOSE, minAvailable=2)
    assert ended(start(cluster, plan()))[0] == "restarted"
    assert len(cluster.patches) == 1
    entry = json.loads(cluster.objects[PATH]["data"][journal.KEY])["workloads"]["Deployment/shop/api"]
    assert entry["canary"] == {"pods": 0, "before": LOOSE, "enforced": {}}  # its rollout might have to be held


@pytest.mark.parametrize("case", CASES)
def test_a_kill_at_any_moment_leaves_it_tight_and_a_resume_ends_as_if_there_was_none(case):
    kind, strategy, spec, tight = CASES[case]
    cluster = cluster_of(kind, strategy, **spec)
    executor = Noting(cluster)
    carry_out(cluster, plan(kind))
    moments = executor.moments
    assert len(moments) >= 4
    for at in moments:
        cluster = cluster_of(kind, strategy, **spec)
        before = copy.deepcopy(strategy_of(cluster))
        kill(cluster, plan(cluster.one["kind"]), at)
        result = start(cluster, plan(kind))
        assert ended(result)[0] in ("restarted", "already_restarted"), (at, result)
        assert strategy_of(cluster) == before, at
        assert all(one == tight for one in rolling(cluster.strategies)), at
        assert len({pod["metadata"]["annotations"][restart.WRITTEN_AT] for pod in cluster.pods}) == 1, at


def failing(**spec):
    """A cluster on which the rollout of a restart never ends."""
    cluster = cluster_of(**spec)
    replace = cluster._replace
    cluster._replace = lambda one, number: None if number == 4 and restart.run_of(one) else replace(one, number)
    return cluster


def test_what_is_not_rolled_out_stays_tight_and_says_so_and_the_next_start_gives_it_back():
    cluster = failing()
    before = copy.deepcopy(strategy_of(cluster))
    told, message = ended(carry_out(cluster, plan()))
    assert told == "unfinished" and message.endswith(
        "it keeps the strategy that its restart has set for budgets (maxSurge 1 and maxUnavailable 0); to find and give back "
        "what is left: ansible-playbook restartx.core.leftovers -e repair=true"
    )
    assert rolling([strategy_of(cluster)]) == [{"maxSurge": 1, "maxUnavailable": 0}]
    del cluster._replace
    assert ended(start(cluster, plan()))[0] == "restarted"
    assert strategy_of(cluster) == before and len(cluster.patches) == 2


def test_an_undo_after_a_failure_is_rolled_out_with_the_tight_strategy_which_is_given_back_then():
    cluster = failing()
    before = copy.deepcopy(strategy_of(cluster))
    told, message = ended(carry_out(cluster, plan(on_failure="undo")))
    assert told == "undone" and message.endswith("; its strategy was given back"), message
    assert strategy_of(cluster) == before and restart.run_of(cluster.api) is None
    assert cluster.replaced[-1] == ("api", 4) and len(cluster.patches) == 3
    assert all(one == {"maxSurge": 1, "maxUnavailable": 0} for one in rolling(cluster.strategies))


def test_a_kill_at_any_moment_of_an_undo_leaves_it_tight_and_the_next_start_gives_it_back():
    undoing = plan(on_failure="undo")
    cluster = failing()
    executor = Noting(cluster)
    carry_out(cluster, undoing)
    moments = executor.moments
    assert len(moments) > 8
    for at in moments:
        cluster = failing()
        before = copy.deepcopy(strategy_of(cluster))
        kill(cluster, plan(cluster.one["kind"], on_failure="undo"), at)
        told, message = ended(start(cluster, undoing))
        assert told == "undone", (at, told, message)
        assert cluster.replaced[-1] == ("api", 4), at  # it was given back after the rollout
        assert strategy_of(cluster) == before and restart.run_of(cluster.api) is None, at
        assert all(one == {"maxSurge": 1, "maxUnavailable": 0} for one in rolling(cluster.strategies)), at


def undo(cluster):
    return calling.run("k8s_rollout_undo", cluster, run_id="r1", journal={"plan": "ca"})


def test_an_undo_of_the_run_that_was_killed_at_any_moment_is_finished_by_the_next_one():
    def half_way():
        cluster = cluster_of()
        kill(cluster, plan(cluster.one["kind"]), 5)
        cluster.strategies.clear()
        return cluster

    cluster = half_way()
    executor = Noting(cluster)
    cluster.go_on(executor)
    undo(cluster)
    moments = executor.moments
    assert len(moments) > 5
    for at in moments:
        cluster = half_way()
        cluster.go_on(Executor(cluster))
        cluster.executor.later(at, end)
        with pytest.raises(Killed):
            undo(cluster)
        cluster.go_on(Executor(cluster))
        assert ended(undo(cluster))[0] in ("undone", "unchanged"), at
        assert cluster.replaced[-1] == ("api", 4), at
        assert strategy_of(cluster) == cluster.before and restart.run_of(cluster.api) is None, at
        assert all(one == {"maxSurge": 1, "maxUnavailable": 0} for one in rolling(cluster.strategies)), at


def test_the_undo_of_a_run_does_so_too():
    cluster = cluster_of()
    before = copy.deepcopy(strategy_of(cluster))
    kill(cluster, plan(cluster.one["kind"]), 5)
    cluster.strategies.clear()
    cluster.go_on(Executor(cluster))
    result = calling.run("k8s_rollout_undo", cluster, run_id="r1", journal={"plan": "ca"})
    assert ended(result)[0] == "undone", result
    assert strategy_of(cluster) == before and len(cluster.patches) == 3
    assert all(one == {"maxSurge": 1, "maxUnavailable": 0} for one in rolling(cluster.strategies))


def test_an_undo_that_was_killed_before_it_gave_back_the_strategy_is_a_leftover():
    cluster = cluster_of()
    before = copy.deepcopy(strategy_of(cluster))
    kill(cluster, plan(cluster.one["kind"]), 5)
    cluster.go_on(Executor(cluster))
    cluster.executor.later(4, end)
    with pytest.raises(Killed):
        calling.run("k8s_rollout_undo", cluster, run_id="r1", journal={"plan": "ca"})
    assert restart.run_of(cluster.api) is None and strategy_of(cluster) != before
    cluster.go_on(Executor(cluster))
    result = calling.run("k8s_rollout_leftovers", cluster)
    sentences = {one["code"]: one["sentence"] for one in result["leftovers"]}
    assert sentences["tightened"] == (
        'deployment "api" in namespace "shop" has the strategy that run r1 set for budgets: maxSurge 1 and maxUnavailable 0'
    )
    cluster.go_on(Executor(cluster))
    result = calling.run("k8s_rollout_leftovers", cluster, repair=True)
    assert ("tightened", True) in {(one["code"], one["repaired"]) for one in result["leftovers"]}, result
    assert strategy_of(cluster) == before


def test_what_a_colleague_changed_meanwhile_is_kept():
    own = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 3, "maxUnavailable": 1}}
    cluster = cluster_of()
    Executor(cluster).later(5, lambda: cluster.edit(cluster.api, lambda one: one["spec"].update(strategy=own)))
    assert ended(carry_out(cluster, plan()))[0] == "restarted"
    assert strategy_of(cluster) == {"strategy": own}


def test_who_deploys_meanwhile_gets_the_strategy_back_at_once():
    cluster = cluster_of()
    before = copy.deepcopy(strategy_of(cluster))

    def deploy(one):
        one["spec"]["template"]["metadata"]["annotations"] = {"version": "2"}

    Executor(cluster).later(5, lambda: cluster.edit(cluster.api, deploy))
    told, message = ended(carry_out(cluster, plan()))
    assert told == "superseded" and message.endswith("; its strategy was given back")
    assert strategy_of(cluster) == before


def test_a_deploy_that_keeps_the_annotations_is_rolled_out_with_the_tight_strategy_too():
    cluster = cluster_of()
    before = copy.deepcopy(strategy_of(cluster))

    def deploy(one):
        one["spec"]["template"]["spec"]["containers"] = [{"name": "main", "image": "shop/api:2"}]

    Executor(cluster).later(5, lambda: cluster.edit(cluster.api, deploy))
    assert ended(carry_out(cluster, plan()))[0] == "restarted"
    assert strategy_of(cluster) == before and cluster.replaced[-1] == ("api", 4)
    assert all(one == {"maxSurge": 1, "maxUnavailable": 0} for one in rolling(cluster.strategies))


def test_another_run_refuses_what_a_killed_one_has_left_and_leftovers_continue_that():
    cluster = cluster_of()
    before = copy.deepcopy(strategy_of(cluster))
    kill(cluster, plan(cluster.one["kind"]), 5)
    told, message = ended(start(cluster, plan(), run="r2"))
    assert told == "refused" and message == (
        'deployment "api" in namespace "shop" has the strategy that run "r1" set for budgets (maxSurge 1 and maxUnavailable 0); '
        "continue that run, undo it, or give the strategy back (ansible-playbook restartx.core.leftovers -e repair=true), then "
        "start again"
    )
    assert strategy_of(cluster) != before


@pytest.mark.parametrize("kind, strategy", [("Deployment", LOOSE), ("StatefulSet", THREE)])
def test_what_is_held_after_a_failure_is_refused_and_the_repair_gives_back_all_of_it(kind, strategy):
    cluster = cluster_of(kind, strategy, minAvailable=3 if kind == "StatefulSet" else 4)
    replace = cluster._replace
    cluster._replace = lambda one, number: None if number == 4 and restart.run_of(one) else replace(one, number)
    holding = plan(kind, on_failure="pause")
    assert ended(carry_out(cluster, holding))[0] == "unfinished"
    del cluster._replace
    told, message = ended(start(cluster, holding))
    assert told == "refused" and "left for inspection" in message, message
    cluster.go_on(Executor(cluster))
    calling.run("k8s_rollout_leftovers", cluster, repair=True)
    cluster.go_on(Executor(cluster))
    calling.run("k8s_rollout_leftovers", cluster, repair=True)
    assert strategy_of(cluster) == cluster.before
    assert cluster.api["status"]["updatedReplicas"] == 4


def test_what_another_plan_restarts_meanwhile_keeps_its_tight_strategy_only_until_a_repair():
    cluster = cluster_of()
    kill(cluster, plan(cluster.one["kind"]), 5)
    other = {**plan(budgets="honour"), "name": "other"}
    assert ended(start(cluster, other, run="r2"))[0] == "restarted"
    cluster.go_on(Executor(cluster))
    result = calling.run("k8s_rollout_leftovers", cluster)
    assert ("tightened", "r1") in [(one["code"], one["run"]) for one in result["leftovers"]], result
    cluster.go_on(Executor(cluster))
    calling.run("k8s_rollout_leftovers", cluster, repair=True)
    assert strategy_of(cluster) == cluster.before


def test_pods_one_by_one_need_room_for_one_whatever_the_strategy_may_stop():
    cluster = cluster_of("StatefulSet", THREE, maxUnavailable=1)
    one_by_one = plan("StatefulSet", budgets="honour")
    one_by_one["workloads"][0]["between_pods"] = {"order": "ordinal"}
    Executor(cluster)
    assert ended(carry_out(cluster, one_by_one))[0] == "restarted"
    assert strategy_of(cluster) == cluster.before


def test_a_canary_is_not_told_to_enforce_budgets_which_does_not_go_with_it():
    cluster = cluster_of("StatefulSet", THREE, maxUnavailable=0)
    Executor(cluster)
    told, message = ended(carry_out(cluster, plan("StatefulSet", budgets="honour", canary={"pods": 1, "hold": "10s"})))
    assert told == "refused" and "enforce" not in message, message


@pytest.mark.parametrize("loose, pods", [(True, 2), (False, 0)])
def test_only_a_strategy_that_is_set_counts_for_the_room_of_others(loose, pods):
    cluster = cluster_of()
    kill(cluster, plan(cluster.one["kind"]), 5)
    workload = copy.deepcopy(cluster.api)
    if loose:
        workload["spec"] |= cluster.before
    stamp = restart.Stamp(run="r1", at=FIRST)
    step = EnforceStep(stamp, Mode(), lambda: FIRST, its=Canary(0, None, enforced={"maxSurge": 1, "maxUnavailable": 0}))
    assert kinds.kind_of(workload).stops_at_once(step.released(workload)) == pods


def noted(cluster):
    """How many pods are replaced at each patch of the strategy."""
    found, patch = [], cluster.patch

    def noting(path, body, content, **options):
        if "strategy" in str(body):
            found.append(cluster.api["status"]["updatedReplicas"])
        return patch(path, body, content, **options)

    cluster.patch = noting
    return found


def test_a_repair_gives_no_strategy_back_before_everything_is_rolled_out():
    cluster = cluster_of()
    kill(cluster, plan(cluster.one["kind"]), 5)
    start(cluster, plan(), run="r2")  # refused
    at = noted(cluster)
    cluster.go_on(Executor(cluster))
    result = calling.run("k8s_rollout_leftovers", cluster, repair=True)
    assert at == [] and "is not rolled out yet" in result["msg"], result


def test_a_repair_of_a_killed_undo_gives_the_strategy_back_after_the_rollout():
    cluster = cluster_of()
    kill(cluster, plan(cluster.one["kind"]), 5)
    cluster.go_on(Executor(cluster))
    cluster.executor.later(2, end)
    with pytest.raises(Killed):
        undo(cluster)
    at = noted(cluster)
    cluster.go_on(Executor(cluster))
    calling.run("k8s_rollout_leftovers", cluster, repair=True)
    assert at == [4] and strategy_of(cluster) == cluster.before


def test_what_a_finished_run_no_longer_names_is_found():
    cluster = cluster_of()
    web = copy.deepcopy(cluster.one)
    web["metadata"] |= {"name": "web", "uid": "uid-web"}
    cluster.objects[kinds.path("Deployment", "shop", "web")] = web
    kill(cluster, plan(cluster.one["kind"]), 5)
    without = plan()
    without["workloads"] = [{"id": "web", "kind": "Deployment", "name": "web", "budgets": "report"}]
    Executor(cluster)
    assert carry_out(cluster, without)["summary"] == {"restarted": 1}
    cluster.go_on(Executor(cluster))
    result = calling.run("k8s_rollout_leftovers", cluster, repair=True)
    assert "tightened" in [one["code"] for one in result["leftovers"]], result


def test_an_earlier_deploy_does_not_count_as_a_failure_of_a_resumed_run():
    cluster = cluster_of()

    def deploy(one):
        one["spec"]["template"]["metadata"]["annotations"] = {"version": "2"}

    Executor(cluster).later(5, lambda: cluster.edit(cluster.api, deploy))
    assert ended(carry_out(cluster, plan()))[0] == "superseded"
    told, message = ended(start(cluster, plan()))
    assert told == "superseded" and "nothing of what the run has set" not in message, message


@pytest.mark.parametrize(
    "kind, strategy, spec, told",
    [
        (
            "Deployment",
            RECREATE,
            {"minAvailable": 3},
            "use the strategy RollingUpdate with maxUnavailable: 0 and maxSurge: 1",
        ),
        ("StatefulSet", THREE, {"minAvailable": 4}, "let the budget allow 1"),
    ],
)
def test_what_cannot_be_tightened_enough_is_refused_before_anything_is_touched(kind, strategy, spec, told):
    cluster = cluster_of(kind, strategy, **spec)
    result, message = ended(start(cluster, plan(kind)))
    assert result == "refused" and f"; {told}" in message and message.endswith("or set budgets: report"), message
    assert "enforce" not in message and not cluster.patches


@pytest.mark.parametrize("spec, refused", [({"minAvailable": 4}, True), ({"minAvailable": 2}, False)])
def test_a_strategy_that_another_manager_owns_by_apply_is_refused_only_if_it_undercuts_a_budget(spec, refused):
    cluster = cluster_of(strategy=BOTH, **spec)
    fields = {"f:spec": {"f:strategy": {"f:rollingUpdate": {"f:maxUnavailable": {}}}}}
    cluster.api["metadata"]["managedFields"] = [{"manager": "argocd", "operation": "Apply", "fieldsV1": fields}]
    told, message = ended(start(cluster, plan()))
    assert (told == "refused") == refused, message
    assert len(cluster.patches) == (0 if refused else 1)
    if refused:
        assert message == (
            '"argocd" owns the strategy of deployment "api" in namespace "shop" by apply, and would set back what budgets: '
            "enforce sets; take spec.strategy.rollingUpdate out of what it applies, or set budgets: report"
        )


@pytest.mark.parametrize(
    "options, told",
    [
        ({"journal": None}, "budgets: enforce needs the option journal"),
        ({"wait": False}, "budgets: enforce needs wait: true"),
        (
            {"plan": None, "journal": None, "namespace": ["shop"], "budgets": "enforce"},
            "budgets: enforce needs the option journal",
        ),
    ],
)
def test_what_it_needs_is_said_before_anything_is_asked(options, told):
    cluster = cluster_of()
    with pytest.raises(RolloutError, match=told):
        carry_out(cluster, **{"plan": plan(), **options})
    assert not cluster.asked


def test_a_dry_run_sends_the_first_patch_and_changes_nothing():
    cluster = cluster_of()
    before = copy.deepcopy(cluster.api["spec"])
    assert ended(start(cluster, plan(), check_mode=True))[0] == "restarted"
    assert cluster.api["spec"] == before and len(cluster.patches) == 0


def test_the_check_of_a_plan_sends_the_strategy_as_a_dry_run_and_says_what_will_be_set(monkeypatch):
    cluster, sent = cluster_of(), []
    patch = cluster.patch

    def noting(path, body, content, **options):
        sent.append((body["spec"].get("strategy"), options["dry_run"]))
        return patch(path, body, content, **options)

    monkeypatch.setattr(cluster, "patch", noting)
    before = copy.deepcopy(cluster.api["spec"])
    result = calling.run("k8s_rollout_plan", cluster, plan=plan())
    assert sent == [({"rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}, True)] and cluster.api["spec"] == before
    (found,) = [one for one in result["findings"] if one["code"] == "strategy_tightened"]
    assert found["sentence"] == (
        'the restart of deployment "api" in namespace "shop" sets maxSurge 1 and maxUnavailable 0 until it is rolled out, so '
        "that it undercuts no budget"
    )


def test_the_check_of_a_plan_tells_of_a_missing_permission():
    cluster = cluster_of()
    cluster.fail = lambda verb, path: Forbidden("no", status=403) if path.endswith("/poddisruptionbudgets") else None
    cluster.denied = {("list", "poddisruptionbudgets")}
    (found,) = [
        one
        for one in calling.run("k8s_rollout_preflight", cluster, plan=plan())["findings"]
        if one["code"] == "permission_missing"
    ]
    assert "rbac/budgets.yml" in found["sentence"] + found["advice"]


def test_honour_names_enforce_as_the_way_out_where_it_is_one():
    cluster = cluster_of()
    assert (
        "; use maxUnavailable: 0 and maxSurge: 1, or set budgets: enforce, or set budgets: report"
        in ended(start(cluster, plan(budgets="honour")))[1]
    )
