# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which part of the API server refuses to create pods, in the words of its admission plugins."""

from __future__ import annotations

import re
import typing as t


class Refusal(t.NamedTuple):
    """The code, and what is said of the object in place of the words of the code. None means those words."""

    code: str
    says: str | None = None


_NAMED = r"""["'](?P<name>[^"']+)["']"""
# The words are those of "gets no new {what}" or, for a quota, "may not have {what}".
_KINDS = tuple(
    (code, re.compile(pattern), because)
    for code, pattern, because in (
        ("webhook_unreachable", rf"failed calling webhook {_NAMED}", 'because the webhook "{name}" cannot be reached'),
        ("webhook_refused", rf"admission webhook {_NAMED} denied", 'because the webhook "{name}" refuses {them}'),
        ("policy_refused", rf"AdmissionPolicy {_NAMED}", 'because the admission policy "{name}" refuses {them}'),
        ("quota", r"exceeded quota|failed quota: ", None),
        (
            "limit_range",
            r"\b(?:maximum|minimum) \S+ usage per \w+ is |max limit to request ratio per ",
            "because a LimitRange does not allow their resources",
        ),
        ("pod_security", r"violates PodSecurity", "because Pod Security does not allow them"),
    )
)


def judge(message: str | None, what: str) -> Refusal:
    """Who refuses, according to the message. `what` is what cannot be created: "pods" or "new ReplicaSet"."""
    single = what != "pods"
    for code, pattern, because in _KINDS:
        found = pattern.search(message or "")
        if found and because is None:
            return Refusal(code, f"may not have a {what}" if single else None)
        if found and because:
            reason = because.format(name=found.groupdict().get("name"), them="it" if single else "them")
            return Refusal(code, f"gets no {what if single else 'new pods'}, {reason}")
    return Refusal("not_created", f"gets no {what}" if single else None)
