# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The journal of a run on one cluster: its format, and how it is read.

Each run has a ConfigMap of its own, restartx.PLAN.RUN, labelled with plan and run. Plan names and run ids contain no
dot, so two runs never share a name. For many workloads there are further ConfigMaps, restartx.PLAN.RUN.1 and so on.
Version 0.1.0 had one ConfigMap for each plan, restartx-PLAN, with only its last run. It is still read.

The workloads themselves record that they were restarted. The journal adds what they cannot record: the clusters and
workloads of the run, what failed and how often it was tried, and whether the run has ended.
"""

from __future__ import annotations

import collections
import datetime
import hashlib
import json
import re
import typing as t

from ansible_collections.restartx.core.plugins.module_utils.cluster.errors import NotFound
from ansible_collections.restartx.core.plugins.module_utils.rollout.canary import Canary
from ansible_collections.restartx.core.plugins.module_utils.rollout.errors import RolloutError
from ansible_collections.restartx.core.plugins.module_utils.rollout.outcome import DONE, Outcome

VERSION = 2
FIRST_VERSION = 1  # of 0.1.0
KEY = "journal.json"  # within the ConfigMap's data
PLAN_KEY = "plan.json"  # the plan as it was written, to show later what has changed
INLINE = 500  # most workloads in the first ConfigMap
IN_PART = 1500  # workloads in each further one: with the longest names less than the 1 MiB that an object may have
PLAN_LABEL = "restartx.io/plan"
RUN_LABEL = "restartx.io/run"
PART_LABEL = "restartx.io/part"  # only on further ConfigMaps
MANAGED = {"app.kubernetes.io/managed-by": "restartx"}
UNDOING = "undoing"  # the state of a run while it is undone
UNDONE = "undone"
_OPEN = ("running", "stopped")
ENDED = frozenset({"finished", UNDOING, UNDONE})  # states of a run that nothing resumes of itself
_WRONG = (KeyError, TypeError, ValueError, AttributeError)  # what comes of values that are missing or of another kind
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")

OF_GATES = ("waits_for", "gates", "passed_gates")  # what the journal has of the gates of the run

# The fields of a run without its workloads.
HEADER = (
    "run",
    "plan",
    "digest",
    "ticket",
    "period",
    "clusters",
    "operator",
    "undone_by",
    "break_circuit",
    "started_at",
    "updated_at",
    "state",
    "stopped_by",
    "over",
    "done",
    "total",
    "counts",
    "waits_for",
)


def path(namespace: str, name: str | None = None) -> str:
    """The API path of a ConfigMap of a journal, or of the namespace's ConfigMaps."""
    base = f"/api/v1/namespaces/{namespace}/configmaps"
    return f"{base}/{name}" if name else base


def name_of(plan: str, run: str, part: int = 0) -> str:
    """The name of a ConfigMap of a run. `part` numbers the further ones from 1."""
    if not _NAME.fullmatch(run):
        # Only ids from users may not be valid in a name.
        readable = re.sub(r"[^a-z0-9]+", "-", run.lower()).strip("-")[:40].strip("-") or "run"
        run = f"{readable}-{hashlib.sha256(run.encode()).hexdigest()[:10]}"
    return f"restartx.{plan}.{run}" + (f".{part}" if part else "")


def entry_name(key: t.Sequence[str]) -> str:
    """The name of a workload in the journal, from its kind, namespace and name."""
    return "/".join(key)


def by_key(workloads: t.Mapping[str, dict]) -> dict[tuple[str, str, str], dict]:
    """The workloads of a journal by kind, namespace and name."""
    parts = {name: name.split("/") for name in workloads}
    return {(of[0], of[1], of[2]): workloads[name] for name, of in parts.items() if len(of) == 3}


def first_name(plan: str) -> str:
    """The name of the one ConfigMap that version 0.1.0 kept for a plan."""
    return f"restartx-{plan}"


