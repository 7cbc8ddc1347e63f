# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""restart_prod.yml, as a person starts it, on two clusters, as the service account of rbac/."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest
import yaml
from house import RESTARTED_AT, ROOT, RUN, now
from prod import LONGEST

from lab.poll import wait_until

FROZEN = {"timezone": "Europe/Berlin", "freezes": ["2020-01-01/2099-12-31"]}


def test_waves_and_dependencies_are_kept_and_a_finished_ticket_is_not_run_again(shop):
    code, said = shop.run("-e", "ticket=CHG1")
    assert code == 0, said
    assert f"of plan {shop.name}, ticket CHG1: 6 workloads clusters: eu-west, then us-east" in said
    times = [
        (cluster, app, shop.annotations(cluster, app)[RESTARTED_AT])
        for cluster in ("eu-west", "us-east")
        for app in ("api", "pay", "web")
    ]
    assert times == sorted(times, key=lambda row: row[2])
    assert [shop.restarted(cluster) for cluster in ("eu-west", "us-east")] == [["api", "pay", "web"]] * 2
    marks = shop.annotations("us-east", "web")
    assert [marks[f"restartx.io/{mark}"] for mark in ("ticket", "reason", "operator")] == [
        "CHG1",
        "certificates renewed",
        "jane",
    ]
    assert {shop.journal(cluster)["run"] for cluster in ("eu-west", "us-east")} == {marks[RUN]}
    assert shop.journal("us-east")["state"] == "finished"

    code, said = shop.run("-e", "ticket=CHG1")
    assert code != 0
    assert f"ticket CHG1 was carried out already, by run {marks[RUN]}" in said
    assert shop.untouched()


def test_a_failure_stops_the_run_and_the_same_command_completes_it(shop):
    shop.break_down("pay")
    code, said = shop.run("-e", "ticket=CHG1")
    assert code == 2, said
    assert "eu-west: 1 restarted, 1 failed, 1 not started" in said
    assert f'Deployment {shop.name}/pay failed: container "main" of pod "pay-' in said
    assert "us-east: not started, because of eu-west" in said
    assert shop.restarted("eu-west") == ["api", "pay"]
    assert not shop.changes("us-east")
    assert shop.journal("us-east") is None

    shop.heal("pay")
    code, said = shop.run("-e", "ticket=CHG1")
    assert code == 0, said
    assert f"resuming run {shop.journal('us-east')['run']} of plan {shop.name}, ticket CHG1" in said
    assert "1 of 6 workloads done" in said
    assert "eu-west: 2 restarted, 1 already restarted" in said
    assert shop.revisions("eu-west") == {"api": 2, "pay": 3, "web": 2}
    assert shop.revisions("us-east") == {"api": 2, "pay": 2, "web": 2}


def test_clusters_that_were_restarted_apart_are_left_alone_by_a_start_over_all(shop):
    artifact = json.dumps({"restartx_run": {"run_id": "20260101-000000-checked", "plan": shop.name}})
    code, said = shop.run("-e", "ticket=CHG1", "--limit", "localhost,us-east", "-e", artifact)
    assert code == 0, said
    assert shop.journal("us-east")["run"] == "20260101-000000-checked"

    code, said = shop.run("-e", "ticket=CHG1")
    assert code == 0, said
    assert "eu-west: 3 restarted" in said
    assert "us-east: 3 already restarted" in said
    assert [shop.revisions(cluster) for cluster in ("eu-west", "us-east")] == [{"api": 2, "pay": 2, "web": 2}] * 2


def test_what_was_interrupted_goes_on_and_restarts_nothing_twice(shop):
    shop.plan["defaults"]["stagger"] = "2s"
    with shop.start("-e", "ticket=CHG1") as ansible:
        wait_until(lambda: RUN in shop.annotations("eu-west", "api"), "the first restart", timeout=LONGEST)
        ansible.send_signal(signal.SIGKILL)
    code, said = shop.run("-e", "ticket=CHG1")
    assert code == 0, said
    assert "resuming run" in said
    assert [shop.revisions(cluster) for cluster in ("eu-west", "us-east")] == [{"api": 2, "pay": 2, "web": 2}] * 2


def test_a_second_start_is_told_who_is_at_work_and_touches_nothing_until_the_lock_is_broken(shop):
    shop.fail("api", "never-ready")
    began = now()
    with shop.start("-e", "ticket=CHG1") as first:
        wait_until(lambda: RUN in shop.annotations("eu-west", "api"), "the first restart", timeout=LONGEST)
        code, said = shop.run("-e", "ticket=CHG1")
        assert code == 2
        run = shop.journal("eu-west")["run"]
        assert f'"{shop.name}" is being restarted by run {run} of jane (' in said, said
        with shop.start("-e", "ticket=CHG1", "-e", "restartx_break_lock=its terminal is gone") as second:
            assert first.wait(LONGEST) == 2
            assert "its terminal is gone" in shop.lock("eu-west")["metadata"]["annotations"]["restartx.io/broken"]
            shop.heal("api")
            shop.namespaces["eu-west"].kubectl("delete", "pods", "--selector", "app=api")
            assert second.wait(LONGEST) == 0
    shop.began = began
    assert shop.restarted("eu-west") == ["api", "pay", "web"]
    assert shop.lock("eu-west")["spec"]["holderIdentity"] == ""


