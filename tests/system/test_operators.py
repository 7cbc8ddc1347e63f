# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The playbooks of operators: what has run, what is there, and the undo of a run on all its clusters."""

from __future__ import annotations

import json

import pytest
from house import RUN
from prod import CLUSTERS


def ask(shop, playbook, *args):
    """Start a playbook of the collection with the shop's inventory: (exit code, all that it said on one line)."""
    usual, shop.playbook = shop.playbook, f"restartx.core.{playbook}"
    try:
        return shop.run(*args)
    finally:
        shop.playbook = usual


def test_a_run_is_seen_undone_in_reverse_order_and_left_alone_by_the_same_ticket(shop):
    code, said = shop.run("-e", "ticket=CHG1")
    assert code == 0, said
    run = shop.journal("eu-west")["run"]

    code, said = ask(shop, "runs", "-e", f"plan={shop.name}")
    assert code == 0, said
    for cluster in CLUSTERS:
        assert f"{shop.name} {run} {cluster} finished jane CHG1 3 restarted" in said

    code, said = ask(shop, "status")
    assert code == 0, said
    assert said.count(f"plan {shop.name}: 3 rolled out") == 2
    assert f"Deployment {shop.name}/api rolled out 1 1 1 -" in said

    code, said = ask(shop, "undo_run", "-e", f"run={run[:-1]}x")
    assert code == 2, said
    assert f"no journal on these clusters knows it; did you mean {run}" in said
    assert shop.untouched()

    code, said = ask(shop, "undo_run", "-e", f"run={run}", "--check")
    assert code == 0, said
    assert f"dry run, nothing will be changed: undo of run {run} of plan {shop.name}, ticket CHG1" in said
    assert "clusters: us-east, then eu-west" in said
    order = ", ".join(f"Deployment {shop.name}/{app}" for app in ("web", "pay", "api"))
    assert f"on us-east, eu-west: to be undone, in this order: {order}" in said
    assert shop.untouched()

    # A colleague restarts one of them in the meantime.
    shop.namespaces["eu-west"].kubectl("rollout", "restart", "deployment/pay")
    code, said = ask(shop, "undo_run", "-e", f"run={run}")
    assert code == 0, said
    assert "us-east: 3 undone" in said
    assert "eu-west: 2 undone, 1 unchanged" in said
    assert f'left alone: deployment "pay" in namespace "{shop.name}" does not carry run {run}' in said
    assert shop.restarted("us-east") == ["web", "pay", "api"]
    assert shop.restarted("eu-west") == ["web", "api"]
    assert shop.runs("us-east") == dict.fromkeys(shop.apps)
    assert [RUN in shop.annotations("eu-west", app) for app in ("api", "web")] == [False, False]
    assert {shop.journal(cluster)["state"] for cluster in CLUSTERS} == {"undone"}
    assert shop.lock("eu-west")["spec"]["holderIdentity"] == ""

    code, said = ask(shop, "runs", "-e", f"plan={shop.name}")
    assert f"{run} us-east undone jane (undone) CHG1 3 undone" in said
    assert f"{run} eu-west undone jane (undone) CHG1 1 restarted, 2 undone" in said

    code, said = shop.run("-e", "ticket=CHG1")
    assert code == 2, said
    assert f"ticket CHG1: its run {run} was undone by jane" in said
    assert shop.untouched()


@pytest.mark.parametrize(
    "playbook, given, words",
    [
        ("undo_run", {"run": None}, "run is missing"),
        ("status", {"namespce": "shop"}, 'the variable namespce is unknown; did you mean "namespace"?'),
        ("status", {"kind": "StatefulSet"}, "kind: has no effect together with plan"),
    ],
)
def test_a_mistake_is_one_clear_sentence(calm_shop, playbook, given, words):
    code, said = ask(calm_shop, playbook, "-e", json.dumps(given))
    assert code == 2, said
    assert words in said


def test_the_status_of_a_namespace_needs_no_plan_and_takes_empty_answers_of_a_survey(calm_shop):
    calm_shop.plan = None
    given = {"namespace": calm_shop.name, "kind": "", "label_selectors": None, "fail": "true"}
    code, said = ask(calm_shop, "status", "-e", json.dumps(given))
    assert code == 0, said
    assert said.count(f"Deployment {calm_shop.name}/web rolled out") == 2
