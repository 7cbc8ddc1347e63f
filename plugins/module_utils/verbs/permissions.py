# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Checks what a run needs on a cluster, before anything is touched."""

from __future__ import annotations

import typing as t

from ansible_collections.restartx.core.plugins.module_utils.cluster.errors import Forbidden, NotFound
from ansible_collections.restartx.core.plugins.module_utils.engine.executor import together
from ansible_collections.restartx.core.plugins.module_utils.record import journal
from ansible_collections.restartx.core.plugins.module_utils.rollout import budgets, kinds
from ansible_collections.restartx.core.plugins.module_utils.rollout.errors import RolloutError
from ansible_collections.restartx.core.plugins.module_utils.schedule import gating
from ansible_collections.restartx.core.plugins.module_utils.schedule.plan import Plan, reacting
from ansible_collections.restartx.core.plugins.module_utils.selection.resolve import Found
from ansible_collections.restartx.core.plugins.module_utils.verbs import pod_access
from ansible_collections.restartx.core.plugins.module_utils.verbs.call import Call
from ansible_collections.restartx.core.plugins.module_utils.verbs.required import Access

REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
RULES = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews"
SHOWN = 8  # missing permissions in one message


def check(call: Call, plan: Plan, found: Found, gates: t.Sequence[t.Mapping] = ()) -> None:
    """Raises RolloutError that names the missing namespace of the journals, or every permission that is missing. `gates`
    are asked beside those of the plan."""
    namespace = call.params["journal_namespace"]
    if not has_journal_namespace(call, plan.name, namespace):
        raise RolloutError(journal.no_namespace(namespace))
    lacking = missing(call, plan, found, namespace, gates)
    if lacking:
        raise RolloutError(sentence(call, lacking, namespace, found))


def missing(
    call: Call, plan: Plan | None, found: Found, namespace: str, gates: t.Sequence[t.Mapping] = ()
) -> list[Access]:
    """Every permission for these workloads that the cluster does not grant, with a plan also for journals and locks."""
    where = [(kind, place) for kind, place, _name in found.objects]
    wanted = of_workloads(where, watched_everywhere(plan) if plan else ())
    wanted += of_budgets(_honoured(call, plan, found))
    if plan:
        wanted += [*of_stuck_pods(where, plan), *of_records(namespace), *of_gates([*dict(plan.gates).values(), *gates])]
        workloads = [(found.entry_of[key], one) for key, one in found.objects.items()]
        wanted += pod_access.needed(pod_access.of_workloads(plan.entries, workloads))
    return denied(call, wanted)


def of_stuck_pods(where: t.Iterable[tuple[str, str]], plan: Plan) -> list[Access]:
    """What rbac/cluster.yml grants for the option delete_stuck_pods (ClusterRole restartx-delete-stuck-pods)."""
    if not (plan.delete_stuck_pods and reacting(plan.entries, plan.on_failure, "undo")):
        return []
    namespaces = dict.fromkeys(namespace for kind, namespace in where if kind == "StatefulSet")
    return [Access("delete", "", "pods", namespace) for namespace in namespaces]


def of_budgets(namespaces: t.Iterable[str | None]) -> list[Access]:
    """What rbac/budgets.yml grants for restarts that honour budgets (ClusterRole restartx-budgets)."""
    return [Access("list", "policy", budgets.PLURAL, namespace) for namespace in dict.fromkeys(namespaces)]


def _honoured(call: Call, plan: Plan | None, found: Found) -> list[str]:
    """The namespaces in which restarts honour budgets."""
    if plan is None:
        return [key[1] for key in found.objects] if call.params.get("budgets") in budgets.ASKING else []
    honouring = {entry.id for entry in plan.entries if entry.budgets in budgets.ASKING}
    return [key[1] for key in found.objects if found.entry_of[key] in honouring]


def of_gates(gates: t.Iterable[t.Mapping]) -> list[Access]:
    """What rbac/gates.yml grants for gates on Jobs (ClusterRole restartx-gates)."""
    namespaces = dict.fromkeys(gating.job(gate["job"])[0] for gate in gates if "job" in gate)
    return [Access("get", "batch", "jobs", namespace) for namespace in namespaces if namespace]


def denied(call: Call, asked: t.Sequence[Access]) -> list[Access]:
    """Those of the permissions that the cluster does not grant.

    One review for each namespace returns its rules. They may be incomplete, and do not say what is granted in all
    namespaces, so what they do not grant is asked for one by one.
    """
    namespaces = list(dict.fromkeys(access.namespace for access in asked if access.namespace))
    rules = dict(zip(namespaces, together(lambda namespace: _rules(call, namespace), namespaces)))
    open_ = [one for one in asked if not any(_grants(rule, one) for rule in rules.get(one.namespace or "", ()))]
    return [access for access, allowed in zip(open_, together(_asking(call), open_)) if not allowed]


def _rules(call: Call, namespace: str) -> list[dict]:
    body = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectRulesReview", "spec": {"namespace": namespace}}
    try:
        answer = call.cluster.create(RULES, body, resend=True)
    except (Forbidden, NotFound):
        return []
    found: list[dict] = kinds.field(answer, "status.resourceRules", [])
    return found


