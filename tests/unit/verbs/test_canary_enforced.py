# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A canary whose rest is rolled out with a strategy that undercuts no budget (`budgets: enforce`)."""

from __future__ import annotations

import copy
import json

import budgets
import calling
import pytest
from canaries import SteppingCluster, rolled_out
from simulation import Executor, Noting
from starts import carry_out, ended, kill, start

from ansible_collections.restartx.core.plugins.module_utils.cluster.api import Listing
from ansible_collections.restartx.core.plugins.module_utils.cluster.errors import Forbidden
from ansible_collections.restartx.core.plugins.module_utils.record import journal
from ansible_collections.restartx.core.plugins.module_utils.rollout import kinds, restart

PATH = journal.path("restartx-system", journal.name_of("ca", "r1"))
LOOSE = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 2}}
BOTH = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "50%"}}
THREE = {"type": "RollingUpdate", "rollingUpdate": {"partition": 0, "maxUnavailable": 3}}
# The kind, its strategy, the budget, what the canary sets, and what follows it.
CASES = {
    "no room": (
        "Deployment",
        LOOSE,
        {"minAvailable": 4},
        {"maxSurge": 1, "maxUnavailable": 0},
        {"maxSurge": 1, "maxUnavailable": 0},
    ),
    "room for one": (
        "Deployment",
        LOOSE,
        {"minAvailable": 3},
        {"maxSurge": 1, "maxUnavailable": 0},
        {"maxSurge": 0, "maxUnavailable": 1},
    ),
    "a surge": (
        "Deployment",
        BOTH,
        {"minAvailable": 3},
        {"maxSurge": 1, "maxUnavailable": 0},
        {"maxSurge": "25%", "maxUnavailable": 0},
    ),
    "a StatefulSet": (
        "StatefulSet",
        THREE,
        {"maxUnavailable": 1},
        {"partition": 3, "maxUnavailable": 1},
        {"partition": 0, "maxUnavailable": 1},
    ),
    "room for two": (
        "StatefulSet",
        THREE,
        {"maxUnavailable": 2},
        {"partition": 3, "maxUnavailable": 2},
        {"partition": 0, "maxUnavailable": 2},
    ),
    "room for all": (
        "StatefulSet",
        THREE,
        {"maxUnavailable": 3},
        {"partition": 3, "maxUnavailable": 3},
        {"partition": 0, "maxUnavailable": 3},
    ),
}


class Cluster(SteppingCluster):
    """A cluster with one budget, whose pods are all healthy. The strategy at each new pod is noted."""

    def __init__(self, kind, strategy, spec):
        self.kind, self.spec = kind, spec
        super().__init__([rolled_out(kind, "api", 4, strategy)])
        self.strategies: list[dict] = []
        self.before = copy.deepcopy(self.strategy)

    @property
    def api(self):
        return self.objects[kinds.path(self.kind, "shop", "api")]

    @property
    def strategy(self):
        spec = self.api["spec"]
        return {name: spec[name] for name in ("strategy", "updateStrategy", "paused") if name in spec}

    def list(self, path, params=None, *, deadline=None):
        healthy = [budgets.pod(self.api, number) for number in range(4)]
        if path.endswith("/poddisruptionbudgets"):
            self._ask("list", path, deadline)
            return Listing([budgets.budget("all", {"matchLabels": {"app": "api"}}, pods=healthy, **self.spec)], "1")
        if path.endswith("/pods") and not (params or {}).get("fieldSelector") and not self.pods:
            self._ask("list", path, deadline)
            return Listing(healthy, "1")
        return super().list(path, params, deadline=deadline)

    def _replace(self, one, number):
        """What follows the canary takes eight seconds."""
        generation = one["metadata"]["generation"]

        def rest():
            if one["metadata"]["generation"] == generation and not one["spec"].get("paused"):
                self._replace_now(one, number)

        if number == 4 and one["status"]["updatedReplicas"]:
            self.executor.later(8.0, rest)
        else:
            self._replace_now(one, number)

    def _replace_now(self, one, number):
        if number > one["status"]["updatedReplicas"]:
            self.strategies.append(copy.deepcopy(next(iter(self.strategy.values()))["rollingUpdate"]))
        super()._replace(one, number)


def plan(kind, **defaults):
    return {
        "version": 1,
        "name": "ca",
        "defaults": {"namespace": "shop", "timeout": "30s", "budgets": "enforce", **defaults},
        "workloads": [{"id": "api", "kind": kind, "name": "api", "canary": {"pods": 1, "hold": "20s"}}],
    }


def made(case):
    kind, strategy, spec, *_expected = CASES[case]
    return Cluster(kind, strategy, spec)


