# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Checks everything that restarts need of a cluster, and says what is missing and how to provide it."""

from __future__ import annotations

import datetime
import itertools
import typing as t

from ansible_collections.restartx.core.plugins.module_utils.cluster.errors import ClusterError, Forbidden, NotFound
from ansible_collections.restartx.core.plugins.module_utils.rollout import kinds, pod_order
from ansible_collections.restartx.core.plugins.module_utils.rollout.budgets import ASKING, REPORT
from ansible_collections.restartx.core.plugins.module_utils.rollout.kinds.fields import api_path
from ansible_collections.restartx.core.plugins.module_utils.schedule import duration, values
from ansible_collections.restartx.core.plugins.module_utils.schedule.between_pods import BetweenPods
from ansible_collections.restartx.core.plugins.module_utils.schedule.plan import Entry, check
from ansible_collections.restartx.core.plugins.module_utils.verbs import permissions, pod_access, snapshots
from ansible_collections.restartx.core.plugins.module_utils.verbs.call import Call
from ansible_collections.restartx.core.plugins.module_utils.verbs.grants import Grants, Missing
from ansible_collections.restartx.core.plugins.module_utils.verbs.required import Access

USER_REVIEWS = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
# The time before the end of a certificate or a token at which it is mentioned. Tokens are often made for a day.
SOON = datetime.timedelta(days=7)
SOON_FOR_TOKENS = datetime.timedelta(hours=6)
MOST_SKEW = 30  # seconds
PLAN = "access"  # in the name of the ConfigMap of the dry run


def access(call: Call) -> dict:
    """Who we are on the cluster, how it is reached, and what is missing for restarts. Returns the module's result."""
    where, everywhere, honoured = _meant(call)
    report = _connection(call)
    missing: list[Missing] = []
    try:
        report |= _server(call)
        report |= _user(call)
        grants = Grants(call.cluster.context, report["user"])
        missing += _identity(call, grants)
        needed = permissions.of_workloads(where, everywhere)
        of_budgets = permissions.of_budgets(honoured)
        missing += [*_permissions(call, grants, needed), *_budgets(call, grants, of_budgets)]
        of_pods = pod_access.needed([*_between(call), *_canaries(call)])
        of_pods = [one for one in of_pods if one.namespace or one.resource == pod_access.NODES]  # as of workloads
        missing += [*_pods(call, grants, of_pods), *_snapshots(call)]
        report["permissions"] = len(needed) + len(of_budgets) + len(of_pods)
        missing += _records(call, grants)
    except ClusterError as error:
        missing.append(Missing(str(error)))
    _warn(call, report)
    result = {
        "access": {name: _plain(value) for name, value in report.items()},
        "missing": [{"what": one.what, "commands": list(one.commands)} for one in missing],
    }
    if missing:
        result["msg"] = _sentence(call, missing)
    return result


def _meant(call: Call) -> tuple[list[tuple[str, str]], list[str], list[str | None]]:
    """The kinds and namespaces in which restarts are meant, the kinds that are selected in all namespaces, and the namespaces in
    which restarts honour budgets, of which None means all."""
    if call.params["plan"] is not None:
        plan = call.checked_plan()
        where = [pair for entry in plan.entries for pair in itertools.product(entry.kinds, entry.namespaces)]
        honouring = [entry for entry in plan.entries if entry.budgets in ASKING]
        honoured: list[str | None] = [one for entry in honouring for one in entry.namespaces or (None,)]
        return where, permissions.watched_everywhere(plan), honoured
    wanted = call.listed("kind", lambda kind: kinds.kind_named(str(kind)).name)
    namespaces = call.listed("namespace", values.namespace)
    return list(itertools.product(wanted, namespaces)), [], list(namespaces)


def _between(call: Call) -> list[tuple[str | None, BetweenPods, bool]]:
    """The namespaces in which a plan has pods replaced one by one, with how, and whether they are evicted for that."""
    entries = check(call.params["plan"]).entries if call.params["plan"] is not None else ()
    return [
        (namespace, entry.between_pods, _evicts(call, entry, namespace))
        for entry in entries
        if entry.between_pods
        for namespace in entry.namespaces or (None,)
    ]


