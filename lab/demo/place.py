# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Where the demo takes place: in the lab, or on clusters of the user's own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from lab import Lab, LabError
from lab.api import Object
from lab.binary import build
from lab.demo import shop
from lab.failures import LABEL as FAILURE

ROOT = Path(__file__).parents[2]
RBAC = ROOT / "rbac"
JOURNALS = "restartx-system"  # the namespace
JOURNALS_OF_PLAN = "restartx.io/plan=demo-shop"  # label; the plan is in inventory/group_vars/clusters.yml


class Place:
    """Two clusters, or more, with a shop on each. `manners` says what the demo does to them."""

    manners = ""

    def __init__(self, contexts: Sequence[str], kubeconfig: Path | None, kubectl: Sequence[str | Path]):
        self.contexts = contexts
        self._kubectl = [*kubectl, "--kubeconfig", str(kubeconfig)] if kubeconfig else kubectl

    def kubectl(self, context: str, *args: str | Path, input: str | None = None) -> str:
        """Run kubectl; returns what it printed. Raises LabError with what it complained about."""
        command = [*self._kubectl, "--context", context, *args]
        done = subprocess.run(list(map(str, command)), input=input, capture_output=True, text=True, check=False)
        if done.returncode:
            raise LabError(f"kubectl --context {context} {' '.join(map(str, args))}: {done.stderr.strip()}")
        return done.stdout

    def open_shops(self) -> None:
        """Make the shop on every cluster, or mend it, and forget what earlier demos restarted."""
        with ThreadPoolExecutor() as pool:
            list(pool.map(self._open_shop, self.contexts))

    def apply(self, context: str, *objects: Object) -> None:
        """Apply objects, given as data."""
        items = {"apiVersion": "v1", "kind": "List", "items": objects}
        self.kubectl(context, "apply", "-f", "-", input=json.dumps(items))

    def lose_account(self, context: str) -> None:
        """From now on no pod of payment can be made; those that run do not notice."""
        self.kubectl(context, "delete", "serviceaccount", "payment", "--namespace", "shop")

    def restore_account(self, context: str) -> None:
        """Repair that."""
        self.apply(context, shop.account())

    def generations(self, context: str) -> list[str]:
        """The generation of each workload of the shop: any change of any of them changes it."""
        shown = "{range .items[*]}{.kind}/{.metadata.name}={.metadata.generation} {end}"
        args = ("get", "deployments,statefulsets,daemonsets", "--all-namespaces", "--selector", _selector())
        return self.kubectl(context, *args, "--output", f"jsonpath={shown}").split()

    def _open_shop(self, context: str) -> None:
        for name in shop.NAMESPACES:
            self._refuse_a_stranger(context, name)
        self._permit(context)
        account = ("serviceaccount", "payment", "--namespace", "shop")
        whole = self.kubectl(context, "get", *account, "--ignore-not-found")
        self.apply(context, *shop.objects())
        if not whole:
            # An earlier demo may have ended without it, and controllers that were refused pods long enough try only rarely.
            self.kubectl(context, "rollout", "restart", "deployment/payment", "--namespace", "shop")
        self.kubectl(context, "delete", "configmap", "--selector", JOURNALS_OF_PLAN, "--namespace", JOURNALS)
        for service in shop.SERVICES:
            self.kubectl(
                context,
                *("rollout", "status", f"{service.kind}/{service.name}", "--namespace", service.namespace),
                "--timeout=180s",
            )

    def _permit(self, context: str) -> None:
        """Make the namespaces, and let restartx work in them."""
        raise NotImplementedError

    def _refuse_a_stranger(self, context: str, name: str) -> None:
        found = self.kubectl(
            context, "get", "namespace", name, "--ignore-not-found", "--output", "jsonpath={.metadata.labels}"
        )
        if found and not shop.PART_OF.items() <= json.loads(found).items():
            raise LabError(f"The cluster {context} has a namespace {name} that is not the demo's; nothing was touched.")


class InLab(Place):
    """The lab's clusters eu-west and us-east; by default those of the checkout."""

    manners = "restartx works there as the service account of rbac/, never as admin."

    def __init__(self, lab: Lab | None = None) -> None:
        self._lab = lab or Lab(ROOT / ".lab")
        clusters = self._lab.up()
        super().__init__([cluster.name for cluster in clusters], self._lab.kubeconfig, [self._lab.binary, "kubectl"])

    def _permit(self, context: str) -> None:
        cluster = self._lab.cluster(context)
        cluster.heal()
        self.kubectl(context, "apply", "-f", RBAC / "cluster.yml", "-f", RBAC / "budgets.yml")
        for name in shop.NAMESPACES:
            self.apply(context, shop.namespace(name))
            self.kubectl(context, "apply", "--namespace", name, "-f", RBAC / "namespace.yml")
            # Those that fail already have to be replaced.
            self.kubectl(context, "delete", "pods", "--namespace", name, "--selector", FAILURE, "--wait=false")
        # In the cluster's folder, so that it goes when the cluster does; inventory/ looks for it there.
        cluster.service_account_kubeconfig(JOURNALS, "restartx", cluster.directory / "restartx.kubeconfig")


class OnOwnClusters(Place):
    """The contexts RESTARTX_CONTEXTS of KUBECONFIG, as the user who is in there."""

    manners = f"They are your own: only the namespaces {', '.join(shop.NAMESPACES)} and {JOURNALS} are touched."

    def __init__(self, contexts: Sequence[str]):
        kubectl = shutil.which("kubectl")
        super().__init__(contexts, None, [kubectl] if kubectl else [build(), "kubectl"])

    def _permit(self, context: str) -> None:
        self.apply(context, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": JOURNALS}})


def choose() -> Place:
    """The user's own clusters where KUBECONFIG and RESTARTX_CONTEXTS name them, else the lab."""
    contexts = [name.strip() for name in os.environ.get("RESTARTX_CONTEXTS", "").split(",") if name.strip()]
    return OnOwnClusters(contexts) if contexts and os.environ.get("KUBECONFIG") else InLab()


def _selector() -> str:
    return ",".join(f"{key}={value}" for key, value in shop.PART_OF.items())
