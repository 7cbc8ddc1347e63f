# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Tests act with the permissions that the collection ships in rbac/, never as admin."""

from __future__ import annotations

from pathlib import Path

import yaml

from lab import Cluster

RBAC = Path(__file__).resolve().parent.parent / "rbac"


def shipped_role(cluster: Cluster, namespaces: list[str], path: Path) -> Path:
    """Let the service account of rbac/ act in `namespaces`, made if missing; returns `path`, its kubeconfig."""
    cluster.kubectl("apply", "-f", RBAC / "cluster.yml", "-f", RBAC / "budgets.yml")
    for namespace in namespaces:
        cluster.apply(f"{{apiVersion: v1, kind: Namespace, metadata: {{name: {namespace}}}}}")
        cluster.kubectl("apply", "--namespace", namespace, "-f", RBAC / "namespace.yml")
    return cluster.service_account_kubeconfig("restartx-system", "restartx", path)


def shipped_roles(clusters: list[Cluster], namespaces: list[str], path: Path) -> Path:
    """The same on several clusters; `path` becomes one kubeconfig with a context for each, named after it."""
    whole = {"apiVersion": "v1", "kind": "Config", "clusters": [], "contexts": [], "users": []}
    for cluster in clusters:
        own = shipped_role(cluster, namespaces, path.with_name(f"{path.name}-{cluster.name}"))
        config = yaml.safe_load(own.read_text())
        # Each file calls its user the same.
        config["contexts"][0]["context"]["user"] = config["users"][0]["name"] = cluster.name
        for section in ("clusters", "contexts", "users"):
            whole[section] += config[section]
    path.touch(mode=0o600)
    path.write_text(yaml.safe_dump(whole))
    return path
