# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The result of a module as a table for a terminal: one line for each workload, as `kubectl get` prints them."""

from __future__ import annotations

import datetime
import typing as t

from ansible_collections.restartx.core.plugins.module_utils.fleet import findings, report
from ansible_collections.restartx.core.plugins.module_utils.preflight.finding import BLOCKER

GAP = "  "
CUT = "…"
# What gives way if the lines are too long: a column, and the characters that it keeps. The whole cause is below the
# table. A column that would be narrower than NARROWEST is left out.
NARROWEST = 8
GIVING_WAY = (("CAUSE", 24), ("RISKS", NARROWEST), ("CAUSE", NARROWEST))
NAME = "NAMESPACE/NAME"
_WORKLOAD = frozenset({"kind", "namespace", "name", "outcome", "pods"})
_UNITS = (("d", 86400), ("h", 3600), ("m", 60), ("s", 1))
# How the sentences of rollout.status.risks() begin, and what is left of that in a table.
_SHORTER = (("no container has a ", "no "), ("it is ", ""), ("its ", ""))

Row = dict[str, str]


def is_table(result: t.Mapping) -> bool:
    """Whether a result is that of a module with workloads, and one line for each says it all.

    Revisions do not fit into a line. Results of a loop look alike, but their items are no workloads. A task with no_log
    shows nothing.
    """
    results = result.get("results")
    if not isinstance(results, list) or not results or "censored" in result:
        return False
    return all(isinstance(entry, dict) and entry.keys() >= _WORKLOAD and "revisions" not in entry for entry in results)


def lines(result: t.Mapping, width: int, now: datetime.datetime, check_mode: bool = False) -> list[str]:
    """The table of a result that is_table(), and below it the counts, and what is wrong in full.

    No line of the table is longer than `width`. The lines below it may be, because commands in them are copied.
    """
    entries = result["results"]
    seen = report.outcome(result, check_mode)
    well = [entry for entry in entries if not report.is_bad(entry) and entry["cause"]]
    return [
        *table([_row(entry, now) for entry in entries], width),
        "",
        _total(result, seen["text"], check_mode),
        *seen["lines"],
        *report.explained(well),
        *_findings(result),
    ]


def _findings(result: t.Mapping) -> list[str]:
    """What a preflight found: blockers with what to do, and of the others one line for each code."""
    found = result.get("findings") or []
    blockers = [one for one in found if one["severity"] == BLOCKER]
    told = findings.summary([one for one in found if one not in blockers], in_full=True)
    return [*findings.lines(blockers), *(told.splitlines() if told else [])]


def _total(result: t.Mapping, counts: str, check_mode: bool) -> str:
    """`eu-west, run 20261124-221503-4f9a1c: 3 restarted in 21s`."""
    cluster = result.get("cluster") or {}
    run = f"run {result['run_id']}" if result.get("run_id") else None
    where = [cluster.get("context") or cluster.get("host"), "dry run" if check_mode else run]
    told = ", ".join(str(part) for part in where if part)
    return f"{told}: {counts}" if told else counts


def _row(entry: t.Mapping, now: datetime.datetime) -> Row:
    pods = entry["pods"]
    return {
        "KIND": entry["kind"],
        NAME: f"{entry['namespace']}/{entry['name']}",
        "OUTCOME": entry["outcome"],
        "NEW": str(pods["new"]),
        "READY": f"{pods['available']}/{pods['total']}",
        "AGE": _age(entry, now),
        "CAUSE": _cause(entry),
        "RISKS": ", ".join(map(_short, entry.get("risks") or [])),
    }


def _age(entry: t.Mapping, now: datetime.datetime) -> str:
    """The time since the end of the rollout or, while it is not known, since its start or its last progress."""
    told = entry.get("finished_at") or entry.get("started_at") or entry.get("last_progress")
    if not told:
        return ""
    seconds = max(0, int((now - datetime.datetime.fromisoformat(told)).total_seconds()))
    return next((f"{seconds // size}{unit}" for unit, size in _UNITS if seconds >= size), "0s")


def _cause(entry: t.Mapping) -> str:
    cause = entry["cause"] or {}
    told = cause.get("reason") or cause.get("code") or entry.get("missing")
    return _one_line(told or (report.reason(entry) if report.is_bad(entry) else ""))


def _short(risk: str) -> str:
    risk = risk.partition(":")[0]
    return next((short + risk.removeprefix(long) for long, short in _SHORTER if risk.startswith(long)), risk)


def _one_line(text: str) -> str:
    return " ".join(text.split())


def table(rows: t.Sequence[Row], width: int) -> list[str]:
    """A heading and a line for each row, none longer than `width`. Columns without any value are left out.

    If the width is too small, columns of free text are cut first, and the name last.
    """
    names = [name for name in rows[0] if any(row[name] for row in rows)]
    widths = {name: max(len(name), *(len(row[name]) for row in rows)) for name in names}
    for name, least in GIVING_WAY:
        excess = _excess(widths, width)
        if name not in widths or not excess:
            continue
        if least == NARROWEST and widths[name] - excess < least:
            del widths[name]
        else:
            widths[name] = max(min(least, widths[name]), widths[name] - excess)
    widths[NAME] = max(1, widths[NAME] - _excess(widths, width))
    return [_cut(_line(row, widths), width) for row in ({name: name for name in widths}, *rows)]


def _excess(widths: t.Mapping[str, int], width: int) -> int:
    """By how many characters a line with these columns is longer than `width`; 0 if it fits."""
    return max(0, sum(widths.values()) + len(GAP) * (len(widths) - 1) - width)


def _line(row: Row, widths: t.Mapping[str, int]) -> str:
    return GAP.join(_cut(row[name], size).ljust(size) for name, size in widths.items()).rstrip()


def _cut(text: str, size: int) -> str:
    return text if len(text) <= size else text[: max(0, size - 1)] + CUT
