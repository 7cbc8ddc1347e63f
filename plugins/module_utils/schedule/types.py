# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The types of the options of a plan: how each is read, and how pages and editors describe it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ansible_collections.restartx.core.plugins.module_utils.rollout import budgets, pod_order
from ansible_collections.restartx.core.plugins.module_utils.schedule import (
    between_pods,
    canary,
    days,
    gating,
    selecting,
    values,
    zones,
)


@dataclass(frozen=True)
class Type:
    """How a value is read, its description in words, and its JSON schema."""

    read: Callable[[object], object]
    words: str
    json: dict


def _one_or_list(one: dict) -> dict:
    return {"anyOf": [one, {"type": "array", "items": one}]}


_TEXT = {"type": "string", "minLength": 1}
_DURATION = {"type": ["string", "number"]}
_ON_FAILURE = ("stop", "continue", "undo", "pause")
_UNDO_SCOPE = ("workload", "entry", "run")

TYPES = {
    "version": Type(values.version, "`1`", {"const": values.VERSION}),
    "plan_name": Type(values.plan_name, "name", {"type": "string", "pattern": f"^{values.PLAN_NAME}$"}),
    "id": Type(values.identifier, "id", {"type": "string", "pattern": f"^{values.ID}$"}),
    "ids": Type(values.many(values.identifier), "one or a list", _one_or_list(_TEXT)),
    "kinds": Type(
        values.many(values.kind),
        f"one or a list of {', '.join(f'`{kind}`' for kind in values.KINDS)}",
        _one_or_list(_TEXT),
    ),
    "names": Type(values.many(values.name), "one or a list", _one_or_list(_TEXT)),
    "namespaces": Type(values.many(values.namespace), "one or a list", _one_or_list(_TEXT)),
    "selectors": Type(values.label_selectors, "one or a list", _one_or_list(_TEXT)),
    "patterns": Type(values.many(selecting.name_pattern), "one or a list", _one_or_list(_TEXT)),
    "uses": Type(values.many(selecting.use), "one or a list", _one_or_list(_TEXT)),
    "images": Type(values.many(selecting.image), "one or a list", _one_or_list(_TEXT)),
    "started_before": Type(selecting.started_before, "duration, or an instant with its time zone", _DURATION),
    "texts": Type(values.many(values.text), "one or a list", _one_or_list(_TEXT)),
    "text": Type(values.text, "text", _TEXT),
    "flag": Type(values.flag, "true or false", {"type": "boolean"}),
    "limit": Type(values.whole(1), "1 or more", {"type": "integer", "minimum": 1}),
    "budget": Type(values.budget, "0 or more, or as `10%`", {"anyOf": [{"type": "integer", "minimum": 0}, _TEXT]}),
    "pods": Type(canary.pods, "1 or more, or as `10%`", {"anyOf": [{"type": "integer", "minimum": 1}, _TEXT]}),
    "rate": Type(values.rate, "as `20%`", _TEXT),
    "number": Type(gating.number, "number", {"type": "number"}),
    "url": Type(gating.url, "as `https://shop.example.com/health`", _TEXT),
    "statuses": Type(values.many(gating.status), "one or a list", {"anyOf": [{"type": "integer"}, {"type": "array"}]}),
    "pattern": Type(gating.pattern, "regular expression", _TEXT),
    "job": Type(gating.job, "as `shop/migrate-0042`", _TEXT),
    "address": Type(gating.address, "as `db.example.com:5432`", _TEXT),
    "gate": Type(values.identifier, "a gate as below, or the name of one", {"anyOf": [_TEXT, {"type": "object"}]}),
    "object_name": Type(values.name, "name", _TEXT),
    "namespace": Type(values.namespace, "name", _TEXT),
    "on_timeout": Type(values.choice(*gating.ON_TIMEOUT), "`fail`, `continue`", {"enum": list(gating.ON_TIMEOUT)}),
    "duration": Type(values.duration, "duration", _DURATION),
    "deadline": Type(values.deadline, "duration, more than 0", _DURATION),
    "on_failure": Type(
        values.choice(*_ON_FAILURE), ", ".join(f"`{word}`" for word in _ON_FAILURE), {"enum": list(_ON_FAILURE)}
    ),
    "undo_scope": Type(
        values.choice(*_UNDO_SCOPE), ", ".join(f"`{word}`" for word in _UNDO_SCOPE), {"enum": list(_UNDO_SCOPE)}
    ),
    "budgets": Type(
        values.choice(*budgets.MODES), ", ".join(f"`{word}`" for word in budgets.MODES), {"enum": list(budgets.MODES)}
    ),
    "label_pair": Type(between_pods.label_pair, "as `role=primary`", _TEXT),
    "port": Type(between_pods.port, "1 to 65535", {"type": "integer", "minimum": 1, "maximum": 65535}),
    "http_path": Type(between_pods.http_path, "as `/primary`", _TEXT),
    "scheme": Type(values.choice(*between_pods.SCHEMES), "`http`, `https`", {"enum": list(between_pods.SCHEMES)}),
    "pod_order": Type(
        values.choice(*pod_order.ORDERS),
        ", ".join(f"`{word}`" for word in pod_order.ORDERS),
        {"enum": list(pod_order.ORDERS)},
    ),
    "days": Type(values.many(days.day), "one or a list of `mon` to `sun`", _one_or_list(_TEXT)),
    "hours": Type(values.many(days.hours), 'one or a list, as `"22:00-01:00"`', _one_or_list(_TEXT)),
    "zone": Type(zones.zone, "as `Europe/Berlin`", _TEXT),
    "freezes": Type(values.many(days.freeze), "one or a list", _one_or_list(_TEXT)),
}
