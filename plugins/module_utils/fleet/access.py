# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The access to many clusters for people: what each has, and what is missing with the commands that provide it."""

from __future__ import annotations

import typing as t

from ansible_collections.restartx.core.plugins.module_utils.fleet import columns
from ansible_collections.restartx.core.plugins.module_utils.fleet.prepare import said
from ansible_collections.restartx.core.plugins.module_utils.schedule import duration


def summary(results: t.Mapping[str, t.Mapping]) -> dict:
    """From the result of k8s_rollout_access for each inventory host.

    Returns `lines` for people and `failed` (host to sentence). Results may be those of tasks that failed before the
    module did anything.
    """
    lines: list[str] = []
    failed: dict[str, str] = {}
    for host, result in results.items():
        missing = _missing(result)
        if missing:
            count = len(missing)
            failed[host] = f"{count} {'thing is' if count == 1 else 'things are'} missing"
        lines.append(f"{host}: {failed.get(host, 'nothing is missing')}")
        lines += [f"  {line}" for line in _details(result)]
        for one in missing:
            lines += [f"  missing: {one['what']}", *(f"    {command}" for command in one["commands"])]
    return {"lines": lines, "failed": failed}


def _missing(result: t.Mapping) -> t.Sequence[t.Mapping]:
    if "missing" in result:
        found: t.Sequence[t.Mapping] = result["missing"]
        return found
    return [{"what": said(result, "it could not be reached"), "commands": []}]


def _details(result: t.Mapping) -> list[str]:
    """Lines on what was found, as far as the check came."""
    access = result.get("access")
    if not access:
        return []
    cluster = result["cluster"]
    way = f"through the proxy {access['proxy']}" if access["proxy"] else "without a proxy"
    lines = [f"server: {cluster['host']} {way}{_version(access)}{_tls(access, cluster['host'])}"]
    lines.append(f"credentials: {access['credentials']}{_user(access)}{_expiry(access)}")
    if not access["reachable"]:
        return lines
    pinned = "as pinned" if access["uid_pinned"] else "not pinned"
    lines.append(f"uid: {cluster['uid'] or 'not known'}, {pinned}; clock: {_clock(access['clock_ahead'])}")
    checked = access["permissions"]
    told = f"{checked} checked" if checked else "none checked, because neither a plan nor a namespace was given"
    lines.append(f"permissions for workloads: {told}; journals in {access['journal_namespace']}")
    return lines


def _version(access: t.Mapping) -> str:
    return f", Kubernetes {access['version']}" if access["version"] else ""


def _tls(access: t.Mapping, host: str) -> str:
    if not host.startswith("https:"):
        return ", without TLS"
    until = _until(access["server_certificate_expires"])
    checked = "" if access["validate_certs"] else ", not checked"
    return f", certificate{until}{checked}" if until or checked else ""


def _user(access: t.Mapping) -> str:
    return f", as {access['user']}" if access["user"] else ""


def _expiry(access: t.Mapping) -> str:
    ends = {"token": access["token_expires"], "client certificate": access["client_certificate_expires"]}
    told = "".join(f", {what}{_until(end)}" for what, end in ends.items() if end)
    return f"{told}, renewed by another program" if told and access["credentials_renewed"] else told


def _until(end: str | None) -> str:
    return f" until {columns.minute(end)} UTC" if end else ""


def _clock(ahead: float | None) -> str:
    if ahead is None:
        return "not known"
    if not ahead:
        return "as here"
    return f"{duration.text(abs(ahead))} {'ahead of' if ahead > 0 else 'behind'} the one here"
