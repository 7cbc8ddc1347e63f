# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Workloads of the update strategy OnDelete, and their pods in all states."""

from __future__ import annotations

from ansible_collections.restartx.core.plugins.module_utils.rollout import marks

ZONES = {"node-0": "b", "node-1": "a", "node-2": "b", "node-3": "a"}


def workload(kind="StatefulSet", wanted=3, **status):
    spec = {"replicas": wanted, "updateStrategy": {"type": "OnDelete"}, "template": {"metadata": {}}}
    counted = {"observedGeneration": 2, "desiredNumberScheduled": wanted, **status}
    meta = {"name": "db", "namespace": "shop", "uid": "u", "generation": 2}
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": meta, "spec": spec, "status": counted}


def pod(place, state="old", created=None, run=None, node=None, at="2026-11-24T22:00:00Z"):
    made = {
        "metadata": {
            "name": f"db-{place}",
            "uid": f"uid-{place}",
            "creationTimestamp": created or f"2026-11-24T10:0{place}:00Z",
            "labels": {"controller-revision-hash": "new" if "new" in state else "old"},
            "annotations": {marks.RUN: run, marks.RESTARTED_AT: at} if run else {},
            "ownerReferences": [{"kind": "StatefulSet", "name": "db", "uid": "u", "controller": True}],
        },
        "spec": {"nodeName": node or f"node-{place}"},
        "status": {"conditions": [{"type": "Ready", "status": str("unready" not in state)}]},
    }
    if state == "ending":
        made["metadata"]["deletionTimestamp"] = "2026-11-24T22:00:00Z"
    if state == "dead":
        made["status"]["phase"] = "Failed"
    return made
