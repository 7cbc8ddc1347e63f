# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Gates on objects of the cluster: a JMESPath expression on any object, and a Job that must complete."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ansible_collections.restartx.core.plugins.module_utils.cluster.errors import ClusterError, NotFound
from ansible_collections.restartx.core.plugins.module_utils.gates.expression import Expression
from ansible_collections.restartx.core.plugins.module_utils.gates.provider import Answer, Asking, GateError
from ansible_collections.restartx.core.plugins.module_utils.rollout import kinds, log
from ansible_collections.restartx.core.plugins.module_utils.rollout.kinds.fields import api_path, object_label

JOBS = "/apis/batch/v1"
SECRET = "Secret"


@dataclass(frozen=True)
class ObjectGate:
    """An expression that must be true of one object. Values of a Secret are not shown."""

    api_version: str
    kind: str
    name: str
    namespace: str | None
    that: Expression
    _paths: dict[str, str] = field(default_factory=dict, compare=False, repr=False)  # what the API was asked once

    def about(self) -> str:
        return f"{label_of(self.kind, self.name, self.namespace)}: {self.that.text}"

    def read(self, asking: Asking) -> dict:
        """The object. Raises ClusterError, and GateError if the cluster has no such kind."""
        group = f"/apis/{self.api_version}" if "/" in self.api_version else f"/api/{self.api_version}"
        if group not in self._paths:
            self._paths[group] = api_path(group, self.namespace, self._plural(asking, group), self.name)
        return asking.cluster.get(self._paths[group], deadline=asking.deadline)

    def ask(self, asking: Asking) -> Answer:
        try:
            found = self.read(asking)
        except NotFound:
            return Answer(False, f"{label_of(self.kind, self.name, self.namespace)} does not exist")
        holds, shown = self.that.holds(found)
        gives = "" if self.kind == SECRET else f" (it gives {shown})"
        verb = "is true" if holds else f"is not true{gives}"
        return Answer(holds, f'"{self.that.text}" {verb} of {label_of(self.kind, self.name, self.namespace)}')

    def _plural(self, asking: Asking, group: str) -> str:
        """The name of the kind in API paths. Raises GateError if the cluster has no such kind."""
        try:
            resources = asking.cluster.get(group, deadline=asking.deadline).get("resources") or []
        except NotFound:
            raise GateError(f'the cluster has no API "{self.api_version}"') from None
        for one in resources:
            if one["kind"] == self.kind and "/" not in one["name"]:
                self._check_scope(bool(one["namespaced"]))
                return str(one["name"])
        raise GateError(f'the API "{self.api_version}" has no kind "{self.kind}"')

    def _check_scope(self, namespaced: bool) -> None:
        if namespaced and self.namespace is None:
            raise GateError(f'objects of the kind "{self.kind}" have a namespace; give it too')
        if not namespaced and self.namespace is not None:
            raise GateError(f'objects of the kind "{self.kind}" have no namespace; leave it out')


@dataclass(frozen=True)
class JobGate:
    """A Job that must complete. One that failed does not complete any more, and its log says why."""

    namespace: str
    name: str

    def about(self) -> str:
        return label_of("Job", self.name, self.namespace)

    def ask(self, asking: Asking) -> Answer:
        try:
            job = asking.cluster.get(api_path(JOBS, self.namespace, "jobs", self.name), deadline=asking.deadline)
        except NotFound:
            return Answer(False, f"{self.about()} does not exist")
        conditions = {
            one["type"]: one for one in job.get("status", {}).get("conditions") or [] if one.get("status") == "True"
        }
        if "Complete" in conditions:
            return Answer(True, f"{self.about()} is complete")
        if "Failed" in conditions:
            why = conditions["Failed"].get("message") or conditions["Failed"].get("reason") or "it does not say why"
            return Answer(False, f"{self.about()} has failed: {why}", final=True, log=self._log(asking))
        if job.get("spec", {}).get("suspend"):
            return Answer(False, f"{self.about()} is suspended")
        counts = job.get("status", {})
        told = ", ".join(f"{counts[what]} {what}" for what in ("active", "succeeded", "failed") if counts.get(what))
        return Answer(False, f"{self.about()} is not complete ({told or 'no pod yet'})")

    def _log(self, asking: Asking) -> tuple[str, ...]:
        """The last lines of the newest failed pod, as far as they may be read."""
        try:
            selector = {"labelSelector": f"batch.kubernetes.io/job-name={self.name}"}
            pods = asking.cluster.list(kinds.pods_path(self.namespace), selector, deadline=asking.deadline).items
            failed = [pod for pod in pods if pod.get("status", {}).get("phase") == "Failed"]
            if not failed:
                return ()
            pod = max(failed, key=lambda one: one["metadata"]["creationTimestamp"])
            path = log.path(self.namespace, pod["metadata"]["name"])
            text = asking.cluster.text(path, log.query(_broken(pod), False), deadline=asking.deadline)
        except ClusterError:
            return ()
        return log.last_lines(text.splitlines())


def label_of(kind: str, name: str, namespace: str | None) -> str:
    """The name of an object in messages."""
    return object_label(kind.lower(), {"metadata": {"name": name, "namespace": namespace}})


def _broken(pod: t.Mapping) -> str:
    """The container that ended with an error, or else the first one."""
    statuses = pod.get("status", {})
    for one in [*statuses.get("initContainerStatuses", []), *statuses.get("containerStatuses", [])]:
        if (one.get("state", {}).get("terminated") or {}).get("exitCode"):
            return str(one["name"])
    return str(pod["spec"]["containers"][0]["name"])
