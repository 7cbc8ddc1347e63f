# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The playbook as AWX runs it: ansible-runner's transmit, worker and process, a slice of the inventory in each job."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from house import ROOT, RUN, Namespace, environment, workload

from lab import Lab
from lab.poll import wait_until
from tools.shipped_role import shipped_roles

CLUSTERS = ["ap-south", "ap-west", "eu-north", "eu-south", "us-east", "us-west"]
SLICES = 3
APPS = ("api", "pay", "web")
JOURNALS = "restartx-system"
RUNNER = Path(sys.executable).with_name("ansible-runner")
PLAYBOOK = [{"name": "Restart", "import_playbook": "restartx.core.restart_prod"}]
PLAN = {
    "version": 1,
    "name": "sliced",
    "defaults": {"namespace": "shop", "timeout": "60s", "max_parallel": 1},
    "workloads": [{"id": "api", "name": "api"}, {"id": "rest", "name": ["pay", "web"], "after": ["api"]}],
}


@pytest.fixture(scope="module")
def clusters(tmp_path_factory):
    """Six clusters, each with the Deployments of APPS in the namespace shop, by name."""
    with Lab(tmp_path_factory.mktemp("six"), owned=True) as lab:
        found = {cluster.name: cluster for cluster in lab.up(CLUSTERS, nodes=1)}
        for cluster in found.values():
            cluster.kubectl("create", "namespace", "shop")
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(fill, found.values()))
        yield found


def fill(cluster):
    Namespace(cluster, None, "shop").create(*(workload("Deployment", name) for name in APPS))


@pytest.fixture(scope="module")
def credential(clusters, tmp_path_factory):
    """The content of the kubeconfig credential: all six contexts, as the service account of rbac/."""
    path = tmp_path_factory.mktemp("credential") / "kubeconfig"
    return shipped_roles(list(clusters.values()), ["shop"], path).read_text()


@dataclass
class Job:
    """One job: what AWX lays out for it, and the three processes that carry it out, on three machines in life."""

    folder: Path
    inventory: dict
    extra_vars: dict
    credential: str

    def start(self):
        """Lay everything out and start the stream."""
        shutil.rmtree(self.folder, ignore_errors=True)
        private = self.folder / "private"
        for name in ("project", "inventory", "env"):
            (private / name).mkdir(parents=True, exist_ok=True)
        (private / "env" / "kubeconfig").write_text(self.credential)
        (private / "project" / "restart.yml").write_text(yaml.safe_dump(PLAYBOOK))
        (private / "inventory" / "hosts.yml").write_text(yaml.safe_dump(self.inventory))
        (private / "env" / "extravars").write_text(yaml.safe_dump(self.extra_vars))
        worker = self.folder / "worker"
        variables = {
            "KUBECONFIG": str(worker / "env" / "kubeconfig"),
            "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".collections"),
            "ANSIBLE_HOME": str(self.folder / "home"),
            "ANSIBLE_CALLBACKS_ENABLED": "restartx.core.progress",
        }
        (private / "env" / "envvars").write_text(yaml.safe_dump(variables))
        env = environment(self.folder / "none")
        env["PATH"] = f"{RUNNER.parent}{os.pathsep}{env['PATH']}"
        pipe = subprocess.PIPE
        transmit = [RUNNER, "transmit", private, "--playbook", "restart.yml"]
        self.sender = subprocess.Popen(transmit, stdout=pipe, env=env)
        work = [RUNNER, "worker", "--private-data-dir", worker]
        self.worker = subprocess.Popen(work, stdin=self.sender.stdout, stdout=pipe, env=env)
        take = [RUNNER, "process", self.folder / "result"]
        self.receiver = subprocess.Popen(take, stdin=self.worker.stdout, stdout=pipe, text=True, env=env)
        for process in (self.sender, self.worker):
            process.stdout.close()  # the next one has it

    def finish(self):
        """Wait until the stream has ended; returns (how the job ended, all that was printed on one line)."""
        said, _none = self.receiver.communicate(timeout=180)
        for process in (self.sender, self.worker):
            process.wait(timeout=10)
        status = self.folder / "result" / "artifacts" / "status"
        return status.read_text() if status.exists() else None, " ".join(said.split())

    @property
    def hosts(self):
        return self.inventory["clusters"]["hosts"]

    def artifacts(self):
        """What the job left for the next one of a workflow: set_stats, as AWX reads it from the last event."""
        events = [json.loads(path.read_text()) for path in self.folder.glob("result/artifacts/job_events/*.json")]
        (last,) = [event for event in events if event["event"] == "playbook_on_stats"]
        return last["event_data"]["artifact_data"]


def descendants(pid):
    """All processes below one, whatever session or group they are in."""
    children = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            number, rest = stat.read_text().split(" ", 1)
        except OSError:  # it ended just now
            continue
        children.setdefault(int(rest.rpartition(")")[2].split()[1]), []).append(int(number))
    found, left = [], [pid]
    while left:
        found += (below := children.get(left.pop(), []))
        left += below
    return found


