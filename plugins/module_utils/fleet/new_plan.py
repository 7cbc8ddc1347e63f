# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A first plan from what is on a cluster, as the text of a file that a person then edits."""

from __future__ import annotations

import itertools
import json
import posixpath
import re
import shlex
import textwrap
import typing as t
from collections import Counter

from ansible_collections.restartx.core.plugins.module_utils.fleet.prepare import said
from ansible_collections.restartx.core.plugins.module_utils.fleet.report import is_bad, reason, title
from ansible_collections.restartx.core.plugins.module_utils.rollout.errors import RolloutError
from ansible_collections.restartx.core.plugins.module_utils.schedule import values
from ansible_collections.restartx.core.plugins.module_utils.schedule.errors import ScheduleError

KINDS = ("StatefulSet", "Deployment", "DaemonSet")  # in this order
DEFAULT_KIND = "Deployment"
LONGEST_ID = 63
LONGEST_NAME = 50
WIDTH = 100
# YAML reads everything else as text, except for numbers.
_TEXT = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?(\.[a-z]([-a-z0-9]*[a-z0-9])?)*")
_NOT_TEXT = {"null", "true", "false", "yes", "no", "on", "off", "y", "n"}

HEADING = """\
A first plan for restartx, from the workloads of {where} on {cluster}.
Read it before you use it, then try it without a change:
  {command}

The order is a guess. Nothing on a cluster says which workload needs which. So StatefulSets come
first, then Deployments, then DaemonSets, each by name, and only one workload is restarted at a time
(max_parallel). Give entries that need others `after: [ID]`, then raise max_parallel.
docs/plan.md of the collection describes all options, such as the window."""


def prepare(
    namespaces: t.Any = None,
    cluster: t.Any = None,
    file: t.Any = None,
    clusters: t.Sequence[str] = (),
    inventories: t.Sequence[str] = (),
    folder: str = "/",
) -> dict:
    """What was asked for, from the variables of the playbook; None means not given. `clusters` are those of the
    inventory, and `inventories` its sources. `folder` is where Ansible was started.

    Returns `error` (a sentence, else None) and, without one, `namespaces` (a list), `cluster`, `file` (an absolute path
    or one with ~, or None) and `command`, which tries the plan without a change. A relative path starts at `folder`:
    tasks would start it at the folder of the playbook, which is in the collection.
    """
    try:
        named = None if file is None else _text("file", file, "name the file, or leave it out to print the plan")
        return {
            "error": None,
            "namespaces": _namespaces(namespaces),
            "cluster": _cluster(cluster, clusters),
            "file": None if named is None else _path(named, folder),
            "command": _command(named or "plan.yml", inventories, folder),
        }
    except RolloutError as error:
        return {"error": str(error)}


def _path(file: str, folder: str) -> str:
    return file if file.startswith("~") else posixpath.normpath(posixpath.join(folder, file))


def _command(file: str, inventories: t.Sequence[str] = (), folder: str = "/") -> str:
    """What tries the plan in this file, for a shell in this folder."""
    sources = [option for source in inventories for option in ("-i", _short(source, folder))]
    words = ["ansible-playbook", *sources, "restartx.core.restart_prod", "-e", f"@{file}", "--check"]
    return shlex.join(words)


def _short(source: str, folder: str) -> str:
    """An inventory source as a person gives it: relative, if it is below the folder."""
    below = folder.rstrip("/") + "/"
    return source[len(below) :] if folder != "/" and source.startswith(below) else source


def _namespaces(given: t.Any) -> list[str]:
    if given is None:
        raise RolloutError(
            "namespaces is missing; name those whose workloads are restarted: -e namespaces=shop,billing"
        )
    written = given.split(",") if isinstance(given, str) else given
    if not isinstance(written, (list, tuple)) or not written:
        raise RolloutError("namespaces is empty, or no list; name at least one: -e namespaces=shop,billing")
    found = []
    for place, one in enumerate(written):
        try:
            found.append(values.namespace(one.strip() if isinstance(one, str) else one))
        except ScheduleError as error:
            raise RolloutError(f"namespaces[{place}]: {error}; write -e namespaces=shop,billing") from error
    return list(dict.fromkeys(found))


def _cluster(given: t.Any, clusters: t.Sequence[str]) -> str:
    if not clusters:
        raise RolloutError(
            "the inventory has no host in the group clusters; name an inventory with -i. To use all contexts of "
            "your kubeconfig, write this file and add -i clusters.kubeconfig.yml: "
            "echo 'plugin: restartx.core.kubeconfig' > clusters.kubeconfig.yml"
        )
    if given is None:
        return clusters[0]
    name = _text("cluster", given, "name a host of the group clusters, or leave it out to take the first one")
    if name not in clusters:
        near = values.closest(name, clusters) or f"; there are {', '.join(clusters)}"
        raise RolloutError(f"cluster: {name} is no host of the group clusters{near}")
    return name


