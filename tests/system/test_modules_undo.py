# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Undo: to where it goes back, when it refuses, and how it frees what is stuck."""

from __future__ import annotations

import json

import pytest
from house import KINDS, RUN, entry_of, now, outcomes, patches, workload

from lab.poll import wait_until

NAMES = {kind: f"a-{kind.lower()}" for kind in KINDS}
ALL = {"kind": list(KINDS)}
BINDING = """
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: restartx-delete-stuck-pods}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: restartx-delete-stuck-pods}
subjects: [{kind: ServiceAccount, name: restartx, namespace: restartx-system}]
"""


@pytest.fixture(scope="module")
def trio(shared_namespace):
    """One workload of each kind, restarted by the runs r1 and r2."""
    shared_namespace.create(*(workload(kind, name) for kind, name in NAMES.items()))
    for run in ("r1", "r2"):
        assert shared_namespace.run("restart", **ALL, run_id=run)["summary"] == {"restarted": 3}
    return shared_namespace


def runs(namespace):
    """Which run each workload's template carries."""
    return [namespace.annotations(kind, name).get(RUN) for kind, name in NAMES.items()]


def deploy(namespace, kind, name, image, labels=None):
    """A new image, as a pipeline would deploy it; it leaves the template's annotations as they are."""
    metadata = {"metadata": {"labels": labels}} if labels else {}
    template = {**metadata, "spec": {"containers": [{"name": "main", "image": image}]}}
    namespace.kubectl("patch", kind, name, "--patch", json.dumps({"spec": {"template": template}}))


def image(namespace, kind, name):
    return namespace.template(kind, name)["spec"]["containers"][0]["image"]


def test_undo_goes_to_the_previous_revision_and_twice_comes_back(trio):
    for expected in ("r1", "r2"):
        result = trio.run("undo", **ALL)
        assert (result["changed"], result["summary"]) == (True, {"undone": 3})
        assert runs(trio) == [expected] * 3
        trio.rolled_out(*(f"{kind}/{name}" for kind, name in NAMES.items()))
    # No new revisions: the old ones were numbered anew.
    assert [trio.revisions(kind, name) for kind, name in NAMES.items()] == [[1, 4, 5]] * 3


def test_check_mode_only_asks_the_server(trio):
    trio.at_rest(*(f"{kind}/{name}" for kind, name in NAMES.items()))
    before, began = [trio.get(kind, name)["metadata"]["resourceVersion"] for kind, name in NAMES.items()], now()
    result = trio.run("undo", **ALL, check=True)
    assert outcomes(result) == dict.fromkeys(NAMES.values(), "undone")
    assert {entry["message"] for entry in result["results"]} == {"rolled back (server dry run)"}
    assert [trio.get(kind, name)["metadata"]["resourceVersion"] for kind, name in NAMES.items()] == before
    assert sorted(patches(trio.cluster, began, code=200)) == sorted(NAMES.values())
    for shown in result["diff"]:
        assert list(shown["before"]) == list(shown["after"]) == ["spec"]
        assert shown["before"]["spec"]["template"]["metadata"]["annotations"][RUN] == "r2"
        assert shown["after"]["spec"]["template"]["metadata"]["annotations"][RUN] == "r1"


def test_to_revision_goes_to_that_one_and_then_there_is_nothing_to_do(trio):
    result = trio.run("undo", **ALL, to_revision=1)
    assert outcomes(result) == dict.fromkeys(NAMES.values(), "undone")
    assert runs(trio) == [None] * 3
    now_at = {kind: trio.revisions(kind, name)[-1] for kind, name in NAMES.items()}
    for kind, _name in NAMES.items():
        result = trio.run("undo", kind=kind, to_revision=now_at[kind])
        (entry,) = result["results"]
        assert (entry["outcome"], entry["changed"]) == ("unchanged", False)
        words = f"skipped rollback (current template already matches revision {now_at[kind]})"
        assert entry["message"] == words and not result.get("failed")


def test_a_revision_that_is_not_there_is_refused_in_kubectls_words(trio):
    result = trio.run("undo", **ALL, to_revision=99)
    assert outcomes(result) == dict.fromkeys(NAMES.values(), "refused")
    for entry in result["results"]:
        assert entry["message"].startswith("unable to find specified revision 99 in history")
    negative = trio.run("undo", **ALL, to_revision=-1)
    assert negative["msg"].startswith("unable to find specified revision -1 in history")