def _canaries(call: Call) -> list[tuple[str | None, BetweenPods, bool]]:
    """The same for canaries of DaemonSets, whose pods are always evicted."""
    entries = check(call.params["plan"]).entries if call.params["plan"] is not None else ()
    return [
        (namespace, BetweenPods(pod_order.CANARY), True)
        for entry in entries
        if entry.canary and "DaemonSet" in entry.kinds
        for namespace in entry.namespaces or (None,)
    ]


def _evicts(call: Call, entry: Entry, namespace: str | None) -> bool:
    """Whether workloads of an entry have the update strategy OnDelete, as far as they may be read. The partition of the others
    needs no further permission."""
    its = entry.between_pods
    if its is None or its.leader or its.order != pod_order.ORDINAL:
        return True  # all others are refused
    path = api_path("/apis/apps/v1", namespace, kinds.KINDS["StatefulSet"].plural)
    try:
        found = call.cluster.list(path, {"labelSelector": ",".join(entry.label_selectors)}).items
    except ClusterError:
        return False  # it is told that they may not be read
    chosen = [one for one in found if not entry.names or one["metadata"]["name"] in entry.names]
    return any(map(pod_order.by_pods, chosen))


def _connection(call: Call) -> dict[str, t.Any]:
    """What is known without a request. Keys of later steps are there too, so that every result has the same keys."""
    info = call.cluster.connection_info()
    return {
        "reachable": False,
        "version": None,
        "server_certificate_expires": None,
        "clock_ahead": None,
        "proxy": info.proxy,
        "validate_certs": info.validate,
        "credentials": info.credentials,
        "credentials_renewed": info.renewed,
        "token_expires": info.token_expires,
        "client_certificate_expires": info.certificate_expires,
        "user": None,
        "groups": [],
        "uid_pinned": bool(call.params["cluster_uid"]),
        "permissions": 0,
        "journal_namespace": call.params["journal_namespace"],
    }


def _server(call: Call) -> dict[str, t.Any]:
    info = call.cluster.server_info()
    return {
        "reachable": True,
        "version": info.version,
        "server_certificate_expires": info.certificate_expires,
        "clock_ahead": info.clock_ahead,
    }


def _user(call: Call) -> dict[str, t.Any]:
    """Who the server takes us for. It does not say so before Kubernetes 1.28, or if the review is not allowed."""
    review = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
    try:
        answer = call.cluster.create(USER_REVIEWS, review, resend=True)
    except (Forbidden, NotFound):
        return {}
    return {
        "user": kinds.field(answer, "status.userInfo.username"),
        "groups": kinds.field(answer, "status.userInfo.groups", []),
    }


def _identity(call: Call, grants: Grants) -> list[Missing]:
    """Raises ConfigError if another cluster is pinned."""
    if call.cluster.uid() is None:
        what = "to get the namespace kube-system, whose uid identifies the cluster"
        return [Missing(f"permission is missing {what}", grants.identity())]
    call.identify()
    return []


def _permissions(call: Call, grants: Grants, needed: t.Sequence[Access]) -> list[Missing]:
    """One for each namespace in which something is missing."""
    by_namespace: dict[str | None, list[Access]] = {}
    for lacking in permissions.denied(call, needed):
        by_namespace.setdefault(lacking.namespace, []).append(lacking)
    return [
        Missing(_named(lacking), grants.workloads(namespace) if namespace else grants.everywhere(lacking))
        for namespace, lacking in by_namespace.items()
    ]


def _budgets(call: Call, grants: Grants, needed: t.Sequence[Access]) -> list[Missing]:
    """One for all namespaces in which budgets may not be read."""
    lacking = permissions.denied(call, needed)
    if not lacking:
        return []
    where = "all namespaces" if any(one.namespace is None for one in lacking) else _where(lacking)
    what = (
        f"permission is missing in {where}: to list {lacking[0].what}, which restarts need unless budgets is {REPORT}"
    )
    return [Missing(what, grants.budgets())]


