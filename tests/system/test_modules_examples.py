# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The EXAMPLES of every module do what they say, in Ansible, on a cluster that has what they name."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
import yaml

from house import MODULES, RBAC, ROOT, Namespace, environment, workload

NAMES = sorted(path.stem for path in MODULES.glob("[!_]*.py"))
RUN = "20261124-221503-4f9a1c"  # as in the examples of k8s_rollout_undo
BROKEN = {"metadata": {"labels": {"lab.restartx.io/failure": "image-pull"}}}
BINDING = """
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: restartx-delete-stuck-pods}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: restartx-delete-stuck-pods}
subjects: [{kind: ServiceAccount, name: restartx, namespace: restartx-system}]
"""

# What each task of the examples has made of the workloads that it means, in their order.
OUTCOMES = {
    "k8s_rollout_history": [{"unchanged": 1}],
    "k8s_rollout_pause": [{"paused": 1}, {"resumed": 1}],
    "k8s_rollout_plan": [{"planned": 3}],
    "k8s_rollout_restart": [{"restarted": 1}, {"restarted": 4}, {"restarted": 2}, {"restarted": 4}],
    "k8s_rollout_status": [{"rolled_out": 6}, {"rolled_out": 1}],
    "k8s_rollout_undo": [{"undone": 1}, {"undone": 3, "unchanged": 3}, {"undone": 1}],
}


def examples(module):
    """The tasks of a module's EXAMPLES."""
    tree = ast.parse((MODULES / f"{module}.py").read_text())
    values = {node.targets[0].id: node.value for node in tree.body if isinstance(node, ast.Assign)}
    return yaml.safe_load(ast.literal_eval(values["EXAMPLES"]))


@pytest.fixture(scope="module")
def shops(cluster, operator):
    """The namespaces shop and billing, as the examples take them for granted."""
    found = {}
    for name in ("shop", "billing"):
        cluster.kubectl("create", "namespace", name)
        cluster.kubectl("apply", "--namespace", name, "-f", RBAC / "namespace.yml")
        found[name] = Namespace(cluster, operator, name)
    reads = {"uses-ca": "internal"}
    found["shop"].create(
        workload("Deployment", "api", 2, reads),
        workload("Deployment", "catalog", 2),
        workload("Deployment", "cart", 1, reads),
        workload("Deployment", "web", 1, {"tier": "web"}),
        workload("StatefulSet", "redis", 2, reads),
        workload("DaemonSet", "proxy"),
    )
    found["billing"].create(workload("Deployment", "invoices", 1, reads))
    yield found
    cluster.kubectl("delete", "namespace", *found, "--wait=false")


def prepare_undo(shop):
    """What its examples want to undo: a restart of the Deployments by one run, and a StatefulSet that is stuck."""
    assert shop.run("restart", run_id=RUN)["summary"] == {"restarted": 4}
    shop.kubectl("apply", "-f", "-", input=BINDING)
    shop.kubectl("patch", "statefulset/redis", "-p", json.dumps({"spec": {"template": BROKEN}}))
    shop.kubectl("wait", "pod/redis-1", "--for=condition=Ready=false", "--timeout=60s")


PREPARE = {"k8s_rollout_undo": prepare_undo}


@pytest.mark.parametrize("module", NAMES)
def test_the_examples_of_a_module_run(shops, operator, module, tmp_path):
    PREPARE.get(module, lambda shop: None)(shops["shop"])
    tasks = [{"register": f"result_{place}", **task} for place, task in enumerate(examples(module))]
    if module == "maintenance_window":
        tasks[0][f"restartx.core.{module}"]["outside"] = "fail"  # nobody waits twelve hours here
        tasks[0]["failed_when"] = "result_0.open is not defined"
    told = tmp_path / "told.json"
    results = ", ".join(task["register"] for task in tasks)
    tasks.append(
        {"ansible.builtin.copy": {"content": f"{{{{ [{results}] | to_json }}}}", "dest": str(told), "mode": "0600"}}
    )
    play = {"hosts": "localhost", "gather_facts": False, "tasks": tasks}
    (tmp_path / "play.yml").write_text(yaml.safe_dump([play]))
    done = subprocess.run(
        [Path(sys.executable).with_name("ansible-playbook"), tmp_path / "play.yml"],
        cwd=ROOT,
        env=environment(operator.kubeconfig, ANSIBLE_HOME=str(tmp_path / "home")),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0 and "Traceback" not in done.stdout + done.stderr, done.stdout + done.stderr
    assert "[DEPRECATION" not in done.stderr
    seen = [
        dict(Counter(entry["outcome"] for entry in result.get("results", [])))
        for result in json.loads(told.read_text())
    ]
    assert seen == OUTCOMES.get(module, [{}] * len(seen))