def _text(variable: str, given: t.Any, advice: str) -> str:
    try:
        return values.text(given)
    except ScheduleError as error:
        raise RolloutError(f"{variable}: {error}; {advice}") from error


def plan(result: t.Mapping, namespaces: t.Sequence[str], cluster: str, command: str | None = None) -> dict:
    """The plan, from the result of a dry run of k8s_rollout_restart over all kinds in these namespaces.

    `command` tries the plan. Returns `error` (why there is no plan, else None), the `text` of the file, and `lines` that
    say what is in it.
    """
    entries = result.get("results") or []
    if not entries:
        return {"error": said(result, "the cluster could not be reached"), "text": "", "lines": []}
    fit = sorted((entry for entry in entries if not is_bad(entry)), key=_place)
    unfit = sorted((entry for entry in entries if is_bad(entry)), key=_place)
    if not fit:
        reasons = "; ".join(map(_refusal, unfit))
        return {"error": f"no workload can be restarted, so there is no plan: {reasons}", "text": "", "lines": []}
    heading = HEADING.format(where=", ".join(namespaces), cluster=cluster, command=command or _command("plan.yml"))
    lines = [
        *(f"# {line}".rstrip() for line in heading.splitlines()),
        "restart_plan:",
        "  version: 1",
        f"  name: {_scalar(_name(namespaces))}",
        f"  defaults: {{{_defaults(namespaces)}}}",
        "  workloads:",
        *_entries(fit, namespaces),
        *_refused(unfit),
        "  failure_budget: 0",
    ]
    told = f"{len(fit)} workloads are in the plan"
    told += f"; {len(unfit)} are in comments, because their restart would be refused" if unfit else ""
    return {"error": None, "text": "\n".join(lines) + "\n", "lines": [told]}


def _place(entry: t.Mapping) -> tuple:
    return KINDS.index(entry["kind"]), entry["namespace"], entry["name"]


def _name(namespaces: t.Sequence[str]) -> str:
    return f"restart-{'-'.join(namespaces)}"[:LONGEST_NAME].rstrip("-")


def _defaults(namespaces: t.Sequence[str]) -> str:
    one = f"namespace: {_scalar(namespaces[0])}, " if len(namespaces) == 1 else ""
    return f"{one}timeout: 10m, max_parallel: 1, on_failure: stop"


def _entries(fit: t.Sequence[t.Mapping], namespaces: t.Sequence[str]) -> t.Iterator[str]:
    for entry, identifier in zip(fit, _ids(fit)):
        options = {"id": identifier}
        if entry["kind"] != DEFAULT_KIND:
            options["kind"] = entry["kind"]
        if len(namespaces) > 1:
            options["namespace"] = entry["namespace"]
        options["name"] = entry["name"]
        told = ", ".join(f"{name}: {value if name == 'kind' else _scalar(value)}" for name, value in options.items())
        yield f"    - {{{told}}}"


def _ids(fit: t.Sequence[t.Mapping]) -> list[str]:
    """An id for each workload: the shortest of its names that no other workload has."""
    spellings = [
        (
            entry["name"],
            f"{entry['namespace']}-{entry['name']}",
            f"{entry['kind'].lower()}-{entry['namespace']}-{entry['name']}",
        )
        for entry in fit
    ]
    counts = Counter(name for names in spellings for name in names)
    ids: list[str] = []
    for names in spellings:
        numbered = (f"{names[0][: LONGEST_ID - 8]}-{number}" for number in itertools.count(2))
        free = (name for name in (*names, *itertools.islice(numbered, len(fit))) if counts[name] == (name in names))
        ids.append(next(name for name in free if len(name) <= LONGEST_ID and name not in ids))
    return ids


def _refused(unfit: t.Sequence[t.Mapping]) -> t.Iterator[str]:
    if unfit:
        yield "    # Not in the plan, because a restart would be refused:"
    for entry in unfit:
        yield from textwrap.wrap(
            _refusal(entry), WIDTH, initial_indent="    # - ", subsequent_indent="    #   ", break_long_words=False
        )


def _refusal(entry: t.Mapping) -> str:
    """Why a workload is refused, on one line that names it once."""
    told = reason(entry)
    named = told != " ".join(entry["message"].split())
    return f"{title(entry)}{'' if named else ':'} {told}"


def _scalar(text: str) -> str:
    """The text as YAML reads it back."""
    return text if _TEXT.fullmatch(text) and text not in _NOT_TEXT else json.dumps(text)
