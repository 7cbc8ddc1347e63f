# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Reports everything that was requested and not found in one error, with suggestions."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Optional

from ansible_collections.restartx.core.plugins.module_utils.rollout import kinds
from ansible_collections.restartx.core.plugins.module_utils.schedule.plan import ALONE, Entry
from ansible_collections.restartx.core.plugins.module_utils.schedule.selecting import Use
from ansible_collections.restartx.core.plugins.module_utils.schedule.values import near
from ansible_collections.restartx.core.plugins.module_utils.selection.uses import uses_of

MOST_LISTS = 7  # lists that are read only for suggestions: the namespaces, and each kind in two of them
SHOWN = 3  # suggestions for one name
NAMESPACES = "/api/v1/namespaces"

# Returns the objects under a path, without selectors; None without permission or without an answer.
Look = Callable[[str], Optional[Sequence[dict]]]  # noqa: UP045  ansible-test's pylint takes the other form for an operation


def look_nowhere(path: str) -> None:
    """A Look for callers without a cluster."""


@dataclass(frozen=True)
class Missing:
    """What one entry requests and the cluster does not have: names, and namespaces in which nothing was found.

    `nothing`: the entry found no workload at all.
    """

    entry: Entry
    names: tuple[str, ...]
    namespaces: tuple[str, ...]
    nothing: bool


@dataclass(frozen=True)
class LeftOut:
    """An entry of which an option has left out all `count` workloads that the others select."""

    entry: Entry
    option: str  # exclude or only
    count: int


@dataclass
class Search:
    """What is known about a cluster when something was not found: earlier lists, and at most a few more."""

    where: str  # the cluster, for messages
    context: str | None
    known: list[dict]  # workloads that were listed
    asked: dict[str, Sequence[dict] | None]  # lists without selectors, by their path
    named: set[str]  # namespaces that this call requests
    look: Look
    lists: int = 0  # lists that were read only for suggestions

    def explain(self, missing: Sequence[Missing]) -> str:
        """A sentence for each missing thing, one on each line."""
        return "\n".join(line for each in missing for line in self._lines(each))

    def explain_left_out(self, left_out: Sequence[LeftOut]) -> str:
        """A sentence for each option that has left nothing, one on each line."""
        return "\n".join(map(self._nothing_left, left_out))

    def _nothing_left(self, left_out: LeftOut) -> str:
        entry, count = left_out.entry, left_out.count
        prefix, permit = _words_for(entry)
        leaves_out = f"leaves out {'the only workload' if count == 1 else f'all {count} workloads'}"
        why = f"exclude {leaves_out}"
        if left_out.option == "only":
            why = f"only.started_before: {entry.only} {leaves_out}, because no pod is that old"
        searched = f"nothing to select in {self.where}: searched {_searched(entry)}"
        return f"{prefix}{searched}; {why}; to go on without it, set {permit}"

    def _lines(self, missing: Missing) -> Iterator[str]:
        entry = missing.entry
        prefix, permit = _words_for(entry)
        searched = f"searched {_searched(entry)}"
        if missing.names or missing.nothing:
            what = f" named {_either(missing.names)}" if missing.names else ""
            hints = [self._of_namespace(namespace, entry) for namespace in missing.namespaces if missing.nothing]
            hints += [self._of_name(entry, name) for name in missing.names]
            hints += [self._of_use(entry, use) for use in entry.uses if missing.nothing]
            rest = self._rest(hints, entry.namespaces, entry)
            yield f"{prefix}nothing found{what} in {self.where}: {searched}{rest}; to go on without it, set {permit}"
        if missing.namespaces and not missing.nothing:
            hints = [self._of_namespace(namespace, entry) for namespace in missing.namespaces]
            rest = self._rest(hints, missing.namespaces, entry)
            found = f"found nothing in namespace {_either(missing.namespaces)} of {self.where}"
            yield f"{prefix}{found}: {searched}{rest}; to go on without it, set {permit}"

    def _rest(self, hints: Sequence[str], namespaces: Sequence[str], entry: Entry) -> str:
        """The hints, or a command that shows what exists."""
        helpful = [hint for hint in dict.fromkeys(hints) if hint]
        if not helpful:
            scope = ["-n", namespaces[0]] if namespaces else ["-A"]
            context = ["--context", self.context] if self.context else []
            wanted = ",".join(kinds.KINDS[kind].plural for kind in entry.kinds)
            helpful = [f"see what is there with: {shlex.join(['kubectl', 'get', wanted, *scope, *context])}"]
        return "".join(f"; {hint}" for hint in helpful)

    # -- suggestions ---------------------------------------------------------------------------------------------------

    def _of_name(self, entry: Entry, name: str) -> str:
        """A workload with this name or a similar one, as a part of a sentence; empty if there is none."""
        workloads = self._around(entry)
        same = [one for one in workloads if one["metadata"]["name"] == name]
        here = [one for one in same if _lies_in(one, entry)]
        for one in here:
            if one["kind"] in entry.kinds:
                left_out = (
                    f"but {_selectors(entry)} leaves it out"
                    if _selectors(entry)
                    else "created in the meantime: try again"
                )
                return f"{kinds.label(one)} is there, {left_out}"
        if here:
            return f'"{name}" is a {here[0]["kind"]}: set kind: {here[0]["kind"]}'
        if same:
            return f"there is {kinds.label(same[0])}"
        candidates = [one for one in workloads if _lies_in(one, entry)]
        likely = near(
            name, sorted({one["metadata"]["name"] for one in candidates if one["kind"] in entry.kinds}), SHOWN
        )
        if likely:
            return f'for "{name}" did you mean {_either(likely)}?'
        others = {one["metadata"]["name"]: one for one in candidates}
        return "".join(f'for "{name}" did you mean {_short(others[like])}?' for like in near(name, sorted(others)))

    def _of_use(self, entry: Entry, use: Use) -> str:
        """A Secret or ConfigMap with a similar name that workloads use where the entry looks; empty if there is none."""
        used = {
            one.name
            for workload in self.known
            if _lies_in(workload, entry)
            for one in uses_of(workload)
            if one.kind == use.kind
        }
        likely = near(use.name, sorted(used - {use.name}), SHOWN)
        meant = [f"{use.kind.lower()}/{name}" for name in likely]
        return f'for "{use}" did you mean {_either(meant)}?' if meant else ""

    def _of_namespace(self, namespace: str, entry: Entry) -> str:
        """Says that the namespace does not exist, which one may be meant, or what else is in it."""
        existing = self._namespaces()
        if existing is not None and namespace in existing:
            return "" if entry.names or _selectors(entry) else self._of_kind(namespace, entry)
        seen = {one["metadata"].get("namespace", "") for one in self.known}
        others = (set(existing) if existing is not None else self.named | seen) - set(entry.namespaces)
        likely = near(namespace, sorted(others), SHOWN)
        meant = f"did you mean {_either(likely)}?" if likely else ""
        if existing is not None:
            return f'namespace "{namespace}" does not exist{", " if meant else ""}{meant}'
        return f'for namespace "{namespace}" {meant}' if meant else ""

    def _of_kind(self, namespace: str, entry: Entry) -> str:
        """A workload of another kind in a namespace in which none of the kinds was found."""
        for kind in kinds.KINDS:
            for one in () if kind in entry.kinds else self._list(kinds.path(kind, namespace)) or ():
                return f'namespace "{namespace}" has {_short(one)}: set kind: {kind}'
        return ""

    # -- what is known -----------------------------------------------------------------------------------------------

    def _around(self, entry: Entry) -> list[dict]:
        """The workloads of all kinds where the entry looks, and all others that were listed, each once."""
        found = {kinds.key(one): one for one in self.known}
        others = [kind for kind in kinds.KINDS if kind not in entry.kinds] if entry.namespaces else []
        existing = self._namespaces()
        for kind in [*entry.kinds, *others]:
            for namespace in entry.namespaces or (None,):
                if namespace is None or existing is None or namespace in existing:
                    found |= {kinds.key(one): one for one in self._list(kinds.path(kind, namespace)) or ()}
        return list(found.values())

    def _namespaces(self) -> list[str] | None:
        """All namespaces of the cluster; None if they may not be listed."""
        listed = self._list(NAMESPACES)
        return None if listed is None else [one["metadata"]["name"] for one in listed]

    def _list(self, path: str) -> Sequence[dict] | None:
        """The objects under a path, listed once, as long as there were not too many lists; None if unknown."""
        if path not in self.asked:
            self.lists += 1
            self.asked[path] = self.look(path) if self.lists <= MOST_LISTS else None
        return self.asked[path]


