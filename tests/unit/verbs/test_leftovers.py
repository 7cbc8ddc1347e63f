# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What runs have left on one cluster is found, and repaired through the modules' own code."""

from __future__ import annotations

import json

import calling
import pytest
from simulation import Executor, FakeCluster, Mortal, deployment

from ansible_collections.restartx.core.plugins.module_utils.cluster.errors import Unreachable
from ansible_collections.restartx.core.plugins.module_utils.record import journal, lease
from ansible_collections.restartx.core.plugins.module_utils.rollout import kinds, marks, restart
from ansible_collections.restartx.core.plugins.module_utils.rollout.errors import RolloutError
from ansible_collections.restartx.core.plugins.module_utils.schedule.errors import ScheduleError

NAMES = ("cart", "catalog", "web")
PLAN = {
    "version": 1,
    "name": "ca",
    "defaults": {"namespace": "shop", "timeout": "30s"},
    "workloads": [{"id": "core", "name": ["cart", "catalog"]}, {"id": "web", "name": ["web"], "after": ["core"]}],
}
LEASES = lease.collection("restartx-system")


def path(run="r1"):
    return journal.path("restartx-system", journal.name_of("ca", run))


def carried_out(*, breaks=(), plan=None):
    """A cluster on which a run of the plan was carried out."""
    cluster = FakeCluster([deployment(name) for name in NAMES], breaks=breaks)
    cluster.breaks_by = "CrashLoopBackOff"
    start(cluster, plan)
    return cluster


def start(cluster, plan=None, run="r1"):
    cluster.executor = None
    options = {"clusters": ["eu", "us"]}
    given = {"plan": plan or PLAN, "run_id": run, "operator": "ada", "ticket": "CHG1", "journal": options}
    result = calling.run("k8s_rollout_restart", cluster, **given)
    cluster.patches.clear()
    return result


def find(cluster, check_mode=False, **options):
    cluster.executor = None
    return calling.run("k8s_rollout_leftovers", cluster, check_mode, **options)


def edit(cluster, run="r1", **changes):
    data = cluster.objects[path(run)]["data"]
    data[journal.KEY] = json.dumps({**held(cluster, run), **changes})


def held(cluster, run="r1"):
    return json.loads(cluster.objects[path(run)]["data"][journal.KEY])


def lock(cluster, plan="ca", run="r1"):
    """The lock of a plan, held by somebody who was killed."""
    one = lease.Lease(cluster, Executor(cluster).clock, "restartx-system", plan, "bastion-1", run=run)
    one.acquire()
    return one


def told(result):
    return [(one["code"], one["object"].rpartition("/")[2], one["repaired"]) for one in result["leftovers"]]


def carried(cluster):
    found = (cluster.objects[kinds.path("Deployment", "shop", name)] for name in NAMES)
    return [marks.run_of(one) for one in found]


def killed(cluster):
    """The state of the journal after a kill of the run in its middle: web was not reached, catalog is not known of."""
    web = cluster.objects[kinds.path("Deployment", "shop", "web")]
    web["spec"]["template"]["metadata"].pop("annotations", None)
    workloads = held(cluster)["workloads"]
    for name in ("catalog", "web"):
        workloads[f"Deployment/shop/{name}"]["outcome"] = None
    edit(cluster, state="running", over=False, workloads=workloads)
    lock(cluster)


def test_a_good_run_has_left_nothing():
    result = find(carried_out())
    assert (result["leftovers"], result["notes"], result["changed"]) == ([], [], False)
    assert "msg" not in result


def test_all_that_a_killed_run_has_left_is_found_and_nothing_is_changed():
    cluster = carried_out()
    killed(cluster)
    before = json.dumps(cluster.objects)
    result = find(cluster)
    assert told(result) == [("locked", "restartx-ca", False), ("unfinished", "web", False)]
    assert (result["changed"], "msg" in result) == (False, False)
    assert json.dumps(cluster.objects) == before


