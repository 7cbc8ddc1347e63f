# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whether labels match a selector of the API."""

from __future__ import annotations

import typing as t

from ansible_collections.restartx.core.plugins.module_utils.rollout.kinds.fields import Object


def matches(selector: Object | None, labels: t.Mapping[str, str]) -> bool:
    """Whether a LabelSelector selects these labels. An empty selector selects everything, and none selects nothing."""
    if selector is None:
        return False
    return all(labels.get(name) == value for name, value in (selector.get("matchLabels") or {}).items()) and all(
        meets(labels, expression) for expression in selector.get("matchExpressions") or []
    )


def meets(labels: t.Mapping[str, str], requirement: Object) -> bool:
    """Whether labels meet one requirement of a label selector or of a node selector.

    Gt and Lt, which only node selectors have, compare whole numbers (component-helpers, nodeaffinity.go).
    """
    name, values, operator = requirement["key"], requirement.get("values") or [], requirement["operator"]
    if operator in ("Gt", "Lt"):
        try:
            found, bound = int(labels[name]), int(values[0])
        except (KeyError, IndexError, ValueError):
            return False
        return found > bound if operator == "Gt" else found < bound
    return {
        "In": name in labels and labels[name] in values,
        "NotIn": name not in labels or labels[name] not in values,
        "Exists": name in labels,
        "DoesNotExist": name not in labels,
    }[operator]
