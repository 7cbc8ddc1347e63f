# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What follows a failure on real clusters: workloads held for inspection, wider undos, and an undo that fails itself."""

from __future__ import annotations

import shlex

from house import RUN, entry_of, outcomes, workload
from prod import CLUSTERS, entry

BROKEN = {"breaks": "crash-loop"}


def fail(namespace):
    """Let new pods of what has the labels of BROKEN crash."""
    namespace.cluster.fail(BROKEN, "crash-loop", namespace.name)


def revisions(namespace, name):
    """The revision of each pod of a StatefulSet, by ordinal."""
    pods = {pod["metadata"]["name"]: pod["metadata"]["labels"] for pod in namespace.list("pods", f"app={name}")}
    return [pods[f"{name}-{ordinal}"]["controller-revision-hash"] for ordinal in range(len(pods))]


def partition_of(namespace, name):
    spec = namespace.get("StatefulSet", name)["spec"]
    return spec["updateStrategy"]["rollingUpdate"].get("partition", 0)


def test_what_failed_is_held_and_released_with_the_undo_of_its_run(namespace, operator):
    namespace.create(
        workload("Deployment", "api", labels=BROKEN),
        workload("StatefulSet", "db", replicas=3, labels=BROKEN, podManagementPolicy="Parallel"),
        workload("Deployment", "web"),
    )
    before = revisions(namespace, "db")
    fail(namespace)
    plan = {
        "version": 1,
        "name": namespace.name,
        "defaults": {"namespace": namespace.name, "grace": "2s", "on_failure": "pause"},
        "workloads": [
            {"id": "core", "kind": ["Deployment", "StatefulSet"], "name": ["api", "db"]},
            {"id": "web", "name": "web", "after": ["core"]},
        ],
    }
    run = {"plan": plan, "run_id": "r1", "journal": {"clusters": ["eu-west"]}}
    result = operator.run("k8s_rollout_restart", **run)
    assert outcomes(result) == {"api": "failed", "db": "failed", "web": "not_started"}
    assert entry_of(result, "db")["cause"]["code"] == "crash_loop"
    assert entry_of(result, "api")["reaction"].startswith("it is paused for inspection; to go on with it: kubectl ")
    assert entry_of(result, "db")["reaction"].startswith("it is held by its partition 2 for inspection; ")
    assert namespace.get("Deployment", "api")["spec"]["paused"] is True
    assert partition_of(namespace, "db") == 2
    now = revisions(namespace, "db")
    assert (now[:2], now[2] != before[2]) == (before[:2], True)

    result = operator.run("k8s_rollout_restart", **run)
    assert outcomes(result) == {"api": "refused", "db": "refused", "web": "not_started"}
    for name in ("api", "db"):
        assert 'since it failed in run "r1", and is left for inspection' in entry_of(result, name)["message"]
    check = operator.start("k8s_rollout_plan", plan=plan).result()
    codes = {one["object"].split('"')[1]: one["code"] for one in check["findings"] if one["severity"] == "blocker"}
    assert codes == {"api": "paused", "db": "partitioned"}

    namespace.cluster.heal(BROKEN)
    result = operator.run("k8s_rollout_undo", run_id="r1", journal={"plan": namespace.name})
    assert outcomes(result) == {"web": "unchanged", "db": "undone", "api": "undone"}
    assert not namespace.get("Deployment", "api")["spec"].get("paused")
    assert partition_of(namespace, "db") == 0
    assert revisions(namespace, "db") == before


def test_the_command_in_the_message_releases_what_is_held(namespace):
    namespace.create(workload("StatefulSet", "db", replicas=2, labels=BROKEN, podManagementPolicy="Parallel"))
    fail(namespace)
    result = namespace.run("restart", kind="StatefulSet", grace="2s", on_failure="pause", run_id="r1")
    assert partition_of(namespace, "db") == 1
    namespace.cluster.heal(BROKEN)
    command = entry_of(result, "db")["reaction"].rpartition("to go on with it: kubectl ")[2]
    namespace.cluster.kubectl(*_words_without_context(command))
    assert partition_of(namespace, "db") == 0


def _words_without_context(command):
    """The words of a command of kubectl; the lab's own kubectl names the context itself."""
    words = shlex.split(command)
    return words[2:] if words[0] == "--context" else words


def test_an_undo_that_fails_has_a_cause_of_its_own(namespace):
    # The new pods of the old template crash too, because the failure is not in the template.
    namespace.create(workload("DaemonSet", "agent", labels=BROKEN))
    fail(namespace)
    result = namespace.run("restart", kind="DaemonSet", grace="2s", on_failure="undo")
    (agent,) = result["results"]
    assert agent["outcome"] == "failed"
    assert "its undo failed: " in agent["message"]
    assert (agent["cause"]["code"], agent["undo_cause"]["code"]) == ("crash_loop", "crash_loop")
    assert agent["undo_cause"]["pod"] != agent["cause"]["pod"]
    assert RUN not in namespace.annotations("DaemonSet", "agent")


def test_a_failure_undoes_its_entry_on_its_cluster_and_a_later_start_restarts_it_when_asked(shop):
    shop.plan["workloads"] = [{"id": "core", "name": ["api", "pay"], "grace": "2s"}, entry("web", "core")]
    shop.plan["defaults"] |= {"on_failure": "undo", "undo_scope": "entry"}
    shop.fail("pay", "crash-loop")
    code, said = shop.run("-e", "ticket=CHG1")
    assert code == 2, said
    assert "eu-west: 2 undone, 1 not started" in said
    assert f"Deployment {shop.name}/pay failed, and undo_scope is entry; undone: deployment" in said
    assert shop.runs("eu-west") == dict.fromkeys(shop.apps)
    assert sorted(shop.restarted("eu-west")) == ["api", "api", "pay", "pay"]
    assert shop.restarted("us-east") == []
    assert shop.journal("eu-west")["state"] == "stopped"

    shop.heal("pay")
    code, said = shop.run("-e", "ticket=CHG1", "-e", "restartx_retry=undone")
    assert code == 0, said
    run = shop.journal("eu-west")["run"]
    assert [shop.runs(cluster) for cluster in CLUSTERS] == [dict.fromkeys(shop.apps, run)] * 2


def test_a_failure_undoes_the_run_on_all_clusters(shop):
    shop.plan["defaults"] |= {"on_failure": "undo", "undo_scope": "run"}
    shop.break_down("pay", "us-east")  # of the last wave
    code, said = shop.run("-e", "ticket=CHG1")
    assert code == 2, said
    run = shop.journal("eu-west")["run"]
    assert "us-east: 2 undone, 1 not started" in said
    assert "eu-west: 3 restarted" in said and "; undone with the run: 3 undone" in said
    assert f"next: run {run} is undone on " in said
    assert [shop.runs(cluster) for cluster in CLUSTERS] == [dict.fromkeys(shop.apps)] * 2
    assert shop.restarted("us-east") == ["api", "pay", "pay", "api"]
    assert shop.restarted("eu-west") == ["api", "pay", "web", "web", "pay", "api"]
    assert {shop.journal(cluster)["state"] for cluster in CLUSTERS} == {"undone"}

    code, said = shop.run("-e", "ticket=CHG1")
    assert code == 2, said
    assert f"ticket CHG1: its run {run} was undone by jane" in said
    assert shop.untouched()