def test_a_repair_releases_the_lock_and_continues_the_run_under_its_id_each_workload_once():
    cluster = carried_out()
    killed(cluster)
    result = find(cluster, repair=True, operator="bob", reason="the bastion died")
    assert told(result) == [("locked", "restartx-ca", True), ("unfinished", "web", True)]
    assert (result["changed"], result["summary"], "msg" in result) == (True, {}, False)
    assert carried(cluster) == ["r1"] * 3
    assert [name for _moment, name in cluster.patches] == ["web"]
    after = held(cluster)
    assert (after["state"], after["ticket"], after["operator"]) == ("finished", "CHG1", "bob")
    assert after["clusters"] == ["eu", "us"]
    web = cluster.objects[kinds.path("Deployment", "shop", "web")]["spec"]["template"]["metadata"]["annotations"]
    written = (web[restart.TICKET], web[restart.OPERATOR], web[restart.REASON])
    assert written == ("CHG1", "bob", "the bastion died")
    assert cluster.objects[f"{LEASES}/restartx-ca"]["spec"]["holderIdentity"] == ""
    assert find(cluster)["leftovers"] == []


def test_check_mode_says_what_a_repair_would_do_and_does_nothing():
    cluster = carried_out()
    killed(cluster)
    before = json.dumps(cluster.objects)
    result = find(cluster, True, repair=True)
    assert result["notes"] == ["repair would release the lock of plan ca", "repair would continue run r1 of plan ca"]
    assert json.dumps(cluster.objects) == before
    assert [one["repaired"] for one in result["leftovers"]] == [False, False]


def test_a_failed_workload_is_restarted_and_what_waited_for_it_too():
    cluster = carried_out(breaks={"cart"})
    assert told(find(cluster)) == [("failed", "cart", False), ("unfinished", "web", False)]
    cluster.breaks, cluster.pods = (), []
    assert told(find(cluster, repair=True)) == [("failed", "cart", True), ("unfinished", "web", True)]
    assert carried(cluster) == ["r1"] * 3


def test_what_fails_again_remains_and_fails_the_module():
    cluster = carried_out(breaks={"cart"})
    result = find(cluster, repair=True)
    assert told(result) == [("failed", "cart", False), ("unfinished", "web", False)]
    assert result["changed"] is True  # it was restarted, and failed again
    assert '2 leftovers could not be repaired: deployment "cart" in namespace "shop" failed in run r1' in result["msg"]
    assert "to continue run r1 of plan ca failed: " in result["msg"]


def test_what_was_undone_after_a_failure_is_restarted_too():
    plan = {**PLAN, "defaults": {**PLAN["defaults"], "on_failure": "undo"}}
    cluster = carried_out(breaks={"cart"}, plan=plan)
    assert told(find(cluster)) == [("undone", "cart", False), ("unfinished", "web", False)]
    cluster.breaks, cluster.pods = (), []
    assert told(find(cluster, repair=True)) == [("undone", "cart", True), ("unfinished", "web", True)]
    assert carried(cluster) == ["r1"] * 3


def test_an_undo_that_was_begun_is_finished_and_nothing_is_restarted():
    cluster = carried_out()
    edit(cluster, state="undoing", over=True)
    assert told(find(cluster)) == [("undoing", "run r1", False)]
    result = find(cluster, repair=True, operator="bob")
    assert told(result) == [("undoing", "run r1", True)]
    assert carried(cluster) == [None] * 3
    assert (held(cluster)["state"], held(cluster)["undone_by"]) == ("undone", "bob")


@pytest.mark.parametrize("across_gates", [True, False])
def test_an_undo_is_finished_as_it_was_begun(across_gates):
    migrated = {
        **PLAN,
        "defaults": {**PLAN["defaults"], "on_failure": "undo", "undo_scope": "run"},
        "workloads": [*PLAN["workloads"], {"id": "schema", "gate": {"job": "shop/migrate"}, "after": ["web"]}],
    }
    cluster = FakeCluster([deployment(name) for name in NAMES])
    status = {"conditions": [{"type": "Complete", "status": "True"}]}
    cluster.objects["/apis/batch/v1/namespaces/shop/jobs/migrate"] = {"metadata": {"name": "migrate"}, "status": status}
    start(cluster, migrated)
    cluster.executor = None
    verb, call = calling.prepare(
        "k8s_rollout_undo", cluster, run_id="r1", journal={"plan": "ca", "across_gates": across_gates}
    )
    call.controller = Mortal(call.clock.passed + 3)
    call.controller.clock = call.clock
    calling.carry_out(verb, call)
    assert held(cluster)["across_gates"] is across_gates
    if not across_gates:
        edit(cluster, state="undoing", over=True)
    result = find(cluster, repair=True)
    assert ("r1" in carried(cluster)) is not across_gates
    kept = [note for note in result["notes"] if "a gate on a Job has opened since their restart" in note]
    assert bool(kept) is not across_gates


