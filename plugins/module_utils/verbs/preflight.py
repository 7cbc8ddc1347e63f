# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Looks before a restart: what would fail, what users may notice, and what cannot be taken back. Changes nothing."""

from __future__ import annotations

import typing as t
from collections import Counter

from ansible_collections.restartx.core.plugins.module_utils.engine.task import Task
from ansible_collections.restartx.core.plugins.module_utils.preflight import refused
from ansible_collections.restartx.core.plugins.module_utils.preflight.examine import examine
from ansible_collections.restartx.core.plugins.module_utils.preflight.finding import (
    BLOCKER,
    CODES,
    SEVERITIES,
    Finding,
    in_words,
    ordered,
    stopping,
)
from ansible_collections.restartx.core.plugins.module_utils.preflight.limits import Limits
from ansible_collections.restartx.core.plugins.module_utils.record import journal
from ansible_collections.restartx.core.plugins.module_utils.rollout.causes.commands import kubectl
from ansible_collections.restartx.core.plugins.module_utils.rollout.outcome import Outcome
from ansible_collections.restartx.core.plugins.module_utils.rollout.words import some
from ansible_collections.restartx.core.plugins.module_utils.schedule import graph, values
from ansible_collections.restartx.core.plugins.module_utils.schedule.errors import PlanError
from ansible_collections.restartx.core.plugins.module_utils.schedule.plan import Entry, Plan
from ansible_collections.restartx.core.plugins.module_utils.selection.resolve import Found
from ansible_collections.restartx.core.plugins.module_utils.verbs import (
    canary,
    dry_run,
    facts,
    permissions,
    pipeline,
    pod_access,
    snapshots,
)
from ansible_collections.restartx.core.plugins.module_utils.verbs.call import Call

SHOWN = 8  # namespaces in one sentence
IN_FULL = 3  # findings of one code in the check of a run


def preflight(call: Call) -> dict:
    """The findings on the workloads of a plan or of a selection. Returns the result of the module."""
    plan = None
    if call.params["plan"] is not None:
        call.refuse_beside("plan", "set it in the plan")
        plan = call.checked_plan()
        accepted_of(plan)
    entries = plan.entries if plan else call.entries()
    found = pipeline.find(call, entries, call.params["allow_empty"])
    tasks = dry_run.restarts(call, entries, found)
    findings = [
        *_permissions(call, plan, found),
        *_snapshots(call, entries, found),
        *findings_of(call, entries, found, tasks, plan),
    ]
    findings.sort(key=lambda one: SEVERITIES.index(one["severity"]))
    result = {
        "findings": findings,
        "results": pipeline.entries_of(tasks, with_risks=False),
        "summary": dict(Counter(one["severity"] for one in findings)),
    }
    bad = stopping(findings, call.params["stop_on"])
    if bad:
        result["msg"] = sentence(bad)
    return result


def findings_of(
    call: Call, entries: t.Sequence[Entry], found: Found, tasks: t.Sequence[Task], plan: Plan | None
) -> list[dict]:
    """The findings on these workloads, the worst first, as parts of a result.

    `tasks` are those of dry_run.restarts(). A finding that the plan accepts has the reason for that.
    """
    command = kubectl(call.cluster.context)
    workloads = list(found.objects.values())  # as they are, not as the dry runs would make them
    refusals = {task.key: task.message for task in tasks if task.outcome is Outcome.REFUSED}
    pods = dry_run.pods(call, [one for key, one in found.objects.items() if key not in refusals])
    modes = {entry.id: entry.budgets for entry in entries}
    of_workloads = {key: modes[found.entry_of[key]] for key in found.objects}
    takes = {group: pods for group, pods in canary.pods_of_entries(entries).items() if isinstance(pods, (int, str))}
    canaries = {key: takes[group] for key, group in found.entry_of.items() if key in found.objects and group in takes}
    evicted = pod_access.at_a_time(entries, found)
    known = facts.read(call, workloads, pods, command, of_workloads, canaries, evicted)
    limits = _limits(call, entries, found, plan)
    findings = examine(workloads, known, limits, refusals, pods.refused)
    unread = _unread([*known.unread, *((what, where) for where, what in pods.unread.items())])
    if any(dry_run.NO_DRY_RUN in task.message for task in tasks):
        unread.append("dry runs of restarts (a webhook does not support them)")
    if unread:
        advice = f"if that is wanted, an administrator can grant it with: {command} apply -f rbac/preflight.yml"
        findings.append(refused.unchecked(unread, call.cluster.context or call.cluster.host, advice))
    accepted = accepted_of(plan) if plan else {}
    return [{**one.result(), "accepted": accepted.get(one.code)} for one in ordered(findings)]


