# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One run at a time for each plan and cluster: a Lease, held by one start of the playbook.

Clocks of different machines are never compared. Whether a holder is gone is judged as client-go's leader election
does: by the reader's own clock, from the moment on when it first saw a Lease that has not changed since. A Lease is taken
over by replacing exactly the version that was judged, so that of two takers one gets 409 and looks again.
"""

from __future__ import annotations

import datetime
import typing as t
from dataclasses import dataclass, field

from ansible_collections.restartx.core.plugins.module_utils.cluster.errors import ClusterError, Conflict, NotFound
from ansible_collections.restartx.core.plugins.module_utils.rollout.errors import RolloutError
from ansible_collections.restartx.core.plugins.module_utils.run import journal
from ansible_collections.restartx.core.plugins.module_utils.run.controller import Abandoned
from ansible_collections.restartx.core.plugins.module_utils.schedule import duration

DURATION = 30  # seconds without renewal after which others may take it over
RENEWALS = 3  # renewals in that time, so that one that fails is not the end
POLL = 1.0  # seconds between two looks at a Lease that someone else holds
MARGIN = 2.0  # seconds before expiry from which on its holder begins nothing any more
OPERATOR = "restartx.io/operator"
RUN = "restartx.io/run"
BROKEN = "restartx.io/broken"
TOKEN = ("lease", None)  # of the renewals that the world is given


class Held(ClusterError):
    """Someone else holds the Lease; the sentence says who, since when, and how to break it."""


@dataclass
class Lease:
    """The Lease of one scope as one holder sees it. All instants are of `clock.monotonic()`."""

    cluster: t.Any
    clock: t.Any
    namespace: str
    scope: str  # the plan
    holder: str  # unique for each start, never reused
    run: str = ""
    operator: str = ""
    seconds: int = DURATION
    renewed_at: float | None = None
    lost: str | None = None  # why it is not ours any more
    busy: bool = False  # a renewal is under way
    _next_try: float = field(default=0.0, repr=False)
    _seen: tuple[str, float] | None = field(default=None, repr=False)  # a version, and when it was first seen

    @property
    def path(self) -> str:
        return f"{self._collection}/{self.name}"

    @property
    def name(self) -> str:
        return f"restartx-{self.scope}"

    @property
    def _collection(self) -> str:
        return f"/apis/coordination.k8s.io/v1/namespaces/{self.namespace}/leases"

    @property
    def valid(self) -> bool:
        """Whether we may still begin something: judged by when the last renewal was sent, not answered."""
        return self.renewed_at is not None and self.clock.monotonic() < self.renewed_at + self.seconds - MARGIN

    @property
    def ours(self) -> bool:
        """Whether the cluster says that we hold it."""
        return self._ours(self._read())

    def refusal(self) -> str | None:
        """Why nothing may begin under this Lease; None when it may."""
        if self.lost or self.valid:
            return self.lost
        return f'the lock of "{self.scope}" was not renewed in time, so another start may hold it by now'

    def acquire(self, patience: float = 0.0, break_reason: str | None = None, controller: t.Any = None) -> None:
        """Takes the Lease, waiting for `patience` seconds while a living holder has it; raises Held or ClusterError, and
        Abandoned when the `controller` is gone before.

        A holder that shows no sign of life is waited for until its Lease has expired before our eyes.
        """
        start = self.clock.monotonic()
        renewals = 0
        while True:
            if controller is not None and not controller.alive():
                raise Abandoned(controller.reason)
            current = self._read()
            if self._free(current) or break_reason:
                if self._write(current, break_reason):
                    return
                continue
            renewals += self._observe(current)
            if self._expired(current):
                if self._write(current, None):
                    return
                continue
            if renewals and self.clock.monotonic() >= start + patience:
                raise Held(self._refusal(current), status=409, path=self.path)
            self.clock.sleep(POLL)

    def renew(self) -> None:
        """Holds it for another while; raises Held when someone else has taken it over, or ClusterError.

        Where the server is silent it gives up while there is time for another try.
        """
        deadline = self.clock.monotonic() + self.seconds / RENEWALS / 2
        current = self._read(deadline)
        while self._ours(current):
            if self._write(current, None, deadline):
                return
            current = self._read(deadline)  # an earlier renewal, whose answer was lost, may have arrived only now
        self.renewed_at = None
        raise Held(f"the lock was lost: {self._refusal(current)}", status=409, path=self.path)

    def keep(self, world) -> None:
        """Gives the world a renewal when one is due; see kept()."""
        if self.lost or self.busy or self.clock.monotonic() < self._next_try:
            return
        self.busy = True
        world.do(TOKEN, self.renew, urgent=True)

    def kept(self, error: Exception | None) -> None:
        """A renewal is over. One that failed is tried again soon, as long as the Lease lasts; a lost one is lost."""
        self.busy = False
        if isinstance(error, Held):
            self.lost = str(error)
        elif isinstance(error, ClusterError):
            self._next_try = self.clock.monotonic() + POLL
        elif error is not None:
            raise error  # a bug of ours, not a state of the cluster

    def release(self) -> None:
        """Lets others have it at once; nothing happens when it is not ours any more."""
        self.renewed_at = None
        current = self._read()
        if current is None or not self._ours(current):
            return
        current["spec"]["holderIdentity"] = ""
        try:
            self.cluster.replace(self.path, current)
        except Conflict:
            pass  # taken over in the same moment: it is not ours any more

    def _read(self, deadline: float | None = None) -> dict | None:
        try:
            return self.cluster.get(self.path, deadline=deadline)
        except NotFound:
            return None

    def _ours(self, current: dict | None) -> bool:
        return current is not None and current["spec"].get("holderIdentity") == self.holder

    def _free(self, current: dict | None) -> bool:
        return current is None or current["spec"].get("holderIdentity") in (None, "", self.holder)

    def _observe(self, current: dict) -> bool:
        """Notes when this version was first seen; whether its holder has shown life since we began to look."""
        version = current["metadata"]["resourceVersion"]
        if self._seen is None or self._seen[0] != version:
            alive = self._seen is not None
            self._seen = (version, self.clock.monotonic())
            return alive
        return False

    def _expired(self, current: dict) -> bool:
        seconds = current["spec"].get("leaseDurationSeconds") or DURATION
        return self._seen is not None and self.clock.monotonic() >= self._seen[1] + seconds

    def _write(self, current: dict | None, break_reason: str | None, deadline: float | None = None) -> bool:
        """Makes it ours, or goes on holding it; False when someone else was faster."""
        sent_at = self.clock.monotonic()
        body = self._body(current, break_reason)
        try:
            if current is None:
                self.cluster.create(self._collection, body, deadline=deadline)
            else:
                self.cluster.replace(self.path, body, deadline=deadline)
        except Conflict:
            return False
        except NotFound as error:
            if current is None:
                raise RolloutError(journal.no_namespace(self.namespace)) from error
            return False  # deleted since it was read
        self.renewed_at, self._next_try = sent_at, sent_at + self.seconds / RENEWALS
        return True

    def _body(self, current: dict | None, break_reason: str | None) -> dict:
        now = self.clock.now()
        spec = dict((current or {}).get("spec") or {})
        annotations = {RUN: self.run, OPERATOR: self.operator}
        if self._ours(current):
            annotations = {**(current["metadata"].get("annotations") or {}), **annotations}
        else:
            spec["leaseTransitions"] = (spec.get("leaseTransitions") or 0) + 1
            spec["acquireTime"] = _micro(now)
        if break_reason:
            annotations[BROKEN] = f"{break_reason} ({spec.get('holderIdentity') or 'nobody'} at {_micro(now)})"
        spec.update(holderIdentity=self.holder, leaseDurationSeconds=self.seconds, renewTime=_micro(now))
        metadata = {"name": self.name, "namespace": self.namespace, "annotations": annotations}
        if current is not None:
            metadata["resourceVersion"] = current["metadata"]["resourceVersion"]
        return {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": metadata, "spec": spec}

    def _refusal(self, current: dict | None) -> str:
        if current is None:
            return f'the lock of "{self.scope}" is gone: its Lease was deleted; start again'
        spec = current["spec"]
        notes = current["metadata"].get("annotations") or {}
        who = f"run {notes.get(RUN)} of {notes.get(OPERATOR) or 'an unnamed operator'}" if notes.get(RUN) else "someone"
        return (
            f'"{self.scope}" is being restarted by {who} ({spec.get("holderIdentity")}) since {spec.get("acquireTime")}; '
            f"wait for it, or, when it is surely dead, take its place with break_lock and a reason "
            f"(it is free by itself {duration.text(spec.get('leaseDurationSeconds') or DURATION)} after its last sign of life)"
        )


def _micro(instant: datetime.datetime) -> str:
    """A MicroTime, as the API's Lease has it."""
    return instant.astimezone(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
