# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The canary of a restart: how many pods, what is set, and that what is given back is exactly what was there."""

from __future__ import annotations

import copy
import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from simulation import _apply, workload

from ansible_collections.restartx.core.plugins.module_utils.rollout import canary, hold, restart
from ansible_collections.restartx.core.plugins.module_utils.rollout.kinds.kind import Patch

RUN = "r1"
STAMP = restart.Stamp(run=RUN, at=datetime(2026, 11, 24, 22, 0, tzinfo=UTC))
DEFAULT = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}}


def one(kind, replicas, strategy="default"):
    strategy = DEFAULT if strategy == "default" else strategy
    made = workload(kind, "api")
    made["spec"]["replicas"] = replicas
    name = "strategy" if kind == "Deployment" else "updateStrategy"
    made["spec"].pop(name, None)
    if strategy is not None:
        made["spec"][name] = copy.deepcopy(strategy)
    return made


def sets(partition):
    return {"type": "RollingUpdate", "rollingUpdate": {"partition": partition}}


def applied(workload, patch):
    after = copy.deepcopy(workload)
    _apply(after, copy.deepcopy(patch.body), patch.content)
    return after


def restarted(workload, its):
    return applied(workload, canary.with_canary(restart.request(workload, STAMP), workload, its))


@pytest.mark.parametrize(
    "replicas, pods, number",
    [(3, 1, 1), (3, 2, 2), (3, 3, 2), (3, 9, 2), (1, 1, 1), (1, 5, 1), (2, "10%", 1), (10, "10%", 1)]
    + [(11, "10%", 2), (30, "1%", 1), (4, "100%", 3), (2, "100%", 1), (1, "100%", 1), (0, 1, 0), (0, "50%", 0)],
)
def test_a_canary_takes_at_least_one_pod_and_leaves_one(replicas, pods, number):
    assert canary.of(one("Deployment", replicas), pods).pods == number
    its = canary.of(one("StatefulSet", replicas, sets(0)), pods)
    assert (its.pods, its.partition) == (number, replicas - number)


@pytest.mark.parametrize(
    "replicas, floor, pods, number, partition",
    [
        (5, 2, 1, 1, 4),
        (5, 2, 2, 2, 3),
        (5, 2, 3, 2, 3),
        (5, 4, 1, 1, 4),
        (5, 4, 3, 1, 4),
        (5, 5, 1, 0, 5),
        (5, 9, 1, 0, 9),
    ],
)
def test_the_pods_of_a_stateful_set_are_among_those_that_its_own_partition_lets_go(
    replicas, floor, pods, number, partition
):
    its = canary.of(one("StatefulSet", replicas, sets(floor)), pods)
    assert (its.pods, its.partition) == (number, partition)
    assert its.partition >= floor


def test_the_patch_of_the_restart_tightens_and_nothing_else_of_spec_changes():
    before = one("Deployment", 3)
    after = restarted(before, canary.of(before, 1))
    assert after["spec"]["strategy"] == {
        "type": "RollingUpdate",
        "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0},
    }
    same = {name: value for name, value in after["spec"].items() if name not in ("strategy", "template")}
    assert same == {name: value for name, value in before["spec"].items() if name not in ("strategy", "template")}
    before = one("StatefulSet", 3, {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 2, "partition": 0}})
    after = restarted(before, canary.of(before, 1))
    assert after["spec"]["updateStrategy"]["rollingUpdate"] == {"maxUnavailable": 2, "partition": 2}


def test_the_restart_of_a_daemon_set_changes_only_the_type_of_its_strategy():
    own = {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 2, "maxSurge": 0}}
    before = daemon_set(3, own)
    its = canary.of(before, 5)
    assert its.pods == 2 and restarted(before, its)["spec"]["updateStrategy"] == {**own, "type": "OnDelete"}
    before["status"]["desiredNumberScheduled"] = 9
    assert canary.refusal(before, its, RUN, "restartx") is None  # nodes come and go
    assert canary.how_held(restarted(before, its), its, RUN) == "update strategy OnDelete"


amounts = st.one_of(st.integers(0, 9), st.integers(0, 100).map("{}%".format))
rollings = st.dictionaries(st.sampled_from(["maxSurge", "maxUnavailable"]), amounts)
deployments = st.builds(
    lambda replicas, strategy: one("Deployment", replicas, strategy),
    st.integers(0, 12),
    st.one_of(
        st.none(),
        st.just({"type": "RollingUpdate"}),
        rollings.map(lambda rolling: {"type": "RollingUpdate", "rollingUpdate": rolling}),
        rollings.map(lambda rolling: {"rollingUpdate": rolling}),
    ),
)
partitions = st.dictionaries(st.sampled_from(["partition", "maxUnavailable"]), st.integers(0, 12))
stateful_sets = st.builds(
    lambda replicas, strategy: one("StatefulSet", replicas, strategy),
    st.integers(0, 12),
    st.one_of(
        st.none(),
        st.just({"type": "RollingUpdate"}),
        partitions.map(lambda rolling: {"type": "RollingUpdate", "rollingUpdate": rolling}),
    ),
)


def daemon_set(number, strategy):
    made = one("DaemonSet", number, strategy)
    made["status"]["desiredNumberScheduled"] = number
    return made


