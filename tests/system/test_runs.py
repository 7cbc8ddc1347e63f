# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which run a start of the playbook is, told as stories of several starts on two clusters."""

from __future__ import annotations

import datetime
import json
from pathlib import Path

import pytest
import yaml
from house import RUN, Namespace, permit, workload
from prod import CLUSTERS, JOURNALS, entry, rolled_out, settle_in

from ansible_collections.restartx.core.plugins.module_utils.fleet.identity import run_id

ONCE = {"api": 2, "pay": 2, "web": 2}  # revisions of what was restarted once
NEVER = {"api": 1, "pay": 1, "web": 1}


def ago(**span):
    """An instant as journals hold it."""
    return (datetime.datetime.now(datetime.UTC) - datetime.timedelta(**span)).isoformat(timespec="seconds")


def test_a_number_as_ticket_is_one_run_however_it_is_given(shop, tmp_path):
    shop.break_down("pay")
    code, said = shop.run("-e", "ticket=4711")
    assert code == 2, said
    assert shop.restarted("eu-west") == ["api", "pay"]
    assert not shop.changes("us-east")
    run = shop.journal("eu-west")["run"]

    shop.mend("pay")
    survey = {
        "ticket": 4711,
        "reason": None,
        "operator": None,
        "restartx_run": None,
        "restartx_period": None,
        "restartx_retry": None,
        "restartx_resume_within": None,
        "restartx_max_failed_clusters": None,
        "restartx_outside_window": None,
        "restartx_window_timeout": None,
        "restartx_lock_timeout": None,
        "restartx_break_lock": None,
        "restartx_break_circuit": None,
        "restartx_allow_owned": False,
    }
    code, said = shop.run("-e", json.dumps(survey))
    assert code == 0, said
    assert f"resuming run {run} of plan {shop.name}, ticket 4711" in said
    assert shop.restarted("eu-west") == ["web"]
    assert shop.restarted("us-east") == ["api", "pay", "web"]

    (tmp_path / "answers.yml").write_text(yaml.safe_dump({"ticket": 4711}))
    code, said = shop.run("-e", f"@{tmp_path}/answers.yml")
    assert code == 2, said
    assert f"ticket 4711 was carried out already, by run {run}" in said
    assert shop.untouched()
    for cluster in CLUSTERS:
        assert shop.revisions(cluster) == ONCE
        assert set(shop.runs(cluster).values()) == {run}
        (journal,) = shop.journals(cluster)
        assert (journal["run"], journal["ticket"], journal["state"], journal["over"]) == (run, "4711", "finished", True)
        assert shop.annotations(cluster, "web")["restartx.io/ticket"] == "4711"
        assert "restartx.io/reason" not in shop.annotations(cluster, "web") or cluster == "eu-west"


def test_the_same_month_is_one_run_and_the_month_before_another(shop):
    month = datetime.datetime.now(datetime.UTC).date()
    before = f"{month.replace(day=1) - datetime.timedelta(days=1):%Y-%m}"
    last = run_id(shop.name, "period", before)
    for cluster in CLUSTERS:
        journal = {
            "version": 2,
            "plan": shop.name,
            "digest": "that-of-last-month",
            "run": last,
            "ticket": None,
            "period": before,
            "clusters": list(CLUSTERS),
            "started_at": ago(days=31),
            "updated_at": ago(days=31),
            "state": "finished",
            "over": True,
            "workloads": {
                f"Deployment/{shop.name}/{app}": {"uid": None, "entry": app, "attempt": 1, "outcome": "restarted"}
                for app in shop.apps
            },
        }
        labels = {"restartx.io/plan": shop.name, "restartx.io/run": last}
        shop.write_journal(cluster, f"restartx.{shop.name}.{last}", json.dumps(journal), labels)

    shop.break_down("pay", "us-east")
    code, said = shop.run("-e", "restartx_period=month")
    assert code == 2, said
    run = shop.journal("eu-west")["run"]
    assert f"new run {run} of plan {shop.name}, {month:%Y-%m}: 6 workloads" in said
    assert run != last
    assert shop.restarted("eu-west") == ["api", "pay", "web"]
    assert shop.restarted("us-east") == ["api", "pay"]

    shop.mend("pay", "us-east")
    code, said = shop.run("-e", "restartx_period=month")
    assert code == 0, said
    assert f"resuming run {run} of plan {shop.name}, {month:%Y-%m}" in said
    assert not shop.restarted("eu-west")
    assert shop.restarted("us-east") == ["web"]

    # A schedule that fires once more in the month finds everything done.
    code, said = shop.run("-e", "restartx_period=month")
    assert code == 0, said
    assert f"period {month:%Y-%m} was carried out already, by run {run}, finished " in said
    assert "eu-west: finished earlier, nothing to restart us-east: finished earlier, nothing to restart" in said
    assert shop.untouched()
    for cluster in CLUSTERS:
        assert shop.revisions(cluster) == ONCE
        assert [journal["run"] for journal in shop.journals(cluster)] == [run, last]