def test_a_cluster_that_does_not_answer_may_be_left_out_but_is_not_forgotten(shop):
    right = shop.inventory["eu-west"]["restartx_kubeconfig"]
    lost = yaml.safe_load(Path(right).read_text())
    lost["clusters"][0]["cluster"]["server"] = "https://127.0.0.1:1"
    (shop.folder / "lost").write_text(yaml.safe_dump(lost))
    shop.inventory["eu-west"]["restartx_kubeconfig"] = str(shop.folder / "lost")
    code, said = shop.run("-e", "ticket=CHG1")
    assert code == 2
    assert "nothing was touched, because the check failed eu-west: " in said, said
    assert shop.untouched()

    code, said = shop.run("-e", "ticket=CHG1", "-e", "restartx_max_failed_clusters=1")
    assert code == 2
    assert "left out: eu-west: " in said
    assert "us-east: 3 restarted" in said
    assert shop.restarted("us-east") == ["api", "pay", "web"]

    shop.inventory["eu-west"]["restartx_kubeconfig"] = right
    code, said = shop.run("-e", "ticket=CHG1")
    assert code == 0, said
    assert "eu-west: 3 restarted" in said
    assert "us-east: 3 already restarted" in said


def test_a_dry_run_shows_the_order_and_touches_nothing_window_or_not(calm_shop):
    calm_shop.plan["window"] = FROZEN
    code, said = calm_shop.run("-e", "ticket=CHG1", "--check")
    assert code == 0, said
    for number, app in enumerate(("api", "pay", "web"), 1):
        assert f"{number}. {app}: Deployment {calm_shop.name}/{app}" in said
    assert "eu-west: 3 to be restarted us-east: 3 to be restarted" in said
    for cluster in ("eu-west", "us-east"):
        assert calm_shop.journal(cluster) is None
        assert calm_shop.revisions(cluster) == {"api": 1, "pay": 1, "web": 1}
        assert not any(RUN in calm_shop.annotations(cluster, app) for app in ("api", "pay", "web"))


def a_closed_window(shop):
    shop.plan["window"] = FROZEN


def a_broken_plan(shop):
    shop.plan["workloads"][0]["after"] = ["pai"]


def a_name_that_is_not_there(shop):
    shop.plan["workloads"][2]["name"] = "ap"


def one_cluster_twice(shop):
    shop.inventory["us-east"] = {**shop.inventory["eu-west"], "restartx_context": "eu-west"}


def another_cluster_than_pinned(shop):
    shop.inventory["us-east"]["restartx_cluster_uid"] = "0b5a0c4e-6d8e-4a7e-9a6c-3a0f5f6f4d21"


def no_plan(shop):
    shop.plan = None


def a_wave_that_is_no_number(shop):
    shop.inventory["us-east"]["restartx_wave"] = "last"


def no_clusters(shop):
    shop.inventory = {}


@pytest.mark.parametrize(
    "mistake, words",
    [
        (a_closed_window, "nothing was touched: frozen (2020-01-01/2099-12-31)"),
        (a_broken_plan, 'restart_plan.workloads[0].after: no workload "pai"; did you mean "pay"?'),
        (a_name_that_is_not_there, 'nothing found named "ap"'),
        (one_cluster_twice, "the inventory hosts us-east and eu-west are the same cluster"),
        (another_cluster_than_pinned, "but cluster_uid pins 0b5a0c4e"),
        (no_plan, "restart_plan is not defined for us-east, eu-west"),
        (a_wave_that_is_no_number, "restartx_wave of us-east: last is not a number"),
        (no_clusters, "The inventory has no host in the group clusters"),
    ],
    ids=lambda value: value.__name__ if callable(value) else None,
)
def test_a_mistake_is_one_clear_sentence_and_nothing_is_touched(calm_shop, mistake, words):
    mistake(calm_shop)
    code, said = calm_shop.run("-e", "ticket=CHG1")
    assert code != 0
    assert words in said, said
    assert calm_shop.untouched()


def test_a_selection_is_restarted_without_a_plan_and_the_same_one_is_resumed(shop):
    shop.playbook = ROOT / "playbooks" / "restart.yml"
    shop.plan = {}  # the inventory has none
    selection = ["-e", f"namespace={shop.name}", "-e", '{"image": "localhost/*", "exclude": {"name": "web"}}']
    code, said = shop.run(*selection, "-e", "names=", "--check")
    assert code != 0 and "names: has no value; give one, or leave the variable out" in said
    code, said = shop.run(*selection, "--check")
    assert code == 0, said
    assert "order: selected (2)" in said and not shop.changes("eu-west") and not shop.changes("us-east")

    shop.fail("pay", "crash-loop")
    code, said = shop.run(*selection, "-e", "grace=2s", "-e", "max_parallel=1")
    assert code != 0 and "us-east: not started, because of eu-west" in said
    assert shop.restarted("eu-west") == ["api", "pay"] and shop.restarted("us-east") == []
    shop.mend("pay")
    code, said = shop.run(*selection)
    assert code == 0 and "resuming run" in said, said
    assert sorted(shop.restarted("us-east")) == ["api", "pay"]  # both at once
