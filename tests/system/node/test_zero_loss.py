# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""No request fails while applications that drain are restarted, undone and restarted again; others lose some, and are named.

Requests go through Services, as users' do, from a pod that tries none of them twice.
"""

from __future__ import annotations

from house import outcomes
from shop import CAREFUL, CARELESS, LONGEST, MOST, Load, service, workload

WITHOUT_GAP = {"maxUnavailable": 0, "maxSurge": 1}
KINDS = ["Deployment", "StatefulSet", "DaemonSet"]
NAMES = ["carts", "prices", "sessions"]


def restarted(namespace, names):
    result = namespace.run("restart", kind=KINDS, name=names, timeout="180s")
    assert outcomes(result) == dict.fromkeys(names, "restarted"), result
    return result


def enough(figures):
    """Whether the load went on until it was stopped, and was answered."""
    return figures["requests"] < MOST and figures["seconds"] < LONGEST and figures["requests"] > 1000


def test_applications_that_drain_lose_no_request(namespace, record_property):
    careful = [
        workload("Deployment", "carts", 3, WITHOUT_GAP, **CAREFUL),
        workload("StatefulSet", "prices", 2, **CAREFUL),
        workload("DaemonSet", "sessions", strategy=WITHOUT_GAP, **CAREFUL),
    ]
    namespace.create(*map(service, NAMES), ready=False)
    namespace.create(*careful)
    loads = {name: Load(namespace, name) for name in NAMES}

    first = restarted(namespace, NAMES)
    undone = namespace.run("undo", kind=KINDS, name=NAMES, timeout="180s")
    assert set(outcomes(undone).values()) == {"undone"}, undone
    again = restarted(namespace, NAMES)
    assert first["run_id"] != again["run_id"]
    assert [entry["risks"] for entry in again["results"]] == [[], [], []]

    for name, load in loads.items():
        figures = load.figures()
        print(name, figures)
        record_property(name, f"{figures['requests']} requests, {figures['failed']} failed")
        assert enough(figures)
        assert figures["failed"] == 0, figures
        # Each of the three rollouts replaced every pod; pods of a StatefulSet keep their names.
        assert len(figures["pods"]) == {"carts": 12, "prices": 2, "sessions": 4}[name]


def test_an_application_that_does_not_drain_loses_requests_and_is_named(namespace, record_property):
    namespace.create(service("orders"), ready=False)
    namespace.create(workload("Deployment", "orders", 3, WITHOUT_GAP, **CARELESS))
    load = Load(namespace, "orders")
    result = restarted(namespace, ["orders"])
    figures = load.figures()
    print("orders", figures)
    record_property("orders", f"{figures['requests']} requests, {figures['failed']} failed")
    assert figures["failed"] > 0
    assert {"connection refused"} <= set(figures["errors"])

    seen = namespace.run("status", name=["orders"])
    for told in (result, seen):
        (risks,) = [entry["risks"] for entry in told["results"]]
        assert [risk.split(":")[0] for risk in risks] == [
            "no container has a readiness probe",
            "no container has a preStop hook",
        ]
