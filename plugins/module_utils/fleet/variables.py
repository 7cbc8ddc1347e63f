# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The variables of the playbooks, and the mistakes in those that were given."""

from __future__ import annotations

import difflib
import typing as t

from ansible_collections.restartx.core.plugins.module_utils.schedule.schema import ROOT, SCHEMA
from ansible_collections.restartx.core.plugins.module_utils.schedule.values import closest

PREFIX = "restartx_"
ALMOST = 0.9  # of the letters are the same in the same order
LIKE = 0.75  # the same for short names that were given to this start itself
KNOWN = frozenset(
    {
        "restartx_allow_owned",
        "restartx_bake",
        "restartx_break_circuit",
        "restartx_break_lock",
        "restartx_cluster_uid",
        "restartx_cluster_uid_seen",  # set by the inventory plugin
        "restartx_context",
        "restartx_delete_stuck_pods",
        "restartx_gate_auth",
        "restartx_gates",
        "restartx_in_worker",
        "restartx_journal_namespace",
        "restartx_kubeconfig",
        "restartx_lead",  # set by the playbook itself
        "restartx_lock_timeout",
        "restartx_max_failed_clusters",
        "restartx_outside_window",
        "restartx_period",
        "restartx_resume_within",
        "restartx_retry",
        "restartx_run",
        "restartx_stop_on",
        "restartx_wave",
        "restartx_window_timeout",
    }
)


def mistakes(names: t.Iterable[str]) -> list[str]:
    """A sentence for each mistake in these names of variables.

    An unknown variable that begins with restartx_ would otherwise be ignored silently, and the run would not do what
    the user wanted.
    """
    given = set(names)
    found = [
        f"the variable {name} is unknown{closest(_plain(name), {*KNOWN, ROOT})}"
        for name in sorted(given)
        if _plain(name).startswith(PREFIX) and name not in KNOWN
    ]
    found += [
        f'the variable {name} is unknown; did you mean "{ROOT}"?' for name in sorted(given) if _is_misspelt_plan(name)
    ]
    # These are not variables of users: Ansible reserves `name`, and every plan needs `version`.
    of_plan = [option for option in SCHEMA[ROOT] if option in given]
    if "workloads" in given and given & {"version", "name"}:
        found.append(
            f"{', '.join(of_plan)} are variables of their own: the plan was given without its key {ROOT}; "
            f"begin its file with `{ROOT}:` and indent what follows"
        )
    return found


def mistakes_in_given(given: t.Iterable[str], own: t.Collection[str]) -> list[str]:
    """A sentence for each extra variable that is almost one of the playbook's `own`, which have no prefix."""
    return [
        f'the variable {name} is unknown; did you mean "{meant[0]}"?'
        for name in sorted(given)
        if name not in own and (meant := difflib.get_close_matches(_plain(name), own, n=1, cutoff=LIKE))
    ]


def _is_misspelt_plan(name: str) -> bool:
    """Whether a plan may be meant, so that another one would be restarted; longer names are those of its parts."""
    others = name.startswith(ROOT) or _plain(name).startswith(PREFIX)
    return not others and bool(difflib.get_close_matches(_plain(name), [ROOT], cutoff=ALMOST))


def _plain(name: str) -> str:
    return name.lower().replace("-", "_")


def tag_mistakes(tags: t.Iterable[str], known: t.Collection[str]) -> list[str]:
    """The mistakes in `--tags` and `--skip-tags`: a tag that no task has would not select what was meant."""
    special = {"all", "tagged", "untagged", "always", "never"}
    return [
        f"the tag {tag} is unknown{closest(tag, known)}; known are {', '.join(known)}"
        for tag in tags
        if tag not in special and tag not in known
    ]
