# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Results of k8s_rollout_journal."""

from __future__ import annotations


def run(name, plan="ca", day=24, **more):
    return {
        "run": name,
        "plan": plan,
        "state": "finished",
        "ticket": "CHG1",
        "period": None,
        "clusters": ["a", "b"],
        "operator": "ada",
        "undone_by": None,
        "break_circuit": None,
        "started_at": f"2026-11-{day:02}T22:15:03Z",
        "updated_at": f"2026-11-{day:02}T22:25:03Z",
        "over": False,
        "done": 3,
        "total": 3,
        "counts": {"restarted": 2, "already_restarted": 1},
        **more,
    }


def answer(*runs, locks=()):
    return {"runs": list(runs), "locks": list(locks), "results": []}
