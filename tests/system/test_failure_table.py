# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Each failure of the table has the right cause: its code, its object, its pods, and how the wait for it ends.

The API server, the controllers and the scheduler are real. What a kubelet reports is written as a kubelet writes it.
All are restarted by one call, and those without controllers by a second one. Those that need containers which run are in
node/test_causes.py.
"""

from __future__ import annotations

import collections
import json
import re

import pytest
from failure_table import TABLE, UNSEEN
from house import entry_of
from kubelet import Kubelet
from refusals import Webhook
from stage import ROWS, Stage


@pytest.fixture(scope="module")
def results(cluster, operator, make_namespace):
    """What the restart of all workloads of the table returned, by name."""
    stage = Stage(cluster, operator, make_namespace)
    spaces = [namespace.name for namespace in stage.namespaces.values()]
    with Webhook(cluster.authority, "team.example.com", "team", "no team label") as webhook:
        with Kubelet(stage.api, spaces, stage.script) as kubelet:
            stage.before()
            stage.workloads()
            stage.worsen(webhook)
            result = stage.restart([row for row in ROWS.values() if row not in UNSEEN])
            cluster.stop("kube-controller-manager")
            try:
                later = stage.restart(UNSEEN)
            finally:
                cluster.start("kube-controller-manager")
        assert not kubelet.broke
        assert len(result["results"] + later["results"]) == len(ROWS), (result["msg"], later["msg"])
        yield {"results": result["results"] + later["results"]}
        stage.end()


def test_the_table_is_long_and_has_all_kinds():
    assert len(TABLE) >= 60 and len({row.id for row in TABLE}) == len(TABLE)
    assert min(collections.Counter(row.kind for row in ROWS.values()).values()) >= 10


@pytest.mark.parametrize("name", ROWS)
def test_a_failure_has_its_cause(results, name):
    row, entry = ROWS[name], entry_of(results, name)
    cause, told = entry["cause"], json.dumps(entry)
    assert cause and cause["code"] == row.code, told
    assert (cause["container"], cause["exit_code"]) == (row.container, row.exit_code), told
    assert cause["object"].startswith(f'{row.about} "{row.id}'), told
    assert (cause["pod"] or "").startswith(f"{row.id}-" if row.about == "pod" else ""), told
    assert (cause["pods"] is None) is (row.pods is None), told
    assert row.pods is None or re.fullmatch(row.pods, cause["pods"]), told
    assert row.words in cause["sentence"] and "kubectl " in cause["advice"], told
    assert [one["code"] for one in cause["also"]] == list(row.also), told
    assert entry["outcome"] == row.outcome, told
    assert row.ends in entry["message"], told
