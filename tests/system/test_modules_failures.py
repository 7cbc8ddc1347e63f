# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a restart says and does about workloads that do not come back."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor

import pytest
from house import KINDS, RUN, USER_AGENT, entry_of, now, outcomes, patches, workload

from lab.poll import wait_until

# failure of the lab -> code of the cause, and its sentence after 'container "main" of pod "..."'
CAUSES = {
    "image-pull": (
        "image_not_found",
        r'cannot get its image, which the registry does not have \(ImagePullBackOff\): .*"localhost/shop:1".*not found',
    ),
    "crash-loop": ("crash_loop", r"keeps ending \((CrashLoopBackOff|Error), exit code 1, \d restarts?\)"),
    "oom": ("oom", r"runs out of memory \((CrashLoopBackOff|OOMKilled), exit code 137, \d restarts?\)"),
}


def fail(namespace, *failures):
    """Let new pods with the label breaks=FAILURE fail."""
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda name: namespace.cluster.fail({"breaks": name}, name, namespace.name), failures))


def breaking(kind, name, failure, **more):
    """A workload whose pods are healthy now, and will fail once fail() was called."""
    return workload(kind, name, labels={"breaks": failure}, **more)


@pytest.fixture(scope="module")
def broken(shared_namespace):
    """A restart of workloads of which each breaks in its own way, and one does not."""
    shared_namespace.create(
        breaking("Deployment", "image-pull", "image-pull"),
        breaking("StatefulSet", "crash-loop", "crash-loop"),
        breaking("DaemonSet", "oom", "oom"),
        breaking("Deployment", "never-ready", "never-ready"),
        breaking("Deployment", "deadline", "crash-loop", progressDeadlineSeconds=8, minReadySeconds=7),
        workload("Deployment", "healthy"),
    )
    fail(shared_namespace, "image-pull", "crash-loop", "oom", "never-ready")
    return shared_namespace.run("restart", kind=list(KINDS), timeout="24s", on_failure="continue")


@pytest.mark.parametrize("name", CAUSES)
def test_a_workload_whose_containers_are_broken_has_failed_with_its_cause(broken, name):
    entry = entry_of(broken, name)
    code, words = CAUSES[name]
    assert (entry["outcome"], entry["cause"]["code"], entry["changed"]) == ("failed", code, True)
    pod = rf'pod "{name}-[-a-z0-9]+" in namespace "[-a-z0-9]+"'
    assert re.fullmatch(rf'container "main" of {pod} {words}.*', entry["cause"]["sentence"])
    assert re.fullmatch(pod, entry["cause"]["object"])
    assert entry["cause"]["advice"]
    # A DaemonSet has a new pod on each node, one after the other.
    assert re.fullmatch(r"1 of \d new pods?, on node node-\d+", entry["cause"]["pods"])
    assert entry["cause"]["exit_code"] == {"crash_loop": 1, "oom": 137}.get(code)
    assert entry["message"].startswith("not done after 24s: ")


def test_a_pod_that_is_never_ready_is_named_with_what_its_probe_says(broken):
    entry = entry_of(broken, "never-ready")
    assert (entry["outcome"], entry["cause"]["code"]) == ("unfinished", "readiness_probe")
    pod = r'container "main" of pod "never-ready-\w+-\w+" in namespace "[-a-z0-9]+"'
    probe = "Readiness probe failed: HTTP probe failed with statuscode: 503"
    assert re.fullmatch(rf"{pod} runs but is not ready \(for \d+ s\): {probe}", entry["cause"]["sentence"])


def test_a_deployment_that_exceeds_its_deadline_has_failed_in_kubectls_words(broken):
    entry = entry_of(broken, "deadline")
    assert (entry["outcome"], entry["message"]) == ("failed", 'deployment "deadline" exceeded its progress deadline')
    assert entry["cause"]["code"] == "crash_loop"
    assert entry["duration"] < 24


def test_the_others_are_restarted_and_the_whole_has_failed(broken):
    assert entry_of(broken, "healthy")["outcome"] == "restarted"
    assert broken["failed"] and broken["changed"]
    assert broken["summary"] == {"failed": 4, "unfinished": 1, "restarted": 1}
    assert broken["msg"].startswith("5 of 6 workloads not restarted: ")


def test_status_names_the_same_causes(broken, shared_namespace):
    result = shared_namespace.run("status", kind=list(KINDS))
    assert {entry["name"]: (entry["cause"] or {}).get("code") for entry in result["results"]} == {
        "image-pull": "image_not_found",
        "crash-loop": "crash_loop",
        "oom": "oom",
        "never-ready": "readiness_probe",
        "deadline": "crash_loop",
        "healthy": None,
    }
    assert entry_of(result, "healthy")["outcome"] == "rolled_out"
    assert entry_of(result, "deadline")["outcome"] == "failed"
    assert entry_of(result, "oom")["outcome"] == "in_progress"
    assert not result["changed"]


def test_a_node_that_comes_within_the_grace_is_waited_for(namespace):
    cluster, pool = namespace.cluster, f"pool={namespace.name}"
    node = cluster.node_names()[0]
    cluster.kubectl("label", "node", node, pool)
    pinned = workload("Deployment", "api")
    pinned["spec"]["template"]["spec"]["nodeSelector"] = {"pool": namespace.name}
    namespace.create(pinned)
    cluster.kubectl("label", "node", node, "pool-")  # as an autoscaler would: nothing fits any more until it adds one
    since = now()
    running = namespace.start("restart", name=["api"], grace="60s", timeout="90s")
    wait_until(lambda: watches_pods(cluster, namespace.name, since), "the module to look at the pods")
    cluster.kubectl("label", "node", node, pool)
    assert outcomes(running.result()) == {"api": "restarted"}
    cluster.kubectl("label", "node", node, "pool-")


