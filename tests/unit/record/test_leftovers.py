# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What counts as left by a run: states of the journal and of the workload, and what is expected of each."""

from __future__ import annotations

import datetime
import shlex

import pytest
from simulation import FakeClock, FakeCluster, status_of, workload

from ansible_collections.restartx.core.plugins.module_utils.record import holders, lease, leftovers
from ansible_collections.restartx.core.plugins.module_utils.record.leftovers import Run
from ansible_collections.restartx.core.plugins.module_utils.record.place import Place
from ansible_collections.restartx.core.plugins.module_utils.rollout import kinds, restart

BEGUN = datetime.datetime(2026, 11, 24, 22, 0, tzinfo=datetime.UTC)
LATER = BEGUN + datetime.timedelta(minutes=1)
HOLDING = frozenset({"core"})


def made(kind="Deployment", run=None, done=True, failed=False, paused=False, partition=None, at=LATER):
    """A workload that carries a run, rolled out or not, perhaps held."""
    one = workload(kind, "api")
    if run:
        body = restart.patch(one, restart.Stamp(run=run, at=at))
        one["spec"]["template"]["metadata"]["annotations"] = body["spec"]["template"]["metadata"]["annotations"]
    one["status"] = status_of(one, 2 if done else 1)
    if failed:
        one["status"]["conditions"] = [{"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}]
    if paused:
        one["spec"]["paused"] = True
    if partition is not None:
        one["spec"]["updateStrategy"]["rollingUpdate"]["partition"] = partition
    return one


def by_hand(one, at=LATER):
    one["spec"]["template"]["metadata"].setdefault("annotations", {})[restart.RESTARTED_AT] = restart.rfc3339(at)
    return one


def run_of(outcome, state="stopped", run="r1", over=False, kind="Deployment", uid="uid-shop-api", **more):
    entry = {"uid": uid, "entry": "core", "attempt": 1, "outcome": outcome}
    if "partition" in more:
        entry["partition"] = more.pop("partition")
    journal = {
        "run": run,
        "plan": "ca",
        "state": state,
        "over": over,
        "started_at": restart.rfc3339(BEGUN),
        "workloads": {f"{kind}/shop/api": entry},
    }
    return Run(journal, **more)


def codes(runs, *objects, at_work=None):
    found = leftovers.of_plan(runs, {kinds.key(one): one for one in objects}, Place(), at_work)
    return [one.code for one in found]


def holder(run="r1", alive=True):
    held = {"metadata": {"name": "restartx-ca"}, "spec": {"holderIdentity": "bastion-1"}}
    return holders.Holder("ca", {"run": run, "holder": "bastion-1", "operator": None}, held, alive)


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet", "DaemonSet"])
@pytest.mark.parametrize("state", ["running", "stopped"])
@pytest.mark.parametrize(
    "outcome, carries, is_done, expected",
    [
        # The template shows a restart that is done, whatever the journal was able to say.
        ("restarted", True, True, []),
        (None, True, True, []),
        ("in_progress", True, True, []),
        ("failed", True, True, []),
        ("unfinished", True, True, []),
        # It is not done.
        (None, True, False, ["unfinished"]),
        ("in_progress", True, False, ["unfinished"]),
        ("unfinished", True, False, ["unfinished"]),
        ("failed", True, False, ["failed"]),
        # The workload does not carry the run.
        (None, False, True, ["unfinished"]),
        ("not_started", False, True, ["unfinished"]),
        ("refused", False, True, ["unfinished"]),
        ("failed", False, True, ["failed"]),
        ("undone", False, True, ["undone"]),
        # Somebody reverted its restart.
        ("restarted", False, True, []),
        ("already_restarted", False, True, []),
        ("in_progress", False, True, []),
        ("unfinished", False, True, []),
        ("superseded", False, True, []),
    ],
)
def test_the_journal_and_the_workload_together_decide(kind, state, outcome, carries, is_done, expected):
    one = made(kind, "r1" if carries else None, done=is_done)
    assert codes([run_of(outcome, state, kind=kind)], one) == expected


@pytest.mark.parametrize(
    "outcome, left", [("restarted", "unfinished"), ("unfinished", "unfinished"), ("failed", "failed")]
)
@pytest.mark.parametrize("changed", [True, False])
def test_what_somebody_deployed_is_no_leftover_of_a_run_that_evicts_pods(outcome, left, changed):
    one = made("StatefulSet", "r1", done=False)
    one["spec"]["updateStrategy"] = {"type": "OnDelete"}
    owned = {
        "restartx": {"f:metadata": {"f:annotations": {f"f:{restart.RUN}": {}}}},
        "argocd": {"f:spec": {}},
    }
    one["metadata"]["managedFields"] = [
        {
            "manager": manager,
            "operation": "Update",
            "time": f"2026-11-24T22:0{number * changed}:00Z",
            "fieldsV1": {"f:spec": {"f:template": fields}},
        }
        for number, (manager, fields) in enumerate(owned.items())
    ]
    assert codes([run_of(outcome, kind="StatefulSet")], one) == ([] if changed else [left])


def test_a_deployment_that_its_controller_gave_up_on_has_failed():
    assert codes([run_of(None, "running")], made(run="r1", done=False, failed=True)) == ["failed"]


@pytest.mark.parametrize("outcome", [None, "failed", "undone", "refused"])
@pytest.mark.parametrize("state, over", [("finished", False), ("finished", True), ("undone", True), ("stopped", True)])
def test_a_run_that_is_finished_undone_or_over_has_left_nothing(outcome, state, over):
    assert codes([run_of(outcome, state, over=over)], made(run="r1", done=False)) == []


@pytest.mark.parametrize("outcome", [None, "failed", "undone", "refused"])
@pytest.mark.parametrize("how", ["by hand", "by a later run", "gone", "created again"])
def test_what_somebody_restarted_since_or_removed_is_no_leftover(outcome, how):
    objects = {
        "by hand": [by_hand(made())],
        "by a later run": [made(run="r2")],
        "gone": [],
        "created again": [made()],
    }[how]
    uid = "another" if how == "created again" else "uid-shop-api"
    assert codes([run_of(outcome, uid=uid)], *objects) == []


@pytest.mark.parametrize("outcome, expected", [(None, "unfinished"), ("failed", "failed"), ("undone", "undone")])
def test_a_restart_before_the_run_began_changes_nothing(outcome, expected):
    before = BEGUN - datetime.timedelta(days=1)
    assert codes([run_of(outcome)], by_hand(made(), before)) == [expected]
    assert codes([run_of(outcome)], made(run="r0", at=before)) == [expected]


@pytest.mark.parametrize(
    "later, expected",
    [
        (run_of("restarted", "finished", run="r2"), []),
        (run_of(None, "stopped", run="r2"), ["unfinished"]),
        (run_of("undone", "undone", run="r2", over=True), ["failed"]),  # what was undone does not count any more
    ],
)
def test_the_newest_run_that_has_a_workload_decides_about_it(later, expected):
    found = leftovers.of_plan([later, run_of("failed")], {("Deployment", "shop", "api"): made()}, Place())
    assert [one.code for one in found] == expected
    assert {one.run for one in found} <= ({"r1"} if expected == ["failed"] else {"r2"})


def test_a_run_that_a_later_one_followed_or_whose_plan_cannot_be_read_is_only_named():
    for run in (run_of("failed", newest=False), run_of("failed", readable=False)):
        (one,) = leftovers.of_plan([run], {("Deployment", "shop", "api"): made()}, Place())
        assert not one.repairable
        assert "restartx_run=r1" in one.command
    assert "a later run of the plan has begun" in one.sentence or "cannot read the plan" in one.sentence


@pytest.mark.parametrize(
    "outcome, one, run, expected",
    [
        ("failed", made(run="r1", done=False, paused=True), {"holding": HOLDING}, ["paused", "failed"]),
        # Killed before the journal was able to say that it failed.
        (None, made(run="r1", done=False, paused=True), {"holding": HOLDING}, ["paused", "unfinished"]),
        # Somebody has resumed it.
        ("failed", made(run="r1", done=False), {"holding": HOLDING}, ["failed"]),
        # Not by the reaction of this run.
        ("failed", made(run="r1", done=False, paused=True), {}, ["failed"]),
        ("restarted", made(run="r1", paused=True), {"holding": HOLDING}, []),
        ("failed", made(run="r2", done=False, paused=True), {"holding": HOLDING}, []),
    ],
)
def test_a_deployment_is_left_paused_only_if_this_run_paused_it_and_it_still_is(outcome, one, run, expected):
    assert codes([run_of(outcome, **run)], one) == expected


@pytest.mark.parametrize(
    "before, now, carries, expected",
    [
        (0, 1, "r1", ["partitioned", "failed"]),
        (1, 2, "r1", ["partitioned", "failed"]),
        (1, 1, "r1", ["failed"]),  # as it was before the run
        (0, None, "r1", ["failed"]),
        (None, 1, "r1", ["failed"]),  # its entry does not react with pause
        (0, 1, "r2", []),
    ],
)
def test_a_stateful_set_is_left_held_if_its_partition_is_not_that_of_before(before, now, carries, expected):
    more = {} if before is None else {"partition": before}
    one = made("StatefulSet", carries, done=False, partition=now)
    one["status"]["readyReplicas"] = 1
    assert codes([run_of("failed", kind="StatefulSet", **more)], one) == expected


def test_a_stateful_set_that_is_done_up_to_its_partition_is_still_held_and_unfinished():
    one = made("StatefulSet", "r1", partition=1)
    assert codes([run_of("unfinished", kind="StatefulSet", partition=0)], one) == ["partitioned", "unfinished"]


@pytest.mark.parametrize("outcome", [None, "restarted", "failed", "undone"])
def test_an_undo_that_was_begun_is_one_leftover_of_the_run(outcome):
    assert codes([run_of(outcome, "undoing", over=True)], made(run="r1", done=False)) == ["undoing"]
    assert codes([run_of(outcome, "undoing", over=True)], made()) == ["undoing"]


def test_an_undo_on_another_cluster_is_wanted_here_as_long_as_something_carries_the_run():
    assert codes([run_of("failed", undone_elsewhere=True)], made(run="r1", done=False)) == ["undoing"]
    assert codes([run_of("restarted", "finished", over=True, undone_elsewhere=True)], made(run="r1")) == ["undoing"]
    assert codes([run_of("failed", undone_elsewhere=True)], made()) == []
    assert codes([run_of("undone", "undone", over=True, undone_elsewhere=True)], made()) == []


@pytest.mark.parametrize("state", ["running", "undoing"])
def test_what_a_living_run_has_not_done_yet_is_no_leftover(state):
    one = made(run="r1", done=False)
    assert codes([run_of(None, state)], one, at_work=holder()) == []
    assert codes([run_of(None, state)], one, at_work=holder(run=None)) == []
    assert codes([run_of(None, state)], one, at_work=holder(run="r2")) != []


def test_each_kind_and_namespace_is_needed_once_and_only_for_runs_that_may_have_left_something():
    runs = [run_of("restarted", "finished"), run_of(None), run_of(None, "undoing"), run_of(None, kind="DaemonSet")]
    assert leftovers.needed(runs) == [("Deployment", "shop"), ("DaemonSet", "shop")]
    assert leftovers.needed([run_of("restarted", "finished"), run_of("undone", "undone", over=True)]) == []


def command_of(run, one, code):
    found = leftovers.of_plan([run], {kinds.key(one): one}, Place("eu-west", "records"))
    return shlex.split(next(left.command for left in found if left.code == code))


def test_each_command_names_what_it_needs():
    held = run_of("failed", holding=HOLDING)
    where = ["--namespace", "shop"]
    paused = made(run="r1", done=False, paused=True)
    resume = ["kubectl", "--context", "eu-west", "rollout", "resume", "deployment/api", *where]
    assert command_of(held, paused, "paused") == resume
    sts = made("StatefulSet", "r1", done=False, partition=1)
    patch = '--patch={"spec": {"updateStrategy": {"rollingUpdate": {"partition": 0}}}}'
    kubectl = ["kubectl", "--context", "eu-west", "patch", "statefulset/api", *where, "--type=merge", patch]
    assert command_of(run_of("failed", kind="StatefulSet", partition=0), sts, "partitioned") == kubectl
    playbook = ["ansible-playbook", "-i", "inventory"]
    there = ["-e", "restartx_journal_namespace=records"]
    restart_prod = [*playbook, "restartx.core.restart_prod", "-e", "restartx_run=r1"]
    assert command_of(held, paused, "failed") == [*restart_prod, *there]
    assert command_of(run_of("undone"), made(), "undone") == [*restart_prod, "-e", "restartx_retry=undone", *there]
    undo = [*playbook, "restartx.core.undo_run", "-e", "run=r1", "-e", "plan=ca", *there]
    assert command_of(run_of(None, "undoing"), made(), "undoing") == undo
    locked = leftovers.of_holder(holder(alive=False), Place("eu-west"))
    assert shlex.split(locked.command) == [
        *("ansible", "localhost", "-m", "restartx.k8s_rollout_lock", "-a"),
        "plan=ca state=released holder=bastion-1 context=eu-west",
    ]


def locked_cluster(plan="ca", who="bastion-1"):
    cluster, clock = FakeCluster([]), FakeClock()
    held = lease.Lease(cluster, clock, "restartx-system", plan, who, run="r1")
    held.acquire()
    return cluster, clock, held


def judged(cluster, clock, plan=None):
    return holders.judge(cluster, clock, "restartx-system", holders.read(cluster, "restartx-system", plan))


@pytest.mark.parametrize("plan", ["ca", None])
def test_a_holder_that_does_not_renew_the_lock_for_its_duration_is_dead_and_its_lock_is_released(plan):
    cluster, clock, held = locked_cluster()
    one = judged(cluster, clock, plan)["ca"]
    assert (one.alive, one.who["run"]) == (False, "r1")
    assert lease.DURATION <= clock.passed < lease.DURATION + 2 * holders.LOOK_EVERY
    holders.release(cluster, "restartx-system", one)
    assert judged(cluster, clock, plan) == {}
    assert not held.ours


def test_a_lock_that_was_judged_dead_is_dead_at_once_as_long_as_it_has_not_changed():
    cluster, clock, held = locked_cluster()
    version = judged(cluster, clock)["ca"].held["metadata"]["resourceVersion"]
    leases, before = holders.read(cluster, "restartx-system", "ca"), clock.passed
    assert holders.judge(cluster, clock, "restartx-system", leases, {"ca": version})["ca"].alive is False
    assert clock.passed == before
    held.renew()
    renewing(clock, held)
    leases = holders.read(cluster, "restartx-system", "ca")
    assert holders.judge(cluster, clock, "restartx-system", leases, {"ca": version})["ca"].alive is True


def renewing(clock, held, every=10):
    sleep = clock.sleep

    def on(seconds):
        before = clock.passed // every
        sleep(seconds)
        if clock.passed // every > before:
            held.renew()

    clock.sleep = on


def test_a_holder_that_renews_the_lock_is_alive():
    cluster, clock, held = locked_cluster()
    renewing(clock, held)
    assert judged(cluster, clock)["ca"].alive is True


def test_a_lock_that_somebody_renewed_after_it_was_judged_is_not_released():
    cluster, clock, held = locked_cluster()
    one = judged(cluster, clock)["ca"]
    held.renew()
    holders.release(cluster, "restartx-system", one)
    assert held.ours


def test_a_lock_that_is_released_meanwhile_has_no_holder():
    cluster, clock, held = locked_cluster()
    clock.sleep = lambda seconds: held.release()
    assert judged(cluster, clock) == {}


def test_a_lock_of_a_whole_day_is_watched_only_for_a_while_and_its_holder_is_not_called_dead():
    cluster, clock, held = locked_cluster()
    cluster.objects[held.path]["spec"]["leaseDurationSeconds"] = 86400
    assert judged(cluster, clock)["ca"].alive is None
    assert clock.passed <= holders.LONGEST + holders.LOOK_EVERY
