# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""restart_prod.yml, as a person starts it, on two clusters, as the service account of rbac/."""

from __future__ import annotations

import copy
import itertools
import json
import signal
import subprocess
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
import yaml

from house import RESTARTED_AT, ROOT, RUN, USER_AGENT, Namespace, environment, now, workload
from lab.poll import wait_until

RBAC = ROOT / "rbac"
JOURNALS = "restartx-system"
READING = {"get", "list", "watch"}
FROZEN = {"timezone": "Europe/Berlin", "freezes": ["2020-01-01/2099-12-31"]}
LONGEST = 180  # seconds that a run may take
_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def clusters(lab, cluster):
    """eu-west, the canary, and us-east."""
    (second,) = lab.up(["us-east"])
    second.apply((RBAC / "cluster.yml").read_text())
    return {"eu-west": cluster, "us-east": second}


@pytest.fixture(scope="module")
def kubeconfigs(clusters, tmp_path_factory):
    folder = tmp_path_factory.mktemp("service-account")
    return {
        name: cluster.service_account_kubeconfig(JOURNALS, "restartx", folder / name)
        for name, cluster in clusters.items()
    }


@dataclass
class Shop:
    """One namespace on both clusters with the Deployments api, pay and web, a plan for them, and an inventory."""

    name: str
    folder: Path
    namespaces: dict[str, Namespace]
    inventory: dict
    plan: dict = field(default_factory=dict)
    began: object = None

    def command(self, *args):
        """Write the inventory down and return the command as a person types it."""
        group = {"vars": {"restart_plan": self.plan}, "hosts": self.inventory}
        (self.folder / "inventory.yml").write_text(yaml.safe_dump({"clusters": group}, sort_keys=False))
        program = Path(sys.executable).with_name("ansible-playbook")
        return [
            program,
            "-i",
            self.folder / "inventory.yml",
            "restart_prod.yml",
            "-e",
            "reason=certificates renewed",
            *args,
        ]

    def environment(self):
        return environment(self.folder / "none", ANSIBLE_HOME=str(self.folder / "home"), USER="jane")

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

    def changes(self, cluster):
        """What restartx asked a cluster to change since the last run began, as (verb, name)."""
        events = self.namespaces[cluster].cluster.requests(USER_AGENT, self.began)
        return [(event["verb"], event["objectRef"].get("name")) for event in events if event["verb"] not in READING]

    def restarted(self, cluster):
        """The Deployments that the last run restarted on a cluster, in order."""
        return [name for verb, name in self.changes(cluster) if verb == "patch" and name != f"restartx-{self.name}"]

    def untouched(self):
        return not self.changes("eu-west") and not self.changes("us-east")

    def journal(self, cluster):
        """The journal of the plan on a cluster, None when there is none."""
        found = self._held(cluster, "configmap")
        return json.loads(found["data"]["journal.json"]) if found else None

    def lock(self, cluster):
        """The Lease of the plan on a cluster."""
        return self._held(cluster, "lease")

    def _held(self, cluster, kind):
        where = ("--namespace", JOURNALS, "--ignore-not-found", "-o", "json")
        found = self.namespaces[cluster].cluster.kubectl("get", kind, f"restartx-{self.name}", *where).stdout
        return json.loads(found) if found else None

    def revisions(self, cluster):
        """How many revisions each Deployment has."""
        return {name: len(self.namespaces[cluster].revisions("Deployment", name)) for name in ("api", "pay", "web")}

    def annotations(self, cluster, name):
        return self.namespaces[cluster].annotations("Deployment", name)


def make_shop(clusters, kubeconfigs, folder):
    name = f"prod-{next(_numbers)}"
    namespaces = {}
    for context, cluster in clusters.items():
        cluster.kubectl("create", "namespace", name)
        cluster.kubectl("apply", "--namespace", name, "-f", RBAC / "namespace.yml")
        namespaces[context] = Namespace(cluster, None, name)
        namespaces[context].create(*(workload("Deployment", app) for app in ("api", "pay", "web")), ready=False)
    for namespace in namespaces.values():
        namespace.rolled_out("deployment/api", "deployment/pay", "deployment/web")
    hosts = {
        # us-east comes first in the inventory: what counts is the wave.
        context: {"restartx_kubeconfig": str(kubeconfigs[context]), "restartx_wave": wave}
        for context, wave in (("us-east", 2), ("eu-west", 1))
    }
    plan = {
        "version": 1,
        "name": name,
        "defaults": {"namespace": name, "timeout": "60s"},
        "workloads": [
            {"id": "web", "name": "web", "after": ["pay"]},
            {"id": "pay", "name": "pay", "after": ["api"]},
            {"id": "api", "name": "api"},
        ],
    }
    return Shop(name, folder, namespaces, hosts, plan)


@pytest.fixture
def shop(clusters, kubeconfigs, tmp_path):
    return make_shop(clusters, kubeconfigs, tmp_path)


