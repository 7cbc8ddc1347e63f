# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The findings of the preflight, as a run over many clusters shows them."""

from __future__ import annotations

import typing as t

from ansible_collections.restartx.core.plugins.module_utils.preflight.finding import NOTE, in_words

SHOWN = 8  # findings, or codes, of one cluster
OBJECTS = 2  # objects of one code in a line


def is_in(finding: t.Mapping, messages: t.Collection[str]) -> bool:
    """Whether one of these messages of refused workloads says the same already."""
    return any(message.startswith(finding["sentence"]) for message in messages)


def lines(findings: t.Sequence[t.Mapping]) -> list[str]:
    """One line for each finding, with what to do."""
    told = [in_words(one) for one in findings[:SHOWN]]
    return told + ([f"and {len(findings) - SHOWN} more"] if len(findings) > SHOWN else [])


def summary(findings: t.Sequence[t.Mapping], in_full: bool) -> str | None:
    """What was found on one cluster, in one line, or `in_full` with a line for each code; None if nothing was.

    Notes, and what the plan accepts, are left out unless it is in full: they change nothing about a run.
    """
    by_code: dict[tuple[str, str, str | None], list[t.Mapping]] = {}
    for one in findings:
        by_code.setdefault((one["severity"], one["code"], one.get("accepted")), []).append(one)
    told = [_code(*key, members) for key, members in by_code.items() if in_full or (key[0] != NOTE and not key[2])]
    if not told:
        return None
    if in_full:
        return "\n".join(told)
    return "; ".join([*told[:SHOWN], *([f"and {len(told) - SHOWN} more"] if len(told) > SHOWN else [])])


def _code(severity: str, code: str, accepted: str | None, members: t.Sequence[t.Mapping]) -> str:
    """`risk below_budget: deployment "api" in namespace "shop" and 3 more (accepted: reason)`."""
    objects = list(dict.fromkeys(one["object"] for one in members))
    more = len(objects) - OBJECTS + sum(one.get("count", 1) - 1 for one in members)
    shown = ", ".join(objects[:OBJECTS]) + (f" and {more} more" if more > 0 else "")
    if len(members) == 1 and not accepted:
        return f"{severity} {code}: {members[0]['sentence']}"
    return f"{severity} {code}: {shown}" + (f" (accepted: {accepted})" if accepted else "")
