# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which pod of a workload with the update strategy OnDelete is replaced next, and whether all are, or enough of them."""

from __future__ import annotations

import shlex
import typing as t
from dataclasses import dataclass
from datetime import datetime

from ansible_collections.restartx.core.plugins.module_utils.rollout import history, kinds, marks, pod_batch, status
from ansible_collections.restartx.core.plugins.module_utils.rollout.causes import which_pods
from ansible_collections.restartx.core.plugins.module_utils.rollout.kinds.fields import (
    Object,
    condition,
    field,
    parse_time,
)
from ansible_collections.restartx.core.plugins.module_utils.rollout.kinds.kind import is_dead, observed, status_of
from ansible_collections.restartx.core.plugins.module_utils.rollout.kinds.stateful_set import ordinal
from ansible_collections.restartx.core.plugins.module_utils.rollout.marks import RESTARTED_AT, RUN
from ansible_collections.restartx.core.plugins.module_utils.rollout.pod_batch import ONE, Batch
from ansible_collections.restartx.core.plugins.module_utils.rollout.pod_leader import Leader
from ansible_collections.restartx.core.plugins.module_utils.rollout.words import some

ORDINAL, AGE, ZONE = "ordinal", "age", "zone"
ORDERS = (ORDINAL, AGE, ZONE)
CANARY = "canary"  # by zone, and within it by the name of the node, so that a second attempt takes the same nodes
BY_ZONE = (ZONE, CANARY)
ZONE_LABEL = "topology.kubernetes.io/zone"
MOST = 5  # names in a message


@dataclass(frozen=True)
class Ready:
    """A pod of the newest revision that is ready: its uid, and since when it has been ready, as it says."""

    uid: str
    since: str | None


@dataclass(frozen=True)
class Turn:
    """What is next: a pod that must be replaced, what must happen before that, or why it is not known. With none of them,
    all pods are replaced.

    `done` says how far it is, and `ready` are the new pods. A pod that `joins` is replaced together with others that are on
    their way.
    """

    done: str
    ready: tuple[Ready, ...] = ()
    pod: Object | None = None
    waits: str = ""
    unknown: str = ""  # why it is not known which pod is next
    kept: str = ""  # why pods of the run stay although it is undone
    joins: str = ""  # what is on its way meanwhile


def by_pods(workload: Object) -> bool:
    """Whether the pods of a workload are replaced only when somebody removes them."""
    return kinds.kind_of(workload).strategy_of(workload).get("type") == "OnDelete"


def refusal(workload: Object, order: str, leads: bool) -> str | None:
    """Why the pods of a workload are not evicted in this order, as one sentence with what to do; None if they are. `leads`
    says whether a leader must go last."""
    kind = kinds.kind_of(workload)
    if by_pods(workload):
        return None
    why, advice = "and only a journal knows its strategy after a kill", "give plan and journal, or "
    if not kind.on_each_node:
        why = "from the highest ordinal down"
        if leads:
            why, advice = f"{why}, so its leader cannot go last", ""
        elif order != ORDINAL:
            why, advice = f"{why}, and not by {order}", "write order: ordinal, or "
        else:
            why += ", and only a journal knows its partition after a kill"
    return (
        f"{kind.label(workload)} has the update strategy {kind.strategy_of(workload).get('type', 'RollingUpdate')}: its controller "
        f"replaces the pods itself, {why}; {advice}set spec.updateStrategy.type to OnDelete, or leave between_pods out for it"
    )


def deployed(workload: Object, run: str, field_manager: str) -> str:
    """Who has changed the template since the run restarted the workload, if an eviction could roll that out; empty if nobody
    has."""
    seen = status.counts(workload)
    if not by_pods(workload) or (observed(workload) and seen.updated >= seen.wanted):
        return ""
    since = marks.deployed_since(workload, field_manager)
    told = "; no pod is evicted, because it would come back with that change"
    return marks.changed(workload, run, field_manager, since) + told if since else ""


def pending(workload: Object, run: str, field_manager: str) -> str:
    """Why a first restart of this run would roll out something else: a template that waits for its owner to delete pods. Empty
    if it would not. What an earlier run has left of its restart is no such template."""
    kind, old = kinds.kind_of(workload), status.counts(workload).old
    by = marks.run_of(workload)
    restarted = by == run or (by is not None and not marks.deployed_since(workload, field_manager))
    if not (by_pods(workload) and observed(workload) and old) or restarted:
        return ""
    command = f"--selector {shlex.quote(history.selector(workload))} --label-columns {kind.hash_label}"
    return (
        f"{kind.label(workload)} has {old} pods that are not of its template, which waits until they are deleted (update strategy "
        f"OnDelete); a restart would roll it out. Delete them, or leave it out; to see them: kubectl get pods "
        f"--namespace {workload['metadata']['namespace']} {command}"
    )