def watches_pods(cluster, namespace, since):
    """Whether restartx has watched the pods of a namespace since then."""
    wanted = ("watch", "pods", namespace)
    return any(
        (event["verb"], event["objectRef"]["resource"], event["objectRef"].get("namespace")) == wanted
        for event in cluster.requests(USER_AGENT, since)
    )


def test_what_fails_later_is_caught_while_it_settles(namespace):
    later = {"lab.restartx.io/failure": "fail-later"}
    namespace.create(workload("Deployment", "api", labels=later, delay="4s"), ready=False)
    quick = namespace.run("restart")
    assert outcomes(quick) == {"api": "restarted"}  # and nobody looks any more when it breaks
    result = namespace.run("restart", settle="14s", timeout="16s")
    (entry,) = result["results"]
    assert (entry["outcome"], entry["cause"]["code"]) == ("failed", "crash_loop")
    assert "0 of 1 updated replicas are available" in entry["message"]


def test_after_a_failure_nothing_new_starts(namespace):
    namespace.create(
        breaking("Deployment", "a", "image-pull"), workload("Deployment", "b"), workload("Deployment", "c")
    )
    fail(namespace, "image-pull")
    began = now()
    result = namespace.run("restart", max_parallel=1, timeout="4s")
    assert outcomes(result) == {"a": "failed", "b": "not_started", "c": "not_started"}
    assert patches(namespace.cluster, began) == ["a"]
    assert "failure_budget is 0" in entry_of(result, "b")["message"]
    assert result["msg"].startswith(f"3 of 3 workloads not restarted: Deployment {namespace.name}/a failed: ")
    spared = namespace.run("restart", max_parallel=1, timeout="4s", failure_budget=1)
    assert outcomes(spared) == {"a": "failed", "b": "restarted", "c": "restarted"}


@pytest.mark.parametrize("kind", ["Deployment", "DaemonSet"])
def test_with_undo_the_broken_one_is_back_as_it_was_and_the_others_are_not_started(namespace, kind):
    namespace.create(breaking(kind, "a", "crash-loop"), workload(kind, "b"))
    before = namespace.template(kind, "a")
    fail(namespace, "crash-loop")
    running = namespace.start("restart", kind=kind, max_parallel=1, timeout="6s", on_failure="undo", run_id="r1")
    namespace.carries("r1", kind, "a")
    wait_until(lambda: _crashes(namespace, "app=a"), "a new pod to crash")
    namespace.cluster.heal({"breaks": "crash-loop"})  # a DaemonSet needs new pods of the old template
    result = running.result()
    assert outcomes(result) == {"a": "undone", "b": "not_started"}
    assert result["failed"] and result["summary"] == {"undone": 1, "not_started": 1}
    entry = entry_of(result, "a")
    assert entry["changed"] and entry["cause"]["code"] == "crash_loop"
    assert namespace.template(kind, "a") == before
    assert RUN not in namespace.annotations(kind, "b")
    namespace.rolled_out(f"{kind}/a")
    again = namespace.run("undo", kind=kind, run_id="r1")
    assert outcomes(again) == {"a": "unchanged", "b": "unchanged"} and not again["changed"]


def _crashes(namespace, selector):
    """Whether a container of one of the pods waits for its next start."""
    statuses = [pod["status"].get("containerStatuses", []) for pod in namespace.list("pods", selector)]
    return any("waiting" in container.get("state", {}) for containers in statuses for container in containers)


def test_fail_fast_ends_the_call_and_says_what_is_under_way(namespace):
    namespace.create(
        breaking("Deployment", "slow", "never-ready"),
        breaking("Deployment", "bad", "crash-loop", progressDeadlineSeconds=3),
    )
    fail(namespace, "never-ready", "crash-loop")
    result = namespace.run("restart", fail_fast=True)
    assert outcomes(result) == {"bad": "failed", "slow": "in_progress"}
    assert result["duration"] < 60


def gave_up(result, code, outcome="unfinished"):
    """The entries of a result, of which each was given up for this cause, long before its timeout."""
    for entry in result["results"]:
        assert (entry["outcome"], (entry["cause"] or {}).get("code")) == (outcome, code), entry
        assert entry["message"].startswith("gave up waiting, because this did not recover within 3s: ")
        assert entry["duration"] < 60
    return result["results"]


def test_pods_whose_marks_a_policy_rewrites_are_known_all_the_same(namespace):
    namespace.create(*(breaking(kind, kind.lower(), "crash-loop") for kind in KINDS))
    rewritten = {"restartx.io/run": "rewritten"}
    namespace.cluster.fail({"breaks": "crash-loop"}, "crash-loop", namespace.name, rewritten)
    result = namespace.run("restart", kind=list(KINDS), grace="3s", timeout="90s", on_failure="continue")
    for pod in {entry["cause"]["pod"] for entry in gave_up(result, "crash_loop", "failed")}:
        assert namespace.get("pod", pod)["metadata"]["annotations"]["restartx.io/run"] == "rewritten"
