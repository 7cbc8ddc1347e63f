# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The playbook within Ansible's own ways: several plans, settings of ansible.cfg, tags, and variables by mistake."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import yaml
from house import RESTARTED_AT, ROOT
from prod import CLUSTERS, entry, make_shop

ORDERED = ["api", "pay", "web"]


@pytest.fixture
def two_plans(clusters, kubeconfigs, tmp_path):
    """A shop, and a playbook that restarts api with one plan and then cart with another."""
    shop = make_shop(clusters, kubeconfigs, tmp_path, apps=("api", "cart"))
    plans = {}
    for name in shop.apps:
        plan = {**shop.plan, "name": f"{shop.name}-{name}", "workloads": [entry(name, grace="2s")]}
        plans[name] = plan
    plays = [
        {
            "name": f"Restart {name}",
            "import_playbook": "restartx.core.restart_prod",
            "vars": {"restart_plan": plan, "ticket": f"CHG-{name}"},
        }
        for name, plan in plans.items()
    ]
    path = tmp_path / "both.yml"
    path.write_text(yaml.safe_dump(plays, sort_keys=False))
    shop.plan = None
    return replace(shop, playbook=path), plans


def runs_said(said):
    """The parts of the output that begin with a summary."""
    return [part.split(" TASK ")[0] for part in said.split("TASK [restartx.core.multi_cluster_restart : Summary]")[1:]]


def test_two_plans_in_one_playbook_are_two_runs_and_each_summary_tells_of_its_own(two_plans):
    shop, plans = two_plans
    code, said = shop.run()
    assert code == 0, said
    summaries = runs_said(said)
    assert len(summaries) == 2
    for summary, plan in zip(summaries, plans.values()):
        run = replace(shop, name=plan["name"]).journal("eu-west")["run"]
        assert f"run {run} finished eu-west: 1 restarted" in summary
        assert "us-east: 1 restarted" in summary
    for cluster in CLUSTERS:
        assert shop.restarted(cluster) == ["api", "cart"]
        assert shop.revisions(cluster) == {"api": 2, "cart": 2}
        assert shop.annotations(cluster, "cart")["restartx.io/ticket"] == "CHG-cart"


def test_a_second_plan_tells_only_of_its_own_run_after_the_first_has_failed(two_plans):
    shop, _plans = two_plans
    # Only us-east fails, so that Ansible goes on to the second plan with eu-west.
    shop.fail("api", "crash-loop", "us-east")
    code, said = shop.run("-e", "restartx_max_failed_clusters=1")
    assert code == 2, said
    first, second = runs_said(said)
    assert "us-east: 1 failed" in first
    assert "eu-west: 1 restarted" in first
    assert "eu-west: 1 restarted" in second
    assert (
        "us-east: left out, because its check failed: it was not checked, because it failed earlier in this playbook"
        in second
    )
    assert f"{shop.name}/api" not in second
    assert shop.restarted("eu-west") == ["api", "cart"]
    assert shop.restarted("us-east") == ["api"]


@pytest.mark.parametrize("strategy", ["free", "host_pinned"])
def test_the_playbook_keeps_its_order_whatever_ansible_cfg_says(shop, tmp_path, strategy):
    config = (ROOT / "ansible.cfg").read_text().replace("collections_path = ", f"collections_path = {ROOT}/")
    config = config.replace("[defaults]", f"[defaults]\nstrategy = {strategy}\nforks = 10")
    config += "\n[privilege_escalation]\nbecome = true\nbecome_exe = /nonexistent/sudo\n"
    (tmp_path / "ansible.cfg").write_text(config)
    shop.settings["ANSIBLE_CONFIG"] = str(tmp_path / "ansible.cfg")
    code, said = shop.run("-e", "ticket=CHG10")
    assert code == 0, said
    assert "clusters: eu-west, then us-east" in said
    assert [shop.restarted(cluster) for cluster in CLUSTERS] == [ORDERED] * 2
    times = [shop.annotations(cluster, app)[RESTARTED_AT] for cluster in CLUSTERS for app in ORDERED]
    assert times == sorted(times)


def test_tags_do_what_they_say_or_are_refused(shop):
    code, said = shop.run("-e", "ticket=CHG14", "--tags", "check")
    assert code == 0, said
    assert "new run chg14-" in said
    assert shop.untouched()

    for tags in (["--tags", "foo"], ["--skip-tags", "chekc"]):
        code, said = shop.run("-e", "ticket=CHG14", *tags)
        assert code == 2, said
        assert f"the tag {tags[1]} is unknown" in said
        assert shop.untouched()

    code, said = shop.run("-e", "ticket=CHG14", "--skip-tags", "check")
    assert code != 0
    assert "nothing was touched: the plan was not checked in this start" in said
    assert shop.untouched()

    code, said = shop.run("-e", "ticket=CHG14", "--start-at-task", "Restart the workloads")
    assert code != 0
    assert "nothing was touched: the plan was not checked in this start" in said
    assert shop.untouched()

    code, said = shop.run("-e", "ticket=CHG14", "--tags", "restart")
    assert code == 0, said
    assert [shop.restarted(cluster) for cluster in CLUSTERS] == [ORDERED] * 2


def test_variables_that_nobody_knows_are_refused(calm_shop, tmp_path):
    code, said = calm_shop.run("-e", "ticket=CHG14", "-e", "restartx_max_failed_cluster=2")
    assert code == 2, said
    assert (
        'the variable restartx_max_failed_cluster is unknown; did you mean "restartx_max_failed_clusters"?' in said
    ), said
    assert calm_shop.untouched()

    (tmp_path / "plan.json").write_text(json.dumps({**calm_shop.plan, "name": "another"}))
    code, said = calm_shop.run("-e", "ticket=CHG14", "-e", f"@{tmp_path}/plan.json")
    assert code == 2, said
    assert "the plan was given without its key restart_plan" in said
    assert calm_shop.untouched()
