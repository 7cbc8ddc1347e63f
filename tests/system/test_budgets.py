# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""PodDisruptionBudgets on a real control plane: restarts never undercut them, which the API server's own events show."""

from __future__ import annotations

from disruption import Watch, budget
from house import KINDS, RUN, entry_of, now, outcomes, patches, workload

FREEING = {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1, "maxSurge": 0}}}
SPARE = {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}}}
CORE = {"tier": "core"}


def test_workloads_that_share_a_budget_never_undercut_it(namespace):
    both = {"labels": CORE, "delay": "1s"}
    namespace.create(
        workload("Deployment", "api", 3, **both, **FREEING),
        workload("StatefulSet", "db", 2, **both),
        workload("Deployment", "web", 2, labels=CORE, **SPARE),
    )
    namespace.create(budget("core", CORE, minAvailable=6), ready=False)
    watch = Watch(namespace)
    result = namespace.run("restart", kind=list(KINDS))
    assert outcomes(result) == {"api": "restarted", "db": "restarted", "web": "restarted"}, result.get("msg")
    assert watch.fewest() >= 6


def test_what_undercuts_a_budget_in_any_case_is_refused_before_anything_is_touched(namespace):
    namespace.create(workload("Deployment", "api", 2, **FREEING), workload("Deployment", "web", 2, **SPARE))
    namespace.create(budget("api", {"app": "api"}, minAvailable="100%"), ready=False)
    began = now()
    result = namespace.run("restart")
    assert outcomes(result) == {"api": "refused", "web": "not_started"}
    assert entry_of(result, "api")["message"] == (
        f'a restart of deployment "api" in namespace "{namespace.name}" may stop 1 of 2 pods at once, but PodDisruptionBudget '
        f"{namespace.name}/api wants 2 healthy pods of 2, so it never allows to stop any; use maxUnavailable: 0 and maxSurge: 1, "
        "or set budgets: enforce, or set budgets: report"
    )
    assert patches(namespace.cluster, began) == [] and RUN not in namespace.annotations("Deployment", "api")
    result = namespace.run("restart", name="api", budgets="report")
    assert outcomes(result) == {"api": "restarted"}
    (warning,) = result["warnings"]
    assert warning.startswith(f"restarted although budgets leave no room: Deployment {namespace.name}/api: ")