def config_map(namespace: str, name: str, labels: t.Mapping[str, str], data: t.Mapping[str, str]) -> dict:
    """A ConfigMap with a journal, or with a part of one."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": namespace, "labels": {**MANAGED, **labels}},
        "data": dict(data),
    }


def labels_of(plan: str, run: str, part: int = 0) -> dict[str, str]:
    """The labels that select journals. The label of the run is left out if its id is not a valid value."""
    labels = {PLAN_LABEL: plan}
    if re.fullmatch(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?", run):
        labels[RUN_LABEL] = run
    return {**labels, PART_LABEL: str(part)} if part else labels


def no_namespace(namespace: str) -> str:
    """What to do if the namespace of journals and locks is missing."""
    return (
        f'the namespace "{namespace}", which holds the journals and locks, does not exist; ask an administrator to create it '
        "with its permissions: kubectl apply -f rbac/cluster.yml"
    )


def fetch(cluster: t.Any, namespace: str, name: str) -> dict | None:
    """A ConfigMap; None if there is none. Raises ClusterError."""
    try:
        return cluster.get(path(namespace, name))
    except NotFound:
        return None


def read_runs(cluster: t.Any, namespace: str, plan: str) -> list[dict]:
    """The journals of the runs of a plan, the newest first. Split journals are returned without their workloads.

    Raises ClusterError, and RolloutError if one of them cannot be read.
    """
    selector = {"labelSelector": f"{PLAN_LABEL}={plan},!{PART_LABEL}"}
    held = cluster.list(path(namespace), selector).items
    runs = [decode(one, namespace) for one in held]
    held_first = fetch(cluster, namespace, first_name(plan))
    first = decode(held_first, namespace) if held_first else None
    if first and first["run"] not in [run["run"] for run in runs]:
        runs.append(first)
    return sorted(runs, key=lambda run: (run["started_at"], run["run"]), reverse=True)


def read_all(cluster: t.Any, namespace: str) -> tuple[list[dict], list[str]]:
    """The journals of the runs of all plans, the newest first, and a sentence for each one that cannot be read.

    Split journals are returned without their workloads. Raises ClusterError.
    """
    (managed,) = MANAGED.items()
    selector = {"labelSelector": f"{'='.join(managed)},!{PART_LABEL}"}
    runs: dict[tuple[str, str], dict] = {}
    unreadable = []
    for held in cluster.list(path(namespace), selector).items:
        try:
            journal = decode(held, namespace)
        except RolloutError as error:
            unreadable.append(str(error))
            continue
        key = (journal["plan"], journal["run"])
        if key not in runs or runs[key]["version"] == FIRST_VERSION:
            runs[key] = journal
    return sorted(runs.values(), key=lambda run: (run["started_at"], run["run"]), reverse=True), unreadable


def read_run(cluster: t.Any, namespace: str, plan: str, run: str) -> tuple[dict | None, list[dict]]:
    """The journal of one run with all its workloads (None if there is none), and its ConfigMaps.

    A journal of version 0.1.0 has no ConfigMap of its own. Raises ClusterError and RolloutError.
    """
    held = fetch(cluster, namespace, name_of(plan, run))
    if held is None:
        first = fetch(cluster, namespace, first_name(plan))
        journal = decode(first, namespace) if first else None
        return (journal if journal and journal["run"] == run else None), []
    journal = decode(held, namespace)
    parts = [fetch(cluster, namespace, name_of(plan, run, part)) for part in range(1, journal["parts"] + 1)]
    found = [part for part in parts if part is not None]
    for part in found:
        journal["workloads"].update(_decode_part(part, namespace))
    return journal, [held, *found]


def counts_of(workloads: t.Mapping[str, t.Mapping[str, t.Any]]) -> dict[str, int]:
    """How many workloads of a journal have each outcome. One without an outcome was not started."""
    return dict(collections.Counter(entry["outcome"] or str(Outcome.NOT_STARTED) for entry in workloads.values()))


def is_open(journal: t.Mapping[str, t.Any]) -> bool:
    """Whether a start would continue the run, and no undo of it has begun."""
    return journal["state"] in _OPEN and not journal["over"]


def header(journal: t.Mapping[str, t.Any]) -> dict:
    """The part of a journal that decisions over many clusters need."""
    return {name: journal[name] for name in HEADER}


def decode(held: dict, namespace: str) -> dict:
    """The journal in a ConfigMap, of either version. Raises RolloutError if it cannot be read."""
    journal = _load(held, namespace)
    try:
        workloads = _workloads(journal)
        outcomes = [entry["outcome"] for entry in workloads.values()]
        state = _text(journal["state"])
        return {
            "version": journal["version"],
            "plan": _text(journal["plan"]),
            "run": _text(journal["run"]),
            "digest": _text(journal["digest"]),
            "ticket": journal.get("ticket"),
            "period": journal.get("period"),
            "clusters": [_text(name) for name in _list(journal.get("clusters") or [])],
            "operator": journal.get("operator"),
            "undone_by": journal.get("undone_by"),
            "across_gates": bool(journal.get("across_gates")),  # whether its undo goes across gates on Jobs
            "break_circuit": journal.get("break_circuit"),  # why the run could start after too many failures
            "job": journal.get("job"),
            "started_at": _instant(journal["started_at"]),
            "updated_at": _instant(journal["updated_at"]),
            "waits_for": _texts(journal.get("waits_for")),  # sentences on closed gates by their names
            "gates": _texts(journal.get("gates")),  # when each gate was open for the first time
            "passed_gates": [_text(name) for name in _list(journal.get("passed_gates") or [])],
            "state": state,
            "stopped_by": journal.get("stopped_by"),
            "over": bool(journal.get("over")),
            "done": int(journal.get("done", sum(outcome in DONE for outcome in outcomes))),
            "total": int(journal.get("total", len(outcomes))),
            "parts": int(journal.get("parts", 0)),
            "counts": counts_of(workloads) if workloads else dict(journal.get("counts") or {}),
            "plan_text": (held.get("data") or {}).get(PLAN_KEY),
            "workloads": workloads,
        }
    except _WRONG as error:
        raise _unreadable(held, namespace, f"a value is missing: {error}") from error


def _decode_part(held: dict, namespace: str) -> dict[str, dict]:
    """The workloads in a further ConfigMap of a journal; raises RolloutError when they cannot be read."""
    journal = _load(held, namespace)
    try:
        return _workloads(journal)
    except _WRONG as error:
        raise _unreadable(held, namespace, f"a value is missing: {error}") from error


def _load(held: dict, namespace: str) -> dict:
    try:
        journal = json.loads(held["data"][KEY])
        version = journal["version"]
    except (KeyError, TypeError, ValueError):
        version = None
    if version not in (FIRST_VERSION, VERSION):
        raise _unreadable(held, namespace, f"its version is {version}")
    return journal


def _unreadable(held: dict, namespace: str, why: str) -> RolloutError:
    name = held["metadata"]["name"]
    return RolloutError(
        f'the ConfigMap "{name}" in namespace "{namespace}" holds no journal that this version can read ({why}); '
        f"look at it (kubectl --namespace {namespace} get configmap {name} -o yaml), and delete it if you do not need it"
    )


def _workloads(journal: dict) -> dict[str, dict]:
    return {str(name): _workload(entry) for name, entry in (journal.get("workloads") or {}).items()}


def _workload(entry: t.Mapping[str, t.Any]) -> dict:
    outcome, partition = entry["outcome"], entry.get("partition")
    return {
        "uid": entry.get("uid"),
        "entry": entry.get("entry"),
        "attempt": int(entry.get("attempt", 1)),
        "outcome": None if outcome is None else _text(outcome),
        # Only of a StatefulSet that is held if it fails: its partition before the run.
        **({} if partition is None else {"partition": int(partition)}),
        # Only with a canary: its pods, the strategy before the run, and the partition that holds a StatefulSet.
        **({} if entry.get("canary") is None else {"canary": Canary.of_record(entry["canary"]).record}),
    }


def _text(value: t.Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is not text")
    return value


def _texts(value: t.Any) -> dict[str, str]:
    return {_text(name): _text(one) for name, one in (value or {}).items()}


def _instant(value: t.Any) -> str:
    if datetime.datetime.fromisoformat(_text(value)).tzinfo is None:
        raise ValueError(f"{value!r} has no time zone")
    return str(value)


def _list(value: t.Any) -> list:
    if not isinstance(value, list):
        raise TypeError(f"{value!r} is not a list")
    return value
