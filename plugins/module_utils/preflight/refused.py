# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the cluster refuses: workloads that must not be restarted, and pods that would not be created or not start."""

from __future__ import annotations

import typing as t

from ansible_collections.restartx.core.plugins.module_utils.preflight.facts import Facts
from ansible_collections.restartx.core.plugins.module_utils.preflight.finding import (
    BLOCKER,
    NOTE,
    RISK,
    Finding,
)
from ansible_collections.restartx.core.plugins.module_utils.preflight.pods import claims_of
from ansible_collections.restartx.core.plugins.module_utils.rollout import kinds, owner, status
from ansible_collections.restartx.core.plugins.module_utils.rollout.kinds.fields import Object, condition, field
from ansible_collections.restartx.core.plugins.module_utils.rollout.words import some
from ansible_collections.restartx.core.plugins.module_utils.selection.uses import required_of

SHOWN = 3  # pods in one sentence
_PLURALS = {"ConfigMap": "configmaps", "Secret": "secrets"}


def restart(workload: Object, message: str, facts: Facts) -> Finding:
    """Why the dry run of a restart was refused: `message` is a sentence, with what to do behind a semicolon."""
    sentence, _semicolon, advice = message.partition("; ")
    if not advice:
        advice = f"correct it, or leave the workload out; see: {_show(workload, facts)}"
    return Finding(_code(workload, message), BLOCKER, kinds.label(workload), sentence, advice)


def _code(workload: Object, message: str) -> str:
    if field(workload, "metadata.deletionTimestamp"):
        return "being_deleted"
    if field(workload, "spec.paused"):
        return "paused"
    if kinds.kind_of(workload).strategy_of(workload).get("type") == "OnDelete":
        return "on_delete"
    if owner.controller(workload) and message == owner.refusal(workload):
        return "owned"
    if kinds.kind_of(workload).restart_refusal(workload) or " is held by its partition " in message:
        return "partitioned"
    return "unready_pod" if " waits for its pod " in message else "patch_refused"


def pod(workload: Object, error: str, facts: Facts) -> Finding:
    """Why a dry run could not create a pod from the template."""
    label = kinds.label(workload)
    sentence = f"a pod made from the template of {label} is refused: {error}"
    advice = f"correct the template, or the policy that refuses it; see: {_show(workload, facts)}"
    return Finding("pod_refused", BLOCKER, label, sentence, advice)


def references(workload: Object, facts: Facts) -> list[Finding]:
    """ConfigMaps, Secrets and volume claims that a new pod needs and that do not exist."""
    namespace, label = workload["metadata"].get("namespace", ""), kinds.label(workload)
    missing: list[tuple[str, str]] = []
    for use in sorted(required_of(workload), key=lambda one: (one.kind, one.name)):
        plural = _PLURALS[use.kind]
        known = facts.names.get((plural, namespace))
        if known is not None and use.name not in known:
            missing.append((use.kind, use.name))
    if facts.knows("persistentvolumeclaims", namespace):
        there = {one["metadata"]["name"] for one in facts.claims if one["metadata"].get("namespace") == namespace}
        template = {"spec": field(workload, "spec.template.spec", {})}
        missing += [("PersistentVolumeClaim", name) for name in claims_of(template) if name not in there]
    return [
        Finding(
            "missing_reference",
            BLOCKER,
            label,
            f'the template of {label} needs the {kind} "{name}", which does not exist, so new pods do not start',
            f"create it, or correct the template; see: {facts.kubectl} get {kind.lower()} --namespace {namespace}",
        )
        for kind, name in missing
    ]


def state(workload: Object, facts: Facts) -> list[Finding]:
    """An earlier rollout that is not done, and pods that are not ready already."""
    kind, label = kinds.kind_of(workload), kinds.label(workload)
    if field(workload, "spec.paused") or kind.strategy_of(workload).get("type") == "OnDelete":
        return []
    found: list[Finding] = []
    unready = [
        one
        for one in facts.pods_of(workload)
        if condition(one, "Ready").get("status") != "True" and not field(one, "metadata.deletionTimestamp")
    ]
    held_back, manager = kind.strategy_of(workload).get("rollingUpdate") or {}, owner.controller(workload)
    if held_back.get("partition"):
        sentence = (
            f"the partition {held_back['partition']} of {label} holds back some of its {kind.wanted(workload)} pods"
        )
        advice = "set spec.updateStrategy.rollingUpdate.partition to 0 if all pods should be restarted"
        found.append(Finding("partitioned", NOTE, label, sentence, advice))
    if manager:  # allow_owned
        sentence = f"{label} is managed by {manager}, which may revert the restart"
        found.append(Finding("owned", NOTE, label, sentence, "see afterwards that its pods were replaced"))
    verdict = status.judge(workload)
    if verdict.state != status.DONE and kind.wanted(workload):
        sentence = f"an earlier rollout of {label} is not done ({verdict.message.rstrip('.')})"
        name, namespace = workload["metadata"]["name"], workload["metadata"].get("namespace")
        follow = f"{facts.kubectl} rollout status {kind.name.lower()} {name} --namespace {namespace}"
        found.append(Finding("rollout_under_way", RISK, label, sentence, f"wait until it is done: {follow}"))
    if unready:
        names = [one["metadata"]["name"] for one in unready]
        waits = ", and its next rollout starts only when they are" if kind.may_stick(workload) else ""
        sentence = f"{label} has {kind.wanted(workload)} pods, and of those that exist {len(unready)} are not ready: {some(names, SHOWN)}{waits}"
        namespace = workload["metadata"].get("namespace")
        look = f"{facts.kubectl} describe pod {names[0]} --namespace {namespace}"
        found.append(Finding("unready_pod", RISK, label, sentence, f"find out why before the restart: {look}"))
    return found


def _show(workload: Object, facts: Facts) -> str:
    kind, namespace, name = kinds.key(workload)
    return f"{facts.kubectl} get {kind.lower()} {name} --namespace {namespace} --output yaml"


def unchecked(what: t.Sequence[str], host: str, advice: str) -> Finding:
    """What could not be read, so that nothing is known about it."""
    sentence = f"this may not be read, so it was not checked: {'; '.join(what)}"
    return Finding("not_checked", NOTE, host, sentence, advice)
