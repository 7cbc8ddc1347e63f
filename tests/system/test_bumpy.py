# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""200 rollouts that are well, but have a bumpy start: none is called failed, and none is undone.

The time is compressed: a problem may take 30 seconds to recover (`grace`), a bump takes less, and many rollouts have
several, so that they take longer than that. Each bump is what a kubelet, the scheduler or a lost node shows.
"""

from __future__ import annotations

import collections
import json
import os
import random
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest
from house import KINDS, USER_AGENT, Namespace, now, workload
from kubelet import BY_HAND, Kept, Kubelet, Step, ended, looping, lose, running, waiting

from lab.failures import LABEL

SEED = int(os.environ.get("RESTARTX_BUMPY_SEED", "10"))
COUNT, CALLS, AT_ONCE, LOST = 200, 4, 16, 12
GRACE = "30s"
LONGEST = 300  # seconds of a call on a busy machine
PULL = 'failed to pull and unpack image "localhost/shop:1": failed to do request: dial tcp 192.0.2.9:443: i/o timeout'
PROBE = ("Unhealthy", "Readiness probe failed: HTTP probe failed with statuscode: 503", "main")
MOUNT = ("FailedMount", 'MountVolume.SetUp failed for volume "c" : failed to sync configmap cache: timed out', None)


def crash(code, reason="Error"):
    """The container crashes twice, and waits before its third start; then it runs, but is not ready yet."""
    return [
        Step(0.5, {"main": running(ready=False)}),
        Step(0.7, {"main": ended(code, reason)}),
        Step(0.3, {"main": running(ready=False, restartCount=1)}),
        Step(0.7, {"main": ended(code, reason, restarts=1)}),
        Step(0.3, {"main": looping(code, reason, restarts=1)}),
        Step(3, {"main": running(ready=False, restartCount=2)}),
    ]


# name -> the steps of a pod, of which the last one leaves it not ready
BUMPS = {
    "slow": [Step(0.5, {"main": running(ready=False)}, [PROBE]), Step(4, None)],
    "slow-startup": [Step(0.5, {"main": running(ready=False, started=False)}), Step(5, None)],
    "crashes": crash(1),
    "memory": crash(137, "OOMKilled"),
    "image": [
        Step(0.5, {"main": waiting("ContainerCreating")}),
        Step(1, {"main": waiting("ErrImagePull", PULL)}, [("Failed", f"Failed to pull image: {PULL}", "main")]),
        Step(
            1, {"main": waiting("ImagePullBackOff", f'Back-off pulling image "localhost/shop:1": ErrImagePull: {PULL}')}
        ),
        Step(4, {"main": waiting("ContainerCreating")}),
        Step(3, None),
    ],
    "slow-image": [Step(0.5, {"main": waiting("ContainerCreating")}), Step(8, None)],
    "volume": [Step(0.5, None, [MOUNT]), Step(5, None, [MOUNT]), Step(1, {"main": waiting("ContainerCreating")})],
    "config": [
        Step(0.5, {"main": waiting("CreateContainerConfigError", 'configmap "settings" not found')}),
        Step(6, {"main": running(ready=False)}),
    ],
}
LATE, GONE = "late", "lost"


def bumps_of(number, kind, dice):
    """What the workload of this number goes through: each class alone for each kind, and then combinations."""
    if number < LOST:
        return [GONE]
    # A DaemonSet has no pod for a node that it may not use, so it has none that waits for one.
    names = [*BUMPS, LATE if kind != "DaemonSet" else "slow-image"]
    alone, number = divmod(number - LOST, 3)
    return [names[alone]] if alone < len(names) else dice.sample(names, dice.choice([2, 2, 3]))


class Shop:
    """The workloads, and who plays their kubelets, their scheduler, and the cloud that replaces a lost node."""

    def __init__(self, cluster, operator, name):
        self.own = Namespace(cluster, operator, name)
        pki = cluster.authority.directory
        self.api = Kept(self.own.api, cluster.authority.certificate_path, pki / "lab.crt", pki / "lab.key")
        self.cluster = cluster
        dice = random.Random(SEED)
        self.kinds = {f"app-{number:03}": KINDS[number % 3] for number in range(COUNT)}
        self.bumps = {name: bumps_of(number, kind, dice) for number, (name, kind) in enumerate(self.kinds.items())}
        self.replicas = {name: dice.choice([1, 1, 1, 2]) for name in self.bumps}
        self.lost: set[str] = set()

    def made(self, name):
        """A workload that is well."""
        found = workload(self.kinds[name], name, self.replicas[name], {LABEL: BY_HAND})
        pod = found["spec"]["template"]["spec"]
        pod["terminationGracePeriodSeconds"] = 1
        if self.kinds[name] == "DaemonSet":
            pod["nodeSelector"] = {"kubernetes.io/hostname": f"node-{1 + int(name[-1]) % 3}"}
        if LATE in self.bumps[name]:
            pod["nodeSelector"] = {f"late-{name}": "yes"}
        if GONE in self.bumps[name]:
            pod["nodeSelector"] = {"frail": name}
            pod["tolerations"] = [
                {"key": "frail", "operator": "Exists"},
                *(
                    {
                        "key": f"node.kubernetes.io/{one}",
                        "operator": "Exists",
                        "effect": "NoExecute",
                        "tolerationSeconds": 1,
                    }
                    for one in ("not-ready", "unreachable")
                ),
            ]
        return found

    def frail(self, name, number):
        """Add a node that only the pods of this workload may use."""
        node = f"frail-{name}-{number}"
        found = self.api.request("GET", "/api/v1/nodes/node-1")
        metadata = {"name": node, "annotations": {"kwok.x-k8s.io/node": "fake"}, "labels": {"frail": name}}
        spec = {"taints": [{"key": "frail", "value": "yes", "effect": "NoSchedule"}]}
        given = {key: found["status"][key] for key in ("allocatable", "capacity")}
        self.api.request("POST", "/api/v1/nodes", {"metadata": metadata, "spec": spec, "status": given})

    def script(self, pod):
        """What a new pod goes through until it is ready."""
        name = pod["metadata"]["labels"]["app"]
        if GONE not in self.bumps[name]:
            parts = [BUMPS[one] for one in self.bumps[name] if one in BUMPS]
            return [*(step for part in parts for step in part), Step(1, {})]
        if name in self.lost:  # it comes up on the new node
            return [Step(1, {})]
        self.lost.add(name)
        return [Step(0.5, {"main": running(ready=False)}), Step(1, act=partial(self._lose, name))]

    def _lose(self, name, _pod):
        """The node of a pod no longer answers. The taint evicts the pod, and a new node comes."""
        lose(self.api, f"frail-{name}-1", Ready="Unknown")
        self.frail(name, 2)

    def late(self, pod):
        """A pod that finds no node gets one after a while, as from an autoscaler."""
        return [Step(5, act=lambda _pod: self.may_use(True, pod["metadata"]["labels"]["app"]))]

    def may_use(self, usable, *names):
        """Whether there is a node for the pods of these workloads."""
        labels = {f"late-{name}": "yes" if usable else None for name in names}
        self.api.request("PATCH", "/api/v1/nodes/node-2", {"metadata": {"labels": labels}})

    def begin(self):
        """Create all workloads, wait until they are well, and take away the nodes of those that find one late."""
        late = [name for name, bumps in self.bumps.items() if LATE in bumps]
        self.may_use(True, *late)
        for name, bumps in self.bumps.items():
            if GONE in bumps:
                self.frail(name, 1)
        self.own.create(*map(self.made, self.bumps))
        self.may_use(False, *late)

    def restart(self, number):
        """One of the calls, with its part of the workloads."""
        names = list(self.bumps)[number::CALLS]
        options = {"grace": GRACE, "timeout": "4m", "on_failure": "undo", "max_parallel": AT_ONCE}
        return self.own.start("restart", kind=list(KINDS), name=names, run_id=f"r{number}", **options).result(LONGEST)

    def revisions(self):
        """How many revisions each workload has, and the run that its template carries, by name."""
        owners = [
            item["metadata"]["ownerReferences"][0]["name"]
            for kind in ("replicasets", "controllerrevisions")
            for item in self.own.list(kind)
        ]
        return collections.Counter(owners)

    def end(self):
        """Leave the cluster as it was."""
        self.own.kubectl("delete", "deployments,statefulsets,daemonsets", "--all", "--wait=false")
        self.cluster.kubectl("delete", "nodes", "--selector=frail", "--wait=false")
        self.may_use(None, *(name for name, bumps in self.bumps.items() if LATE in bumps))


@pytest.fixture(scope="module")
def restarted(cluster, operator, make_namespace):
    """The shop after the restart, and the results of its calls."""
    shop = Shop(cluster, operator, make_namespace("bumpy"))
    since = now()
    with Kubelet(shop.api, [shop.own.name], shop.script, shop.late) as kubelet:
        shop.begin()
        with ThreadPoolExecutor(CALLS) as pool:
            results = list(pool.map(shop.restart, range(CALLS)))
    assert not kubelet.broke
    yield shop, results, since
    shop.end()


def test_no_rollout_is_called_failed_or_undone(restarted):
    shop, results, _since = restarted
    entries = [entry for result in results for entry in result["results"]]
    bad = {entry["name"]: (shop.bumps[entry["name"]], entry) for entry in entries if entry["outcome"] != "restarted"}
    assert not bad, json.dumps(bad)
    assert sorted(entry["name"] for entry in entries) == sorted(shop.bumps)
    assert not [entry for entry in entries if entry["cause"] or not entry["changed"]]
    assert not any(result.get("failed") for result in results)


def test_each_workload_was_restarted_exactly_once(restarted):
    shop, _results, _since = restarted
    assert shop.revisions() == dict.fromkeys(shop.bumps, 2)


def test_the_pods_were_examined_meanwhile(restarted):
    shop, _results, since = restarted
    asked = [event["objectRef"] for event in shop.cluster.requests(USER_AGENT, since) if event["verb"] == "watch"]
    assert {"pods"} <= {one["resource"] for one in asked if one.get("namespace") == shop.own.name}
    assert shop.lost == {name for name, bumps in shop.bumps.items() if GONE in bumps}
