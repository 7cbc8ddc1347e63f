# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The plans of the recipes are plans: each passes the check, and its gates and leaders can be asked."""

from __future__ import annotations

import re
from pathlib import Path

import calling
import pytest
import yaml
from one_by_one import EvictingCluster
from simulation import Executor

from ansible_collections.restartx.core.plugins.module_utils.schedule.plan import check
from ansible_collections.restartx.core.plugins.module_utils.verbs import between_pods, gating

PAGE = (Path(__file__).parents[3] / "docs" / "recipes.md").read_text()
PLANS = [yaml.safe_load(written)["restart_plan"] for written in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)]


@pytest.mark.parametrize("plan", PLANS, ids=[plan["name"] for plan in PLANS])
def test_a_recipe_is_a_plan_whose_gates_and_leaders_can_be_asked(plan):
    checked = check(plan)
    assert not checked.warnings
    cluster = EvictingCluster()
    Executor(cluster)
    options = {"plan": plan, "gate_auth": {"search": {"token": "t"}}} if "search" in plan["name"] else {"plan": plan}
    _verb, call = calling.prepare("k8s_rollout_restart", cluster, **options)
    gates = gating.gates_of(call, checked)
    assert gates
    between_pods.check(call, checked.entries)
    for entry in checked.entries:
        assert entry.between_pods and entry.between_pods.gates
        assert set(entry.between_pods.gates) <= set(gates)


def test_each_application_has_its_recipe():
    for name in ("etcd", "ZooKeeper", "Kafka", "RabbitMQ", "Redis", "PostgreSQL with Patroni", "Elasticsearch"):
        section = PAGE.split(f"## {name}\n")[1].split("\n## ")[0]
        assert section.count("```yaml") == 1