def turn(
    workload: Object,
    pods: t.Sequence[Object],
    revision: str | None,
    order: str,
    zones: t.Mapping[str, str],
    run: str | None = None,
    leader: Leader | None = None,
    undoes: t.Collection[str] = (),
    batch: Batch = ONE,
    first: int | None = None,
    spare: int = 0,
) -> Turn:
    """What is next. `revision` is the hash of the newest revision, if the controller has made it already, and `zones`
    are those of the nodes. With a `run`, it is undone: only pods of that run are replaced, and of them only those of the
    revisions that the newest one `undoes`. The others would come back with a template that is newer than the run.

    One pod at a time: nothing is next while a pod is missing, ending, or new and not ready. In a `batch` of several, only these
    may be on their way. An old pod that is not ready is replaced before those that are, because that takes nothing away, and no
    ready one while any is not. The `leader` is the last one, and alone. If it is not known, nothing is next, unless the run is
    undone. Only the `first` ones are replaced, if given; new ones of others, such as of new nodes, count too. If no more old pods
    than `spare` are not ready, they are left alone: their nodes may be down.
    """
    kind = kinds.kind_of(workload)
    mine = [pod for pod in pods if kind.owns(workload, pod) and not is_dead(pod)]
    present = [pod for pod in mine if not which_pods.terminating(pod)]
    new = [pod for pod in present if revision is not None and kind.revision_of(pod) == revision]
    ready = [pod for pod in new if which_pods.ready(pod)]
    old, kept = _old(workload, [pod for pod in present if pod not in new], run, undoes)
    wanted = kind.wanted(workload)
    enough = wanted if first is None else min(first, wanted)
    done = f"{len(new)} of {enough} pods are new" if run is None else f"{len(old)} pods of the run are left"
    seen = tuple(Ready(pod["metadata"]["uid"], condition(pod, "Ready").get("lastTransitionTime")) for pod in ready)
    waits = _waits(mine, present, new, wanted) if revision is not None else "its controller must see the change first"
    if first is not None and len(ready) >= enough:
        return Turn(done, seen)
    if (waits and (revision is None or not batch.places)) or not old:
        return Turn(done, seen, waits=waits, kept=kept)
    if leader and leader.name is None and run is None and not waits:
        return Turn(done, seen, unknown=f"its leader is not known: {leader.why}")
    leads = leader.name if leader else None
    chosen = _chosen(workload, old, leads, order, zones, spare)
    if waits:
        together = _joins(batch, workload, mine, chosen, zone_of(chosen, zones) if order == ZONE else None, leader)
        return Turn(done, seen, chosen, joins=waits) if together else Turn(done, seen, waits=waits)
    down = [pod for pod in present if pod is not chosen and not which_pods.ready(pod)]
    if len(down) > spare and which_pods.ready(chosen):
        return Turn(done, seen, waits=f"pod {_name(down[0])} is not ready")
    return Turn(done, seen, chosen)


def _chosen(
    workload: Object, old: t.Sequence[Object], leads: str | None, order: str, zones: t.Mapping[str, str], spare: int
) -> Object:
    """Which of the old pods is replaced before the others. One that an earlier attempt of the run has broken is none whose node
    is down."""
    kind, run = kinds.kind_of(workload), kinds.template_annotations(workload).get(RUN)
    well = [pod for pod in old if which_pods.ready(pod)]
    ours = [pod for pod in old if spare and run and pod not in well and kinds.annotations_of(pod).get(RUN) == run]
    among = ours or (well if well and len(old) - len(well) <= spare else old)
    return min(among, key=lambda pod: (_name(pod) == leads, which_pods.ready(pod), *_place(kind, pod, order, zones)))


def _joins(
    batch: Batch, workload: Object, mine: t.Sequence[Object], chosen: Object, zone: str | None, leader: Leader | None
) -> bool:
    """Whether a pod is replaced together with those on their way, which a leader never is."""
    leads = leader is not None and leader.name in (None, _name(chosen))
    return not leads and pod_batch.joins(batch, workload, mine, chosen, zone)


def _old(workload: Object, pods: list[Object], run: str | None, undoes: t.Collection[str]) -> tuple[list[Object], str]:
    """Those of the pods that are to be replaced, and why others of a run that is undone stay."""
    if run is None:
        return pods, ""
    of_run = [pod for pod in pods if _of_run(workload, pod, run)]
    found = [pod for pod in of_run if kinds.kind_of(workload).revision_of(pod) in undoes]
    return found, _kept(workload, run, [pod for pod in of_run if pod not in found])