@pytest.fixture
def make_job(credential, tmp_path):
    """Makes the job of some clusters; `more` are the survey's answers."""

    def make(name, hosts, **more):
        group = {
            # As an inventory source leaves it: the kubeconfig is that of the update, which is gone.
            "hosts": {host: {"restartx_kubeconfig": "/runner/env/gone", "restartx_context": host} for host in hosts},
            "vars": {"restart_plan": PLAN},
        }
        extra_vars = {"restartx_kubeconfig": "", "awx_job_id": 42, "awx_user_name": "jane", **more}
        return Job(tmp_path / name, {"clusters": group}, extra_vars, credential)

    return make


def journal(cluster):
    """The newest journal of the plan on a cluster, None when there is none."""
    held = Namespace(cluster, None, JOURNALS).list("configmaps", "restartx.io/plan=sliced")
    journals = [json.loads(one["data"]["journal.json"]) for one in held]
    return max(journals, key=lambda journal: journal["started_at"], default=None)


def carried(cluster):
    """How many of the Deployments carry a run."""
    namespace = Namespace(cluster, None, "shop")
    return sum(RUN in namespace.annotations("Deployment", name) for name in APPS)


def test_three_slices_over_six_clusters_one_killed_and_started_again_restart_exactly_once(clusters, make_job):
    shares = [CLUSTERS[number::SLICES] for number in range(SLICES)]
    answers = {"ticket": "CHG1", "reason": "certificates renewed"}
    jobs = [make_job(f"slice-{number}", hosts, **answers) for number, hosts in enumerate(shares, 1)]
    for job in jobs:
        job.start()
    # The second one is killed when it has restarted something, but not everything.
    victim, own = jobs[1], [clusters[name] for name in shares[1]]
    wait_until(lambda: any(carried(cluster) for cluster in own), "the first restart", timeout=120)
    for pid in [victim.worker.pid, *descendants(victim.worker.pid)]:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    assert victim.finish()[0] != "successful"
    assert any(not entry or entry["state"] != "finished" for entry in map(journal, own))

    victim.start()
    for job in jobs:
        status, said = job.finish()
        assert status == "successful", said
        assert ("resuming run" in said) == (job is victim)
        # The job log has the progress as plain lines, although the runner gives Ansible a terminal.
        assert job is victim or all(f"{host} shop/api restarting (0 of 3 done)" in said for host in job.hosts)
    for job, hosts in zip(jobs, shares, strict=True):
        left = job.artifacts()["restartx_run"]
        assert left["state"] == "finished"
        assert set(left["clusters"]) == set(hosts)
        assert {journal(clusters[name])["run"] for name in hosts} == {left["run_id"]}
    for name, cluster in clusters.items():
        namespace = Namespace(cluster, None, "shop")
        assert {app: namespace.revisions("Deployment", app) for app in APPS} == {app: [1, 2] for app in APPS}, name
        assert journal(cluster)["state"] == "finished"
        assert journal(cluster)["job"] == "42"
        assert namespace.annotations("Deployment", "api")["restartx.io/operator"] == "jane"


def test_a_cancelled_job_begins_nothing_more_and_the_next_one_goes_on(clusters, make_job):
    name = CLUSTERS[0]
    namespace = Namespace(clusters[name], None, "shop")
    before = {app: len(namespace.revisions("Deployment", app)) for app in APPS}
    # The worker looks every few seconds whether it shall stop: the run must not be through by then.
    clusters[name].fail({"app": "api"}, "never-ready", namespace="shop")
    job = make_job("cancelled", [name], ticket="CHG2")
    job.start()
    wait_until(lambda: len(namespace.revisions("Deployment", "api")) > before["api"], "the first restart", timeout=120)
    # The worker kills Ansible, but not the module, which sees that nobody waits for it any more.
    job.worker.send_signal(signal.SIGTERM)
    assert job.finish()[0] == "canceled"
    wait_until(lambda: journal(clusters[name])["state"] == "stopped", "the module to write that it stopped")

    namespace.come_up("api")
    clusters[name].heal()
    job.start()
    status, said = job.finish()
    assert status == "successful", said
    assert f"resuming run {journal(clusters[name])['run']}" in said
    after = {app: len(namespace.revisions("Deployment", app)) for app in APPS}
    assert after == {app: count + 1 for app, count in before.items()}


def test_slices_of_one_ticket_are_one_run_for_whoever_starts_it_next(clusters, make_job):
    names = CLUSTERS[1:3]
    # As a survey gives them: the ticket as a number, and nothing where nothing was filled in.
    answers = {"ticket": 4713, "reason": None, "restartx_run": "", "restartx_max_failed_clusters": None}
    jobs = [make_job(name, [name], **answers) for name in names]
    for job in jobs:
        job.start()
    assert [job.finish()[0] for job in jobs] == ["successful"] * 2
    (run,) = {journal(clusters[name])["run"] for name in names}

    whole = make_job("whole", names, **answers)
    whole.start()
    status, said = whole.finish()
    assert status == "failed"
    assert f"ticket 4713 was carried out already, by run {run}" in said