def _grants(rule: t.Mapping, access: Access) -> bool:
    """Whether a rule grants a permission on all objects of the resource."""
    wanted = (("verbs", access.verb), ("apiGroups", access.group), ("resources", access.resource))
    return not rule.get("resourceNames") and all({"*", value} & set(rule.get(name) or ()) for name, value in wanted)


def watched_everywhere(plan: Plan) -> list[str]:
    """The kinds that a plan selects in all namespaces. Such a selection is also watched in all of them."""
    return [kind for entry in plan.entries if entry.all_namespaces for kind in entry.kinds]


def of_workloads(where: t.Iterable[tuple[str, str]], everywhere: t.Iterable[str] = ()) -> list[Access]:
    """What a restart needs for these kinds in these namespaces, and for kinds that are selected in all namespaces.

    It is what rbac/cluster.yml grants in each namespace (ClusterRole restartx-restart), except for logs, which are
    optional.
    """
    wanted: dict[Access, None] = {}
    for kind, namespace in where:
        resource = kinds.KINDS[kind].plural
        for verb in ("get", "list", "watch", "patch"):
            wanted[Access(verb, "apps", resource, namespace)] = None
        revisions = "replicasets" if kinds.KINDS[kind].history == "ReplicaSet" else "controllerrevisions"
        wanted[Access("list", "apps", revisions, namespace)] = None
        wanted |= {Access(verb, "", "pods", namespace): None for verb in ("list", "watch")}
        wanted[Access("list", "", "events", namespace)] = None
    wanted |= {
        Access(verb, "apps", kinds.KINDS[kind].plural, None): None for kind in everywhere for verb in ("list", "watch")
    }
    return list(wanted)


def of_records(namespace: str) -> list[Access]:
    """What rbac/cluster.yml grants for journals and locks (Role restartx-journal)."""
    maps = [Access(verb, "", "configmaps", namespace) for verb in ("get", "list", "create", "patch", "delete")]
    return maps + [Access(verb, "coordination.k8s.io", "leases", namespace) for verb in ("get", "create", "update")]


def has_journal_namespace(call: Call, plan: str, namespace: str) -> bool:
    """Whether the namespace of the journals exists. Only a write shows that, and a dry run of one is enough.

    Without the permission to write, it is not known, and then the permission is what is missing.
    """
    name = journal.name_of(plan, "check")
    body = journal.config_map(namespace, name, journal.labels_of(plan, "check"), {journal.KEY: "{}"})
    try:
        call.cluster.create(journal.path(namespace), body, dry_run=True)
    except NotFound:
        return False
    except Forbidden:
        pass
    return True


def _asking(call: Call) -> t.Callable[[Access], bool]:
    def allowed(access: Access) -> bool:
        try:
            answer = call.cluster.create(REVIEWS, access.review, resend=True)
        except Forbidden:
            return True  # the review itself is not allowed, so only the run can tell
        return bool(kinds.field(answer, "status.allowed", False))

    return allowed


def sentence(call: Call, lacking: t.Sequence[Access], namespace: str, found: Found) -> str:
    """What is missing, and the commands with which an administrator grants it."""
    missing = list(map(str, lacking))
    more = f", and {len(missing) - SHOWN} more" if len(missing) > SHOWN else ""
    context = f" --context {call.cluster.context}" if call.cluster.context else ""
    of_rest = [access for access in lacking if access.resource not in {budgets.PLURAL, *pod_access.RESOURCES}]
    commands = [f"kubectl{context} apply -f rbac/cluster.yml"] if of_rest else []
    lacking_in = {access.namespace for access in of_rest}
    of_workloads = [where for where in dict.fromkeys(key[1] for key in found.objects) if where in lacking_in]
    commands += [f"kubectl{context} apply --namespace {where} -f rbac/namespace.yml" for where in of_workloads[:3]]
    if any(access.resource == budgets.PLURAL for access in lacking):
        commands.append(f"kubectl{context} apply -f rbac/budgets.yml (or set budgets: {budgets.REPORT})")
    jobs = [access.namespace for access in lacking if access.resource == "jobs"]
    commands += pod_access.commands(call.cluster.context, lacking)
    commands += [f"kubectl{context} apply -f rbac/gates.yml"] if jobs else []
    commands += [
        f"kubectl{context} create rolebinding restartx-gates --clusterrole restartx-gates "
        f"--serviceaccount restartx-system:restartx --namespace {where}"
        for where in jobs[:3]
    ]
    # Without the namespace there are no roles in it, and without permission the server does not say that it is missing.
    everything = {str(access) for access in of_records(namespace)} <= set(missing)
    perhaps = f'; perhaps the namespace "{namespace}" of the journals does not exist' if everything else ""
    return (
        f"permission is missing on {call.cluster.context or call.cluster.host}: to {', '.join(missing[:SHOWN])}{more}"
        f"{perhaps}; an administrator can grant it with: {'; '.join(commands)}"
    )
