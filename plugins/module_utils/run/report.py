# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a run over many clusters tells a person: what came of each cluster, what broke, and how to go on."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.restartx.core.plugins.module_utils.run.fleet import grouped, said, some
from ansible_collections.restartx.core.plugins.module_utils.run.task import BAD
from ansible_collections.restartx.core.plugins.module_utils.schedule import duration

SHOWN = 5  # broken workloads of one cluster
# The order in which counts are told.
COUNTED = (
    "restarted",
    "already_restarted",
    "undone",
    "failed",
    "unfinished",
    "refused",
    "superseded",
    "in_progress",
    "unchanged",
    "not_started",
)


def outcome(result: t.Mapping, check_mode: bool = False) -> dict:
    """What came of one cluster, from the result of k8s_rollout_restart or of a task that failed before it.

    Returns `state` (done, stopped, or failed where nothing could be tried), `counts` by outcome, a `text` on them, and
    `lines` on what broke and what was not started.
    """
    results = result.get("results") or []
    good = "summary" in result and not (result.get("msg") or result.get("failed"))
    counts = {name: 0 for name in COUNTED}
    for entry in results:
        counts[entry["outcome"]] += 1
    counts = {name: count for name, count in counts.items() if count}
    if not results and not good:
        text = said(result, "it could not be reached")
        return {"state": "failed", "counts": counts, "text": text, "lines": []}
    return {
        "state": "done" if good else "stopped",
        "counts": counts,
        "text": _counted(counts, result.get("duration"), check_mode),
        "lines": [] if good else [*_broken(results), *_not_started(results)] or [str(result.get("msg"))],
    }


def _counted(counts: t.Mapping[str, int], seconds: float | None, check_mode: bool) -> str:
    words = ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in counts.items())
    if not words:
        return "nothing to restart"
    if check_mode:
        return words.replace("restarted", "to be restarted", 1) if "restarted" in counts else words
    return f"{words} in {duration.text(round(seconds))}" if seconds and seconds >= 1 else words


def _broken(results: t.Sequence[t.Mapping]) -> list[str]:
    broken = [entry for entry in results if entry["outcome"] in BAD - {"not_started"}]
    lines = []
    for entry in broken[:SHOWN]:
        cause = entry["cause"] or {}
        lines.append(f"{title(entry)} {entry['outcome']}: {cause.get('sentence') or entry['message']}")
        lines += [f"  | {line}" for line in cause.get("log") or []]
        if cause.get("advice"):
            lines.append(f"  {cause['advice']}")
    if len(broken) > SHOWN:
        lines.append(f"and {len(broken) - SHOWN} more")
    return lines


def _not_started(results: t.Sequence[t.Mapping]) -> list[str]:
    left = [entry for entry in results if entry["outcome"] == "not_started"]
    if not left:
        return []
    reasons = list(dict.fromkeys(entry["message"] for entry in left))
    why = f" ({reasons[0]})" if len(reasons) == 1 else ""
    return [f"not started: {some([title(entry) for entry in left])}{why}"]


def title(entry: t.Mapping) -> str:
    """How a sentence names a workload: `Deployment shop/api`."""
    return f"{entry['kind']} {entry['namespace']}/{entry['name']}"


@dataclass(frozen=True)
class Told:
    """What is told of one cluster: how it stands (as outcome() says, or left out, or not started), and more."""

    state: str
    words: str
    lines: t.Sequence[str] = ()


def summary(run: t.Mapping, results: t.Mapping[str, t.Mapping], check_mode: bool = False) -> dict:
    """How the run stands, from the result of each cluster; those that were never begun are not in `results`.

    `run` is what fleet.prepare() decided. Returns `good`, `lines` for a person, `failed` (host to sentence), and `data`
    for programs.
    """
    outcomes = {host: outcome(result, check_mode) for host, result in results.items()}
    told = {host: _told(host, run, outcomes) for host in run["clusters"]}
    good = all(cluster.state == "done" for cluster in told.values())
    state = "finished" if good else "stopped"
    begun = {host: cluster for host, cluster in told.items() if cluster.state != "not started"}
    lines = ["dry run, nothing was changed" if check_mode else f"run {run['run_id']} {state}"]
    for host, cluster in begun.items():
        lines += [f"{host}: {cluster.words}", *(f"  {line}" for line in cluster.lines)]
    lines += grouped({host: cluster.words for host, cluster in told.items() if host not in begun})
    if not good and not check_mode:
        lines.append(
            f"next: repair what broke and give the same command again; it resumes run {run['run_id']}, "
            "leaves alone what is restarted, and tries again what failed"
        )
    clusters = {
        host: {"state": cluster.state, "counts": outcomes.get(host, {}).get("counts", {})}
        for host, cluster in told.items()
    }
    return {
        "good": good,
        "lines": lines,
        "failed": {host: cluster.words for host, cluster in begun.items() if cluster.state != "done"},
        "data": {"run_id": run["run_id"], "plan": run["plan"], "state": state, "clusters": clusters},
    }


def _told(host: str, run: t.Mapping, outcomes: t.Mapping[str, t.Mapping]) -> Told:
    if host in run["excluded"]:
        return Told("left out", f"left out, for its check failed: {run['excluded'][host]}")
    if host in outcomes:
        seen = outcomes[host]
        return Told(seen["state"], seen["text"], seen["lines"])
    bad = [*run["excluded"], *(other for other, seen in outcomes.items() if seen["state"] != "done")]
    why = f", because of {some(bad)} (restartx_max_failed_clusters is {run['max_failed']})" if bad else ""
    return Told("not started", f"not started{why}")