def newest(workload: Object, held: t.Sequence[history.Revision]) -> history.Revision | None:
    """The revision of the current template, among all of the workload, oldest first; None if its controller has not made it
    yet, or has seen a later change."""
    kind, last = kinds.kind_of(workload), held[-1] if held else None
    known = kind.newest_hash(workload)
    same = last and (kind.hash_of(last.object) == known if known else history.same_template(workload, last))
    return last if same else None


def undone_by(workload: Object, last: history.Revision, held: t.Iterable[history.Revision]) -> frozenset[str]:
    """The hashes of the revisions that the newest one undoes: those made since it was made for the first time, because one
    that is restored keeps its creationTimestamp."""
    kind, since = kinds.kind_of(workload), parse_time(last.created_at)
    made = [(one, parse_time(one.created_at)) for one in held]
    found = {kind.hash_of(one.object) for one, at in made if since and at and at >= since}
    return frozenset(filter(None, found))


def _of_run(workload: Object, pod: Object, run: str) -> bool:
    """Whether a pod is of the run, and its template is older: a later restart is nothing that an undo of the run replaces."""
    theirs, now = kinds.annotations_of(pod), parse_time(kinds.template_annotations(workload).get(RESTARTED_AT))
    made = parse_time(theirs.get(RESTARTED_AT))
    return theirs.get(RUN) == run and (now is None or (made is not None and made > now))


def _kept(workload: Object, run: str, pods: t.Sequence[Object]) -> str:
    """Why these pods of a run stay; empty if there are none."""
    if not pods:
        return ""
    return (
        f"the template of {kinds.label(workload)} was changed after run {run} had restarted it, and pods would come back with that "
        f"change, so these of the run are not evicted: {some(sorted(map(_name, pods)), MOST)}"
    )


def _waits(mine: t.Sequence[Object], present: t.Sequence[Object], new: t.Sequence[Object], wanted: int) -> str:
    """What must happen before another pod may be replaced; empty if nothing must."""
    ending = [pod for pod in mine if which_pods.terminating(pod)]
    if ending:
        return f"pod {_name(ending[0])} is ending"
    if len(present) < wanted:
        return f"{len(present)} of {wanted} pods exist"
    unready = [pod for pod in new if not which_pods.ready(pod)]
    return f"pod {_name(unready[0])} is new and not ready" if unready else ""


def _place(kind: kinds.Kind, pod: Object, order: str, zones: t.Mapping[str, str]) -> tuple[t.Any, ...]:
    """Sorts the pods in the order in which they are replaced. What is not known of a pod puts it behind the others."""
    zone = zone_of(pod, zones) if order in BY_ZONE else ""
    if order == CANARY:
        return (not zone, zone, field(pod, "spec.nodeName", ""), _name(pod))
    age = () if order != AGE and not kind.on_each_node else (which_pods.created(pod),)
    return (order == ZONE and not zone, zone, *age, -ordinal(pod), _name(pod))


def _name(pod: Object) -> str:
    name: str = pod["metadata"]["name"]
    return name


def zone_of(pod: Object, zones: t.Mapping[str, str]) -> str:
    """The zone of the node of a pod; empty if it is not known."""
    return zones.get(field(pod, "spec.nodeName", ""), "")


def judge(workload: Object, since: datetime | None) -> status.Verdict:
    """How far a rollout is: by the rules of kubectl, which knows none for OnDelete, and there by the numbers of pods."""
    return progress(workload) if by_pods(workload) else status.judge(workload, since=since)


def progress(workload: Object, generation: int | None = None, whole: bool = True) -> status.Progress:
    """Whether all pods are replaced, by the numbers of the controller. It need not be the `whole` workload in an undo, which
    leaves alone what the run has not replaced."""
    kind, seen = kinds.kind_of(workload), status.counts(workload)
    available = status_of(workload, kind.available, seen.ready)
    told = f'{kind.words} "{workload["metadata"]["name"]}"'
    if not observed(workload) or status_of(workload, "observedGeneration") < (generation or 0):
        return status.Progress(status.WAITING, f"Waiting for the controller of {told} to see the change...")
    if whole and seen.updated < seen.wanted:
        return status.Progress(status.WAITING, f"{seen.updated} of {seen.wanted} pods of {told} are replaced")
    if available < seen.wanted:
        return status.Progress(status.WAITING, f"{available} of {seen.wanted} pods of {told} are available")
    return status.Progress(status.DONE, f"the pods of {told} are replaced, and {available} are available")
