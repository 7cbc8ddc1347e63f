# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What runs have left on many clusters: what each must know of the others, the table, and the order of a repair."""

from __future__ import annotations

import pytest

from ansible_collections.restartx.core.plugins.module_utils.fleet import leftovers
from ansible_collections.restartx.core.plugins.module_utils.fleet.leftovers import LeftoversRequest

HOSTS = ["us", "eu"]
WAVES = {"eu": 1, "us": 2}
BEGUN = "2026-11-24T22:00:00Z"
DOCUMENT = {"version": 1, "name": "ca"}


def run(state="finished", run="r1", over=False, clusters=("eu", "us"), at=BEGUN, plan="ca", **more):
    known = {"run": run, "plan": plan, "state": state, "over": over, "clusters": list(clusters)}
    return {**known, "ticket": "CHG1", "period": None, "started_at": at, "updated_at": at, "document": DOCUMENT} | more


def left(code="failed", plan="ca", run="r1", thing="Deployment shop/api", **more):
    told = {"sentence": f"{thing} is {code}", "command": f"repair {thing}", "repairable": True, "repaired": False}
    return {"code": code, "plan": plan, "run": run, "object": thing, **told, **more}


def answer(*runs, left=(), name="eu", **more):
    shape = {"results": [], "cluster": {"uid": name, "host": name}, "at_work": [], "notes": [], "unread": []}
    return {**shape, "runs": list(runs), "leftovers": list(left), **more}


def prepared(eu, us, **request):
    answers = {"eu": eu, "us": us and {**us, "cluster": {"uid": "us", "host": "us"}}}
    found = {host: one for host, one in answers.items() if one is not None}
    return leftovers.prepare(found, HOSTS, WAVES, LeftoversRequest(**request))


TO_BEGIN = {"plan": "ca", "run": "r1", "clusters": ["eu", "us"], "ticket": "CHG1", "document": DOCUMENT}
UNDO = {"plan": "ca", "run": "r1", "undoing": True}
LATER = "2026-11-24T23:00:00Z"


@pytest.mark.parametrize(
    "eu, us, expected",
    [
        # It was killed in its first wave, or between the waves.
        ([run("running")], [], {"us": [TO_BEGIN]}),
        ([run("stopped")], [], {"us": [TO_BEGIN]}),
        ([run("finished")], [], {"us": [TO_BEGIN]}),
        ([run("running")], [run("finished", plan="other", clusters=["us"])], {"us": [TO_BEGIN]}),
        # It is not for the other cluster, has begun there, is over, or was followed by a later run.
        ([run("running", clusters=["eu"])], [], {}),
        ([run("running")], [run("running")], {}),
        ([run("finished", over=True)], [], {}),
        ([run("stopped")], [run("finished", run="r2", at=LATER, clusters=["us"])], {}),
        # It was undone, the last wave first.
        ([run("stopped")], [run("undoing", over=True, at=LATER)], {"eu": [UNDO]}),
        ([run("finished", over=True)], [run("undone", over=True, at=LATER)], {"eu": [UNDO]}),
        ([run("undone", over=True)], [run("undone", over=True)], {}),
        ([run("undone", over=True)], [], {}),
        # It was undone, and then restarted again.
        ([run("running", at=LATER)], [run("undone", over=True)], {}),
    ],
)
def test_a_cluster_is_told_of_runs_to_begin_and_of_undos_to_finish(eu, us, expected):
    assert leftovers.other_runs({"eu": answer(*eu), "us": answer(*us)}) == expected


@pytest.mark.parametrize("begun", [run("finished"), run("running")])
def test_a_repair_begins_no_run_on_a_further_cluster_if_something_must_be_good_between_waves(begun):
    answers = {"eu": answer(begun), "us": answer()}
    assert leftovers.other_runs(answers, between_waves=True) == {"us": [{**TO_BEGIN, "between_waves": True}]}
    closed = {"eu": answer({**begun, "waits_for": {"errors": "0.9 is above 0.5"}}), "us": answer()}
    assert leftovers.other_runs(closed) == {"us": [{**TO_BEGIN, "between_waves": True}]}


def test_a_run_that_is_at_work_anywhere_goes_on_by_itself():
    at_work = [{"plan": "ca", "run": "r1"}]
    assert leftovers.other_runs({"eu": answer(run("running"), at_work=at_work), "us": answer()}) == {}


def test_a_cluster_that_cannot_be_read_is_told_nothing():
    assert leftovers.other_runs({"eu": answer(run("running")), "us": {"msg": "it is off"}}) == {}


