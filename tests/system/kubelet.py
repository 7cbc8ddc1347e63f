# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Writes statuses and events of pods as a kubelet would, for pods that KWOK leaves alone (the failure `by-hand`).

A script says what each pod goes through: a list of steps. The first pods of a workload, from before its restart, run.
For pods that never end, the script says what is reported of them when they are deleted. Another script says what happens
while a pod finds no node.
"""

from __future__ import annotations

import datetime
import json
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import urllib3

from lab.api import Api, ApiError, Object
from lab.failures import LABEL

BY_HAND, NEVER_ENDS = "by-hand", "never-ends"
RUN = "restartx.io/run"
_NOW = "the time at which it is written"
_RENEW = 5  # seconds of one watch
_CONDITIONS = ("PodReadyToStartContainers", "Initialized", "ContainersReady", "Ready")


@dataclass(frozen=True)
class Step:
    """What happens to a pod `after` so many seconds: its containers, its events, or something else (`act`)."""

    after: float = 0.3
    containers: Mapping[str, Object] | None = None  # name -> its status; the others are well; None for no change
    events: Sequence[tuple[str, str, str | None]] = ()  # (reason, message, container)
    act: Callable[[Object], object] | None = None
    conditions: Mapping[str, str] = field(default_factory=dict)


Script = Callable[[Object], Sequence[Step]]


def waiting(reason: str, message: str = "", **more: object) -> Object:
    """A container that waits."""
    state = {"reason": reason, **({"message": message} if message else {})}
    return {"ready": False, "started": False, "state": {"waiting": state}, **more}


def running(ready: bool = True, started: bool = True, **more: object) -> Object:
    """A container that runs."""
    return {"ready": ready, "started": started, "state": {"running": {"startedAt": _NOW}}, **more}


def end(code: int, reason: str = "Error", message: str = "") -> Object:
    """How a container ended."""
    told = {"message": message} if message else {}
    return {"terminated": {"exitCode": code, "reason": reason, "startedAt": _NOW, "finishedAt": _NOW, **told}}


def ended(code: int, reason: str = "Error", restarts: int = 0) -> Object:
    """A container that has just ended."""
    return {"ready": False, "started": False, "state": end(code, reason), "restartCount": restarts}


def looping(code: int, reason: str = "Error", message: str = "", restarts: int = 2) -> Object:
    """A container that waits until the kubelet starts it again."""
    last = end(code, reason, message)
    told = "back-off 20s restarting failed container"
    return waiting("CrashLoopBackOff", told, lastState=last, restartCount=restarts)


class Kept(Api):
    """The API server over connections that are kept, because a kubelet writes often."""

    def __init__(self, api: Api, authority: Path, certificate: Path, key: Path):
        super().__init__(api.server, authority, certificate, key)
        files = {"ca_certs": str(authority), "cert_file": str(certificate), "key_file": str(key)}
        self._pool = urllib3.PoolManager(maxsize=16, **files)

    def request(self, method: str, path: str, body: Object | None = None, timeout: float = 30) -> Any:
        kind = "application/strategic-merge-patch+json" if method == "PATCH" else "application/json"
        headers = {"Content-Type": kind, "User-Agent": "restartx-lab"}
        data = None if body is None else json.dumps(body)
        answer = self._pool.request(method, self.server + path, body=data, headers=headers, timeout=timeout)
        if answer.status >= 400:
            raise ApiError(answer.status, answer.data.decode())
        return json.loads(answer.data)


class Kubelet:
    """Plays the scripts for the pods in some namespaces, as a context manager; `broke` has what went wrong."""

    def __init__(self, api: Api, namespaces: Sequence[str], script: Script, late: Script = lambda pod: ()):
        self.broke: list[Exception] = []
        self._api = api
        self._script = script
        self._late = late
        self._stopped = threading.Event()
        self._known: set[str] = set()
        self._watches = [threading.Thread(target=self._watch, args=[name], daemon=True) for name in namespaces]

    def __enter__(self) -> Kubelet:
        for thread in self._watches:
            thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._stopped.set()
        for thread in self._watches:
            thread.join(_RENEW + 1)

    def _watch(self, namespace: str) -> None:
        path, selector = (
            f"/api/v1/namespaces/{namespace}/pods",
            f"labelSelector={LABEL}%20in%20({BY_HAND},{NEVER_ENDS})",
        )
        found = self._api.request("GET", f"{path}?{selector}")
        version = found["metadata"]["resourceVersion"]
        for pod in found["items"]:
            self._see(pod)
        while not self._stopped.is_set():
            try:
                for event in self._api.watch(f"{path}?{selector}", version, _RENEW):
                    version = event["object"]["metadata"]["resourceVersion"]
                    if event["type"] in ("ADDED", "MODIFIED"):
                        self._see(event["object"])
            except OSError as error:
                if not self._stopped.is_set():
                    self.broke.append(error)
                return

    def _see(self, pod: Object) -> None:
        uid = pod["metadata"]["uid"]
        if pod["metadata"]["labels"][LABEL] == NEVER_ENDS and not pod["metadata"].get("deletionTimestamp"):
            return
        bound = bool(pod["spec"].get("nodeName"))
        unplaced = any(one["type"] == "PodScheduled" for one in pod["status"].get("conditions", [])) and not bound
        which = f"{uid} {bound}"
        if (bound or unplaced) and which not in self._known:
            self._known.add(which)
            threading.Thread(target=self._play, args=[pod, self._script if bound else self._late], daemon=True).start()

    def _play(self, pod: Object, script: Script) -> None:
        old = RUN not in pod["metadata"].get("annotations", {}) and pod["metadata"]["labels"][LABEL] == BY_HAND
        for step in [Step(0, {})] if old and script is self._script else script(pod):
            if self._stopped.wait(step.after):
                return
            try:
                self._take(pod, step)
            except ApiError as error:
                if error.code != 404:  # it has been deleted
                    self.broke.append(error)
                return

    def _take(self, pod: Object, step: Step) -> None:
        if step.containers is not None:
            write(self._api, pod, status(pod, step.containers, step.conditions))
        for told in step.events:
            self._api.request("POST", f"/api/v1/namespaces/{pod['metadata']['namespace']}/events", event(pod, *told))
        if step.act:
            step.act(pod)


def write(api: Api, pod: Object, told: Object) -> None:
    """Write the status of a pod."""
    metadata = pod["metadata"]
    text = json.dumps({"metadata": {"uid": metadata["uid"]}, "status": told}).replace(_NOW, _now())
    path = f"/api/v1/namespaces/{metadata['namespace']}/pods/{metadata['name']}/status"
    try:
        api.request("PATCH", path, json.loads(text))
    except ApiError as error:
        if error.code not in (409, 422):  # another pod of this name: that of a StatefulSet has been replaced
            raise


def status(pod: Object, states: Mapping[str, Object], conditions: Mapping[str, str] | None = None) -> Object:
    """The status of a pod whose containers are like `states`, and otherwise well. A container that an earlier one
    holds up waits."""
    well = running()
    held = False
    init, main = [], []
    for spec in pod["spec"].get("initContainers", []):
        sidecar = spec.get("restartPolicy") == "Always"
        good = well if sidecar else {**ended(0, "Completed"), "ready": True}
        init.append(_container(spec, waiting("PodInitializing") if held else states.get(spec["name"], good)))
        held = held or not (init[-1].get("started") if sidecar else init[-1]["ready"])
    for spec in pod["spec"]["containers"]:
        main.append(_container(spec, waiting("PodInitializing") if held else states.get(spec["name"], well)))
    kept = [one for one, spec in zip(init, pod["spec"].get("initContainers", [])) if spec.get("restartPolicy")]
    unready = [one["name"] for one in [*kept, *main] if not one["ready"]]
    began = any("running" in one["state"] or "lastState" in one for one in main)
    ready = "False" if unready else "True"
    wanted = {
        "PodReadyToStartContainers": "True",
        "Initialized": "False" if held else "True",
        "ContainersReady": ready,
        "Ready": ready,
        **(conditions or {}),
    }
    return {
        "phase": "Running" if began else "Pending",
        "startTime": _NOW,
        "containerStatuses": main,
        **({"initContainerStatuses": init} if init else {}),
        "conditions": [_condition(name, wanted[name], unready) for name in _CONDITIONS],
    }


def _container(spec: Object, state: Object) -> Object:
    return {"name": spec["name"], "image": spec["image"], "imageID": "", "restartCount": 0, **state}


def _condition(name: str, value: str, unready: Sequence[str]) -> Object:
    told: Object = {"reason": None, "message": None}
    if value == "False" and unready:
        told = {"reason": "ContainersNotReady", "message": f"containers with unready status: [{' '.join(unready)}]"}
    return {"type": name, "status": value, "lastTransitionTime": _NOW, **told}


def event(pod: Object, reason: str, message: str, container: str | None) -> Object:
    """A warning about a pod or one of its containers."""
    metadata, now = pod["metadata"], _now()
    field = "initContainers" if any(one["name"] == container for one in pod["spec"].get("initContainers", [])) else ""
    about = {name: metadata[name] for name in ("name", "namespace", "uid")}
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"generateName": f"{metadata['name']}.", "namespace": metadata["namespace"]},
        "involvedObject": {
            "apiVersion": "v1",
            "kind": "Pod",
            **about,
            **({"fieldPath": f"spec.{field or 'containers'}{{{container}}}"} if container else {}),
        },
        "reason": reason,
        "message": message,
        "type": "Warning",
        "source": {"component": "kubelet"},
        "firstTimestamp": now,
        "lastTimestamp": now,
        "count": 1,
    }


def lose(api: Api, node: str, **conditions: str) -> None:
    """Set conditions of a node, such as Ready="False", which KWOK then leaves as they are."""
    api.request("PATCH", f"/api/v1/nodes/{node}", {"metadata": {"labels": {LABEL: "lost"}}})
    told = [
        {"type": name, "status": value, "reason": f"Kubelet{name}", "message": f"{name} is {value}"}
        for name, value in conditions.items()
    ]
    api.request("PATCH", f"/api/v1/nodes/{node}/status", {"status": {"conditions": told}})


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
