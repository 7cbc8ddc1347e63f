# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A node that no longer answers is named. All other causes are in the table of test_failure_table.py."""

from __future__ import annotations

import functools

from house import workload

from lab import nodes
from lab.poll import wait_until


def test_a_node_that_does_not_answer_is_named_with_all_pods_on_it(namespace):
    cluster = namespace.cluster
    namespace.create(workload("Deployment", "api", replicas=2))
    cluster.stop("kwok")
    try:
        wait_until(lambda: not _ready(namespace, "api"), "the pods to count as not ready", timeout=120)
        cause = namespace.run("status")["results"][0]["cause"]
    finally:
        cluster.start("kwok")
    assert (cause["code"], cause["container"]) == ("node_not_ready", None)
    assert cause["pods"].startswith("2 of 2 new pods, ")
    assert "has a node that is not ready" in cause["sentence"] and "get node node-" in cause["advice"]
    wait_until(functools.partial(nodes.all_ready, namespace.api), "the nodes to be ready again", timeout=90)


def _ready(namespace, name):
    """The pods that are ready."""
    wanted = ("Ready", "True")
    pods = namespace.list("pods", f"app={name}")
    return [pod for pod in pods if wanted in {(one["type"], one["status"]) for one in pod["status"]["conditions"]}]
