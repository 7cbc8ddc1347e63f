# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One run at a time for each plan and cluster: a Lease, held by one start of the playbook.

Clocks of different machines are never compared. As in client-go's leader election, a reader measures with its own clock
for how long it has seen the Lease unchanged, and then considers the holder gone. It takes over the Lease by replacing
exactly the version that it judged. If two readers try this, one gets a 409 and reads the Lease again.
"""

from __future__ import annotations

import datetime
import typing as t
from dataclasses import dataclass, field

from ansible_collections.restartx.core.plugins.module_utils.cluster.errors import ClusterError, Conflict, NotFound
from ansible_collections.restartx.core.plugins.module_utils.engine.controller import Abandoned
from ansible_collections.restartx.core.plugins.module_utils.engine.observer import Work
from ansible_collections.restartx.core.plugins.module_utils.record import journal
from ansible_collections.restartx.core.plugins.module_utils.rollout.errors import RolloutError
from ansible_collections.restartx.core.plugins.module_utils.schedule import duration

DURATION = 30  # seconds without renewal after which others may take it over
RENEWALS = 3  # renewals in that time, so that one of them may fail
POLL = 1.0  # seconds between two reads of a Lease that someone else holds
MARGIN = 2.0  # seconds before expiry at which its holder stops starting work
OPERATOR = "restartx.io/operator"
RUN = "restartx.io/run"
BROKEN = "restartx.io/broken"
PREFIX = "restartx-"  # of the names of our Leases; the plan follows


def _nobody(text: str) -> None:
    """Tells nobody."""


def collection(namespace: str) -> str:
    """The API path of the Leases of a namespace."""
    return f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"


class Held(ClusterError):
    """Someone else holds the Lease; the sentence says who, since when, and how to break it."""


@dataclass
class Lease:
    """The Lease of one scope as one holder sees it, and a guard of the engine. All instants are of
    `clock.monotonic()`."""

    cluster: t.Any
    clock: t.Any
    namespace: str
    scope: str  # the plan
    holder: str  # unique for each start, never reused
    run: str = ""
    operator: str = ""
    seconds: int = DURATION
    renewed_at: float | None = None
    lost: str | None = None  # why it is no longer ours
    _next_try: float = field(default=0.0, repr=False)
    _seen: tuple[str, float] | None = field(default=None, repr=False)  # a version, and when it was first seen

    @property
    def path(self) -> str:
        return f"{collection(self.namespace)}/{self.name}"

    @property
    def name(self) -> str:
        return f"{PREFIX}{self.scope}"

    @property
    def valid(self) -> bool:
        """Whether work may still start. The time when the last renewal was sent counts, not when it was answered."""
        return self.renewed_at is not None and self.clock.monotonic() < self.renewed_at + self.seconds - MARGIN

    @property
    def ours(self) -> bool:
        """Whether we hold it, according to the cluster."""
        return self._ours(self.read())

    def refusal(self) -> str | None:
        """Why nothing may start under this Lease; None if it may."""
        if self.lost or self.valid:
            return self.lost
        return f'the lock of "{self.scope}" was not renewed in time, so another start may hold it by now'

    def acquire(
        self,
        max_wait: float = 0.0,
        break_reason: str | None = None,
        controller: t.Any = None,
        tell: t.Callable[[str], None] = _nobody,
    ) -> None:
        """Takes the Lease, and waits up to `max_wait` seconds while its holder renews it. Raises Held or ClusterError,
        and Abandoned if the `controller` is gone before.

        If the holder does not renew the Lease, this waits until it has seen the Lease unchanged for its duration, but
        not longer than `max_wait` plus the duration of our own Lease: somebody may have written a Lease of a whole day.
        `tell` is called with what this waits for, and with an empty text when it has the Lease.
        """
        start = self.clock.monotonic()
        longest = max_wait + self.seconds
        renewals = 0
        while True:
            if controller is not None and not controller.alive():
                raise Abandoned(controller.reason)
            deadline = start + longest + POLL
            current = self.read(deadline)
            if current is None or self._free(current) or break_reason:
                if self._write(current, break_reason, deadline):
                    tell("")
                    return
                continue
            renewals += self._observe(current)
            if self._expired(current):
                if self._write(current, None, deadline):
                    tell("")
                    return
                continue
            tell(f'the lock of "{self.scope}", which {self._owner(current)} holds')
            now = self.clock.monotonic()
            if now >= start + (max_wait if renewals else longest):
                raise Held(self._refusal(current), status=409, path=self.path)
            self.clock.sleep(POLL)

    def renew(self) -> None:
        """Renews the Lease. Raises Held if someone else has taken it over, or ClusterError.

        If the server does not answer, this gives up in time for another attempt.
        """
        deadline = self.clock.monotonic() + self.seconds / RENEWALS / 2
        current = self.read(deadline)
        while self._ours(current):
            if self._write(current, None, deadline):
                return
            current = self.read(deadline)  # an earlier renewal, whose answer was lost, may have been carried out
        self.renewed_at = None
        raise Held(f"the lock was lost: {self._refusal(current)}", status=409, path=self.path)

    def work(self, tasks: t.Iterable[t.Any]) -> Work | None:
        """A renewal, when one is due."""
        if self.lost or self.clock.monotonic() < self._next_try:
            return None
        return Work(self.renew, urgent=True)

    def worked(self, error: BaseException | None) -> None:
        """A renewal has ended. After a failure it is tried again soon, until the Lease expires or is lost."""
        if isinstance(error, Held):
            self.lost = str(error)
        elif isinstance(error, ClusterError):
            self._next_try = self.clock.monotonic() + POLL
        elif error is not None:
            raise error  # a bug, not a state of the cluster

    def release(self) -> None:
        """Releases the lock at once. Does nothing if it is no longer ours."""
        self.renewed_at = None
        current = self.read()
        if current is None or not self._ours(current):
            return
        current["spec"]["holderIdentity"] = ""
        try:
            self.cluster.replace(self.path, current)
        except Conflict:
            pass  # taken over at the same moment, so it is no longer ours

    def read(self, deadline: float | None = None) -> dict | None:
        """The Lease as the cluster has it now; None if there is none. Raises ClusterError."""
        try:
            return self.cluster.get(self.path, deadline=deadline)
        except NotFound:
            return None

    def _ours(self, current: dict | None) -> bool:
        return current is not None and current["spec"].get("holderIdentity") == self.holder

    def _free(self, current: dict | None) -> bool:
        return current is None or current["spec"].get("holderIdentity") in (None, "", self.holder)

    def _observe(self, current: dict) -> bool:
        """Notes when this version was first seen. Returns whether the holder has renewed the Lease since the first
        read."""
        version = current["metadata"]["resourceVersion"]
        if self._seen is None or self._seen[0] != version:
            alive = self._seen is not None
            self._seen = (version, self.clock.monotonic())
            return alive
        return False

    def alive(self, current: dict) -> bool | None:
        """Whether the holder renews the Lease, from what was just read of it; None as long as that is not known."""
        return True if self._observe(current) else False if self._expired(current) else None

    def _expired(self, current: dict) -> bool:
        seconds = current["spec"].get("leaseDurationSeconds") or DURATION
        return self._seen is not None and self.clock.monotonic() >= self._seen[1] + seconds

    def _write(self, current: dict | None, break_reason: str | None, deadline: float | None = None) -> bool:
        """Takes it or renews it. Returns False if someone else was faster."""
        sent_at = self.clock.monotonic()
        body = self._body(current, break_reason)
        try:
            if current is None:
                self.cluster.create(collection(self.namespace), body, deadline=deadline)
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
        if current is not None and self._ours(current):
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

    @staticmethod
    def _owner(current: dict) -> str:
        notes = current["metadata"].get("annotations") or {}
        return (
            f"run {notes.get(RUN)} of {notes.get(OPERATOR) or 'an unnamed operator'}" if notes.get(RUN) else "someone"
        )

    def _refusal(self, current: dict | None) -> str:
        if current is None:
            return f'the lock of "{self.scope}" is gone: its Lease was deleted; start again'
        spec = current["spec"]
        return (
            f'"{self.scope}" is being restarted by {self._owner(current)} ({spec.get("holderIdentity")}) since {spec.get("acquireTime")}; '
            f"wait for it, or, if it is certainly dead, break its lock with break_lock and a reason "
            f"(in restart_prod: -e restartx_break_lock=REASON; it expires "
            f"{duration.text(spec.get('leaseDurationSeconds') or DURATION)} after its last sign of life)"
        )


def holder_of(cluster: t.Any, namespace: str, plan: str) -> dict | None:
    """Who holds the lock of a plan: plan, holder, run, operator, since and renewed_at. None if nobody does.

    A holder that was killed is named until somebody else takes the lock. Raises ClusterError.
    """
    held = Lease(cluster, None, namespace, plan, holder="").read()
    return None if held is None else holder_in(held, plan)


def holder_in(held: dict, plan: str) -> dict | None:
    """Who holds this Lease of a plan, as holder_of() says it."""
    spec, notes = held.get("spec") or {}, held["metadata"].get("annotations") or {}
    if not spec.get("holderIdentity"):
        return None
    return {
        "plan": plan,
        "holder": spec["holderIdentity"],
        "run": notes.get(RUN) or None,
        "operator": notes.get(OPERATOR) or None,
        "since": spec.get("acquireTime"),
        "renewed_at": spec.get("renewTime"),
    }


def _micro(instant: datetime.datetime) -> str:
    """A MicroTime, as the API's Lease has it."""
    return instant.astimezone(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
