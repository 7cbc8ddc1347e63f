# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What keeps a workload from coming up on a real node is named: code, pod, container, reason, and how its log ends.

The kubelet's own words and states, where elsewhere KWOK plays them.
"""

from __future__ import annotations

import pytest

from house import Namespace, entry_of, outcomes
from shop import CAREFUL, workload

PROBED = {"readinessProbe": CAREFUL["readinessProbe"]}
SETTINGS = {"name": "PRICES", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "prices"}}}

# name -> what its container is like; code; reasons that the kubelet may give when it is asked; how the log ends,
# None for none at all; a part of the sentence
BROKEN = {
    "image": (
        {"image": "localhost:1/none:1", "imagePullPolicy": "Always"},
        "image_pull",
        {"ErrImagePull", "ImagePullBackOff"},
        None,
        "localhost:1/none:1",
    ),
    "crash": (
        {"args": ["serve", "-crash-after", "500ms", "-ready-after", "1h"], **PROBED},
        "crash_loop",
        {"CrashLoopBackOff", "Error"},
        [
            "each request takes 5ms",
            "connecting to the orders database",
            "listening on :8080",
            "the orders database does not answer",
            "giving up",
        ],
        "exit code 1",
    ),
    "memory": (
        {"args": ["serve", "-allocate", "200"], "resources": {"limits": {"memory": "32Mi"}}, **PROBED},
        "oom",
        {"OOMKilled"},
        ["reading the price list", "reading the catalogue", "each request takes 5ms", "using 200 MiB"],
        "exit code 137",
    ),
    "config": (
        {"args": ["serve", "-need", "PRICES"], "env": [SETTINGS]},
        "config_missing",
        {"CreateContainerConfigError"},
        None,
        'configmap "settings" not found',
    ),
    "command": (
        {"command": ["/shoop"]},
        "bad_command",
        {"RunContainerError", "StartError"},
        None,
        "/shoop",
    ),
    "ready": (
        {"args": ["serve", "-ready-after", "1h"], **PROBED},
        "never_ready",
        {"Unhealthy"},
        ["reading the catalogue", "each request takes 5ms", "listening on :8080"],
        "Readiness probe failed: HTTP probe failed with statuscode: 503",
    ),
    "place": (
        {"args": ["serve"], "resources": {"requests": {"cpu": "50"}}},
        "unschedulable",
        {"Unschedulable"},
        None,
        "Insufficient cpu",
    ),
}


@pytest.fixture(scope="module")
def everything(cluster, operator, make_namespace):
    """A namespace in which everything is broken, and what a restart of it returned."""
    own = Namespace(cluster, operator, make_namespace("broken"))
    own.create(
        *(workload("Deployment", name, **container) for name, (container, *_rest) in BROKEN.items()), ready=False
    )
    yield own, own.run("restart", timeout="15s", on_failure="continue")
    cluster.kubectl("delete", "namespace", own.name, "--wait=false")


@pytest.mark.parametrize("name", BROKEN)
def test_the_cause_is_named(everything, name):
    _namespace, result = everything
    _container, code, reasons, log, words = BROKEN[name]
    entry = entry_of(result, name)
    cause = entry["cause"]
    # Only what no waiting heals is not waited for.
    outcome = "failed" if code == "bad_command" else "unfinished"
    assert (entry["outcome"], cause["code"]) == (outcome, code), entry
    assert cause["reason"] in reasons
    assert cause["pod"].startswith(f"{name}-")
    assert cause["container"] == (None if code == "unschedulable" else "shop")
    assert words in cause["sentence"]
    assert cause["log"][-len(log or [1]) :] == (log or [])
    assert len(cause["log"]) <= 5


def test_status_names_the_same(everything):
    namespace, _result = everything
    seen = namespace.run("status")
    assert set(outcomes(seen).values()) == {"in_progress"}
    assert {entry["name"]: entry["cause"]["code"] for entry in seen["results"]} == {
        name: code for name, (_container, code, *_rest) in BROKEN.items()
    }
    assert entry_of(seen, "crash")["cause"]["log"][-1] == "giving up"


def test_what_may_heal_is_given_up_after_its_grace_and_a_slow_start_only_at_its_timeout(everything):
    namespace, _result = everything
    result = namespace.run("restart", grace="4s", timeout="60s", on_failure="continue")
    expected = {name: "unfinished" if name == "ready" else "failed" for name in BROKEN}
    assert outcomes(result) == expected, result
    assert {entry["name"]: entry["cause"]["code"] for entry in result["results"]} == {
        name: code for name, (_container, code, *_rest) in BROKEN.items()
    }
