# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the next start of a run makes of what is there: a repaired plan, slow, failed, undone and changed workloads."""

from __future__ import annotations

import datetime
from concurrent.futures import ThreadPoolExecutor

from house import now, workload
from prod import CLUSTERS, LONGEST, entry, make_shop, rolled_out

from lab.poll import wait_until


def test_the_run_goes_on_with_a_plan_that_was_repaired(clusters, kubeconfigs, tmp_path):
    shop = make_shop(clusters, kubeconfigs, tmp_path, apps=("api", "pay", "web", "cart"))
    shop.break_down("pay")
    code, said = shop.run("-e", "ticket=CHG6")
    assert code == 2, said
    assert shop.restarted("eu-west") == ["api", "pay"]
    run = shop.journal("eu-west")["run"]

    # pay is left out, cart takes its place, and api gets more time.
    shop.plan["workloads"] = [entry("api", timeout="90s"), entry("cart", "api"), entry("web", "cart")]
    code, said = shop.run("-e", "ticket=CHG6")
    assert code == 0, said
    assert f"resuming run {run} of plan {shop.name}, ticket CHG6" in said
    (line,) = [part.split(" order:")[0] for part in said.split("the plan has changed since: ")[1:]]
    for change in ("workload cart added", "workload pay removed", 'api.timeout: "90s" added', "web.after: "):
        assert change in line
    assert shop.restarted("eu-west") == ["cart", "web"]
    assert shop.restarted("us-east") == ["api", "cart", "web"]
    assert shop.revisions("eu-west") == {"api": 2, "cart": 2, "pay": 2, "web": 2}
    assert shop.revisions("us-east") == {"api": 2, "cart": 2, "pay": 1, "web": 2}

    # The run is over, and for this plan it stays so.
    code, said = shop.run("-e", "ticket=CHG6")
    assert code == 2, said
    assert f"ticket CHG6 was carried out already, by run {run}" in said

    # What is named again is added to it: on the canary it has come up since, so that it is not restarted once more.
    shop.mend("pay")
    shop.plan["workloads"].append(entry("pay", "api"))
    code, said = shop.run("-e", "ticket=CHG6")
    assert code == 0, said
    assert "the plan has changed since: workload pay added" in said
    assert not shop.restarted("eu-west")
    assert shop.restarted("us-east") == ["pay"]
    for cluster in CLUSTERS:
        assert shop.revisions(cluster) == {"api": 2, "cart": 2, "pay": 2, "web": 2}
        assert set(shop.runs(cluster).values()) == {run}


def test_a_run_for_old_pods_goes_on_although_its_own_are_new(clusters, kubeconfigs, tmp_path):
    shop = make_shop(clusters, kubeconfigs, tmp_path)
    started = [pod["status"]["startTime"] for one in shop.namespaces.values() for pod in one.list("pods")]
    after = datetime.datetime.fromisoformat(max(started)) + datetime.timedelta(seconds=1)
    wait_until(lambda: now() > after, "all pods to be a second old")
    shop.plan["workloads"] = [{"id": "old", "only": {"started_before": after.isoformat()}, "grace": "2s"}]
    shop.fail("api", "crash-loop")
    code, said = shop.run("-e", "ticket=CHG5")
    assert code == 2, said
    assert sorted(shop.restarted("eu-west")) == ["api", "pay", "web"]

    shop.mend("api")
    code, said = shop.run("-e", "ticket=CHG5")
    assert code == 0, said
    assert not shop.restarted("eu-west")
    assert sorted(shop.restarted("us-east")) == ["api", "pay", "web"]

    # Nothing is left of it, and for another ticket there is nothing to do at all.
    code, said = shop.run("-e", "ticket=CHG5")
    assert code == 2 and "ticket CHG5 was carried out already" in said, said
    code, said = shop.run("-e", "ticket=CHG6")
    assert code == 2 and "leaves out all 3 workloads, because no pod is that old" in said, said
    assert shop.untouched()


def test_what_is_slow_is_waited_for_and_what_failed_is_tried_again(clusters, kubeconfigs, tmp_path):
    shop = make_shop(clusters, kubeconfigs, tmp_path, delay="1s")
    slow, failing = entry("pay", timeout="5s"), entry("web", timeout="60s")
    shop.plan["workloads"] = [slow, failing]
    shop.plan["defaults"]["on_failure"] = "continue"
    canary = shop.namespaces["eu-west"]
    for app in ("pay", "web"):
        shop.fail(app, "never-ready")
    progress("web", canary, 3)
    code, said = shop.run("-e", "ticket=CHG7")
    assert code == 2, said
    assert "eu-west: 1 failed, 1 unfinished in" in said
    assert sorted(shop.restarted("eu-west")) == ["pay", "web"]

    # The same again, with more time for what was slow: its new pods get ready while they are waited for.
    slow["timeout"] = "90s"
    progress("web", canary, 600)
    shop.heal("pay")
    shop.heal("web")
    with shop.start("-e", "ticket=CHG7") as second:
        wait_until(
            lambda: len(canary.revisions("Deployment", "web")) == 3, "the second attempt of web", timeout=LONGEST
        )
        canary.come_up("pay")
        assert second.wait(LONGEST) == 0
    assert shop.revisions("eu-west") == {"api": 1, "pay": 2, "web": 3}
    assert shop.revisions("us-east") == {"api": 1, "pay": 2, "web": 2}
    assert shop.annotations("eu-west", "web")["restartx.io/attempt"] == "2"
    assert "restartx.io/attempt" not in shop.annotations("eu-west", "pay")
    attempts = {name.split("/")[-1]: held["attempt"] for name, held in shop.journal("eu-west")["workloads"].items()}
    assert attempts == {"pay": 1, "web": 2}