def test_by_run_only_what_that_run_restarted_is_undone_whatever_the_kind(namespace):
    namespace.create(*(workload(kind, name) for kind, name in NAMES.items()), workload("Deployment", "other"))
    assert namespace.run("restart", **ALL, run_id="r1")["summary"] == {"restarted": 4}
    before = [namespace.template(kind, name) for kind, name in NAMES.items()]
    namespace.run("restart", **ALL, name=list(NAMES.values()), run_id="r2")
    namespace.kubectl("annotate", f"deployment/{NAMES['Deployment']}", "team=search")
    result = namespace.run("undo", run_id="r2")
    assert namespace.get("Deployment", NAMES["Deployment"])["metadata"]["annotations"]["team"] == "search"
    assert not [text for text in result["warnings"] if "gone or set back" in text]
    assert outcomes(result) == {**dict.fromkeys(NAMES.values(), "undone"), "other": "unchanged"}
    assert result["run_id"] == "r2" and not result.get("failed")
    assert [namespace.template(kind, name) for kind, name in NAMES.items()] == before
    assert "does not carry run r2" in entry_of(result, "other")["message"]
    again = namespace.run("undo", run_id="r2")
    assert (again["changed"], again["summary"]) == (False, {"unchanged": 4})


@pytest.mark.parametrize("kind", KINDS)
def test_by_run_refuses_where_somebody_deployed_since(namespace, kind):
    namespace.create(workload(kind, "api"))
    namespace.run("restart", kind=kind, run_id="r1", annotations={"example.com/why": "heap"})
    # What was given with the restart goes with it; what somebody annotated since does not.
    assert outcomes(namespace.run("undo", run_id="r1", check=True)) == {"api": "undone"}
    checksum = {"metadata": {"annotations": {"checksum/config": "2"}}}
    namespace.kubectl("patch", kind, "api", "--patch", json.dumps({"spec": {"template": checksum}}))
    namespace.rolled_out(f"{kind}/api")
    began = now()
    (entry,) = namespace.run("undo", run_id="r1")["results"]
    assert entry["outcome"] == "refused" and "(metadata.annotations[checksum/config])" in entry["message"]
    deploy(namespace, kind, "api", "localhost/shop:2")
    namespace.rolled_out(f"{kind}/api")
    result = namespace.run("undo", run_id="r1")
    (entry,) = result["results"]
    assert (entry["outcome"], entry["changed"], result["failed"]) == ("refused", False, True)
    assert entry["message"].endswith("somebody deployed; use to_revision: 1 to undo that too")
    assert "spec.containers[main].image)" in entry["message"]
    assert patches(namespace.cluster, began) == []
    assert image(namespace, kind, "api") == "localhost/shop:2"


def test_stale_last_applied_and_lost_annotations_are_warned_of(namespace):
    applied = workload("Deployment", "api")
    namespace.kubectl("apply", "-f", "-", input=json.dumps(applied))
    namespace.rolled_out("deployment/api")
    namespace.run("restart", name="api")
    namespace.kubectl("annotate", "deployment/api", "team=search")
    warnings = namespace.run("undo", name="api")["warnings"]
    assert any("resource deployments/api was previously managed with 'kubectl apply'" in text for text in warnings)
    assert any("gone or set back: team" in text for text in warnings)


def test_a_paused_deployment_is_refused_in_kubectls_words(namespace):
    namespace.create(workload("Deployment", "api"))
    namespace.run("restart")
    namespace.run("pause", name="api", state="paused")
    (entry,) = namespace.run("undo")["results"]
    assert entry["outcome"] == "refused"
    assert entry["message"].startswith(
        "you cannot rollback a paused deployment; resume it first with 'kubectl rollout resume' and try again"
    )


@pytest.mark.parametrize("kind", KINDS)
def test_without_an_earlier_revision_there_is_nothing_to_go_back_to(trio, namespace, kind):
    namespace.create(workload(kind, "api"))
    (entry,) = namespace.run("undo", kind=kind)["results"]
    words = (
        'no rollout history found for deployment "api"' if kind == "Deployment" else "no last revision to roll back to"
    )
    assert entry["outcome"] == "refused" and entry["message"].startswith(words)