def test_an_undo_that_another_cluster_has_begun_is_finished_here():
    cluster = carried_out(breaks={"web"})
    other = {"plan": "ca", "run": "r1", "undoing": True}
    assert told(find(cluster, other_runs=[other])) == [("undoing", "run r1", False)]
    cluster.breaks, cluster.pods = (), []
    assert told(find(cluster, other_runs=[other], repair=True)) == [("undoing", "run r1", True)]
    assert carried(cluster) == [None] * 3
    assert find(cluster, other_runs=[other])["leftovers"] == []


def test_a_run_of_other_clusters_that_has_not_begun_here_is_begun_with_its_plan():
    cluster = FakeCluster([deployment(name) for name in NAMES])
    other = {"plan": "ca", "run": "r1", "ticket": "CHG1", "clusters": ["eu", "us"], "document": PLAN}
    assert find(cluster)["leftovers"] == []
    assert told(find(cluster, other_runs=[other])) == [("unfinished", "run r1", False)]
    assert told(find(cluster, other_runs=[other], repair=True)) == [("unfinished", "run r1", True)]
    assert carried(cluster) == ["r1"] * 3
    assert (held(cluster)["ticket"], held(cluster)["clusters"]) == ("CHG1", ["eu", "us"])


def test_a_run_that_waits_between_waves_is_named_and_not_begun_here():
    cluster = FakeCluster([deployment(name) for name in NAMES])
    other = {
        "plan": "ca",
        "run": "r1",
        "ticket": "CHG1",
        "clusters": ["eu", "us"],
        "document": PLAN,
        "between_waves": True,
    }
    result = find(cluster, other_runs=[other], repair=True)
    assert told(result) == [("unfinished", "run r1", False)]
    assert "only a start of the run asks what must be good after the wave before" in result["leftovers"][0]["sentence"]
    assert "restart_prod" in result["leftovers"][0]["command"]
    assert (carried(cluster), cluster.patches) == ([None] * 3, [])


def test_only_the_newest_run_of_a_plan_is_continued():
    # The second run has another selection, so that the first one still has left web.
    cluster = carried_out(breaks={"cart"})
    cluster.breaks, cluster.pods = (), []
    cluster.executor = None
    Executor(cluster).clock.passed = 600
    edit(cluster, started_at="2026-11-24T21:00:00Z")
    start(cluster, {**PLAN, "workloads": PLAN["workloads"][:1]}, "r2")
    lock(cluster, run="r2")
    result = find(cluster, repair=True)
    assert told(result) == [("locked", "restartx-ca", True), ("unfinished", "web", False)]
    assert result["leftovers"][1]["repairable"] is False
    assert "a later run of the plan has begun" in result["leftovers"][1]["sentence"]
    assert "msg" not in result
    assert carried(cluster) == ["r2", "r2", None]


@pytest.mark.parametrize("text", [None, "{}", '{"version": 7}', "nothing"])
def test_a_run_whose_plan_cannot_be_read_is_named_and_not_repaired(text):
    cluster = carried_out(breaks={"cart"})
    data = cluster.objects[path()]["data"]
    data.pop("plan.json")
    if text:
        data["plan.json"] = text
    result = find(cluster, repair=True)
    assert told(result) == [("failed", "cart", False), ("unfinished", "web", False)]
    assert all(not one["repairable"] and "restartx_run=r1" in one["command"] for one in result["leftovers"])
    assert (cluster.patches, "msg" in result) == ([], False)


def renewing(cluster, one):
    """The clock of the cluster, while the holder of the lock lives."""
    clock = cluster.executor.clock
    sleep = clock.sleep

    def on(seconds):
        sleep(seconds)
        one.renew()

    clock.sleep = on