def progress(app, namespace, seconds):
    """Let a Deployment fail after so many seconds without progress."""
    where = f"/apis/apps/v1/namespaces/{namespace.name}/deployments/{app}"
    namespace.api.request("PATCH", where, {"spec": {"progressDeadlineSeconds": seconds}})


def test_what_was_undone_or_taken_back_stays_so_until_somebody_asks(clusters, kubeconfigs, tmp_path):
    apps = ("api", "cart", "mail", "pay", "side", "tail", "web")
    shop = make_shop(clusters, kubeconfigs, tmp_path, apps=apps)
    shop.plan["defaults"]["max_parallel"] = 1
    shop.plan["defaults"]["on_failure"] = "undo"
    shop.plan["workloads"] = [
        entry("api"),
        entry("cart"),
        entry("mail"),
        entry("side"),
        entry("pay", "api"),
        entry("web", "pay"),
        entry("tail"),
    ]
    shop.break_down("pay")
    code, said = shop.run("-e", "ticket=CHG8")
    assert code == 2, said
    assert "eu-west: 4 restarted, 1 undone, 2 not started" in said
    assert not shop.changes("us-east")
    run = shop.journal("eu-west")["run"]
    restarted = ("api", "cart", "mail", "side")
    assert shop.runs("eu-west") == {app: run if app in restarted else None for app in apps}

    # Overnight one colleague takes a restart back, another one restarts once more, and a third one makes it anew.
    canary = shop.namespaces["eu-west"]
    shop.heal("pay")
    canary.kubectl("rollout", "undo", "deployment/cart")
    canary.kubectl("rollout", "restart", "deployment/mail")
    canary.kubectl("delete", "deployment", "side")
    canary.create(workload("Deployment", "side", labels={"shop": shop.name}))
    rolled_out(canary, "cart", "mail", "side")
    code, said = shop.run("-e", "ticket=CHG8")
    assert code == 2, said
    assert "eu-west: 2 restarted, 1 already restarted, 1 undone, 2 superseded, 1 not started" in said
    assert shop.restarted("eu-west") == ["side", "tail"]
    assert not shop.changes("us-east")
    told = {name: said.split(f"Deployment {shop.name}/{name} ")[1] for name in ("cart", "mail", "pay")}
    assert told["pay"].startswith(
        "undone: was undone earlier in this run; to restart it again: -e restartx_retry=undone"
    )
    assert told["cart"].startswith("superseded: the restart of ")
    # Kubernetes keeps who set a field, not who removed one.
    assert "was reverted: its template no longer carries run " in told["cart"]
    assert "the object does not say who did it; to restart it again: -e restartx_retry=superseded" in told["cart"]
    assert "was restarted again after run " in told["mail"]
    assert ', by "kubectl-rollout" (Update at 20' in told["mail"]
    assert f"not started: Deployment {shop.name}/web" in said
    assert shop.runs("eu-west")["pay"] is None

    code, said = shop.run("-e", "ticket=CHG8", "-e", "restartx_retry=undone,superseded")
    assert code == 0, said
    assert sorted(shop.restarted("eu-west")) == ["cart", "mail", "pay", "web"]
    assert shop.restarted("eu-west")[-1] == "web"
    assert sorted(shop.restarted("us-east")) == sorted(apps)
    assert [set(shop.runs(cluster).values()) for cluster in CLUSTERS] == [{run}, {run}]
    assert shop.revisions("us-east") == dict.fromkeys(apps, 2)
    assert shop.revisions("eu-west") == {
        "api": 2,
        "cart": 3,
        "mail": 4,
        "pay": 3,
        "side": 2,
        "tail": 2,
        "web": 2,
    }


def test_the_end_of_the_window_ends_what_begins_and_the_next_window_goes_on(clusters, kubeconfigs, tmp_path):
    shop = make_shop(clusters, kubeconfigs, tmp_path)
    closes = now().replace(microsecond=0) + datetime.timedelta(seconds=30)
    until = closes + datetime.timedelta(days=1)
    shop.plan["window"] = {"timezone": "UTC", "freezes": [f"{closes.isoformat()}/{until.isoformat()}"]}
    shop.fail("api", "never-ready")
    with ThreadPoolExecutor(1) as pool:
        start = pool.submit(shop.run, "-e", "ticket=CHG9")
        wait_until(lambda: start.done() or shop.runs("eu-west")["api"], "api to be restarted")
        assert now() < closes and not start.done()
        wait_until(lambda: now() >= closes, "the window to close", timeout=60)
        shop.mend("api")  # its turn came in time, that of the others comes now
        code, said = start.result()
    assert code == 2, said
    assert shop.restarted("eu-west") == ["api"]
    assert not shop.changes("us-east")
    journal = shop.journal("eu-west")
    assert (journal["state"], journal["stopped_by"]) == ("stopped", "window")
    assert f"next: nothing failed; give the same command again; it resumes run {journal['run']}" in said
    assert "repair" not in said

    code, said = shop.run("-e", "ticket=CHG9")
    assert code == 2, said
    assert "nothing was touched: frozen" in said
    assert shop.untouched()

    shop.plan["window"] = {"timezone": "UTC", "freezes": ["2020-01-01"]}
    code, said = shop.run("-e", "ticket=CHG9")
    assert code == 0, said
    assert f"resuming run {journal['run']} of plan {shop.name}, ticket CHG9" in said
    assert shop.restarted("eu-west") == ["pay", "web"]
    assert shop.restarted("us-east") == ["api", "pay", "web"]
    for cluster in CLUSTERS:
        assert shop.revisions(cluster) == {"api": 2, "pay": 2, "web": 2}
