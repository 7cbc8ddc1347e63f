# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the system tests stand on: modules run as their users run them, and namespaces with workloads in them."""

from __future__ import annotations

import datetime
import functools
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from lab.api import Api
from lab.failures import LABEL
from lab.poll import wait_until

ROOT = Path(__file__).parents[2]
MODULES = ROOT / "plugins" / "modules"
RBAC = ROOT / "rbac"
USER_AGENT = "restartx/"
RUN = "restartx.io/run"
RESTARTED_AT = "kubectl.kubernetes.io/restartedAt"
SHAPE = {"changed", "results", "summary", "run_id", "cluster", "api_requests", "duration"}
LONGEST_RUN = 120  # seconds
KINDS = ("Deployment", "StatefulSet", "DaemonSet")
APPS = ("deployments", "statefulsets", "daemonsets", "replicasets", "controllerrevisions")


def permit(cluster):
    """Apply what an administrator applies once on each cluster."""
    for name in ("cluster.yml", "budgets.yml"):
        cluster.apply((RBAC / name).read_text())


def permit_evictions(namespace):
    """What an administrator allows in a namespace besides, so that pods are evicted there."""
    for name in ("between_pods.yml", "zones.yml"):
        namespace.cluster.apply((RBAC / name).read_text())
    role, account = "restartx-between-pods", "restartx-system:restartx"
    namespace.kubectl("create", "rolebinding", role, f"--clusterrole={role}", f"--serviceaccount={account}")


def environment(kubeconfig, **more):
    """The environment of a user who has this kubeconfig and nothing else that leads to a cluster."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("K8S_AUTH_", "ANSIBLE_"))}
    return {**kept, "KUBECONFIG": str(kubeconfig), "PYTHONPATH": str(ROOT / ".collections"), **more}


class Running:
    """A module at work. It is run by its file, with its arguments on stdin, as Ansible documents for developers."""

    def __init__(self, module, arguments, env):
        command = [sys.executable, MODULES / f"{module}.py"]
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True, env=env, cwd=ROOT)
        self.process.stdin.write(json.dumps({"ANSIBLE_MODULE_ARGS": arguments}))
        self.process.stdin.close()
        self.process.stdin = None

    def result(self, longest=LONGEST_RUN):
        """What it returned when it had ended: one JSON object, and never a traceback. `warnings` are plain texts."""
        try:
            out, err = self.process.communicate(timeout=longest)
        finally:
            self.process.kill()
        assert "Traceback" not in out + err, out + err
        result = json.loads(out)
        result["warnings"] = [warning["event"]["msg"] for warning in result.get("warnings", [])]
        return result


@dataclass(frozen=True)
class Operator:
    """Somebody with a kubeconfig who runs modules."""

    kubeconfig: Path

    def start(self, module, check=False, env=None, **options):
        """Start a module and return at once."""
        arguments = {**options, "_ansible_check_mode": check, "_ansible_diff": True}
        return Running(module, arguments, environment(self.kubeconfig, **(env or {})))

    def run(self, module, **options):
        """Run a module to its end; its result, of which the common shape is checked."""
        result = self.start(module, **options).result()
        assert set(result) >= SHAPE, result
        return result


class Namespace:
    """One namespace: what is in it, and modules that work in it."""

    def __init__(self, cluster, operator, name):
        self.cluster = cluster
        self.operator = operator
        self.name = name

    def kubectl(self, *args, **kwargs):
        """The admin's kubectl in this namespace: how somebody else changes things, and how tests look at them."""
        return self.cluster.kubectl(*args, "--namespace", self.name, **kwargs)

    def create(self, *workloads, ready=True):
        """Create workloads, and by default wait until they are rolled out."""
        items = {"apiVersion": "v1", "kind": "List", "items": list(workloads)}
        self.kubectl("create", "-f", "-", input=json.dumps(items))
        if ready:
            self.rolled_out(*(f"{item['kind']}/{item['metadata']['name']}" for item in workloads))

    def rolled_out(self, *names):
        """Wait until these workloads are rolled out."""
        self.kubectl("rollout", "status", *names, "--timeout=240s")

    def at_rest(self, *names):
        """Wait until these are rolled out, and until no pod of theirs is on its way out, which statuses count too."""
        self.rolled_out(*names)
        objects = [name.split("/") for name in names]
        wait_until(
            lambda: (
                not any(pod["metadata"].get("deletionTimestamp") for pod in self.list("pods"))
                and not any(self.get(*one)["status"].get("terminatingReplicas") for one in objects)
            ),
            "the old pods to be gone",
        )

    def stuck(self, name):
        """Wait until the last pod of a StatefulSet is one of its new revision and waits with a reason.

        Only a list tells that: between the two revisions there is no pod of that name.
        """

        def is_stuck(stateful_set, pod):
            new = stateful_set["status"].get("updateRevision")
            last = f"{name}-{stateful_set['spec']['replicas'] - 1}"
            containers = pod["status"].get("containerStatuses", [])
            return (
                pod["metadata"]["name"] == last
                and pod["metadata"]["labels"]["controller-revision-hash"] == new
                and new != stateful_set["status"].get("currentRevision")
                and any(one["state"].get("waiting", {}).get("reason") for one in containers)
            )

        def found():
            stateful_set = self.get("StatefulSet", name)
            return any(is_stuck(stateful_set, pod) for pod in self.list("pods"))

        wait_until(found, f"the last pod of {name} to be stuck")

    def get(self, kind, name):
        """One object, as the API has it. Asked by the lab itself, which is quicker than kubectl and never counted."""
        return self.api.request("GET", f"{self._path(kind)}/{name}")

    def list(self, kind, labels=""):
        """All objects of a kind with these labels."""
        return self.api.request("GET", f"{self._path(kind)}?labelSelector={quote(labels)}")["items"]

    @functools.cached_property
    def api(self):
        """The API server, as the lab asks it: much cheaper than a process of kubectl."""
        pki = self.cluster.authority.directory
        return Api(self.cluster.server, self.cluster.authority.certificate_path, pki / "lab.crt", pki / "lab.key")

    def _path(self, kind):
        plural = f"{kind.lower().removesuffix('s')}s"
        return f"{'/apis/apps/v1' if plural in APPS else '/api/v1'}/namespaces/{self.name}/{plural}"

    def template(self, kind, name):
        """The pod template of a workload."""
        return self.get(kind, name)["spec"]["template"]

    def annotations(self, kind, name):
        """The annotations of a workload's pod template."""
        return self.template(kind, name)["metadata"].get("annotations", {})

    def revisions(self, kind, name):
        """The numbers of a workload's revisions, ascending."""
        uid = self.get(kind, name)["metadata"]["uid"]
        if kind == "Deployment":
            number = "deployment.kubernetes.io/revision"
            found = [(item, int(item["metadata"]["annotations"][number])) for item in self.list("replicasets")]
        else:
            found = [(item, item["revision"]) for item in self.list("controllerrevisions")]
        return sorted(number for item, number in found if item["metadata"]["ownerReferences"][0]["uid"] == uid)

    def carries(self, run, kind, name):
        """Wait until a workload carries a run."""
        wait_until(lambda: self.annotations(kind, name).get(RUN) == run, f"{name} to carry run {run}")

    def come_up(self, name):
        """Let the pods of a workload get ready that never would: its failure is `never-ready`; after the pods' delay."""
        slow = (f"{LABEL}=slow-start", "--overwrite", f"--selector=app={name},{LABEL}=never-ready")
        assert self.kubectl("label", "pods", *slow).stdout, f"no pod of {name} is never ready"

    def start(self, verb, **options):
        """Start the module of a verb, such as "restart", in this namespace."""
        return self.operator.start(f"k8s_rollout_{verb}", namespace=[self.name], **options)

    def run(self, verb, **options):
        """Run the module of a verb in this namespace to its end."""
        return self.operator.run(f"k8s_rollout_{verb}", namespace=[self.name], **options)