daemon_sets = st.builds(
    daemon_set,
    st.integers(0, 12),
    st.one_of(
        st.none(),
        st.just({"type": "RollingUpdate"}),
        rollings.map(lambda rolling: {"type": "RollingUpdate", "rollingUpdate": rolling}),
        rollings.map(lambda rolling: {"rollingUpdate": rolling}),
    ),
)
workloads = st.one_of(deployments, stateful_sets, daemon_sets)
pods = st.one_of(st.integers(1, 9), st.integers(1, 100).map("{}%".format))


def text(part):
    return json.dumps(part, sort_keys=True)


def without_template(workload):
    return {name: value for name, value in workload["spec"].items() if name != "template"}


@given(workloads, pods, st.booleans())
def test_what_is_given_back_is_byte_for_byte_what_was_there(before, pods, paused):
    its = canary.of(before, pods)
    its = canary.Canary.of_record(json.loads(json.dumps(its.record)))  # as a resumed run knows it
    tight = restarted(before, its)
    if paused and its.pods and before["kind"] == "Deployment":
        tight["spec"]["paused"] = True
    patch = canary.release(tight, its, RUN)
    after = applied(tight, patch) if patch else tight
    assert text(without_template(after)) == text(without_template(before))
    assert text(after["spec"]["template"]) == text(tight["spec"]["template"])
    assert canary.release(after, its, RUN) is None
    assert text(canary.released(tight, its, RUN)["spec"]) == text(after["spec"])


@given(workloads, pods, st.booleans())
def test_an_undo_gives_it_back_in_its_own_patch(before, pods, paused):
    its = canary.of(before, pods)
    tight = restarted(before, its)
    if paused and its.pods and before["kind"] == "Deployment":
        tight["spec"]["paused"] = True
    version = {"op": "replace", "path": "/metadata/resourceVersion", "value": "1"}
    template = {"op": "replace", "path": "/spec/template", "value": before["spec"]["template"]}
    for undo in (
        Patch("json", [version, template]),
        Patch("strategic", {"spec": {"template": {**before["spec"]["template"], "$patch": "replace"}}}),
    ):
        after = applied(tight, canary.with_release(undo, tight, its, RUN))
        assert text(after["spec"]) == text(before["spec"])


@given(stateful_sets, pods)
def test_nothing_is_looser_while_the_canary_holds(before, pods):
    rolling = restarted(before, canary.of(before, pods))["spec"].get("updateStrategy", {}).get("rollingUpdate") or {}
    floor = ((before["spec"].get("updateStrategy") or {}).get("rollingUpdate") or {}).get("partition", 0)
    assert rolling.get("partition", 0) >= floor


def test_what_somebody_else_has_set_is_not_given_back():
    before = one("Deployment", 3)
    its = canary.of(before, 1)
    tight = restarted(before, its)
    tight["spec"]["strategy"]["rollingUpdate"]["maxSurge"] = 2
    assert canary.release(tight, its, RUN) is None
    tight["spec"]["paused"] = True  # by the run
    assert canary.release(tight, its, RUN).body[1:] == [{"op": "remove", "path": "/spec/paused"}]


def test_a_pause_by_somebody_else_after_the_release_is_kept():
    before = one("Deployment", 3)
    its = canary.of(before, 1)
    tight = restarted(before, its)
    free = applied(tight, canary.release(tight, its, RUN))
    free["spec"]["paused"] = True
    assert canary.release(free, its, RUN) is None
    assert not canary.present(free, its, RUN)


def test_a_strategy_that_is_the_same_already_is_held_even_if_the_rollout_is_done():
    before = one("Deployment", 2, {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}})
    its = canary.of(before, 1)
    after = restarted(before, its)
    after["metadata"]["generation"] = 2
    assert not canary.tightened(after, its, RUN) and canary.present(after, its, RUN)
    after["status"]["observedGeneration"] = 2
    assert canary.present(after, its, RUN)  # its pods may be ready before they are judged
    assert not canary.present(after, its, "r2")


def test_a_workload_that_was_scaled_since_is_refused_with_what_to_do():
    before = one("StatefulSet", 3, sets(0))
    its = canary.of(before, 1)
    before["spec"]["replicas"] = 5
    told = canary.refusal(before, its, RUN, "restartx")
    assert "was scaled to 5 since its canary was planned" in told and told.endswith("start again")
    tight = restarted(one("StatefulSet", 3, sets(0)), its)
    tight["spec"]["replicas"] = 5
    assert hold.LEFTOVERS in canary.refusal(tight, its, RUN, "restartx")
    more = one("Deployment", 3)
    its = canary.of(more, 1)
    more["spec"]["replicas"] = 5
    assert canary.refusal(more, its, RUN, "restartx") is None


def test_a_strategy_that_was_changed_since_is_refused():
    before = one("Deployment", 3)
    its = canary.of(before, 1)
    before["spec"]["strategy"]["rollingUpdate"]["maxSurge"] = 3
    assert "was changed since its canary was planned; start again" in canary.refusal(before, its, RUN, "restartx")


@pytest.mark.parametrize("found", [{}, {"pods": 1}, {"pods": "x", "before": None}, {"pods": 1, "before": []}, []])
def test_a_journal_without_a_canary_of_this_form_is_not_read(found):
    with pytest.raises((KeyError, TypeError, ValueError)):
        canary.Canary.of_record(found)