def test_the_table_has_a_line_for_each_leftover_with_its_command_and_fails_their_hosts():
    found = prepared(answer(left=[left(), left("locked", thing="Lease x/y")]), answer())
    assert found["error"] is None
    assert found["lines"][:3] == [
        "CLUSTER  LEFT    PLAN  RUN  OBJECT               COMMAND",
        "eu       failed  ca    r1   Deployment shop/api  repair Deployment shop/api",
        "eu       locked  ca    r1   Lease x/y            repair Lease x/y",
    ]
    assert "eu: Deployment shop/api is failed" in found["lines"]
    assert found["failed"] == {"eu": "left: failed Deployment shop/api, locked Lease x/y"}
    assert (found["repair"], found["codes"]) == (False, {"eu": ["failed", "locked"], "us": []})


def test_nothing_left_is_said_and_fails_nobody():
    found = prepared(answer(run("finished", over=True)), answer())
    assert (found["lines"], found["failed"]) == (["nothing was left by any run"], {})


def test_a_cluster_that_could_not_be_read_fails_and_is_named():
    for us, why in (
        (None, "it could not be reached"),
        ({"results": [], "msg": "no answer"}, "no answer"),
        (answer(unread=["the journal x is broken"]), "the journal x is broken"),
    ):
        found = prepared(answer(), us)
        assert found["failed"] == {"us": why}
        assert f"could not be read: us: {why}" in found["lines"]
        assert found["lines"][0] == "nothing was found that a run has left, but not everything could be read"


def test_a_repair_goes_by_the_waves_and_an_undo_the_other_way_round():
    found = prepared(answer(left=[left()]), answer(left=[left()]), repair="true")
    assert (found["repair"], found["failed"]) == (True, {})
    assert (found["hosts"], found["serial"]) == (["eu", "us"], [1, 1])
    assert found["last_first"] == {"hosts": ["us", "eu"], "serial": [1, 1]}
    dry = prepared(answer(left=[left()]), answer(), repair=True, check_mode=True)
    assert (dry["repair"], list(dry["failed"])) == (False, ["eu"])
    assert dry["lines"][-1] == "dry run, nothing will be changed"


def test_a_run_narrows_what_is_told_and_repaired():
    found = prepared(answer(left=[left(), left(run="r2")]), answer(left=[left(run="r2")]), run="r1")
    assert found["codes"] == {"eu": ["failed"], "us": []}
    assert list(found["failed"]) == ["eu"]


@pytest.mark.parametrize(
    "request_, error",
    [
        ({"repair": "perhaps"}, 'repair: "perhaps" is not true or false'),
        ({"repair": []}, "repair: "),
        ({"plan": "cb"}, "plan: no journal and no lock on these clusters is of plan cb"),
        ({"run": "r11"}, "run: r11 is unknown, no journal on these clusters knows it; did you mean r1?"),
        ({"run": ["r1"]}, "run: "),
    ],
)
def test_a_mistake_is_one_sentence(request_, error):
    found = prepared(answer(run()), answer(), **request_)
    assert found["error"].startswith(error)


def test_two_hosts_that_are_the_same_cluster_are_refused():
    answers = {"eu": answer(), "us": answer()}
    found = leftovers.prepare(answers, HOSTS, WAVES, LeftoversRequest(repair=True))
    assert "are the same cluster" in found["error"]


def summarized(eu, us, failures=None, **request):
    found = prepared(answer(left=[left()]), answer(), repair=True, **request)
    return leftovers.summary(found, {"eu": eu, "us": us}, HOSTS, failures or {})


def test_a_repair_of_everything_fails_nobody_and_its_runs_are_over():
    both = answer(run("finished"))
    seen = summarized(both, both)
    assert (seen["lines"], seen["failed"]) == (["everything was repaired"], {})
    assert seen["over"] == [{"plan": "ca", "run": "r1", "clusters": ["eu", "us"]}]


def test_what_remains_is_shown_with_why_and_fails_its_host():
    seen = summarized(
        answer(run("stopped"), left=[left()]), answer(), {"eu": {"msg": "1 leftover could not be repaired"}}
    )
    assert "eu: 1 leftover could not be repaired" in seen["lines"]
    assert (seen["failed"], seen["over"]) == ({"eu": "1 leftover could not be repaired"}, [])
    seen = summarized(answer(), answer(run("stopped"), left=[left("unfinished")]))
    assert seen["failed"] == {"us": "left: unfinished Deployment shop/api"}


def test_a_cluster_that_is_lost_after_the_repair_is_not_taken_for_repaired():
    seen = summarized(answer(), {"results": [], "msg": "no answer"})
    assert seen["failed"] == {"us": "no answer"}
    assert seen["lines"][0] != "everything was repaired"
