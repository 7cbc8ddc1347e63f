# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a restart may do to the users of a workload."""

from __future__ import annotations

import pytest

from ansible_collections.restartx.core.plugins.module_utils.rollout import status
from tests.unit.rollout.objects import workload


def _rolling(**values):
    return {"type": "RollingUpdate", "rollingUpdate": values}


ONLY_POD = "its only pod may be stopped before a successor is ready"
RECREATE = "its strategy is Recreate: all pods stop before new ones start, which is downtime"
ON_DELETE = "its update strategy is OnDelete: pods are replaced only when somebody deletes them"
PAUSED = "it is paused: no pod is replaced until it is resumed"
UNPROBED = "no container has a readiness probe: a new pod counts as ready as soon as it runs"
ABRUPT = "no container has a preStop hook: requests that arrive while a pod ends may be lost"
HOOK = {"lifecycle": {"preStop": {"sleep": {"seconds": 5}}}}
PROBE = {"readinessProbe": {"tcpSocket": {"port": 1}}}


@pytest.mark.parametrize(
    "strategy, replicas, expected",
    [
        ({"type": "RollingUpdate"}, 1, []),
        (_rolling(maxUnavailable="25%", maxSurge="25%"), 1, []),
        (_rolling(maxUnavailable=1, maxSurge=0), 1, [ONLY_POD]),
        (_rolling(maxUnavailable="100%", maxSurge="100%"), 1, [ONLY_POD]),
        (_rolling(maxUnavailable="99%", maxSurge="0%"), 1, [ONLY_POD]),  # both round to 0: then one may be missing
        (_rolling(maxUnavailable=1, maxSurge=0), 2, []),
        (_rolling(maxUnavailable=2, maxSurge=0), 2, ["all 2 pods may be stopped before a successor is ready"]),
        (_rolling(maxUnavailable=5, maxSurge=0), 0, []),
        ({"type": "Recreate"}, 3, [RECREATE]),
    ],
)
def test_deployments(strategy, replicas, expected):
    assert status.risks(workload(spec={"strategy": strategy, "replicas": replicas})) == expected


@pytest.mark.parametrize(
    "strategy, replicas, expected",
    [
        (_rolling(partition=0), 3, []),
        (_rolling(partition=0), 1, [ONLY_POD]),
        ({"type": "RollingUpdate"}, 3, []),
        (_rolling(partition=2), 3, ["its partition 2 holds back 2 of 3 pods: they are not restarted"]),
        (_rolling(partition=3), 3, ["its partition 3 holds back all 3 pods: none is restarted"]),
        (_rolling(partition=3), 0, []),
        (_rolling(maxUnavailable="50%"), 3, []),
        (_rolling(maxUnavailable="100%"), 3, ["all 3 pods may be stopped before a successor is ready"]),
        ({"type": "OnDelete"}, 3, [ON_DELETE]),
    ],
)
def test_stateful_sets(strategy, replicas, expected):
    assert status.risks(workload("StatefulSet", spec={"updateStrategy": strategy, "replicas": replicas})) == expected


@pytest.mark.parametrize(
    "strategy, nodes, expected",
    [
        ({"type": "RollingUpdate"}, 3, []),
        (_rolling(maxUnavailable=1, maxSurge=0), 1, [ONLY_POD]),
        (_rolling(maxUnavailable=0, maxSurge=1), 1, []),
        (_rolling(maxUnavailable="67%", maxSurge=0), 3, ["all 3 pods may be stopped before a successor is ready"]),
        (_rolling(maxUnavailable="66%", maxSurge=0), 3, []),
        (_rolling(maxUnavailable="100%", maxSurge=0), 0, []),
        ({"type": "OnDelete"}, 3, [ON_DELETE]),
    ],
)
def test_daemon_sets(strategy, nodes, expected):
    thing = workload("DaemonSet", spec={"updateStrategy": strategy}, status={"desiredNumberScheduled": nodes})
    assert status.risks(thing) == expected


@pytest.mark.parametrize(
    "pod, expected",
    [
        ({"containers": [{"name": "app"}]}, [UNPROBED]),
        ({"containers": [{"name": "app"}, {"name": "proxy", "readinessProbe": {}}]}, [UNPROBED]),
        ({"containers": [{"name": "app"}, {"name": "proxy", "readinessProbe": {"tcpSocket": {"port": 1}}}]}, []),
        ({"containers": [{"name": "app"}], "readinessGates": [{"conditionType": "example.com/up"}]}, []),
        (
            {
                "containers": [{"name": "app"}],
                "initContainers": [{"name": "mesh", "restartPolicy": "Always", "readinessProbe": {"exec": {}}}],
            },
            [],
        ),
        (
            {"containers": [{"name": "app"}], "initContainers": [{"name": "wait", "readinessProbe": {"exec": {}}}]},
            [UNPROBED],
        ),
    ],
)
def test_pods_without_a_readiness_probe(pod, expected):
    pod["containers"][0] |= HOOK
    assert status.risks(workload(pod=pod)) == expected


@pytest.mark.parametrize(
    "pod, expected",
    [
        ({"containers": [{"name": "app"}]}, [ABRUPT]),
        ({"containers": [{"name": "app", "lifecycle": {"postStart": {"exec": {}}}}]}, [ABRUPT]),
        ({"containers": [{"name": "app"}, {"name": "proxy", **HOOK}]}, []),
        (
            {"containers": [{"name": "app"}], "initContainers": [{"name": "mesh", "restartPolicy": "Always", **HOOK}]},
            [],
        ),
        ({"containers": [{"name": "app"}], "initContainers": [{"name": "wait", **HOOK}]}, [ABRUPT]),
    ],
)
def test_pods_that_end_at_once(pod, expected):
    pod["containers"][0] |= PROBE
    assert status.risks(workload(pod=pod)) == expected


def test_a_paused_deployment():
    assert status.risks(workload(spec={"paused": True})) == [PAUSED]


def test_all_risks_are_told():
    spec = {"strategy": {"type": "Recreate"}, "paused": True}
    assert status.risks(workload(spec=spec, pod={"containers": [{"name": "app"}]})) == [
        PAUSED,
        RECREATE,
        UNPROBED,
        ABRUPT,
    ]


@pytest.mark.parametrize("kind", ["Deployment", "DaemonSet", "StatefulSet"])
@pytest.mark.parametrize("limit, told", [(0, True), (1, False), (None, False)])
def test_a_workload_that_keeps_no_earlier_revision(kind, limit, told):
    found = status.risks(workload(kind, spec={"revisionHistoryLimit": limit}))
    words = "its revisionHistoryLimit is 0: once its pods are replaced, no earlier revision is left to undo to"
    assert found == ([words] if told else [])
