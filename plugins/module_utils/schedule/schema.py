# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The only description of the options of a plan, for reading, the reference page and the JSON schema.

SCHEMA has a section for each mapping of a plan, and in it one row for each option:
type      a key of TYPES: how the value is read
of        for the types mapping, list and named (a mapping of names): the section that describes what is inside
required  whether it must be present (default: no)
default   the value if it is missing, in words
about     what it means
"""

from __future__ import annotations

from typing import Any

from ansible_collections.restartx.core.plugins.module_utils.schedule import between_pods, canary, gating, selecting

ROOT = "restart_plan"
SCHEMA: dict[str, dict[str, dict[str, Any]]] = {
    ROOT: {
        "version": {"type": "version", "required": True, "about": "The version of this format."},
        "name": {
            "type": "plan_name",
            "required": True,
            "about": "Name of the plan in journals and messages; at most 50 characters.",
        },
        "defaults": {"type": "mapping", "of": "defaults", "about": "Values for all entries."},
        "workloads": {
            "type": "list",
            "of": "workloads",
            "required": True,
            "about": "The entries. Each selects workloads, and says after which other entries they are restarted.",
        },
        "window": {
            "type": "mapping",
            "of": "window",
            "default": "always open",
            "about": "When restarts may start.",
        },
        "failure_budget": {
            "type": "budget",
            "default": "0",
            "about": "How many workloads of the run, or which share of them, may fail on one cluster before no new ones start.",
        },
        "max_failure_rate": {
            "type": "rate",
            "default": "no limit",
            "about": "If more than this share of the last restarts of the plan failed, a new run needs a reason.",
        },
        "last_restarts": {
            "type": "limit",
            "default": "50",
            "about": "How many restarts, of all clusters together, `max_failure_rate` looks at.",
        },
        "gates": {"type": "named", "of": "gate", "about": "Gates by their names; see [gates.md](gates.md)."},
        "accept": {"type": "list", "of": "accept", "about": "Findings of the preflight that stop no run of the plan."},
    },
    "defaults": {
        "kind": {"type": "kinds", "default": "Deployment", "about": "`kind` of entries that do not set it."},
        "namespace": {"type": "namespaces", "about": "`namespace` of entries that do not set it."},
        "timeout": {"type": "deadline", "default": "10m", "about": "`timeout` of entries that do not set it."},
        "settle": {"type": "duration", "default": "0", "about": "`settle` of entries that do not set it."},
        "grace": {"type": "duration", "default": "5m", "about": "`grace` of entries that do not set it."},
        "max_parallel": {
            "type": "limit",
            "default": "no limit",
            "about": "How many workloads of the whole run may be in progress at once on one cluster.",
        },
        "stagger": {
            "type": "duration",
            "default": "0",
            "about": "The minimum time between two restarts of the whole run on one cluster.",
        },
        "on_failure": {
            "type": "on_failure",
            "default": "stop",
            "about": "What happens after a failure; see below.",
        },
        "undo_scope": {
            "type": "undo_scope",
            "default": "workload",
            "about": "What is undone after a failure with `on_failure: undo`: the workload, its entry, or the whole run; see below.",
        },
        "undo_across_gates": {
            "type": "flag",
            "default": "false",
            "about": "Whether `undo_scope` also undoes what was restarted before a gate on a Job, such as a migration, had opened.",
        },
        "gates": {"type": "mapping", "of": "asked", "about": "Gates that the whole run waits for."},
        "budgets": {"type": "budgets", "default": "honour", "about": "`budgets` of entries that do not set it."},
        "canary": {"type": "mapping", "of": "canary", "about": "`canary` of entries that do not set it."},
        "delete_stuck_pods": {
            "type": "flag",
            "default": "false",
            "about": "Whether an undo after a failure deletes pods that keep a StatefulSet from rolling out. Needs a permission.",
        },
        "logs": {
            "type": "flag",
            "default": "true",
            "about": "Show the last lines of a container's log with the cause of a failure; passwords and tokens are masked.",
        },
    },
    "workloads": {
        "id": {"type": "id", "required": True, "about": "Name of the entry in `after` and in messages."},
        "kind": {"type": "kinds", "default": "Deployment", "about": "The kinds to select."},
        "name": {"type": "names", "default": "all names", "about": "The names to select."},
        "name_pattern": selecting.ROWS["name_pattern"],
        "namespace": {
            "type": "namespaces",
            "about": "The namespaces to look in. Needed here or in `defaults`, unless `all_namespaces` is true.",
        },
        "all_namespaces": {
            "type": "flag",
            "default": "false",
            "about": "Look in every namespace. Needs a name or a selector beside it.",
        },
        "label_selectors": {
            "type": "selectors",
            "about": "Label selectors, as for kubectl's `-l`. A workload must match all of them.",
        },
        "field_selectors": {
            "type": "texts",
            "about": "Field selectors, as for kubectl. A workload must match all of them.",
        },
        "select": {
            "type": "text",
            "about": "A JMESPath expression on the object. If it is true, the object is selected.",
        },
        "uses": selecting.ROWS["uses"],
        "service_account": selecting.ROWS["service_account"],
        "image": selecting.ROWS["image"],
        "only": {"type": "mapping", "of": "only", "about": "Conditions on the pods of a workload."},
        "exclude": {
            "type": "mapping",
            "of": "exclude",
            "about": "Workloads to leave out. Each option is as above; one that matches is enough.",
        },
        "after": {"type": "ids", "about": "Ids of the entries that must be complete before this one starts."},
        "optional": {"type": "flag", "default": "false", "about": "It is not an error if nothing is found."},
        "timeout": {
            "type": "deadline",
            "about": "How long one workload may take, counted from its own restart.",
        },
        "settle": {
            "type": "duration",
            "default": "0",
            "about": "How long a workload must stay healthy before it counts as done.",
        },
        "grace": {
            "type": "duration",
            "about": "How long a problem that stops a rollout may take to recover, such as pods that keep ending or get no node.",
        },
        "on_failure": {"type": "on_failure", "about": "`on_failure` after a failure in this entry."},
        "max_parallel": {
            "type": "limit",
            "default": "no limit",
            "about": "How many workloads of this entry may be in progress at once. The limit of the run applies too.",
        },
        "stagger": {
            "type": "duration",
            "default": "0",
            "about": "The minimum time between two restarts of this entry. That of the run applies too.",
        },
        "budgets": {
            "type": "budgets",
            "about": "Whether restarts wait for the room that PodDisruptionBudgets leave, set a strategy for that as well, or only "
            "report it; see [budgets.md](budgets.md).",
        },
        "gates": {
            "type": "mapping",
            "of": "asked",
            "about": "Gates that this entry waits for. Those of the run apply too.",
        },
        "gate": {
            "type": "gate",
            "about": "The entry is this gate and selects nothing: what comes after it waits until it has opened.",
        },
        "canary": {
            "type": "mapping",
            "of": "canary",
            "about": "The first pods of each workload are held and judged before the others; see [canary.md](canary.md).",
        },
        "between_pods": {
            "type": "mapping",
            "of": "between_pods",
            "about": "Pods are replaced one by one, with a hold and gates in between; see [between-pods.md](between-pods.md).",
        },
    },
    "only": {
        "started_before": {
            "type": "started_before",
            "required": True,
            "about": "At least one pod must have started before this instant, or be older than this duration.",
        },
    },
    "exclude": {
        "name": {"type": "names", "about": "The names to leave out."},
        "label_selectors": {
            "type": "selectors",
            "about": "Label selectors. A workload that matches all of them is left out.",
        },
        **selecting.ROWS,
    },
    "asked": {
        "before": {
            "type": "ids",
            "about": "Names of gates. No restart starts while one of them is closed.",
        },
        "after": {
            "type": "ids",
            "about": "Names of gates. A workload of an entry is done when each of them has opened, and the run when those of `defaults` have.",
        },
    },
    "canary": canary.ROWS,
    "compare": canary.COMPARE_ROWS,
    "between_pods": between_pods.ROWS,
    "leader": between_pods.LEADER_ROWS,
    "leader_http": between_pods.HTTP_ROWS,
    "snapshot": between_pods.SNAPSHOT_ROWS,
    "gate": gating.ROWS,
    "object": gating.OBJECT_ROWS,
    "accept": {
        "finding": {"type": "text", "required": True, "about": "The code of the finding, such as `below_budget`."},
        "reason": {
            "type": "text",
            "required": True,
            "about": "Why it is accepted. The journal keeps it with the plan.",
        },
    },
    "window": {
        "days": {
            "type": "days",
            "default": "every day",
            "about": "Days of the week on which the window starts: `fri` with `22:00-04:00` covers Saturday 02:00.",
        },
        "hours": {"type": "hours", "default": "00:00-24:00", "about": "Start and end; may cross midnight."},
        "timezone": {"type": "zone", "required": True, "about": "IANA name of the time zone of the window."},
        "freezes": {"type": "freezes", "about": "Times at which the window stays closed."},
    },
}