def _words_for(entry: Entry) -> tuple[str, str]:
    """What messages on an entry begin with, and how to permit that it finds nothing."""
    return ("", "allow_empty: true") if entry.id == ALONE else (f"{entry.id}: ", "optional: true")


def _either(names: Sequence[str]) -> str:
    return " or ".join(f'"{name}"' for name in names)


def _short(workload: dict) -> str:
    return f'{kinds.KINDS[workload["kind"]].words} "{workload["metadata"]["name"]}"'


def _lies_in(workload: dict, entry: Entry) -> bool:
    return not entry.namespaces or workload["metadata"].get("namespace") in entry.namespaces


def _selectors(entry: Entry) -> str:
    """The selectors of an entry, as they were written."""
    lists = {
        "name_pattern": entry.name_patterns,
        "labels": entry.label_selectors,
        "fields": entry.field_selectors,
        "select": (entry.select,) if entry.select else (),
        "uses": entry.uses,
        "service_account": entry.service_accounts,
        "image": entry.images,
    }
    return " and ".join(f"{option} {', '.join(map(str, given))}" for option, given in lists.items() if given)


def _searched(entry: Entry) -> str:
    """Where an entry looks: `Deployment and DaemonSet in namespace "shop" or "edge" with labels tier=web`."""
    places = f"namespace {_either(entry.namespaces)}" if entry.namespaces else "all namespaces"
    by = f" with {_selectors(entry)}" if _selectors(entry) else ""
    return f"{' and '.join(entry.kinds)} in {places}{by}"