@pytest.fixture(scope="module")
def calm(clusters, kubeconfigs, tmp_path_factory):
    return make_shop(clusters, kubeconfigs, tmp_path_factory.mktemp("calm"))


@pytest.fixture
def calm_shop(calm):
    """A shop for tests after which it is as it was."""
    return replace(calm, inventory=copy.deepcopy(calm.inventory), plan=copy.deepcopy(calm.plan))


def test_waves_and_dependencies_are_kept_and_a_finished_ticket_is_not_run_again(shop):
    code, said = shop.run("-e", "ticket=CHG1")
    assert code == 0, said
    assert f"of plan {shop.name}, ticket CHG1: 6 workloads clusters: eu-west, then us-east" in said
    times = [
        (cluster, app, shop.annotations(cluster, app)[RESTARTED_AT])
        for cluster in ("eu-west", "us-east")
        for app in ("api", "pay", "web")
    ]
    assert times == sorted(times, key=lambda row: row[2])
    assert [shop.restarted(cluster) for cluster in ("eu-west", "us-east")] == [["api", "pay", "web"]] * 2
    marks = shop.annotations("us-east", "web")
    assert [marks[f"restartx.io/{mark}"] for mark in ("ticket", "reason", "operator")] == [
        "CHG1",
        "certificates renewed",
        "jane",
    ]
    assert {shop.journal(cluster)["run"] for cluster in ("eu-west", "us-east")} == {marks[RUN]}
    assert shop.journal("us-east")["state"] == "finished"

    code, said = shop.run("-e", "ticket=CHG1")
    assert code != 0
    assert f"ticket CHG1 was carried out already, by run {marks[RUN]}" in said
    assert shop.untouched()


def test_a_failure_stops_the_run_and_the_same_command_completes_it(shop):
    shop.plan["workloads"][1]["timeout"] = "6s"
    canary = shop.namespaces["eu-west"].cluster
    canary.fail({"app": "pay"}, "crash-loop", shop.name)
    code, said = shop.run("-e", "ticket=CHG1")
    assert code == 2, said
    assert "eu-west: 1 restarted, 1 unfinished, 1 not started" in said
    assert f'Deployment {shop.name}/pay unfinished: container "main" of pod "pay-' in said
    assert "us-east: not started, because of eu-west" in said
    assert shop.restarted("eu-west") == ["api", "pay"]
    assert not shop.changes("us-east")
    assert shop.journal("us-east") is None

    canary.heal({"app": "pay"})
    code, said = shop.run("-e", "ticket=CHG1")
    assert code == 0, said
    assert f"resuming run {shop.journal('us-east')['run']} of plan {shop.name}, ticket CHG1" in said
    assert "1 of 6 workloads done" in said
    assert "eu-west: 2 restarted, 1 already restarted" in said
    assert shop.revisions("eu-west") == {"api": 2, "pay": 3, "web": 2}
    assert shop.revisions("us-east") == {"api": 2, "pay": 2, "web": 2}


def test_clusters_that_were_restarted_apart_are_left_alone_by_a_start_over_all(shop):
    artifact = json.dumps({"restartx_run": {"run_id": "20260101-000000-checked", "plan": shop.name}})
    code, said = shop.run("-e", "ticket=CHG1", "--limit", "localhost,us-east", "-e", artifact)
    assert code == 0, said
    assert shop.journal("us-east")["run"] == "20260101-000000-checked"

    code, said = shop.run("-e", "ticket=CHG1")
    assert code == 0, said
    assert "eu-west: 3 restarted" in said
    assert "us-east: 3 already restarted" in said
    assert [shop.revisions(cluster) for cluster in ("eu-west", "us-east")] == [{"api": 2, "pay": 2, "web": 2}] * 2


def test_what_was_interrupted_goes_on_and_restarts_nothing_twice(shop):
    shop.plan["defaults"]["stagger"] = "2s"
    with shop.start("-e", "ticket=CHG1") as ansible:
        wait_until(lambda: RUN in shop.annotations("eu-west", "api"), "the first restart")
        ansible.send_signal(signal.SIGKILL)
    code, said = shop.run("-e", "ticket=CHG1")
    assert code == 0, said
    assert "resuming run" in said
    assert [shop.revisions(cluster) for cluster in ("eu-west", "us-east")] == [{"api": 2, "pay": 2, "web": 2}] * 2


