# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Pods on a real node are asked through the API server which of them leads, and that one is evicted last."""

from __future__ import annotations

from house import RBAC, RUN, USER_AGENT, now, outcomes
from shop import workload

from lab.poll import wait_until

LONG = 240  # seconds
# Only the first pod answers /ready with status 200: the index is a part of the time after which it does.
CONTAINER = {
    "args": ["serve", "-drain", "1s", "-ready-after", "$(INDEX)000h"],
    "env": [
        {"name": "INDEX", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['apps.kubernetes.io/pod-index']"}}}
    ],
    "readinessProbe": {"httpGet": {"path": "/", "port": 8080}, "periodSeconds": 1},
}
BY_AGE = {"order": "age", "leader": {"http": {"port": 8080, "path": "/ready"}}}


def evicted(namespace, since):
    asked = namespace.cluster.requests(USER_AGENT, since)
    found = [one["objectRef"] for one in asked if one["objectRef"].get("subresource") == "eviction"]
    return [one["name"] for one in found if one["namespace"] == namespace.name]


def test_the_pod_that_answers_as_the_leader_is_evicted_last(namespace):
    one = workload("StatefulSet", "db", 3, **CONTAINER)
    one["spec"]["updateStrategy"] = {"type": "OnDelete"}
    namespace.create(one, ready=False)
    wait_until(
        lambda: namespace.get("StatefulSet", "db")["status"].get("availableReplicas") == 3, "the pods", timeout=LONG
    )
    for name in ("between_pods", "leader_http"):
        namespace.cluster.apply((RBAC / f"{name}.yml").read_text())
    role = "restartx-between-pods"
    subject = "--serviceaccount=restartx-system:restartx"
    namespace.kubectl("create", "rolebinding", role, f"--clusterrole={role}", subject)
    options = {"kind": ["StatefulSet"], "run_id": "r1", "timeout": "180s", "between_pods": BY_AGE}
    result = namespace.start("restart", **options).result()
    assert f"to get pods/proxy in namespace {namespace.name}, which between_pods needs" in result["msg"], result
    assert RUN not in namespace.annotations("StatefulSet", "db")

    role = "restartx-leader-http"
    namespace.kubectl("create", "rolebinding", role, f"--clusterrole={role}", subject)
    began = now()
    nobody = {"order": "age", "leader": {"http": {"port": 8081}}}
    running = namespace.start("restart", **{**options, "between_pods": nobody}, wait_timeout="20s")
    (told,) = running.result(longest=LONG)["results"]
    assert told["outcome"] == "unfinished" and not evicted(namespace, began)
    assert "could not be asked (GET http://POD:8081/): the API server answers with status 503" in told["message"], told

    result = namespace.start("restart", **options).result(longest=LONG)
    assert outcomes(result)["db"] in ("restarted", "already_restarted"), result
    *others, last = evicted(namespace, began)  # by age, db-0 would be the first; the others may be of the same second
    assert (sorted(others), last) == (["db-1", "db-2"], "db-0")
