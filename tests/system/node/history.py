# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""An election as the API server has seen it: its pods and its Lease, in the order in which they were changed."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from urllib.parse import quote

from disruption import healthy

from lab.poll import wait_until

_RENEW = 5  # seconds of one watch


@dataclass(frozen=True)
class Eviction:
    """A pod that has begun to end: its name, the others at that moment, who led then, and who led when all pods had become
    ready before it (or when the restart began, if that was later)."""

    name: str
    others: dict
    leader: str
    settled: str

    @property
    def moved(self):
        """Whether the leader has moved between the last look at it and the eviction, as far as that can be known."""
        return self.leader != self.settled

    def wrong(self, revision, replicas):
        """What is wrong with it in a restart whose pods are of this revision, in words; nothing if it is right."""
        ready = sorted(name for name, pod in self.others.items() if healthy(pod))
        old = sorted(name for name, pod in self.others.items() if revision_of(pod) != revision)
        if len(ready) < replicas - 1:
            return f"{self.name} was evicted while only {ready} were ready beside it"
        if self.moved:
            return ""
        if not self.leader:
            return f"{self.name} was evicted while nobody led"
        if self.name == self.leader and old:
            return f"{self.name} was evicted while it led and {old} were old"
        return ""


def revision_of(pod):
    return pod["metadata"]["labels"]["controller-revision-hash"]


class History:
    """All changes of the pods with the label app=NAME and of the Lease NAME, from when it is entered on."""

    def __init__(self, namespace, name):
        self._api = namespace.api
        self._pods = f"/api/v1/namespaces/{namespace.name}/pods?labelSelector={quote(f'app={name}')}"
        leases = f"/apis/coordination.k8s.io/v1/namespaces/{namespace.name}/leases"
        self.lease = f"{leases}/{name}"
        self._leases = f"{leases}?fieldSelector={quote(f'metadata.name={name}')}"
        self._told = []  # (version, whether it is a pod, whether it is gone, the object)
        self._broke = []
        self._stopped = threading.Event()
        paths = (self._pods, self._leases)
        self._threads = [threading.Thread(target=self._watch, args=[path], daemon=True) for path in paths]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_exception):
        self._stopped.set()
        for thread in self._threads:
            thread.join(_RENEW + 1)

    def _watch(self, path):
        try:
            found = self._api.request("GET", path)
            version = found["metadata"]["resourceVersion"]
            for item in found["items"]:
                self._note(path, item, False)
            while not self._stopped.is_set():
                for event in self._api.watch(path, version, _RENEW):
                    assert event["type"] != "ERROR", event
                    version = event["object"]["metadata"]["resourceVersion"]
                    if event["type"] != "BOOKMARK":
                        self._note(path, event["object"], event["type"] == "DELETED")
        except (OSError, AssertionError) as error:
            self._broke.append(error)

    def _note(self, path, item, gone):
        self._told.append((int(item["metadata"]["resourceVersion"]), path == self._pods, gone, item))

    def now(self):
        """The version of the newest change of a pod, when all that the API server has now was told."""
        wait_until(self._is_up_to_date, "the watches to tell what is there")
        return max(version for version, is_pod, _gone, _item in self._told if is_pod)

    def _is_up_to_date(self):
        assert not self._broke, self._broke
        there = {_name(item): _version(item) for item in self._api.request("GET", self._pods)["items"]}
        told = {}
        for version, is_pod, gone, item in sorted(self._told, key=_by_version):
            if is_pod:
                told[_name(item)] = None if gone else version
        return there == {name: version for name, version in told.items() if version}

    def changes_of_pods(self, since):
        """How often pods were changed since a version."""
        return sum(is_pod and version > since for version, is_pod, _gone, _item in list(self._told))

    def leader(self):
        """The pod that leads now; nothing while nobody does."""
        leases = [one for one in list(self._told) if not one[1]]
        return _holder(max(leases, key=_by_version)[3]) if leases else ""

    def move_leader(self, choose):
        """Let another pod lead that is ready: any, old or new."""
        pods, _fewest, _evictions = self._replay(0)
        others = sorted(name for name, pod in pods.items() if healthy(pod) and name != self.leader())
        self._api.request("PATCH", self.lease, {"spec": {"holderIdentity": choose.choice(others)}})

    def fewest(self, since):
        """How few pods were ready at once since a version."""
        return self._replay(since)[1]

    def evictions(self, since):
        """The pods that have begun to end since a version, in order."""
        return self._replay(since)[2]

    def _replay(self, since):
        pods, leader, settled, begun = {}, "", "", False
        counts, evictions = [], []
        for version, is_pod, gone, item in sorted(self._told, key=_by_version):
            if version > since and not begun:
                begun, settled = True, leader
                counts.append(_ready(pods))
            if not is_pod:
                leader = _holder(item)
                continue
            name, before = _name(item), pods.get(_name(item))
            unsettled = _ready(pods) < len(pods)
            pods.pop(name, None)
            if _ends(item) and before and not _ends(before) and begun:
                evictions.append(Eviction(name, dict(pods), leader, settled))
            if not gone:
                pods[name] = item
            if unsettled and _ready(pods) == len(pods):
                settled = leader
            if begun:
                counts.append(_ready(pods))
        return pods, min(counts, default=0), evictions


def _by_version(told):
    return told[0]


def _name(item):
    return item["metadata"]["name"]


def _version(item):
    return int(item["metadata"]["resourceVersion"])


def _ends(pod):
    return bool(pod["metadata"].get("deletionTimestamp"))


def _ready(pods):
    return sum(map(healthy, pods.values()))


def _holder(lease):
    return (lease["spec"].get("holderIdentity") or "").partition("_")[0]