def test_without_a_ticket_an_unfinished_run_is_taken_up_only_for_a_while(shop):
    slow = entry("pay", "api", timeout="6s")
    shop.plan["workloads"] = [entry("api"), slow]
    shop.fail("pay", "never-ready")
    code, said = shop.run()
    assert code == 2, said
    first = shop.journal("eu-west")["run"]
    assert shop.restarted("eu-west") == ["api", "pay"]

    code, said = shop.run()
    assert code == 2, said
    assert f"no ticket and no period given: this start resumes run {first}, which began " in said
    assert not shop.restarted("eu-west")

    code, said = shop.run("-e", "restartx_resume_within=1s")
    assert code == 2, said
    second = shop.journal("eu-west")["run"]
    assert f"new run {second} of plan {shop.name}" in said
    assert f"still unfinished: run {first} (no ticket); to resume it instead: -e restartx_run=ID" in said
    assert shop.restarted("eu-west") == ["api", "pay"]

    # Only the end of its window stopped it, days ago: the next window is there to go on with it.
    shop.edit_journal("eu-west", first, started_at=ago(days=4))
    shop.edit_journal("eu-west", second, started_at=ago(days=3), stopped_by="window")
    shop.mend("pay")
    slow["timeout"] = "60s"
    code, said = shop.run()
    assert code == 0, said
    assert f"this start resumes run {second}, which began 3d" in said
    assert not shop.restarted("eu-west")
    assert shop.restarted("us-east") == ["api", "pay"]

    # The first one is too old to be taken up, so this one is new.
    code, said = shop.run("--check")
    assert code == 0, said
    assert "dry run, nothing will be changed: new run" in said
    assert f"still unfinished: run {first}" in said
    assert {cluster: shop.revisions(cluster) for cluster in CLUSTERS} == {
        "eu-west": {"api": 3, "pay": 3, "web": 1},
        "us-east": {"api": 2, "pay": 2, "web": 1},
    }


def test_a_run_is_named_by_an_id_that_a_journal_knows_or_by_new(shop, calm_shop):
    shop.plan["workloads"] = [entry("api")]
    code, said = shop.run("-e", "ticket=CHG4")
    assert code == 0, said
    run = shop.journal("eu-west")["run"]
    digit = "0" if run[-1] != "0" else "1"
    other = run_id(calm_shop.name, "ticket", "CHG4")
    for wrong, advice in ((run[:-1] + digit, f'did you mean "{run}"?'), ("NEW", 'did you mean "new"?'), (other, run)):
        code, said = shop.run("-e", f"restartx_run={wrong}")
        assert code == 2, said
        assert f"restartx_run: {wrong} is unknown, no journal of plan {shop.name} on these clusters knows it" in said
        assert advice in said
        assert shop.untouched()

    code, said = shop.run("-e", f"restartx_run={run}")
    assert code == 0, said
    assert f"resuming run {run} of plan {shop.name}, ticket CHG4" in said
    assert not shop.restarted("eu-west") and not shop.restarted("us-east")

    code, said = shop.run("-e", "restartx_run=new", "-e", "ticket=CHG4")
    assert code == 0, said
    for cluster in CLUSTERS:
        newest, oldest = shop.journals(cluster)
        assert (newest["ticket"], oldest["ticket"], oldest["run"]) == ("CHG4", "CHG4", run)
        assert newest["run"] != run
        assert shop.restarted(cluster) == ["api"]
        assert shop.revisions(cluster) == {"api": 3, "pay": 1, "web": 1}


@pytest.fixture(scope="module")
def third(lab):
    """A third cluster, empty but for the permissions of restartx."""
    (cluster,) = lab.up(["us-east-2"], nodes=1)
    permit(cluster)
    yield cluster
    lab.down(["us-east-2"])


