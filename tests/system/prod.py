# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A shop on two clusters that people restart with restart_prod.yml: the plan, the inventory, and what came of it."""

from __future__ import annotations

import collections
import itertools
import json
import re
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import yaml
from house import RBAC, ROOT, RUN, USER_AGENT, Namespace, environment, now, workload

from lab.failures import LABEL
from lab.poll import wait_until

JOURNALS = "restartx-system"
CLUSTERS = ("eu-west", "us-east")
APPS = ("api", "pay", "web")
READING = {"get", "list", "watch"}
LONGEST = 600  # seconds that a run may take
PLAYBOOK = Path(sys.executable).with_name("ansible-playbook")
_numbers = itertools.count(1)


def entry(name, *after, **more):
    """An entry of a plan for the Deployment of this name."""
    return {"id": name, "name": name, **({"after": list(after)} if after else {}), **more}


@dataclass
class Shop:
    """One namespace on both clusters with some Deployments, a plan for them, and an inventory."""

    name: str
    folder: Path
    namespaces: dict[str, Namespace]
    inventory: dict
    plan: dict = field(default_factory=dict)
    apps: tuple[str, ...] = APPS
    settings: dict = field(default_factory=dict)  # more of the environment
    playbook: Path = ROOT / "restart_prod.yml"
    began: object = None

    def command(self, *args):
        """Write the inventory down and return the command as a person types it."""
        group = {"vars": {"restart_plan": self.plan}, "hosts": self.inventory}
        path = self.folder / "inventory.yml"
        path.write_text(yaml.safe_dump({"clusters": group}, sort_keys=False))
        return [PLAYBOOK, "-i", path, self.playbook, "-e", "reason=certificates renewed", *args]

    def environment(self):
        home = str(self.folder / "home")
        return environment(self.folder / "none", **{"ANSIBLE_HOME": home, "USER": "jane", **self.settings})

    def start(self, *args):
        """Start it, and return at once."""
        return subprocess.Popen(self.command(*args), cwd=ROOT, env=self.environment(), stdout=subprocess.DEVNULL)

    def run(self, *args):
        """Run it to its end: (exit code, all that it said on one line)."""
        self.began = now()
        done = subprocess.run(
            self.command(*args), cwd=ROOT, env=self.environment(), capture_output=True, text=True, check=False
        )
        said = " ".join((done.stdout + done.stderr).split())
        assert "Traceback" not in said
        return done.returncode, said

    def fail(self, app, failure, cluster="eu-west"):
        """From now on the new pods of a Deployment fail."""
        self.namespaces[cluster].cluster.fail({"app": app, "shop": self.name}, failure, self.name)

    def heal(self, app, cluster="eu-west"):
        """New pods of a Deployment are healthy again."""
        self.namespaces[cluster].cluster.heal({"app": app, "shop": self.name})

    def break_down(self, app, cluster="eu-west"):
        """From now on the new pods of a Deployment crash, which the plan does not look at for long."""
        self.fail(app, "crash-loop", cluster)
        next(row for row in self.plan["workloads"] if row["id"] == app)["grace"] = "2s"

    def mend(self, app, cluster="eu-west"):
        """Its pods come up: those that failed are replaced."""
        namespace = self.namespaces[cluster]
        self.heal(app, cluster)
        namespace.api.request("DELETE", f"/api/v1/namespaces/{self.name}/pods?labelSelector=app={app},{LABEL}")
        rolled_out(namespace, app)

    def changes(self, cluster):
        """What restartx asked a cluster to change for this shop since the last run began, as (verb, resource, name)."""
        about = [
            (event["verb"], event["objectRef"]["resource"], event["objectRef"].get("name", ""), event)
            for event in self.namespaces[cluster].cluster.requests(USER_AGENT, self.began)
            if event["verb"] not in READING and "dryRun=All" not in event["requestURI"]
        ]
        ours = re.compile(rf"\b{self.name}\b")  # in the name of the namespace, or of a journal or lock
        return [
            (verb, resource, name)
            for verb, resource, name, event in about
            if ours.search(f"{event['objectRef'].get('namespace')} {name}")
        ]

    def restarted(self, cluster):
        """The Deployments that the last run restarted on a cluster, in order."""
        return [name for verb, resource, name in self.changes(cluster) if (verb, resource) == ("patch", "deployments")]

    def untouched(self):
        return not self.changes("eu-west") and not self.changes("us-east")

    def journals(self, cluster):
        """The journals of the plan's runs on a cluster, the newest first."""
        held = (json.loads(one["data"]["journal.json"]) for one in self.journal_maps(cluster))
        return sorted(held, key=lambda journal: journal["started_at"], reverse=True)

    def journal(self, cluster):
        """The newest of them, None when there is none."""
        return next(iter(self.journals(cluster)), None)

    def journal_maps(self, cluster):
        """The ConfigMaps that hold them."""
        return self._records(cluster).list("configmaps", f"restartx.io/plan={self.name}")

    def edit_journal(self, cluster, run, **changes):
        """Write into the journal of a run what time or somebody else would have made of it."""
        for held in self.journal_maps(cluster):
            journal = json.loads(held["data"]["journal.json"])
            if journal["run"] == run:
                text = json.dumps({**journal, **changes})
                where = f"/api/v1/namespaces/{JOURNALS}/configmaps/{held['metadata']['name']}"
                self._records(cluster).api.request("PATCH", where, {"data": {"journal.json": text}})
                return
        raise AssertionError(f"no journal of run {run} on {cluster}")

    def write_journal(self, cluster, name, text, labels=None):
        """Put a ConfigMap of this name and text where the journals are."""
        meta = {"name": name, "labels": {"app.kubernetes.io/managed-by": "restartx", **(labels or {})}}
        body = {"metadata": meta, "data": {"journal.json": text}}
        self._records(cluster).api.request("POST", f"/api/v1/namespaces/{JOURNALS}/configmaps", body)

    def lock(self, cluster):
        """The Lease of the plan on a cluster, None when there is none."""
        where = f"/apis/coordination.k8s.io/v1/namespaces/{JOURNALS}/leases"
        held = self._records(cluster).api.request("GET", where)["items"]
        return next((one for one in held if one["metadata"]["name"] == f"restartx-{self.name}"), None)

    def _records(self, cluster):
        return Namespace(self.namespaces[cluster].cluster, None, JOURNALS)

    def revisions(self, cluster):
        """How many revisions each Deployment has."""
        owners = [one["metadata"]["ownerReferences"][0]["name"] for one in self.namespaces[cluster].list("replicasets")]
        return dict(sorted(collections.Counter(owners).items()))

    def annotations(self, cluster, name):
        return self.namespaces[cluster].annotations("Deployment", name)

    def runs(self, cluster):
        """Which run each Deployment carries, None where it carries none."""
        return {name: self.annotations(cluster, name).get(RUN) for name in self.apps}


