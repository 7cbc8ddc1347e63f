# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Gates after restarts, and entries of a plan that are gates: what waits for them, what their failure does, and what the
journal and the result tell of them."""

from __future__ import annotations

import datetime
import json
import os

import calling
import pytest
from simulation import FakeCluster, Mortal, deployment

from ansible_collections.restartx.core.plugins.module_utils.record import journal
from ansible_collections.restartx.core.plugins.module_utils.record.progress import ProgressWriter
from ansible_collections.restartx.core.plugins.module_utils.rollout.errors import RolloutError
from ansible_collections.restartx.core.plugins.module_utils.schedule import across
from ansible_collections.restartx.core.plugins.module_utils.schedule import plan as plans
from ansible_collections.restartx.core.plugins.module_utils.schedule.errors import PlanError, ScheduleError

RUN = "20261124-220000-abc123"
JOBS = "/apis/batch/v1/namespaces/shop/jobs"
JOURNAL = journal.path("restartx-system", journal.name_of("ca", RUN))
GATE = {"job": "shop/check", "timeout": "60s", "interval": "5s"}
CLOSED = 'the gate "{}" (job "check" in namespace "shop") is closed: {}'


class Scene:
    """A cluster with the Job `check`, which the gates ask for, and the workloads of a plan."""

    def __init__(self, *names, takes=10.0):
        self.cluster = FakeCluster([deployment(name) for name in names], takes=takes)
        self.calls = 0

    def condition(self, name=None, job="check"):
        status = {"conditions": [{"type": name, "status": "True", "message": "by the test"}]} if name else {"active": 1}
        self.cluster.objects[f"{JOBS}/{job}"] = {"metadata": {"name": job, "namespace": "shop"}, "status": status}

    def run(self, plan, until=None, later=(), **options):
        """One start of the run. `later` are seconds from its begin, and conditions of the Job from then on."""
        given = {"plan": plan, "run_id": RUN, "journal": {"clusters": ["one"]}, **options}
        verb, call = calling.prepare("k8s_rollout_restart", self.cluster, **given)
        if until is not None:
            call.controller = Mortal(call.clock.passed + until)
            call.controller.clock = call.clock
        for seconds, *condition in later:
            self.cluster.executor.later(seconds, lambda condition=condition: self.condition(*condition))
        return calling.carry_out(verb, call)

    @property
    def journal(self):
        return json.loads(self.cluster.objects[JOURNAL]["data"][journal.KEY])

    @property
    def patched(self):
        return [name for _moment, name in self.cluster.patches]

    def asked(self, job="check"):
        return self.cluster.asked.count(("get", f"{JOBS}/{job}"))


def plan(*workloads, gates=None, **defaults):
    made = {
        "version": 1,
        "name": "ca",
        "defaults": {"namespace": "shop", "timeout": "120s", **defaults},
        "workloads": [dict(one) for one in workloads],
    }
    return made if gates is None else {**made, "gates": gates}


def outcomes(result):
    return {one["name"]: one["outcome"] for one in result["results"]}


def message(result, name):
    return next(one["message"] for one in result["results"] if one["name"] == name)


CORE = {"id": "core", "name": "cart", "gates": {"after": ["check"]}}
WEB = {"id": "web", "name": "web", "after": ["core"]}
AFTER = plan(CORE, WEB, gates={"check": GATE})


# -- after the restarts of an entry ------------------------------------------------------------------------------------


def test_what_comes_after_an_entry_waits_until_its_gates_are_open():
    scene = Scene("cart", "web")
    scene.condition()
    result = scene.run(AFTER, later=[(32, "Complete")])
    assert outcomes(result) == {"cart": "restarted", "web": "restarted"} and "msg" not in result
    (first, _cart), (second, _web) = scene.cluster.patches
    assert first < 1 and 32 <= second <= 38
    assert scene.journal["state"] == "finished" and "waits_for" not in scene.journal
    assert [(one["place"], one["state"]) for one in result["gates"]] == [("after", "open")]


def test_a_gate_is_not_asked_before_the_rollout_is_done_and_only_what_it_says_after_that_counts():
    scene = Scene("cart", "web", takes=20.0)
    scene.condition("Complete")
    scene.run(AFTER, later=[(10,), (45, "Complete")])
    assert scene.cluster.patches[1][0] >= 45
    assert scene.asked() <= 8


def test_a_gate_that_does_not_open_in_time_is_a_failure_of_what_waits_for_it():
    scene = Scene("cart", "web")
    scene.condition()
    result = scene.run(AFTER)
    assert outcomes(result) == {"cart": "failed", "web": "not_started"}
    assert message(result, "cart").startswith(CLOSED.format("check", "it did not open within 1m"))
    assert message(result, "web") == 'needs "core", of which Deployment shop/cart failed'
    assert CLOSED.format("check", "it did not open within 1m") in result["msg"]
    assert scene.journal["state"] == "stopped"


def test_a_resumed_run_asks_the_gate_again_and_restarts_nothing_twice():
    scene = Scene("cart", "web")
    scene.condition()
    scene.run(AFTER, until=30)
    assert scene.journal["workloads"]["Deployment/shop/cart"]["outcome"] == "in_progress"
    asked = scene.asked()
    scene.condition("Complete")
    result = scene.run(AFTER)
    assert outcomes(result) == {"cart": "already_restarted", "web": "restarted"}
    assert scene.patched == ["cart", "web"] and scene.asked() > asked


def test_a_resumed_run_after_a_gate_failed_asks_it_again_and_restarts_nothing_twice():
    scene = Scene("cart", "web")
    scene.condition("Failed")
    assert outcomes(scene.run(AFTER)) == {"cart": "failed", "web": "not_started"}
    scene.condition("Complete")
    assert outcomes(scene.run(AFTER)) == {"cart": "already_restarted", "web": "restarted"}
    assert scene.patched == ["cart", "web"]


def test_a_gate_that_an_earlier_start_saw_open_is_not_asked_again():
    scene = Scene("cart", "web")
    scene.condition("Complete")
    scene.run(AFTER, until=18)
    assert scene.patched == ["cart", "web"]
    scene.condition("Failed")
    assert outcomes(scene.run(AFTER)) == {"cart": "already_restarted", "web": "already_restarted"}


def test_the_gate_is_asked_again_for_what_is_restarted_again():
    scene = Scene("cart", "web")
    scene.condition("Complete")
    scene.run(AFTER)
    one = next(one for one in scene.cluster.objects.values() if one["metadata"]["name"] == "cart")
    one["spec"]["template"]["metadata"]["annotations"] = {}
    scene.cluster.touch(one)
    scene.cluster.finish(one)
    scene.condition("Failed")
    result = scene.run(AFTER, journal={"clusters": ["one"], "retry": ["superseded"]})
    assert outcomes(result)["cart"] == "failed" and scene.patched == ["cart", "web", "cart"]


def test_with_on_failure_undo_what_waits_for_the_gate_is_undone():
    scene = Scene("cart", "web")
    scene.condition()
    result = scene.run(AFTER | {"defaults": {**AFTER["defaults"], "on_failure": "undo"}})
    assert outcomes(result) == {"cart": "undone", "web": "not_started"}
    assert "undone: " in message(result, "cart") and "is closed: it did not open" in message(result, "cart")


def test_with_on_failure_pause_what_waits_for_the_gate_is_held():
    scene = Scene("cart", "web")
    scene.condition("Failed")
    result = scene.run(AFTER | {"defaults": {**AFTER["defaults"], "on_failure": "pause"}})
    assert outcomes(result)["cart"] == "failed" and "it is paused for inspection" in message(result, "cart")


def test_the_time_at_a_gate_does_not_count_for_the_timeout_of_a_rollout():
    scene = Scene("cart", "web")
    scene.condition()
    quick = {**AFTER, "defaults": {**AFTER["defaults"], "timeout": "20s"}}
    assert outcomes(scene.run(quick, later=[(50, "Complete")])) == {"cart": "restarted", "web": "restarted"}


def test_each_workload_of_an_entry_waits_for_answers_of_its_own_time():
    scene = Scene("a", "b")
    scene.condition()
    one_by_one = {"id": "all", "name": ["a", "b"], "max_parallel": 1, "gates": {"after": ["check"]}}
    waiting = {**GATE, "timeout": "40s", "for": "15s"}
    result = scene.run(plan(one_by_one, gates={"check": waiting}), later=[(20, "Complete"), (50,), (62, "Complete")])
    assert outcomes(result) == {"a": "restarted", "b": "restarted"}
    assert 35 <= scene.cluster.patches[1][0] <= 41


def test_what_breaks_while_it_waits_for_its_gate_is_watched_again_and_waits_anew():
    scene = Scene("cart", "web")
    scene.condition()

    def broken(up):
        return lambda: scene.cluster.show(with_status(scene.cluster, "cart", up))

    quick = {**AFTER, "defaults": {**AFTER["defaults"], "timeout": "30s"}}
    verb, call = calling.prepare("k8s_rollout_restart", scene.cluster, plan=quick, run_id=RUN)
    for seconds, what in ((40, broken(1)), (42, lambda: scene.condition("Complete")), (60, broken(2))):
        scene.cluster.executor.later(seconds, what)
    result = calling.carry_out(verb, call)
    assert outcomes(result) == {"cart": "restarted", "web": "restarted"}
    assert scene.cluster.patches[1][0] >= 60


def with_status(cluster, name, available):
    one = next(one for one in cluster.objects.values() if one["metadata"]["name"] == name)
    one["status"] |= {"availableReplicas": available, "readyReplicas": available}
    return one


def test_a_call_that_does_not_wait_is_refused_if_gates_come_after_restarts():
    scene = Scene("cart", "web")
    with pytest.raises(RolloutError) as told:
        scene.run(AFTER, wait=False)
    assert "wait: something must be waited for after the restarts" in str(told.value)
    assert not scene.cluster.asked


def test_what_was_left_at_its_gate_when_the_call_was_cut_short_is_told_nothing_more():
    scene = Scene("cart", "web", takes=9.0)
    scene.condition()
    scene.cluster.breaks = ("web",)
    both = plan(CORE, {"id": "web", "name": "web", "on_failure": "undo"}, gates={"check": {**GATE, "interval": "1s"}})
    result = scene.run(both, wait_timeout="30s", later=[(29.5, "Complete")])
    assert outcomes(result)["cart"] == "unfinished" and outcomes(result)["web"] in ("undone", "unfinished")
    assert "is not complete (1 active)" in message(result, "cart")
    assert scene.journal["state"] == "stopped" and "waits_for" not in scene.journal


# -- after the whole run -----------------------------------------------------------------------------------------------


END = plan({"id": "core", "name": "cart"}, {"id": "web", "name": "web"}, gates={"check": GATE})
END["defaults"]["gates"] = {"after": ["check"]}


def test_the_run_is_over_when_the_gates_of_the_defaults_have_opened_after_it():
    scene = Scene("cart", "web")
    scene.condition()
    result = scene.run(END, later=[(5, "Complete"), (8,), (50, "Complete")])
    assert "msg" not in result and scene.cluster.executor.clock.passed >= 50
    assert [(one["place"], one["state"]) for one in result["gates"]] == [("run", "open")]
    assert scene.journal["state"] == "finished"


def test_a_run_whose_last_gate_stays_closed_is_not_over_and_the_same_command_asks_it_again():
    scene = Scene("cart", "web")
    scene.condition("Failed")
    result = scene.run(END)
    assert outcomes(result) == {"cart": "restarted", "web": "restarted"}
    assert result["msg"] == CLOSED.format("check", 'job "check" in namespace "shop" has failed: by the test')
    assert scene.journal["state"] == "stopped" and not scene.journal["over"]
    assert scene.journal["waits_for"] == {"check": result["msg"]}
    scene.condition("Complete")
    assert "msg" not in scene.run(END)
    assert scene.journal["state"] == "finished" and scene.patched == ["cart", "web"]


def test_a_last_gate_that_has_opened_is_asked_again_only_if_a_workload_has_changed_since():
    scene = Scene("cart", "web")
    scene.condition("Complete")
    scene.run(END)
    assert scene.journal["passed_gates"] == ["gates after the run: check"]
    del scene.cluster.objects[f"{JOBS}/check"]  # its time to live is over
    asked = scene.asked()
    result = scene.run(END, bake="30s")
    assert "msg" not in result and scene.asked() == asked
    assert scene.journal["state"] == "finished"
    one = next(one for one in scene.cluster.objects.values() if one["metadata"]["name"] == "cart")
    one["spec"]["template"]["metadata"]["annotations"] = {}
    scene.cluster.touch(one)
    scene.cluster.finish(one)
    result = scene.run(END, journal={"clusters": ["one"], "retry": ["superseded"]})
    assert "it did not open within 1m" in result["msg"] and scene.asked() > asked
    assert scene.journal["state"] == "stopped" and "passed_gates" not in scene.journal


def test_with_undo_scope_run_a_last_gate_that_stays_closed_undoes_the_run():
    scene = Scene("cart", "web")
    scene.condition()
    end = {**END, "defaults": {**END["defaults"], "on_failure": "undo", "undo_scope": "run"}}
    result = scene.run(end)
    assert outcomes(result) == {"cart": "undone", "web": "undone"}
    assert scene.journal["state"] in ("undoing", "undone")


def test_the_last_gates_are_not_asked_if_something_failed():
    scene = Scene("cart", "web")
    scene.condition("Complete")
    scene.cluster.breaks = ("web",)
    result = scene.run(END)
    assert scene.asked() == 0
    (gate,) = result["gates"]
    assert gate["state"] == "not_asked" and "failed" in gate["message"]


def test_a_call_that_is_cut_short_while_the_last_gate_is_closed_has_not_succeeded():
    scene = Scene("cart", "web")
    scene.condition()
    result = scene.run(END, wait_timeout="30s")
    assert set(outcomes(result).values()) == {"restarted"}
    assert result["msg"] == CLOSED.format("check", 'job "check" in namespace "shop" is not complete (1 active)')
    assert (
        scene.journal["state"] == "stopped"
        and scene.journal["workloads"]["Deployment/shop/web"]["outcome"] == "restarted"
    )


def test_a_gate_that_closes_when_everything_has_begun_keeps_no_run_from_being_finished(tmp_path):
    scene = Scene("cart", takes=60.0)
    scene.condition("Complete")
    before = plan({"id": "core", "name": "cart"}, gates={"check": {**GATE, "timeout": "10s"}})
    before["defaults"]["gates"] = {"before": ["check"]}
    verb, call = calling.prepare(
        "k8s_rollout_restart", scene.cluster, plan=before, run_id=RUN, journal={"clusters": ["one"]}
    )
    scene.cluster.executor.later(10, scene.condition)
    pipe = tmp_path / "progress"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    call.progress = ProgressWriter(f"{pipe}:one", call.clock)
    result = calling.carry_out(verb, call)
    os.close(reader)
    assert "msg" not in result and scene.asked() == 1
    assert scene.journal["state"] == "finished" and "waits_for" not in scene.journal


# -- entries that are gates --------------------------------------------------------------------------------------------


SCHEMA = {"id": "schema", "gate": GATE, "after": ["core"]}
LATER = {"id": "web", "name": "web", "after": ["schema"]}
ENTRY = plan({"id": "core", "name": "cart"}, SCHEMA, LATER)
NAMED = plan({"id": "core", "name": "cart"}, {**SCHEMA, "gate": "check"}, LATER, gates={"check": GATE})


@pytest.mark.parametrize("written", [ENTRY, NAMED])
def test_what_comes_after_a_gate_waits_until_it_has_opened(written):
    scene = Scene("cart", "web")
    scene.condition()
    result = scene.run(written, later=[(32, "Complete")])
    assert outcomes(result) == {"cart": "restarted", "web": "restarted"} and "msg" not in result
    assert 32 <= scene.cluster.patches[1][0] <= 38
    (gate,) = result["gates"]
    assert (gate["place"], gate["entry"], gate["state"]) == ("entry", "schema", "open")


def test_a_gate_takes_no_place_and_waits_for_no_stagger():
    scene = Scene("cart", "web", "other")
    scene.condition()
    written = plan(
        {"id": "schema", "gate": GATE},
        {"id": "core", "name": ["cart", "other"]},
        {"id": "web", "name": "web", "after": "schema"},
        max_parallel=1,
        stagger="20s",
    )
    result = scene.run(written, later=[(50, "Complete")])
    assert set(outcomes(result).values()) == {"restarted"}
    first, second, third = (moment for moment, _name in scene.cluster.patches)
    assert first < 1 and 20 <= second <= 21 and 50 <= third <= 56


def test_a_gate_that_failed_keeps_what_comes_after_it_from_starting_with_its_answer_and_its_log():
    scene = Scene("cart", "web")
    scene.condition("Failed")
    pod = {
        "metadata": {
            "name": "check-x",
            "namespace": "shop",
            "creationTimestamp": "2026-11-24T22:00:00Z",
            "labels": {"batch.kubernetes.io/job-name": "check"},
        },
        "spec": {"containers": [{"name": "main"}]},
        "status": {"phase": "Failed"},
    }
    scene.cluster.pods.append(pod)
    scene.cluster.text = lambda path, params, deadline=None: "connecting\npassword=hunter2\nrelation is missing\n"
    result = scene.run(ENTRY)
    assert outcomes(result) == {"cart": "restarted", "web": "not_started"}
    why = CLOSED.format("schema", 'job "check" in namespace "shop" has failed: by the test')
    assert message(result, "web") == f'needs "schema", of which the gate of "schema" failed; {why}'
    assert result["msg"].count(why) == 1
    (gate,) = result["gates"]
    assert gate["state"] == "failed" and gate["log"][-1] == "relation is missing"
    assert "hunter2" not in json.dumps(result)
    assert scene.journal["state"] == "stopped"


def test_a_resumed_run_does_not_ask_a_gate_that_has_opened_before():
    scene = Scene("cart", "web")
    scene.condition("Complete")
    scene.run(ENTRY, until=15)
    assert scene.journal["passed_gates"] == ["schema"]
    del scene.cluster.objects[f"{JOBS}/check"]  # its time to live is over
    asked = scene.asked()
    result = scene.run(ENTRY)
    assert set(outcomes(result).values()) == {"already_restarted"} and scene.asked() == asked
    assert result["gates"][0]["message"] == "an earlier start saw it open"


def test_a_gate_that_comes_right_after_one_that_has_opened_before_is_asked():
    scene = Scene("web")
    scene.condition("Complete")
    scene.condition(job="other")
    second = {"id": "data", "gate": {**GATE, "job": "shop/other", "timeout": "10m"}, "after": ["schema"]}
    written = plan({"id": "schema", "gate": GATE}, second, {"id": "web", "name": "web", "after": ["data"]})
    scene.run(written, until=20)
    assert scene.journal["passed_gates"] == ["schema"] and not scene.patched
    scene.condition("Complete", "other")
    assert outcomes(scene.run(written)) == {"web": "restarted"}


def test_the_gates_after_the_run_are_asked_though_the_last_entry_is_a_gate_that_has_opened_before():
    scene = Scene("cart")
    scene.condition("Complete")
    written = plan({"id": "core", "name": "cart"}, SCHEMA)
    scene.run(written)
    result = scene.run(written, wave_gates={"check": GATE})
    assert "msg" not in result and [one["state"] for one in result["gates"]] == ["open", "open"]


def test_a_gate_that_asks_something_else_since_then_is_asked():
    scene = Scene("cart", "web")
    scene.condition("Complete")
    scene.run(ENTRY, until=15)
    scene.condition("Complete", "other")
    changed = plan({"id": "core", "name": "cart"}, {**SCHEMA, "gate": {**GATE, "job": "shop/other"}}, LATER)
    scene.run(changed)
    assert scene.asked("other") == 1


def test_with_undo_scope_run_a_gate_that_failed_undoes_the_run():
    scene = Scene("cart", "web")
    scene.condition()
    undoing = {**ENTRY, "defaults": {**ENTRY["defaults"], "on_failure": "undo", "undo_scope": "run"}}
    result = scene.run(undoing)
    assert outcomes(result) == {"cart": "undone", "web": "not_started"}


@pytest.mark.parametrize("budget", [0, 1])
def test_no_gate_delays_the_undo_of_a_run(budget):
    scene = Scene("cart", "web", "edge")
    scene.condition()
    scene.cluster.breaks = ("edge",)
    long, later = {**GATE, "timeout": "30m"}, {"id": "later", "gate": {**GATE, "timeout": "20m"}, "after": ["core"]}
    undo = {"on_failure": "undo", "undo_scope": "run", "grace": "5s", "timeout": "30s"}
    edge = {"id": "edge", "name": "edge"}
    written = plan({"id": "core", "name": "cart"}, {"id": "schema", "gate": long}, later, LATER, edge, **undo)
    result = scene.run({**written, "failure_budget": budget})
    assert outcomes(result) == {"cart": "undone", "web": "not_started", "edge": "undone"}
    assert scene.cluster.executor.clock.passed < 120
    assert {one["state"] for one in result["gates"]} <= {"closed", "not_asked"}


def test_a_run_that_is_stopped_by_a_failure_waits_for_no_gate():
    scene = Scene("cart", "web")
    scene.condition()
    scene.cluster.breaks = ("cart",)
    long = {"id": "schema", "gate": {**GATE, "timeout": "30m"}}
    result = scene.run(plan({"id": "core", "name": "cart"}, long, LATER, grace="5s", timeout="30s"))
    assert outcomes(result) == {"cart": "unfinished", "web": "not_started"}
    assert scene.cluster.executor.clock.passed < 120


def test_what_is_told_of_a_gate_is_what_it_said_to_that_entry():
    scene = Scene("cart", takes=30.0)
    scene.condition()
    written = plan(
        {"id": "schema", "gate": "check", "on_failure": "continue"},
        CORE,
        gates={"check": {**GATE, "timeout": "20s"}},
    )
    result = scene.run(written, later=[(45, "Complete")])
    assert outcomes(result) == {"cart": "restarted"}
    assert result["msg"].startswith(CLOSED.format("check", "it did not open within 20s"))
    assert scene.journal["waits_for"] == {"check": result["msg"]}


def test_a_failed_gate_with_on_failure_continue_stops_nothing_else():
    scene = Scene("cart", "web", "other")
    scene.condition("Failed")
    other = {"id": "other", "name": "other", "after": "slow"}
    slow = {"id": "slow", "name": "cart"}
    written = plan({"id": "schema", "gate": GATE, "on_failure": "continue"}, slow, other, LATER)
    assert outcomes(scene.run(written)) == {"cart": "restarted", "other": "restarted", "web": "not_started"}
    scene = Scene("cart", "web", "other")
    scene.condition("Failed")
    del written["workloads"][0]["on_failure"]
    result = scene.run(written)
    assert outcomes(result) == {"cart": "restarted", "other": "not_started", "web": "not_started"}
    assert 'the gate of "schema" failed, and failure_budget is 0' in message(result, "other")


def test_a_call_that_is_cut_short_while_a_gate_is_closed_ends_at_once():
    scene = Scene("cart", "web")
    scene.condition()
    result = scene.run(ENTRY, wait_timeout="30s")
    assert outcomes(result) == {"cart": "restarted", "web": "not_started"}
    assert scene.cluster.executor.clock.passed <= 32
    assert message(result, "web").startswith("the wait_timeout of 30s for the whole call is over; the gate")


def test_nothing_is_asked_and_nothing_waits_in_a_dry_run():
    for module in ("k8s_rollout_plan", "k8s_rollout_restart"):
        scene = Scene("cart", "web")
        result = calling.run(module, scene.cluster, True, plan=ENTRY)
        assert "msg" not in result and scene.asked() == 0
        assert scene.cluster.executor.clock.passed < 20


def test_a_gate_that_may_stay_closed_has_not_opened_and_is_asked_again():
    scene = Scene("cart", "web", "edge")
    scene.condition()
    written = migrated("run")
    written["workloads"][1]["gate"] = {**GATE, "timeout": "10s", "on_timeout": "continue"}
    scene.run(written, until=24)
    assert scene.patched == ["cart", "web"]
    assert "gates" not in scene.journal and "passed_gates" not in scene.journal
    asked = scene.asked()
    scene.cluster.breaks = ("edge",)
    result = scene.run(written)
    assert set(outcomes(result).values()) == {"undone"} and scene.asked() > asked  # nothing has come before a migration
    assert [one["state"] for one in result["gates"]] == ["passed"]


# -- the journal -------------------------------------------------------------------------------------------------------


def test_the_journal_says_why_something_waits_with_few_writes():
    scene = Scene("cart", "web")
    scene.condition()
    answers = iter(range(1000))

    def changes():
        scene.cluster.objects[f"{JOBS}/check"]["status"] = {"active": next(answers)}

    long = plan({"id": "core", "name": "cart"}, {**SCHEMA, "gate": {**GATE, "timeout": "10m"}}, LATER)
    verb, call = calling.prepare(
        "k8s_rollout_restart", scene.cluster, plan=long, run_id=RUN, journal={"clusters": ["one"]}
    )
    seen, writes = [], []
    for second in range(15, 300, 5):
        scene.cluster.executor.later(second, changes)
        scene.cluster.executor.later(second, lambda: seen.append(scene.journal.get("waits_for")))
    scene.cluster.executor.later(15, lambda: writes.append(len(written(scene))))
    scene.cluster.executor.later(295, lambda: writes.append(len(written(scene))))
    scene.cluster.executor.later(300, lambda: scene.condition("Complete"))
    calling.carry_out(verb, call)
    told = {one["schema"] for one in seen if one}
    assert all(one.startswith('the gate "schema" (job "check" in namespace "shop") is closed: ') for one in told)
    assert 2 < len(told) <= 6 and writes[1] - writes[0] <= 6
    assert "waits_for" not in scene.journal
    assert scene.journal["gates"].keys() == {"schema"}


def written(scene):
    return [path for verb, path in scene.cluster.asked if verb != "get" and path == JOURNAL]


def test_the_gate_before_a_restart_is_in_the_journal_too():
    scene = Scene("cart")
    scene.condition()
    before = plan({"id": "core", "name": "cart", "gates": {"before": ["check"]}}, gates={"check": GATE})
    result = scene.run(before, until=20)
    told = scene.journal["waits_for"]["check"]
    assert told.startswith(CLOSED.format("check", 'job "check" in namespace "shop" is not complete (1 active)'))
    assert outcomes(result) == {"cart": "not_started"}


# -- after a wave of clusters ------------------------------------------------------------------------------------------


PLAIN = plan({"id": "core", "name": "cart"}, {"id": "web", "name": "web"})


def test_after_a_wave_everything_must_stay_healthy_and_the_gates_must_open():
    scene = Scene("cart", "web")
    scene.condition()
    scene.run(PLAIN)
    assert scene.journal["state"] == "finished"
    began = scene.cluster.executor.clock.passed
    later = [(5, "Complete"), (30,), (90, "Complete")]
    result = scene.run(PLAIN, bake="40s", wave_gates={"check": {**GATE, "timeout": "3m"}}, later=later)
    assert set(outcomes(result).values()) == {"already_restarted"} and "msg" not in result
    assert scene.cluster.executor.clock.passed - began >= 90
    assert [(one["place"], one["state"]) for one in result["gates"]] == [("wave", "open")]
    assert scene.journal["state"] == "finished" and scene.patched == ["cart", "web"]


def test_a_gate_that_fails_after_a_wave_fails_the_call_and_the_run_is_not_over():
    scene = Scene("cart", "web")
    scene.condition("Failed")
    scene.run(PLAIN)
    result = scene.run(PLAIN, wave_gates={"check": GATE})
    assert result["msg"] == CLOSED.format("check", 'job "check" in namespace "shop" has failed: by the test')
    assert scene.journal["state"] == "stopped"


def test_what_is_reverted_after_a_wave_is_found():
    scene = Scene("cart", "web")
    scene.run(PLAIN)
    verb, call = calling.prepare(
        "k8s_rollout_restart", scene.cluster, plan=PLAIN, run_id=RUN, journal={"clusters": ["one"]}, bake="60s"
    )

    def revert():
        one = next(one for one in scene.cluster.objects.values() if one["metadata"]["name"] == "cart")
        one["spec"]["template"]["metadata"]["annotations"] = {}
        scene.cluster.touch(one)
        scene.cluster.show(one)

    scene.cluster.executor.later(20, revert)
    result = calling.carry_out(verb, call)
    assert outcomes(result) == {"cart": "superseded", "web": "already_restarted"}


@pytest.mark.parametrize("module", ["k8s_rollout_plan", "k8s_rollout_restart"])
@pytest.mark.parametrize(
    "options, sentence",
    [
        ({"bake": "soon"}, 'bake: "soon" is not a duration'),
        ({"bake": "0s"}, "bake: "),
        ({"wave_gates": {"up": {}}}, "wave_gates.up: the gate has nothing to ask"),
        ({"wave_gates": {"up": {"jb": "shop/check"}}}, 'wave_gates.up.jb: unknown option; did you mean "job"?'),
        ({"wave_gates": {"up": {"tcp": "db:1", "max": 1}}}, "wave_gates.up: max: has no effect with tcp"),
        (
            {"wave_gates": {"up": {"http": "http://up", "auth": "shop"}}},
            'wave_gates.up: auth: restartx_gate_auth has no "',
        ),
    ],
)
def test_what_must_be_passed_after_a_wave_is_checked_before_anything_is_asked(module, options, sentence):
    scene = Scene("cart", "web")
    with pytest.raises((ScheduleError, PlanError)) as told:
        calling.run(module, scene.cluster, True, plan=PLAIN, **options)
    assert sentence in str(told.value)
    assert not scene.cluster.asked


@pytest.mark.parametrize("options", [{"bake": "10s"}, {"wave_gates": {"check": GATE}}], ids=str)
def test_without_a_plan_nothing_comes_after_a_wave(options):
    scene = Scene("cart")
    with pytest.raises(RolloutError) as told:
        calling.run("k8s_rollout_restart", scene.cluster, namespace="shop", **options)
    assert "needs the option plan" in str(told.value)


# -- undo across a migration -------------------------------------------------------------------------------------------


def migrated(scope, **more):
    """A plan whose last entry fails after the migration `check`: core comes before it, and web after it."""
    defaults = {"on_failure": "undo", "undo_scope": scope, "grace": "5s", "timeout": "30s", **more}
    last = {"id": "last", "name": "edge", "after": ["web"]}
    return plan({"id": "core", "name": "cart"}, SCHEMA, LATER, last, **defaults)


def test_an_undo_of_the_run_leaves_what_came_before_a_migration():
    scene = Scene("cart", "web", "edge")
    scene.condition("Complete")
    scene.cluster.breaks = ("edge",)
    result = scene.run(migrated("run"))
    assert outcomes(result) == {"cart": "restarted", "web": "undone", "edge": "undone"}
    why = 'it was restarted before the gate "schema" had opened, and undo_across_gates is false, so it stays'
    assert why in next(one["reaction"] for one in result["results"] if one["name"] == "cart")
    assert (
        "; not undone, because a gate on a Job has opened since their restart: Deployment shop/cart; "
        "undo_across_gates: true undoes them too"
    ) in result["msg"]
    assert scene.patched == ["cart", "web", "edge", "edge", "web"]
    assert result["kept"] == ["Deployment shop/cart"]


def test_an_undo_goes_across_a_migration_if_the_plan_says_so():
    scene = Scene("cart", "web", "edge")
    scene.condition("Complete")
    scene.cluster.breaks = ("edge",)
    assert set(outcomes(scene.run(migrated("run", undo_across_gates=True))).values()) == {"undone"}


def test_a_migration_that_has_not_opened_the_way_keeps_nothing():
    scene = Scene("cart", "web", "edge")
    scene.condition("Failed")
    result = scene.run(migrated("run"))
    assert outcomes(result) == {"cart": "undone", "web": "not_started", "edge": "not_started"}


def test_the_migration_of_an_earlier_start_counts_too():
    scene = Scene("cart", "web", "edge")
    scene.condition("Complete")
    scene.run(migrated("run"), until=15)
    assert scene.patched == ["cart", "web"]
    scene.cluster.breaks = ("edge",)
    assert outcomes(scene.run(migrated("run"))) == {"cart": "already_restarted", "web": "undone", "edge": "undone"}


def test_the_undo_of_an_entry_leaves_what_was_restarted_before_the_migration_between_them():
    scene = Scene("a", "b")
    scene.condition("Complete")
    scene.cluster.breaks = ("b",)
    entry = {"id": "all", "name": ["a", "b"], "max_parallel": 1, "gates": {"after": ["check"]}}
    defaults = {"on_failure": "undo", "undo_scope": "entry", "grace": "5s", "timeout": "30s"}
    result = scene.run(plan(entry, gates={"check": GATE}, **defaults))
    assert outcomes(result) == {"a": "restarted", "b": "undone"}


@pytest.mark.parametrize("across, cart", [(True, "undone"), (False, "unchanged")])
def test_the_undo_of_a_run_crosses_a_migration_if_a_person_asks_for_it(across, cart):
    scene = Scene("cart", "web", "edge")
    scene.condition("Complete")
    scene.run(migrated("run"))
    journaled = {"plan": "ca", "across_gates": across}
    result = calling.run("k8s_rollout_undo", scene.cluster, run_id=RUN, journal=journaled)
    assert outcomes(result)["cart"] == cart and result.get("kept") == (None if across else ["Deployment shop/cart"])


def test_time_decides_about_what_the_order_of_the_plan_does_not():
    written = plans.check(plan({"id": "core", "name": "cart"}, SCHEMA, LATER, {"id": "other", "name": "other"}))
    before = across.Before(written, {"schema": "2026-11-24T22:00:10Z"})
    at = [datetime.datetime(2026, 11, 24, 22, 0, second, tzinfo=datetime.UTC) for second in (9, 10, 11)]
    assert [before.gate("other", one) for one in (None, *at)] == ["schema", "schema", "schema", None]
    assert [before.gate(entry, one) for entry in ("core", "web") for one in at] == [*["schema"] * 3, *[None] * 3]
    assert before.gate(None, at[2]) is None
    assert across.Before(written, {}).gate("core", at[0]) is None
