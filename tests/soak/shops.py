# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A shop of 25 workloads on each of two clusters, and the plan that restarts them."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import yaml
from house import RBAC, RESTARTED_AT, RUN, USER_AGENT, Namespace, environment, workload
from started import Started

NAME = "soak"  # of the namespace and of the plan
JOURNALS = "restartx-system"
LOCK = f"restartx-{NAME}"  # the plan's Lease
OF_PLAN = f"restartx.io/plan={NAME}"  # the label of the journals of its runs
MAX_PARALLEL = 5
# Each step is restarted after the one before it.
STEPS = {
    "cache": ("StatefulSet", 4),
    "core": ("Deployment", 6),
    "checkout": ("Deployment", 6),
    "web": ("Deployment", 7),
    "edge": ("DaemonSet", 2),
}
NAMES = {step: [f"{step}-{number}" for number in range(count)] for step, (_kind, count) in STEPS.items()}
KIND = {name: STEPS[step][0] for step, names in NAMES.items() for name in names}


@dataclass(frozen=True)
class Span:
    """How long an undisturbed run takes, and each of its restart modules in turn, in seconds."""

    whole: float
    modules: tuple[float, ...]

    def shortened(self, whole):
        """The same for a run that took only so long."""
        return Span(whole, tuple(seconds * whole / self.whole for seconds in self.modules))


class Shop:
    """The workloads, as the cluster's admin sees them, and the command of a person who restarts them."""

    span: Span

    def __init__(self, clusters, folder):
        self.folder = Path(folder)
        self.clusters = clusters
        self.namespaces = {context: Namespace(cluster, None, NAME) for context, cluster in clusters.items()}
        self._journals = {context: Namespace(cluster, None, JOURNALS) for context, cluster in clusters.items()}
        for context, cluster in clusters.items():
            cluster.service_account_kubeconfig(JOURNALS, "restartx", self.folder / context)
            cluster.kubectl("create", "namespace", NAME)
            cluster.kubectl("apply", "--namespace", NAME, "-f", RBAC / "namespace.yml")
            self.namespaces[context].create(*(workload(kind, name) for name, kind in KIND.items()), ready=False)
        (self.folder / "inventory.yml").write_text(yaml.safe_dump({"clusters": self._group()}))
        self.come_to_rest()

    def _group(self):
        hosts = {
            context: {"restartx_kubeconfig": str(self.folder / context), "restartx_wave": wave}
            for wave, context in enumerate(self.clusters, 1)
        }
        before = [None, *STEPS]
        entries = [
            {"id": step, "kind": kind, "name": NAMES[step], **({"after": [earlier]} if earlier else {})}
            for earlier, (step, (kind, _count)) in zip(before, STEPS.items())
        ]
        defaults = {"namespace": NAME, "timeout": "5m", "max_parallel": MAX_PARALLEL}
        plan = {"version": 1, "name": NAME, "defaults": defaults, "workloads": entries}
        return {"vars": {"restart_plan": plan}, "hosts": hosts}

    def start(self, ticket, within=()):
        """Begin the command; `within` is put before it."""
        program = Path(sys.executable).with_name("ansible-playbook")
        command = [*within, program, "-i", self.folder / "inventory.yml", "restart_prod.yml"]
        command += ["-e", f"ticket={ticket}", "-e", "reason=certificates renewed"]
        env = environment(self.folder / "none", ANSIBLE_HOME=str(self.folder / "home"), USER="jane")
        return Started(command, env, self.folder / f"{ticket}.log")

    def measure(self):
        """Run the plan once, undisturbed, and note its span."""
        began = time.monotonic()
        first, last = {}, {}
        with self.start("undisturbed") as started:
            while not started.ended:
                for pid in started.modules():
                    last[pid] = time.monotonic()
                    first.setdefault(pid, last[pid])
                time.sleep(0.1)
            code, said = started.result()
        assert code == 0, said
        self.span = Span(time.monotonic() - began, tuple(last[pid] - first[pid] for pid in first))

    def come_to_rest(self):
        """Wait until all is rolled out; a run that has not ended is forgotten."""
        for namespace in self.namespaces.values():
            namespace.rolled_out(*(f"{kind.lower()}/{name}" for name, kind in KIND.items()))
        if any(journal and journal["state"] != "finished" for journal in self.journals().values()):
            for cluster in self.clusters.values():
                cluster.kubectl("delete", "--namespace", JOURNALS, "configmap", "--selector", OF_PLAN)
                cluster.kubectl("delete", "--namespace", JOURNALS, "lease", LOCK, "--ignore-not-found")

    def workloads(self, context):
        """The workloads on a cluster, by name."""
        namespace = self.namespaces[context]
        kinds = dict.fromkeys(KIND.values())
        return {item["metadata"]["name"]: item for kind in kinds for item in namespace.list(kind)}

    def revisions(self):
        """The highest revision of each workload, by cluster and name; nothing that is cleaned up lowers it."""
        return {
            (context, name): number for context in self.clusters for name, number in self._revisions_on(context).items()
        }

    def _revisions_on(self, context):
        highest = dict.fromkeys(KIND, 0)
        for kind, number in (("replicasets", _of_replicaset), ("controllerrevisions", _of_controllerrevision)):
            for item in self.namespaces[context].list(kind):
                owner = item["metadata"]["ownerReferences"][0]["name"]
                highest[owner] = max(highest[owner], number(item))
        return highest

    def carrying(self, context, run):
        """The names of the workloads on a cluster that carry a run."""
        return [name for name, item in self.workloads(context).items() if _marks(item).get(RUN) == run]

    def stamps(self):
        """When each workload was restarted, in the order of the plan: a list of texts for each cluster's steps."""
        rows = []
        for context in self.clusters:
            found = self.workloads(context)
            rows += [[_marks(found[name])[RESTARTED_AT] for name in names] for names in NAMES.values()]
        return rows

    def journals(self):
        """The journal of the newest run on each cluster, None where there is none."""
        found = {}
        for context, namespace in self._journals.items():
            labels = [(item, item["metadata"].get("labels", {})) for item in namespace.list("configmaps")]
            held = [item for item, of in labels if of.get("restartx.io/plan") == NAME]
            runs = [json.loads(item["data"]["journal.json"]) for item in held]
            found[context] = max(runs, key=lambda run: run["started_at"], default=None)
        return found

    def lock_holders(self):
        """Who holds the plan's lock, by cluster; nobody where it is free."""
        found = {}
        for context, cluster in self.clusters.items():
            shown = cluster.kubectl("get", "lease", LOCK, "--namespace", JOURNALS, "--ignore-not-found", "-o", "json")
            found[context] = json.loads(shown.stdout)["spec"].get("holderIdentity") or None if shown.stdout else None
        return found

    def patches(self, since):
        """What was patched since then, as (cluster, name, when the request came); only what the server carried out."""
        return [
            (context, event["objectRef"]["name"], event["requestReceivedTimestamp"])
            for context, cluster in self.clusters.items()
            for event in cluster.requests(USER_AGENT, since)
            if event["verb"] == "patch"
            and event["objectRef"]["name"] in KIND
            and event["responseStatus"]["code"] == 200
            and "dryRun=" not in event["requestURI"]  # as the check of the plan sends them
        ]


def _marks(item):
    return item["spec"]["template"]["metadata"].get("annotations", {})


def _of_replicaset(item):
    return int(item["metadata"]["annotations"]["deployment.kubernetes.io/revision"])


def _of_controllerrevision(item):
    return item["revision"]