def make_shop(clusters, kubeconfigs, folder, apps=APPS, **of_apps):
    """A shop whose plan restarts api, then pay, then web; `of_apps` goes into the Deployments, see house.workload()."""
    name = f"prod-{next(_numbers)}"
    namespaces = {context: Namespace(cluster, None, name) for context, cluster in clusters.items()}
    for namespace in namespaces.values():
        settle_in(namespace, *(workload("Deployment", app, labels={"shop": name}, **of_apps) for app in apps))
    for namespace in namespaces.values():
        rolled_out(namespace, *apps)
    hosts = {
        # us-east comes first in the inventory: what counts is the wave.
        context: {"restartx_kubeconfig": str(kubeconfigs[context]), "restartx_wave": wave}
        for context, wave in (("us-east", 2), ("eu-west", 1))
    }
    plan = {
        "version": 1,
        "name": name,
        "defaults": {"namespace": name, "timeout": "60s"},
        "workloads": [entry("web", "pay"), entry("pay", "api"), entry("api")],
    }
    return Shop(name, folder, namespaces, hosts, plan, tuple(apps))


def settle_in(namespace, *deployments):
    """Create a namespace in which rbac/namespace.yml lets restartx work, with these Deployments."""
    api, name = namespace.api, namespace.name
    api.request("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
    bindings = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{name}/rolebindings"
    api.request("POST", bindings, yaml.safe_load((RBAC / "namespace.yml").read_text()))
    for deployment in deployments:
        api.request("POST", f"/apis/apps/v1/namespaces/{name}/deployments", deployment)


def rolled_out(namespace, *names):
    """Wait until these Deployments are rolled out."""

    def done(deployment):
        status = deployment.get("status", {})
        counts = {status.get(count, 0) for count in ("replicas", "updatedReplicas", "availableReplicas")}
        current = status.get("observedGeneration") == deployment["metadata"]["generation"]
        return current and counts == {deployment["spec"]["replicas"]}

    wait_until(
        lambda: all(done(one) for one in namespace.list("deployments") if one["metadata"]["name"] in names),
        f"{', '.join(names)} to be rolled out",
        timeout=120,
        interval=0.5,
    )