@pytest.mark.parametrize("case", CASES)
def test_the_strategy_for_budgets_follows_the_canary_and_the_one_from_before_follows_that(case):
    kind, *_given, first, rest = CASES[case]
    cluster = made(case)
    result = start(cluster, plan(kind))
    assert ended(result)[0] == "restarted", result
    assert cluster.replaced[0] == ("api", 1) and cluster.replaced[-1] == ("api", 4)
    assert cluster.strategies[0] == first and all(one == rest for one in cluster.strategies[1:])
    assert cluster.strategy == cluster.before and cluster.executor.clock.passed > 20
    assert len({pod["metadata"]["annotations"][restart.WRITTEN_AT] for pod in cluster.pods}) == 1
    entry = json.loads(cluster.objects[PATH]["data"][journal.KEY])["workloads"][f"{kind}/shop/api"]
    assert entry["canary"]["before"] == next(iter(cluster.before.values())) and "afterwards" in entry["canary"]


@pytest.mark.parametrize("case", ["no room", "room for one", "a StatefulSet"])
def test_a_kill_at_any_moment_and_a_resume_end_as_if_there_was_none(case):
    kind, *_given, first, rest = CASES[case]
    cluster = made(case)
    executor = Noting(cluster)
    carry_out(cluster, plan(kind))
    moments = executor.moments
    assert len(moments) >= 10
    for at in moments[::2]:
        cluster = made(case)
        kill(cluster, plan(cluster.kind), at)
        result = start(cluster, plan(kind))
        assert ended(result)[0] in ("restarted", "already_restarted"), (at, result)
        assert cluster.strategy == cluster.before, at
        assert all(one in (first, rest) for one in cluster.strategies), (at, cluster.strategies)
        assert cluster.replaced[-1] == ("api", 4), at


def failing(case):
    """The pod of the canary breaks while it is held."""
    cluster = made(case)
    executor = Executor(cluster)
    executor.later(12, lambda: cluster.get_ready(cluster.api, cluster.pods[0], is_ready=False))
    return cluster


def test_the_undo_after_a_canary_that_failed_is_rolled_out_with_the_strategy_for_budgets():
    for case in ("no room", "room for one", "a surge"):
        kind, *_given, _first, rest = CASES[case]
        cluster = failing(case)
        said, message = ended(carry_out(cluster, plan(kind, on_failure="undo")))
        assert said == "undone" and message.endswith("; its strategy was given back"), message
        assert cluster.strategy == cluster.before and restart.run_of(cluster.api) is None
        assert cluster.strategies[-1] == rest, case


@pytest.mark.parametrize("case", ["no room", "room for one", "a surge"])
@pytest.mark.parametrize("at", [5, 15, 26])
def test_an_undo_of_the_run_does_so_too(case, at):
    rest = CASES[case][-1]
    cluster = made(case)
    kill(cluster, plan(cluster.kind), at)
    cluster.go_on(Executor(cluster))
    result = calling.run("k8s_rollout_undo", cluster, run_id="r1", journal={"plan": "ca"})
    assert ended(result)[0] == "undone", result
    assert cluster.strategy == cluster.before and restart.run_of(cluster.api) is None
    assert cluster.strategies[-1] == rest


@pytest.mark.parametrize("case", ["no room", "room for one", "a StatefulSet"])
@pytest.mark.parametrize("at", [5, 15, 26])
def test_who_deploys_meanwhile_gets_the_strategy_back_at_once(case, at):
    kind = CASES[case][0]
    cluster = made(case)

    def deploy(one):
        one["spec"]["template"]["metadata"]["annotations"] = {"version": "2"}

    Executor(cluster).later(at, lambda: cluster.edit(cluster.api, deploy))
    said, message = ended(carry_out(cluster, plan(kind)))
    assert said == "superseded" and message.endswith("; its strategy was given back"), message
    assert cluster.strategy == cluster.before


# The case, what a colleague sets in the rolling update meanwhile, and what that is at the end.
CHANGES = [
    ("room for two", {"maxUnavailable": 1}, {"partition": 0, "maxUnavailable": 1}),
    ("a surge", {"maxSurge": 2, "maxUnavailable": 1}, {"maxSurge": 2, "maxUnavailable": 1}),
]


def before_the_rest(cluster, action):
    """Something happens right before the canary is over and the strategy for budgets is sent for the first time."""
    patch, done = cluster.patch, []

    def meeting(path, body, content, **options):
        if content == "json" and "/configmaps/" not in path and not done:
            done.append(path)
            action()
        return patch(path, body, content, **options)

    cluster.patch = meeting
    cluster.go_on(Executor(cluster))


def deny():
    raise Forbidden("denied by a webhook", status=403)


@pytest.mark.parametrize(
    "case, what",
    [
        ("room for one", "paused and maxSurge 1 and maxUnavailable 0"),
        ("a StatefulSet", "partition 3 and maxUnavailable 1"),
    ],
)
def test_if_the_rest_cannot_go_on_the_message_tells_what_the_canary_still_holds(case, what):
    cluster = made(case)
    before_the_rest(cluster, deny)
    said, message = ended(carry_out(cluster, plan(cluster.kind)))
    assert said == "failed"
    assert message.startswith(f"denied by a webhook; it stays held after its canary ({what}); to find and give back")