def test_a_second_start_is_told_who_is_at_work_and_touches_nothing_until_the_lock_is_broken(shop):
    canary = shop.namespaces["eu-west"].cluster
    canary.fail({"app": "api"}, "never-ready", shop.name)
    began = now()
    with shop.start("-e", "ticket=CHG1") as first:
        wait_until(lambda: RUN in shop.annotations("eu-west", "api"), "the first restart")
        code, said = shop.run("-e", "ticket=CHG1")
        assert code == 2
        run = shop.journal("eu-west")["run"]
        assert f'"{shop.name}" is being restarted by run {run} of jane (' in said, said
        with shop.start("-e", "ticket=CHG1", "-e", "restartx_break_lock=its terminal is gone") as second:
            assert first.wait(LONGEST) == 2
            assert "its terminal is gone" in shop.lock("eu-west")["metadata"]["annotations"]["restartx.io/broken"]
            canary.heal({"app": "api"})
            shop.namespaces["eu-west"].kubectl("delete", "pods", "--selector", "app=api")
            assert second.wait(LONGEST) == 0
    patched = [event["objectRef"]["name"] for event in canary.requests(USER_AGENT, began) if event["verb"] == "patch"]
    assert [patched.count(name) for name in ("api", "pay", "web")] == [1, 1, 1]
    assert shop.lock("eu-west")["spec"]["holderIdentity"] == ""


def test_a_cluster_that_does_not_answer_may_be_left_out_but_is_not_forgotten(shop):
    right = shop.inventory["eu-west"]["restartx_kubeconfig"]
    lost = yaml.safe_load(Path(right).read_text())
    lost["clusters"][0]["cluster"]["server"] = "https://127.0.0.1:1"
    (shop.folder / "lost").write_text(yaml.safe_dump(lost))
    shop.inventory["eu-west"]["restartx_kubeconfig"] = str(shop.folder / "lost")
    code, said = shop.run("-e", "ticket=CHG1")
    assert code == 2
    assert "nothing was touched, for the check failed eu-west: " in said, said
    assert shop.untouched()

    code, said = shop.run("-e", "ticket=CHG1", "-e", "restartx_max_failed_clusters=1")
    assert code == 2
    assert "left out: eu-west: " in said
    assert "us-east: 3 restarted" in said
    assert shop.restarted("us-east") == ["api", "pay", "web"]

    shop.inventory["eu-west"]["restartx_kubeconfig"] = right
    code, said = shop.run("-e", "ticket=CHG1")
    assert code == 0, said
    assert "eu-west: 3 restarted" in said
    assert "us-east: 3 already restarted" in said


def test_a_dry_run_shows_the_order_and_touches_nothing_window_or_not(calm_shop):
    calm_shop.plan["window"] = FROZEN
    code, said = calm_shop.run("-e", "ticket=CHG1", "--check")
    assert code == 0, said
    for number, app in enumerate(("api", "pay", "web"), 1):
        assert f"{number}. {app}: Deployment {calm_shop.name}/{app}" in said
    assert "eu-west: 3 to be restarted us-east: 3 to be restarted" in said
    for cluster in ("eu-west", "us-east"):
        assert calm_shop.journal(cluster) is None
        assert calm_shop.revisions(cluster) == {"api": 1, "pay": 1, "web": 1}
        assert not any(RUN in calm_shop.annotations(cluster, app) for app in ("api", "pay", "web"))


def a_closed_window(shop):
    shop.plan["window"] = FROZEN


def a_broken_plan(shop):
    shop.plan["workloads"][0]["after"] = ["pai"]


def a_name_that_is_not_there(shop):
    shop.plan["workloads"][2]["name"] = "ap"


def one_cluster_twice(shop):
    shop.inventory["us-east"] = {**shop.inventory["eu-west"], "restartx_context": "eu-west"}


def another_cluster_than_pinned(shop):
    shop.inventory["us-east"]["restartx_cluster_uid"] = "0b5a0c4e-6d8e-4a7e-9a6c-3a0f5f6f4d21"


def no_plan(shop):
    shop.plan = None


def a_wave_that_is_no_number(shop):
    shop.inventory["us-east"]["restartx_wave"] = "last"


def no_clusters(shop):
    shop.inventory = {}


@pytest.mark.parametrize(
    "mistake, words",
    [
        (a_closed_window, "nothing was touched: frozen (2020-01-01/2099-12-31)"),
        (a_broken_plan, 'restart_plan.workloads[0].after: no workload "pai"; did you mean "pay"?'),
        (a_name_that_is_not_there, 'nothing found named "ap"'),
        (one_cluster_twice, "the inventory hosts us-east and eu-west are one and the same cluster"),
        (another_cluster_than_pinned, "but cluster_uid pins 0b5a0c4e"),
        (no_plan, "restart_plan is not defined for us-east, eu-west"),
        (a_wave_that_is_no_number, "restartx_wave of us-east: last is no number"),
        (no_clusters, "The inventory has no host in the group clusters"),
    ],
    ids=lambda value: value.__name__ if callable(value) else None,
)
def test_a_mistake_is_one_clear_sentence_and_nothing_is_touched(calm_shop, mistake, words):
    mistake(calm_shop)
    code, said = calm_shop.run("-e", "ticket=CHG1")
    assert code != 0
    assert words in said, said
    assert calm_shop.untouched()
