# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the history tells, and what pause and resume do."""

from __future__ import annotations

import json

import pytest
from house import KINDS, USER_AGENT, entry_of, now, outcomes, workload

NAMES = {kind: f"a-{kind.lower()}" for kind in KINDS}
NOTHING = dict.fromkeys(("change_cause", "reason", "ticket", "operator", "run_id", "restarted_at"))


@pytest.fixture(scope="module")
def told(shared_namespace):
    """The history of one workload of each kind: made, restarted with everything said, then deployed by somebody."""
    shared_namespace.create(*(workload(kind, name) for kind, name in NAMES.items()))
    said = {"ticket": "CHG0042", "reason": "certificates renewed", "operator": "ada", "change_cause": "CHG0042"}
    assert shared_namespace.run("restart", kind=list(KINDS), run_id="r1", **said)["summary"] == {"restarted": 3}
    deployed = {
        "containers": [{"name": "main", "image": "localhost/shop:2", "env": [{"name": "KEY", "value": "s3cret"}]}]
    }
    for kind, name in NAMES.items():
        shared_namespace.kubectl("patch", kind, name, "-p", json.dumps({"spec": {"template": {"spec": deployed}}}))
    shared_namespace.rolled_out(*(f"{kind}/{name}" for kind, name in NAMES.items()))
    return shared_namespace.run("history", kind=list(KINDS))


@pytest.mark.parametrize("kind", KINDS)
def test_each_revision_tells_its_reason_and_what_changed(told, kind):
    entry = entry_of(told, NAMES[kind])
    first, restarted, deployed = entry["revisions"]
    assert [revision["revision"] for revision in entry["revisions"]] == [1, 2, 3]
    assert first.pop("created_at") and first == {"revision": 1, "differences": [], **NOTHING}

    assert (restarted["run_id"], restarted["ticket"], restarted["operator"]) == ("r1", "CHG0042", "ada")
    assert (restarted["reason"], restarted["change_cause"]) == ("certificates renewed", "CHG0042")
    at = "metadata.annotations[kubectl.kubernetes.io/restartedAt]"
    changed = {change["path"]: (change["before"], change["after"]) for change in restarted["differences"]}
    assert changed[at] == (None, restarted["restarted_at"])
    assert all(path.startswith("metadata.annotations[") for path in changed)

    changed = {change["path"]: (change["before"], change["after"]) for change in deployed["differences"]}
    assert changed["spec.containers[main].image"] == ("localhost/shop:1", "localhost/shop:2")
    assert any(path.startswith("spec.containers[main].env") for path in changed)
    assert (deployed["run_id"], deployed["change_cause"]) == (
        "r1",
        "CHG0042",
    )  # both stay until somebody says otherwise


def test_the_history_changes_nothing_and_hides_the_environment(told):
    assert (told["changed"], told["summary"]) == (False, {"unchanged": 3})
    assert "s3cret" not in json.dumps(told)


def test_one_revision_alone(told, shared_namespace):
    (entry,) = shared_namespace.run("history", name=NAMES["Deployment"], revision=2)["results"]
    assert [revision["revision"] for revision in entry["revisions"]] == [2]
    assert entry["revisions"][0]["differences"]


@pytest.mark.parametrize(
    "number, words",
    [(9, "unable to find the specified revision: "), (-1, "revision must be a positive integer: -1")],
)
def test_a_revision_that_is_not_there_is_told_in_kubectls_words(told, shared_namespace, number, words):
    result = shared_namespace.run("history", name=NAMES["Deployment"], revision=number)
    assert result["failed"] and result["msg"].startswith(words)


def test_pause_holds_a_rollout_and_resume_lets_it_go_on(namespace):
    namespace.create(workload("Deployment", "api"))
    paused = namespace.run("pause", state="paused")
    assert (outcomes(paused), paused["changed"]) == ({"api": "paused"}, True)
    assert paused["diff"][0]["after"] == {"spec": {"paused": True}}
    namespace.kubectl("set", "image", "deployment/api", "main=localhost/shop:2")
    waiting = namespace.run("status", wait=True, timeout="2s")
    assert (entry_of(waiting, "api")["outcome"], entry_of(waiting, "api")["cause"]["code"]) == ("unfinished", "paused")
    resumed = namespace.run("pause", state="resumed")
    assert (outcomes(resumed), resumed["changed"]) == ({"api": "resumed"}, True)
    namespace.rolled_out("deployment/api")
    assert namespace.revisions("Deployment", "api") == [1, 2]


@pytest.mark.parametrize("state, words", [("paused", "is already paused"), ("resumed", "is not paused")])
def test_what_is_so_already_is_left_alone(namespace, state, words):
    namespace.create(workload("Deployment", "api", paused=state == "paused"), ready=False)
    began = now()
    result = namespace.run("pause", state=state)
    (entry,) = result["results"]
    assert (entry["outcome"], entry["message"], result["changed"]) == ("unchanged", words, False)
    assert "patch" not in {event["verb"] for event in namespace.cluster.requests(USER_AGENT, began)}


def test_pausing_in_check_mode_touches_nothing(namespace):
    namespace.create(workload("Deployment", "api"))
    result = namespace.run("pause", state="paused", check=True)
    assert outcomes(result) == {"api": "paused"} and result["changed"]
    assert "paused" not in namespace.get("Deployment", "api")["spec"]


@pytest.mark.parametrize(
    "state, words", [("paused", "pausing is not supported"), ("resumed", "resuming is not supported")]
)
def test_only_deployments_can_be_paused(namespace, state, words):
    namespace.create(workload("Deployment", "api"), workload("StatefulSet", "cache"), workload("DaemonSet", "edge"))
    result = namespace.run("pause", kind=list(KINDS), state=state)
    good = "paused" if state == "paused" else "unchanged"
    assert outcomes(result) == {"api": good, "cache": "refused", "edge": "refused"}
    assert result["failed"] and entry_of(result, "cache")["message"].startswith(words)