@pytest.mark.parametrize("case", ["no room", "room for one", "a StatefulSet"])
@pytest.mark.parametrize("keeps_marks", [False, True])
def test_who_deploys_right_before_the_rest_goes_on_is_not_held(case, keeps_marks):
    cluster = made(case)

    def change(one):
        if keeps_marks:
            one["spec"]["template"]["spec"]["containers"] = [{"name": "main", "image": "shop/api:2"}]
        else:
            one["spec"]["template"]["metadata"]["annotations"] = {"version": "2"}

    before_the_rest(cluster, lambda: cluster.edit(cluster.api, change))
    said, message = ended(carry_out(cluster, plan(cluster.kind)))
    assert said == "superseded" and message.endswith("; its strategy was given back"), message
    assert cluster.strategy == cluster.before


def set_rolling(cluster, at, change):
    """A colleague changes the rolling update after so many seconds."""
    strategy = "strategy" if cluster.kind == "Deployment" else "updateStrategy"

    def edit(one):
        one["spec"][strategy]["rollingUpdate"].update(change)

    cluster.executor.later(at, lambda: cluster.edit(cluster.api, edit))


@pytest.mark.parametrize("case, change, after", CHANGES, ids=[case for case, *_rest in CHANGES])
@pytest.mark.parametrize("killed", [False, True])
def test_what_a_colleague_changed_while_the_canary_was_held_is_kept(case, change, after, killed):
    cluster = made(case)
    Executor(cluster)
    at = 15
    if killed:
        kill(cluster, plan(cluster.kind), 15)
        cluster.go_on(Executor(cluster))
        at = 1
    set_rolling(cluster, at, change)
    assert ended(carry_out(cluster, plan(cluster.kind)))[0] in ("restarted", "already_restarted")
    assert cluster.api["status"]["updatedReplicas"] == 4
    assert next(iter(cluster.strategy.values())) == {"type": "RollingUpdate", "rollingUpdate": after}
    assert "paused" not in cluster.strategy


def test_a_change_of_a_colleague_that_budgets_do_not_allow_is_kept_and_the_rest_waits():
    for case in ("no room", "a StatefulSet"):
        cluster = made(case)
        Executor(cluster)
        set_rolling(cluster, 15, {"maxUnavailable": 2})
        said, message = ended(carry_out(cluster, plan(cluster.kind), wait_timeout="2m"))
        assert said == "unfinished" and "the rest waits, because PodDisruptionBudget shop/all wants" in message
        assert "it stays held after its canary" in message
        assert cluster.api["status"]["updatedReplicas"] == 1
        assert next(iter(cluster.strategy.values()))["rollingUpdate"]["maxUnavailable"] == 2


@pytest.mark.parametrize("case", ["no room", "room for one", "a StatefulSet"])
@pytest.mark.parametrize("at", [15, 26])
def test_another_run_refuses_it_and_a_repair_gives_everything_back_in_the_end(case, at):
    kind = CASES[case][0]
    cluster = made(case)
    kill(cluster, plan(cluster.kind), at)
    # Without room, the canary sets what follows it too, so that is taken for the canary.
    by_canary = at == 15 or case == "no room"
    cluster.go_on(Executor(cluster))
    (own,) = [one for one in calling.run("k8s_rollout_leftovers", cluster)["leftovers"] if one["code"] == "unfinished"]
    assert ("; its canary holds it: " if by_canary else "; its strategy is still tightened for budgets: ") in own[
        "sentence"
    ]
    said, message = ended(start(cluster, plan(kind), run="r2"))
    whose = "is held by the canary of {}" if by_canary else "has the strategy that {} set for budgets"
    assert said == "refused" and whose.format('run "r1"') in message
    cluster.go_on(Executor(cluster))
    found = calling.run("k8s_rollout_leftovers", cluster)["leftovers"]
    assert [whose.format("run r1") in one["sentence"] for one in found if one["code"] == "tightened"] == [True]
    for _each in range(3):
        cluster.go_on(Executor(cluster))
        calling.run("k8s_rollout_leftovers", cluster, repair=True, run_id="r1")
        cluster.go_on(Executor(cluster))
        while cluster.executor.next(60) is not None:
            pass
    assert cluster.strategy == cluster.before
    assert cluster.api["status"]["updatedReplicas"] == 4


@pytest.mark.parametrize("case", CASES)
def test_a_further_attempt_after_the_canary_begins_with_a_canary_again(case):
    kind, *_given, first, _rest = CASES[case]
    cluster = made(case)
    Executor(cluster)
    replace = cluster._replace_now
    cluster._replace_now = lambda one, number: None if number == 4 else replace(one, number)
    assert ended(carry_out(cluster, plan(kind)))[0] == "unfinished"
    del cluster._replace_now
    entry = json.loads(cluster.objects[PATH]["data"][journal.KEY])
    entry["workloads"][f"{kind}/shop/api"]["outcome"] = "failed"  # its containers were found to be broken
    cluster.objects[PATH]["data"][journal.KEY] = json.dumps(entry)
    cluster.strategies.clear()
    cluster.replaced.clear()
    result = start(cluster, plan(kind))
    assert ended(result)[0] == "restarted", result
    assert cluster.strategies[0] == first and cluster.replaced[-1] == ("api", 4)
    assert cluster.strategy == cluster.before