def _pods(call: Call, grants: Grants, needed: t.Sequence[Access]) -> list[Missing]:
    """One for each role that restarts pod by pod need and that is missing somewhere."""
    found = []
    for role, lacking in pod_access.granted_by(permissions.denied(call, needed)):
        where = "all namespaces" if any(one.namespace is None for one in lacking) else _where(lacking)
        verbs = _and(list(dict.fromkeys(one.verb for one in lacking)))
        what = f"permission is missing in {where}: to {verbs} {lacking[0].what}, which between_pods or a canary of the plan needs"
        namespaces = [one.namespace for one in lacking]
        found.append(Missing(what, grants.role(role.file, role.name, namespaces, role.bound)))
    return found


def _snapshots(call: Call) -> list[Missing]:
    """What the cluster lacks for the VolumeSnapshots of a plan."""
    entries = check(call.params["plan"]).entries if call.params["plan"] is not None else ()
    return [Missing(told) for told in snapshots.lacking(call, entries, {entry.id for entry in entries})]


def _where(lacking: t.Sequence[Access]) -> str:
    names = list(dict.fromkeys(one.namespace or "" for one in lacking))
    return f"{'namespace' if len(names) == 1 else 'namespaces'} {_and(names)}"


def _records(call: Call, grants: Grants) -> list[Missing]:
    """The namespace of the journals, and the permissions in it."""
    namespace = call.params["journal_namespace"]
    needed = permissions.of_records(namespace)
    found = []
    if not permissions.has_journal_namespace(call, PLAN, namespace):
        what = f'the namespace "{namespace}", which holds the journals and locks, does not exist'
        found.append(Missing(what, grants.namespace(namespace)))
    lacking = permissions.denied(call, needed)
    if lacking:
        found.append(Missing(_named(lacking), grants.records(namespace, needed)))
    return found


def _named(lacking: t.Sequence[Access]) -> str:
    """`permission is missing in namespace shop: to list and watch pods, to list events`."""
    verbs: dict[str, list[str]] = {}
    for one in lacking:
        verbs.setdefault(one.what, []).append(one.verb)
    resources: dict[str, list[str]] = {}
    for what, allowed in verbs.items():
        resources.setdefault(_and(allowed), []).append(what)
    told = ", ".join(f"to {allowed} {_and(what)}" for allowed, what in resources.items())
    return f"permission is missing in {lacking[0].where}: {told}"


def _and(words: t.Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(words[:-1]), words[-1])))


def _warn(call: Call, report: t.Mapping[str, t.Any]) -> None:
    """Adds to the warnings of the call what works now, but may not for long."""
    now = call.clock.now()
    ends = {"certificate of the server": report["server_certificate_expires"]}
    if not report["credentials_renewed"]:
        ends |= {"token": report["token_expires"], "client certificate": report["client_certificate_expires"]}
    token_file = call.cluster.connection_info().token_file
    found = []
    for what, end in ends.items():
        unless = ", unless another program renews the file" if what == "token" and token_file else ""
        if end and now < end < now + (SOON_FOR_TOKENS if what == "token" else SOON):
            left = duration.text(round((end - now).total_seconds() / 60) * 60)
            found.append(f"the {what} expires on {end:%Y-%m-%d at %H:%M} UTC, in {left}; renew it{unless}")
    ahead = report["clock_ahead"]
    if ahead and abs(ahead) > MOST_SKEW:
        told = f"{duration.text(abs(ahead))} {'ahead of' if ahead > 0 else 'behind'}"
        found.append(
            f"the clock of the server is {told} the clock of this machine, which decides whether a window is open; "
            "correct the one that is wrong"
        )
    if not report["validate_certs"]:
        found.append("the certificate of the server is not checked; leave out validate_certs: false")
    call.warnings += [f"{call.cluster.context or call.cluster.host}: {words}" for words in found]


def _sentence(call: Call, missing: t.Sequence[Missing]) -> str:
    told = [
        f"{one.what}{f' (for an administrator: {_joined(one.commands)})' if one.commands else ''}" for one in missing
    ]
    if len(told) == 1:
        return told[0]
    return f"{len(told)} things are missing on {call.cluster.context or call.cluster.host}: {'; '.join(told)}"


def _joined(commands: t.Sequence[str]) -> str:
    return " && ".join(commands)


def _plain(value: t.Any) -> t.Any:
    return value.isoformat().replace("+00:00", "Z") if isinstance(value, datetime.datetime) else value