def take_in(shop, third, path):
    """The shop's namespace with its Deployment api on the third cluster, and the variables of that host."""
    namespace = Namespace(third, None, shop.name)
    settle_in(namespace, workload("Deployment", "api", labels={"shop": shop.name}))
    rolled_out(namespace, "api")
    kubeconfig = third.service_account_kubeconfig(JOURNALS, "restartx", path)
    return namespace, {"restartx_kubeconfig": str(kubeconfig), "restartx_context": "us-east-2"}


def test_a_start_that_leaves_clusters_out_ends_no_run_of_theirs(shop, third, tmp_path):
    shop.plan["workloads"] = [entry("api")]
    last, shop.inventory["us-east-2"] = take_in(shop, third, tmp_path / "third")
    shop.inventory["us-east-2"]["restartx_wave"] = 3
    shop.break_down("api", "us-east")
    code, said = shop.run("-e", "ticket=CHG8")
    assert code == 2, said
    assert "us-east-2: not started, because of us-east" in said

    shop.mend("api", "us-east")
    code, said = shop.run("-e", "ticket=CHG8", "--limit", "localhost,eu-west,us-east")
    assert code == 0, said
    assert RUN not in last.annotations("Deployment", "api")

    run = shop.journal("eu-west")["run"]
    code, said = shop.run("-e", "ticket=CHG8")
    assert code == 0, said
    assert "eu-west: 1 already restarted us-east: 1 already restarted us-east-2: 1 restarted" in said
    assert last.annotations("Deployment", "api")[RUN] == run
    assert all(shop.journal(cluster)["over"] for cluster in CLUSTERS)


def test_limits_rebuilt_and_lost_clusters_leave_a_finished_run_finished(shop, third, tmp_path):
    shop.plan["workloads"] = [entry("api")]
    code, said = shop.run("-e", "ticket=CHG5", "--limit", "localhost,eu-west")
    assert code == 0, said
    assert not shop.changes("us-east")
    run = shop.journal("eu-west")["run"]

    code, said = shop.run("-e", "ticket=CHG5")
    assert code == 0, said
    assert "eu-west: 1 already restarted us-east: 1 restarted" in said
    assert [shop.restarted(cluster) for cluster in CLUSTERS] == [[], ["api"]]
    assert {shop.journal(cluster)["run"] for cluster in CLUSTERS} == {run}

    # The machine of us-east is gone. With the others it is still known that the run is over.
    right = shop.inventory["us-east"]
    lost = yaml.safe_load(Path(right["restartx_kubeconfig"]).read_text())
    lost["clusters"][0]["cluster"]["server"] = "https://127.0.0.1:1"
    (tmp_path / "lost").write_text(yaml.safe_dump(lost))
    shop.inventory["us-east"] = {**right, "restartx_kubeconfig": str(tmp_path / "lost")}
    code, said = shop.run("-e", "ticket=CHG5", "-e", "restartx_max_failed_clusters=1")
    assert code == 2, said
    assert f"ticket CHG5 was carried out already, by run {run}" in said
    assert not shop.changes("eu-west")

    # us-east is built anew and gets its workloads again, which have nothing to be restarted for.
    namespace, variables = take_in(shop, third, tmp_path / "rebuilt")
    shop.inventory["us-east"] = {**right, **variables}
    code, said = shop.run("-e", "ticket=CHG5")
    assert code == 2, said
    assert f"ticket CHG5 was carried out already, by run {run}" in said
    assert not shop.changes("eu-west")
    assert RUN not in namespace.annotations("Deployment", "api")


def test_after_too_many_failures_a_new_run_needs_a_reason_and_the_old_one_goes_on_without(shop):
    shop.plan["max_failure_rate"] = "20%"
    shop.break_down("pay")
    code, said = shop.run("-e", "ticket=CHG50")
    assert code == 2, said
    for more in (["--check"], ["-e", "restartx_break_circuit="]):
        code, said = shop.run("-e", "ticket=CHG51", *more)
        assert code == 2 and "1 of the last 2 restarts failed" in said, said
        assert shop.untouched()
    code, said = shop.run("-e", "ticket=CHG50")
    assert code == 2 and "resuming run" in said, said

    shop.mend("pay")
    reason = "the database answers again"
    code, said = shop.run("-e", "ticket=CHG51", "-e", f"restartx_break_circuit={reason}")
    assert code == 0 and reason in said, said
    assert [shop.journal(cluster)["break_circuit"] for cluster in CLUSTERS] == [reason] * 2