def workload(kind, name, replicas=1, labels=None, delay=None, annotations=None, **spec):
    """A workload whose pods run an image that nobody pulls; `delay` slows a start down, `spec` goes into its spec."""
    own = {"app": name, **(labels or {})}
    marks = {**(annotations or {}), **({"lab.restartx.io/delay": delay} if delay else {})}
    template = {
        "metadata": {"labels": own, "annotations": marks},
        "spec": {"containers": [{"name": "main", "image": "localhost/shop:1"}]},
    }
    given = {"selector": {"matchLabels": {"app": name}}, "template": template}
    if kind != "DaemonSet":
        given["replicas"] = replicas
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": name, "labels": own}, "spec": given | spec}


def outcomes(result):
    """What came of each workload, by name."""
    return {entry["name"]: entry["outcome"] for entry in result["results"]}


def entry_of(result, name):
    """The entry of one workload in the results."""
    return next(entry for entry in result["results"] if entry["name"] == name)


def now():
    """A moment from which on requests are looked at."""
    return datetime.datetime.now(datetime.UTC)


def patches(cluster, since, code=None):
    """The names of what restartx patched since then, in order; `code` picks by the server's answer."""
    return [
        event["objectRef"]["name"]
        for event in cluster.requests(USER_AGENT, since)
        if event["verb"] == "patch" and code in (None, event["responseStatus"]["code"])
    ]


def create_job(namespace, name="migrate"):
    """A Job that waits, because no node of the lab runs it to an end."""
    pod = {"restartPolicy": "Never", "containers": [{"name": "main", "image": "localhost/shop:1"}]}
    body = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name},
        "spec": {"suspend": True, "template": {"spec": pod}},
    }
    namespace.kubectl("create", "-f", "-", input=json.dumps(body))


def end_job(namespace, name, *conditions):
    """Set the conditions of a Job as its controller does when it ends."""
    at = now().isoformat(timespec="seconds").replace("+00:00", "Z")
    held = [{"type": one, "status": "True", "message": "by the test", "lastTransitionTime": at} for one in conditions]
    status = {"conditions": held, "startTime": at, **({"completionTime": at} if "Complete" in conditions else {})}
    path = f"/apis/batch/v1/namespaces/{namespace.name}/jobs/{name}/status"
    namespace.api.request("PATCH", path, {"status": status})