def _unread(missing: t.Iterable[tuple[str, str]]) -> list[str]:
    """What could not be read, as (what, namespace), with the namespaces that lack the same in one text."""
    lacking: dict[str, list[str]] = {}
    for what, where in sorted(missing, key=lambda one: (one[1], one[0])):  # the whole cluster first
        lacking.setdefault(where, []).append(what)
    alike: dict[str, list[str]] = {}
    for where, whats in lacking.items():
        alike.setdefault(", ".join(whats), []).append(where)
    told = []
    for listed, namespaces in alike.items():
        told.append(listed if namespaces == [""] else f"in namespace {some(namespaces, SHOWN)}: {listed}")
    return told


def condensed(findings: t.Sequence[dict]) -> list[dict]:
    """The findings for a check of many workloads: of each code that is no blocker the first ones, and one for the rest,
    whose `count` says how many they are."""
    kept, rest = [], dict[tuple[str, str], list[dict]]()
    seen: Counter[tuple[str, str]] = Counter()
    for one in findings:
        key = one["severity"], one["code"]
        seen[key] += 1
        if one["severity"] == BLOCKER or seen[key] <= IN_FULL:
            kept.append({**one, "count": 1})
        else:
            rest.setdefault(key, []).append(one)
    for members in rest.values():
        more = f"{len(members)} more workloads"
        told = {"object": more, "sentence": f"the same is true of {more}", "advice": "see k8s_rollout_preflight"}
        kept.append({**members[0], **told, "count": len(members)})
    return sorted(kept, key=lambda one: SEVERITIES.index(one["severity"]))


def accepted_of(plan: Plan) -> dict[str, str]:
    """The codes that a plan accepts, each with its reason. Raises PlanError for a code that does not exist."""
    wrong = [
        f"restart_plan.accept[{place}].finding: {code} is unknown{values.closest(code, CODES)}; "
        f"the codes are {', '.join(CODES)}"
        for place, (code, _reason) in enumerate(plan.accept)
        if code not in CODES
    ]
    if wrong:
        raise PlanError(wrong)
    return dict(plan.accept)


def sentence(findings: t.Sequence[t.Mapping]) -> str:
    """Why nothing should be restarted: the worst finding. The others are in the result."""
    more = f"; and {len(findings) - 1} more, see findings" if len(findings) > 1 else ""
    return f"{in_words(findings[0])}{more}"


def _permissions(call: Call, plan: Plan | None, found: Found) -> list[dict]:
    """The missing namespace of the journals, and missing permissions. Only a run of a plan has journals."""
    host = call.cluster.context or call.cluster.host
    namespace, findings = call.params["journal_namespace"], []
    if plan and not permissions.has_journal_namespace(call, plan.name, namespace):
        told, _semicolon, advice = journal.no_namespace(namespace).partition("; ")
        findings.append(Finding("no_journal_namespace", BLOCKER, host, told, advice))
    missing = permissions.missing(call, plan, found, namespace)
    if missing:
        told, _semicolon, advice = permissions.sentence(call, missing, namespace, found).rpartition("; an ")
        findings.append(Finding("permission_missing", BLOCKER, host, told, f"an {advice}"))
    return [{**one.result(), "accepted": None} for one in findings]


def _snapshots(call: Call, entries: t.Sequence[Entry], found: Found) -> list[dict]:
    """What the cluster lacks for VolumeSnapshots before restarts pod by pod."""
    host, findings = call.cluster.context or call.cluster.host, []
    for told in snapshots.lacking(call, entries, set(found.entry_of.values())):
        sentence, _semicolon, advice = told.partition("; ")
        findings.append(Finding("no_snapshots", BLOCKER, host, sentence, advice))
    return [{**one.result(), "accepted": None} for one in findings]


def _limits(call: Call, entries: t.Sequence[Entry], found: Found, plan: Plan | None) -> Limits:
    given = plan.max_parallel if plan else call.params["max_parallel"]
    return Limits(
        max_parallel=given,
        entry_of=found.entry_of,
        of_entry={entry.id: entry.max_parallel for entry in entries if entry.max_parallel},
        before=graph.before(entries),
    )