def test_without_a_history_there_is_no_way_back_and_both_are_told(namespace):
    namespace.create(*(workload(kind, name, revisionHistoryLimit=0) for kind, name in NAMES.items()))
    risk = "its revisionHistoryLimit is 0: once its pods are replaced, no earlier revision is left to undo to"
    result = namespace.run("restart", **ALL, run_id="r1")
    assert [risk in entry["risks"] for entry in result["results"]] == [True] * 3
    wait_until(
        lambda: [len(namespace.revisions(kind, name)) for kind, name in NAMES.items()] == [1] * 3, "old revisions to go"
    )
    for entry in namespace.run("undo", run_id="r1")["results"]:
        assert entry["outcome"] == "refused"
        assert "because its spec.revisionHistoryLimit is 0" in entry["message"]


@pytest.mark.parametrize("by", [{}, {"run_id": "r1"}], ids=["previous", "run"])
def test_an_undo_is_not_failed_by_the_condition_of_what_it_undoes(namespace, by):
    namespace.create(workload("Deployment", "api", progressDeadlineSeconds=2))
    (was,) = namespace.list("pods")
    namespace.run("restart", name="api", run_id="r0")
    namespace.cluster.fail({"app": "api"}, "never-ready", namespace.name)
    try:
        failed = namespace.run("restart", name="api", run_id="r1")
    finally:
        namespace.cluster.heal({"app": "api"})
    assert failed["results"][0]["message"] == 'deployment "api" exceeded its progress deadline'
    result = namespace.run("undo", name="api", **by)
    assert outcomes(result) == {"api": "undone"}, result["msg"]
    assert namespace.annotations("Deployment", "api")[RUN] == "r0"
    assert was["metadata"]["name"] not in {pod["metadata"]["name"] for pod in namespace.list("pods")}


def test_a_stateful_set_stuck_on_a_broken_pod_is_freed_only_when_asked(namespace):
    namespace.create(workload("StatefulSet", "cache", 3))
    old = {pod["metadata"]["name"]: pod["metadata"]["uid"] for pod in namespace.list("pods")}
    deploy(namespace, "StatefulSet", "cache", "localhost/shop:2", {"lab.restartx.io/failure": "image-pull"})
    namespace.stuck("cache")
    options = {"kind": "StatefulSet", "name": "cache", "timeout": "5s"}

    stuck = namespace.run("undo", **options)
    (entry,) = stuck["results"]
    assert (entry["outcome"], entry["changed"], entry["cause"]["code"]) == ("unfinished", True, "stuck_pod")
    assert entry["cause"]["object"] == f'pod "cache-2" in namespace "{namespace.name}"'
    assert "delete_stuck_pods: true" in entry["cause"]["advice"]
    assert image(namespace, "StatefulSet", "cache") == "localhost/shop:1"

    # Undone again it would be the broken one: to_revision keeps what is wanted, and only frees it.
    again = options | {"to_revision": 3, "delete_stuck_pods": True}
    denied = namespace.run("undo", **again)
    assert outcomes(denied) == {"cache": "unfinished"} and not denied["changed"]
    assert any("may not delete pod" in text for text in denied["warnings"]), denied["warnings"]

    namespace.kubectl("apply", "-f", "-", input=BINDING)
    freed = namespace.run("undo", **again | {"timeout": "60s"})
    assert not freed.get("failed"), freed["msg"]
    assert (outcomes(freed), freed["changed"]) == ({"cache": "undone"}, True)
    assert any("deleted the stuck pod cache-2" in text for text in freed["warnings"])
    namespace.rolled_out("statefulset/cache")
    new = {pod["metadata"]["name"]: pod["metadata"]["uid"] for pod in namespace.list("pods")}
    assert {name for name in old if new[name] != old[name]} == {"cache-2"}  # no healthy pod was touched


def test_a_stuck_stateful_set_is_freed_in_the_very_call_that_undoes_it(namespace):
    namespace.kubectl("apply", "-f", "-", input=BINDING)
    namespace.create(workload("StatefulSet", "cache", 2))
    deploy(namespace, "StatefulSet", "cache", "localhost/shop:2", {"lab.restartx.io/failure": "crash-loop"})
    namespace.stuck("cache")
    result = namespace.run("undo", kind="StatefulSet", delete_stuck_pods=True, timeout="60s")
    assert outcomes(result) == {"cache": "undone"}
    assert image(namespace, "StatefulSet", "cache") == "localhost/shop:1"
    assert {pod["spec"]["containers"][0]["image"] for pod in namespace.list("pods")} == {"localhost/shop:1"}
