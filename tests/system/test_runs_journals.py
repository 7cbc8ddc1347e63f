# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Journals on the API server: large ones, old ones, and what is none."""

from __future__ import annotations

import json

import pytest
from house import environment
from prod import CLUSTERS, JOURNALS

from ansible_collections.restartx.core.plugins.module_utils.cluster.connect import connect
from ansible_collections.restartx.core.plugins.module_utils.engine.clock import SystemClock
from ansible_collections.restartx.core.plugins.module_utils.engine.states import State
from ansible_collections.restartx.core.plugins.module_utils.engine.steps import StatusStep
from ansible_collections.restartx.core.plugins.module_utils.engine.task import Task
from ansible_collections.restartx.core.plugins.module_utils.record import journal, runs
from ansible_collections.restartx.core.plugins.module_utils.record.journal_writer import JournalWriter, Known, Title
from ansible_collections.restartx.core.plugins.module_utils.rollout.outcome import Outcome

LARGEST = 2**20  # bytes of an object
WORKLOADS = 10_000


def test_the_journal_of_version_0_1_0_is_read_and_its_ticket_resumes(shop):
    run, at = "20260105-220000-4f9a1c", "2026-01-05T22:00:00Z"
    for app in ("api", "pay"):
        marks = {
            "kubectl.kubernetes.io/restartedAt": at,
            "restartx.io/run": run,
            "restartx.io/ticket": "CHG11",
            "restartx.io/reason": "certificates renewed",
        }
        body = {"spec": {"template": {"metadata": {"annotations": marks}}}}
        shop.namespaces["eu-west"].kubectl("patch", "deployment", app, "--patch", json.dumps(body))
    shop.namespaces["eu-west"].rolled_out("deployment/api", "deployment/pay")
    uid = {app: shop.namespaces["eu-west"].get("Deployment", app)["metadata"]["uid"] for app in shop.apps}
    outcomes = {"web": None, "pay": "unfinished", "api": "restarted"}
    content = {
        "version": 1,
        "plan": shop.name,
        "digest": "4b1c" * 16,
        "run": run,
        "ticket": "CHG11",
        "clusters": ["eu-west", "us-east"],
        "job": None,
        "start": "0a1b2c",
        "started_at": at,
        "state": "stopped",
        "updated_at": "2026-01-05T22:01:40Z",
        "workloads": {
            f"Deployment/{shop.name}/{app}": {"uid": uid[app], "entry": app, "attempt": 1, "outcome": outcome}
            for app, outcome in outcomes.items()
        },
    }
    shop.write_journal("eu-west", f"restartx-{shop.name}", json.dumps(content, separators=(",", ":")))

    code, said = shop.run("-e", "ticket=CHG11")
    assert code == 0, said
    assert f"resuming run {run} of plan {shop.name}, ticket CHG11, begun {at}: 1 of 6 workloads done" in said
    assert shop.restarted("eu-west") == ["web"]
    assert shop.restarted("us-east") == ["api", "pay", "web"]
    for cluster in CLUSTERS:
        assert shop.revisions(cluster) == {"api": 2, "pay": 2, "web": 2}
        assert [(held["version"], held["run"]) for held in shop.journals(cluster)] == [(2, run)]

    code, said = shop.run("-e", "ticket=CHG11")
    assert code == 2, said
    assert f"ticket CHG11 was carried out already, by run {run}" in said
    assert shop.untouched()


def test_what_is_no_journal_is_named_in_one_sentence_for_each_cluster(shop):
    shop.write_journal("eu-west", f"restartx-{shop.name}", '{"version": 1}')
    labels = {"restartx.io/plan": shop.name}
    shop.write_journal("us-east", f"restartx.{shop.name}.note", "remember the milk", labels)
    code, said = shop.run("-e", "ticket=CHG11")
    assert code == 2, said
    advice = f"look at it (kubectl --namespace {JOURNALS} get configmap "
    for cluster, name in (("eu-west", f"restartx-{shop.name}"), ("us-east", f"restartx.{shop.name}.note")):
        assert f'{cluster}: the ConfigMap "{name}" in namespace "{JOURNALS}" holds no journal' in said
        assert f"{advice}{name} -o yaml)" in said
    assert shop.untouched()


@pytest.fixture
def api(kubeconfig):
    """The cluster as the modules see it, as the service account of rbac/."""
    return connect({}, environment(kubeconfig))


def tasks(count):
    """So many workloads with long names, of which the engine has found that they are restarted."""
    found = []
    for number in range(count):
        name = f"{number:05}-".ljust(63, "x")
        meta = {"name": name, "namespace": "n" * 63, "uid": f"00000000-0000-4000-8000-{number:012}"}
        made = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta, "spec": {"template": {"metadata": {}}}}
        task = Task(key=("Deployment", meta["namespace"], name), group="everything", object=made, step=StatusStep())
        task.to(State.ENDED, SystemClock(), Outcome.ALREADY_RESTARTED)
        found.append(task)
    return found


def keep(api, run, workloads, **title):
    """Write the journal of a run from its beginning to its end."""
    of_run = Title(JOURNALS, "large", "abc", run, **title)
    writer = JournalWriter.begin(api, SystemClock(), of_run, Known.read(api, of_run), workloads)
    writer.close(workloads)
    assert writer.warnings == []


def test_a_journal_of_ten_thousand_workloads_is_kept_in_parts_and_goes_as_a_whole(api):
    workloads = tasks(WORKLOADS)
    keep(api, "first", workloads, clusters=["eu-west"], ticket="CHG12")
    held = api.list(journal.path(JOURNALS), {"labelSelector": "restartx.io/plan=large"}).items
    assert sorted(one["metadata"]["name"] for one in held) == [
        "restartx.large.first",
        *(f"restartx.large.first.{part}" for part in range(1, 8)),
    ]
    assert max(len(json.dumps(one)) for one in held) < LARGEST
    (known,) = journal.read_runs(api, JOURNALS, "large")
    assert (known["run"], known["state"], known["done"], known["total"]) == ("first", "finished", WORKLOADS, WORKLOADS)
    whole, _parts = journal.read_run(api, JOURNALS, "large", "first")
    assert list(whole["workloads"]) == ["/".join(task.key) for task in workloads]
    assert {held["outcome"] for held in whole["workloads"].values()} == {"already_restarted"}

    # Each run has its own journal; of many the oldest is deleted, with all that belongs to it.
    for number in range(runs.KEPT):
        keep(api, f"later-{number}", tasks(1), clusters=["eu-west"])
    held = api.list(journal.path(JOURNALS), {"labelSelector": "restartx.io/plan=large"}).items
    assert sorted(one["metadata"]["name"] for one in held) == [
        f"restartx.large.later-{number}" for number in range(runs.KEPT)
    ]