def test_a_plan_that_somebody_works_on_is_noted_and_not_touched():
    cluster = carried_out()
    killed(cluster)
    cluster.executor = None
    one = lock(cluster)
    renewing(cluster, one)
    result = calling.run("k8s_rollout_leftovers", cluster, repair=True)
    assert (result["leftovers"], result["changed"]) == ([], False)
    (note,) = result["notes"]
    assert note.startswith('run r1 is working on plan "ca" (bastion-1)')
    assert one.ours
    assert cluster.patches == []


def test_a_start_that_begins_during_the_search_is_at_work():
    cluster = carried_out(breaks={"cart"})
    listed = cluster.list

    def meanwhile(path, *args, **more):
        if path.endswith("/deployments"):
            lock(cluster)
        return listed(path, *args, **more)

    cluster.list = meanwhile
    result = find(cluster)
    assert result["leftovers"] == []
    assert [one["run"] for one in result["at_work"]] == ["r1"]


def test_a_lock_of_a_plan_without_a_journal_is_found_with_and_without_the_plan():
    for options in ({}, {"plan": "ca"}):
        cluster = FakeCluster([])
        lock(cluster)
        assert told(find(cluster, **options)) == [("locked", "restartx-ca", False)]
        assert find(cluster, plan="other")["leftovers"] == []


def test_only_the_codes_and_the_run_that_are_asked_for_are_told_and_repaired():
    cluster = carried_out()
    killed(cluster)
    assert told(find(cluster, codes=["locked"], repair=True)) == [("locked", "restartx-ca", True)]
    assert carried(cluster) == ["r1", "r1", None]
    assert told(find(cluster, run_id="r1")) == [("unfinished", "web", False)]
    with pytest.raises(RolloutError, match='run_id: no journal of run "r11" .*; did you mean "r1"?'):
        find(cluster, run_id="r11")


def test_a_paused_deployment_is_resumed_before_the_run_is_continued():
    plan = {**PLAN, "defaults": {**PLAN["defaults"], "on_failure": "pause"}}
    cluster = carried_out(breaks={"cart"}, plan=plan)
    assert cluster.objects[kinds.path("Deployment", "shop", "cart")]["spec"]["paused"] is True
    expected = [("paused", "cart"), ("failed", "cart"), ("unfinished", "web")]
    assert [one[:2] for one in told(find(cluster))] == expected
    cluster.breaks, cluster.pods = (), []
    assert told(find(cluster, repair=True)) == [(*one, True) for one in expected]
    assert not cluster.objects[kinds.path("Deployment", "shop", "cart")]["spec"].get("paused")
    assert carried(cluster) == ["r1"] * 3


def test_a_journal_that_cannot_be_read_is_named():
    cluster = carried_out()
    cluster.objects[path()]["data"][journal.KEY] = "{"
    result = find(cluster)
    assert result["leftovers"] == []
    (sentence,) = result["unread"]
    assert "holds no journal that this version can read" in sentence


def test_requests_depend_on_runs_and_namespaces_and_not_on_workloads():
    counts = set()
    for number in (2, 40):
        names = [f"app-{place}" for place in range(number)]
        cluster = FakeCluster([deployment(name) for name in names], breaks={"app-0"})
        cluster.breaks_by = "CrashLoopBackOff"
        start(cluster, {**PLAN, "workloads": [{"id": "core", "name": names, "max_parallel": 1}]})
        cluster.asked.clear()
        assert len(find(cluster)["leftovers"]) == number
        counts.add(len(cluster.asked))
        assert cluster.lists.count(kinds.path("Deployment", "shop")) == 1
    assert len(counts) == 1


def test_a_cluster_that_does_not_answer_is_no_cluster_without_leftovers():
    cluster = carried_out()
    cluster.fail = lambda verb, path: Unreachable("no answer", transient=False) if path.endswith("leases") else None
    with pytest.raises(Unreachable):
        find(cluster)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"plan": "no plan"}, "plan"),
        ({"other_runs": [{"plan": "ca", "run": " "}]}, r"other_runs\[0\].run is empty"),
        ({"other_runs": [{"plan": " ", "run": "r1"}]}, r"other_runs\[0\].plan: "),
    ],
)
def test_bad_input_is_refused_before_anything_is_asked(options, message):
    cluster = FakeCluster([])
    with pytest.raises((RolloutError, ScheduleError), match=message):
        find(cluster, **options)
    assert cluster.asked == []
