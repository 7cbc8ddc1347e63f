# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Tests act with the permissions that the collection ships in rbac/, never as admin."""

from __future__ import annotations

from pathlib import Path

from lab import Cluster

RBAC = Path(__file__).resolve().parent.parent / "rbac"


def shipped_role(cluster: Cluster, namespaces: list[str], path: Path) -> Path:
    """Let the service account of rbac/ act in `namespaces`, made if missing; returns `path`, its kubeconfig."""
    cluster.kubectl("apply", "-f", RBAC / "cluster.yml")
    for namespace in namespaces:
        cluster.apply(f"{{apiVersion: v1, kind: Namespace, metadata: {{name: {namespace}}}}}")
        cluster.kubectl("apply", "--namespace", namespace, "-f", RBAC / "namespace.yml")
    return cluster.service_account_kubeconfig("restartx-system", "restartx", path)
