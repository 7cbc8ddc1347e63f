# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The EXAMPLES of every module do what they say, in Ansible, on a cluster that has what they name."""

from __future__ import annotations

import ast
import contextlib
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
import yaml
from house import MODULES, RBAC, ROOT, Namespace, create_job, end_job, environment, workload
from web_server import WebServer

from lab.poll import wait_until

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
    "k8s_rollout_leftovers": [{}, {}],
    "k8s_rollout_pause": [{"paused": 1}, {"resumed": 1}],
    "k8s_rollout_plan": [{"planned": 3}],
    "k8s_rollout_preflight": [{"planned": 4}, {"planned": 3}, {"planned": 2}],
    "k8s_rollout_restart": [
        {"restarted": 1},
        {"restarted": 4},
        {"restarted": 2},
        {},
        {"restarted": 4},
        {"restarted": 1},
        {"restarted": 1},
    ],
    "k8s_rollout_status": [{"rolled_out": 6}, {"rolled_out": 3}, {"rolled_out": 1}, {"rolled_out": 2}],
    "k8s_rollout_undo": [{"undone": 1}, {"undone": 3, "unchanged": 3}, {"unchanged": 4}, {"undone": 1}],
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
    volume = {"name": "ca", "secret": {"secretName": "internal-ca"}}

    def reading(*options):
        one = workload(*options)
        one["spec"]["template"]["spec"]["volumes"] = [volume]
        return one

    found["shop"].create(
        reading("Deployment", "api", 2),
        workload("Deployment", "catalog", 2),
        reading("Deployment", "cart", 1),
        workload("Deployment", "web", 1, {"tier": "web"}),
        reading("StatefulSet", "redis", 2),
        workload("DaemonSet", "proxy"),
    )
    found["billing"].create(reading("Deployment", "invoices", 1))
    yield found
    cluster.kubectl("delete", "namespace", *found, "--wait=false")


def prepare_undo(shop):
    """What its examples want to undo: a restart of the Deployments by one run, and a StatefulSet that is stuck."""
    entries = [{"id": "all", "namespace": shop.name}]
    plan = {"version": 1, "name": "rotate-internal-ca", "workloads": entries}
    restarted = shop.operator.run("k8s_rollout_restart", plan=plan, run_id=RUN, journal={"clusters": ["eu-west"]})
    assert restarted["summary"] == {"restarted": 4}
    shop.kubectl("apply", "-f", "-", input=BINDING)
    shop.kubectl("patch", "statefulset/redis", "-p", json.dumps({"spec": {"template": BROKEN}}))
    shop.stuck("redis")


def prepare_leftovers(shop):
    """What its examples need beside the permissions of a restart: they name no plan."""
    shop.cluster.apply((RBAC / "leftovers.yml").read_text())


def prepare_restart(shop):
    """The StatefulSet whose pods it evicts, with a leader, and the permission to do so."""
    shop.create(workload("StatefulSet", "db", 2, updateStrategy={"type": "OnDelete"}), ready=False)
    wait_until(
        lambda: shop.get("StatefulSet", "db")["status"].get("availableReplicas") == 2, "the pods to be available"
    )
    shop.kubectl("label", "pod/db-0", "role=primary")
    shop.cluster.apply((RBAC / "between_pods.yml").read_text())
    subject = ("--clusterrole=restartx-between-pods", "--serviceaccount=restartx-system:restartx")
    shop.kubectl("create", "rolebinding", "restartx-between-pods", *subject)


def prepare_gate(shop):
    """The Job that its examples wait for."""
    create_job(shop, "migrate-0042")
    end_job(shop, "migrate-0042", "SuccessCriteriaMet", "Complete")
    shop.kubectl("apply", "-f", RBAC / "gates.yml")
    subject = ("--clusterrole=restartx-gates", "--serviceaccount=restartx-system:restartx")
    shop.kubectl("create", "rolebinding", "restartx-gates", *subject)


def prepare_pre_pull(shop):
    """The permission for Jobs that pull images."""
    shop.cluster.apply((RBAC / "pre_pull.yml").read_text())
    subject = ("--clusterrole=restartx-pre-pull", "--serviceaccount=restartx-system:restartx")
    shop.kubectl("create", "rolebinding", "restartx-pre-pull", *subject)


PREPARE = {
    "k8s_rollout_gate": prepare_gate,
    "k8s_rollout_leftovers": prepare_leftovers,
    "k8s_rollout_pre_pull": prepare_pre_pull,
    "k8s_rollout_restart": prepare_restart,
    "k8s_rollout_undo": prepare_undo,
}


@pytest.fixture
def adapted(request, cluster):
    """Changes the examples of a module where they name what is not here, or wait for long."""

    def adapt_window(tasks):
        tasks[0]["restartx.core.maintenance_window"]["outside_window"] = "fail"  # nobody waits twelve hours here
        tasks[0]["failed_when"] = "result_0.open is not defined"

    def adapt_gate(tasks):
        prometheus, server = request.getfixturevalue("prometheus"), stack.enter_context(WebServer(cluster))
        prometheus.metrics = 'http_requests_total{namespace="shop",code="503"} 7\n'
        prometheus.shows('rate(http_requests_total{namespace="shop"}[1m])', "0")
        errors, health, _object, _job, port = (task["restartx.core.k8s_rollout_gate"] for task in tasks)
        errors |= {"url": prometheus.url, "for": "1s"}
        errors["auth"]["token"] = "of nobody"
        health |= {"http": server.url, "auth": server.auth}
        port["tcp"] = server.url.split("/")[2]

    def adapt_restart(tasks):
        tasks[-1]["restartx.core.k8s_rollout_restart"]["between_pods"]["settle"] = "1s"
        shop = request.getfixturevalue("shops")["shop"]
        stack.callback(shop.kubectl, "delete", "statefulset/db")  # the examples of other modules count what is there

    with contextlib.ExitStack() as stack:
        yield {
            "maintenance_window": adapt_window,
            "k8s_rollout_gate": adapt_gate,
            "k8s_rollout_restart": adapt_restart,
        }


@pytest.mark.parametrize("module", NAMES)
def test_the_examples_of_a_module_run(shops, operator, module, tmp_path, adapted):
    PREPARE.get(module, lambda shop: None)(shops["shop"])
    tasks = [{"register": f"result_{place}", **task} for place, task in enumerate(examples(module))]
    adapted.get(module, lambda tasks: None)(tasks)
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
