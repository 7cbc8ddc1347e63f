# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""500 workloads on 12 clusters: what the playbook prints is something that AWX keeps and a person reads."""

from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import yaml
from house import ROOT, environment, workload

from lab import Lab
from tools.shipped_role import shipped_roles

CLUSTERS = [f"cluster-{number:02}" for number in range(12)]
WORKLOADS = 500
MOST = 1_000_000  # bytes
PLAN = {
    "version": 1,
    "name": "everything",
    "defaults": {"namespace": "shop", "timeout": "15s", "on_failure": "continue"},
    "workloads": [{"id": "shop"}],
}


@pytest.fixture(scope="module")
def kubeconfig(tmp_path_factory):
    """Clusters without controllers: nothing that is restarted comes back, which is what there is most to tell of."""
    with Lab(tmp_path_factory.mktemp("wide"), owned=True) as lab:
        clusters = lab.up(CLUSTERS, controllers=False)
        path = shipped_roles(clusters, ["shop"], tmp_path_factory.mktemp("access") / "kubeconfig")
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(fill, clusters, range(len(clusters))))
        yield path


def fill(cluster, number):
    """Give a cluster its share of the workloads. No name is on two clusters, so that no two can share a line."""
    share = WORKLOADS // len(CLUSTERS) + (number < WORKLOADS % len(CLUSTERS))
    items = []
    for index in range(share):
        item = workload("Deployment", f"{cluster.name}-service-{index:02}")
        item["metadata"]["namespace"] = "shop"
        items.append(item)
    cluster.kubectl("create", "-f", "-", input=json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))


@pytest.fixture
def said(kubeconfig, tmp_path):
    """Runs the playbook as its users do outside of a checkout, and returns what it printed."""
    (tmp_path / "prod.kubeconfig.yml").write_text("plugin: restartx.core.kubeconfig\n")
    (tmp_path / "plan.yml").write_text(yaml.safe_dump({"restart_plan": PLAN}))
    collections = {"ANSIBLE_HOME": str(tmp_path / "home"), "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".collections")}

    def run(*more):
        program = Path(sys.executable).with_name("ansible-playbook")
        inventory = ["-i", "prod.kubeconfig.yml", "--forks", str(len(CLUSTERS))]
        wishes = ["-e", "@plan.yml", "-e", f"restartx_max_failed_clusters={len(CLUSTERS)}"]
        # What goes to the terminal is one stream, and so it is in AWX.
        both = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        command = [program, "restartx.core.restart_prod", *inventory, *wishes, *more]
        env = environment(kubeconfig, **collections)
        return subprocess.run(command, cwd=tmp_path, env=env, text=True, check=False, **both).stdout

    return run


# With -v each result is printed as well, so without it there is less.
@pytest.mark.parametrize("how", [["--check"], []], ids=["checked", "failed"])
def test_500_workloads_on_12_clusters_print_less_than_1_mb_even_with_results(said, how):
    text = said("-v", *how)
    assert f"{WORKLOADS} workloads" in text
    assert all(text.count(f"{name}-service-41") for name in CLUSTERS[: WORKLOADS % len(CLUSTERS)])
    assert ("to be restarted" if how else "unfinished") in text
    # Each workload has a cause, so there is no more to tell.
    assert text.count('"code": "not_observed"') == (0 if how else WORKLOADS)
    assert len(text.encode()) < MOST
