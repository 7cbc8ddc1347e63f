# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What was pulled on many clusters, for a person."""

from __future__ import annotations

import typing as t

from ansible_collections.restartx.core.plugins.module_utils.fleet import columns
from ansible_collections.restartx.core.plugins.module_utils.fleet.prepare import said

HEADING = ("NODE", "IMAGE", "OUTCOME", "SECONDS")
SHOWN = 20  # images of a cluster
ORDER = ("failed", "pulled", "planned", "present")
_WORDS = {"present": "there already", "planned": "to be pulled"}


def summary(results: t.Mapping[str, t.Mapping]) -> dict:
    """From the result of k8s_rollout_pre_pull for each inventory host.

    Returns `lines` for people and `failed` (host to sentence). Results may be those of tasks that failed before the
    module did anything.
    """
    lines: list[str] = []
    failed: dict[str, str] = {}
    for host, result in results.items():
        images = result.get("images")
        if images is None:
            failed[host] = said(result, "it could not be reached")
            lines.append(f"{host}: {failed[host]}")
            continue
        if result.get("msg"):
            failed[host] = result["msg"]
        counts = result["summary"]
        told = [f"{counts[outcome]} {_WORDS.get(outcome, outcome)}" for outcome in ORDER if counts.get(outcome)]
        lines.append(f"{host}: {', '.join(told) or 'no image is needed'}")
        lines += [f"  {line}" for line in [*_table(images), *result.get("notes", ())]]
    return {"lines": lines, "failed": failed}


def _table(images: t.Sequence[t.Mapping]) -> list[str]:
    """What was not there already, failures first and then what took longest; below it why each failure did."""
    done = [one for one in images if one["outcome"] != "present"]
    done.sort(key=lambda one: (ORDER.index(one["outcome"]), -(one["seconds"] or 0.0), one["node"], one["image"]))
    rows = [(one["node"], one["image"], one["outcome"], one["seconds"]) for one in done[:SHOWN]]
    more = [f"and {len(done) - SHOWN} more"] if len(done) > SHOWN else []
    whys = dict.fromkeys(f"{one['image']}: {one['message']}" for one in done[:SHOWN] if one["message"])
    return [*(columns.lines(HEADING, rows) if rows else []), *more, *whys]
