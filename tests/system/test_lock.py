# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The lock of a plan, on a real API server and with the permissions that the collection ships."""

from __future__ import annotations

import datetime
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from house import ROOT, environment, now, outcomes, patches, workload

PROCESSES = 8
TIMES = 25
LONGEST = 300  # seconds
EXPIRES_AFTER = datetime.timedelta(seconds=30)  # without a renewal


def lock(operator, holder, **options):
    return operator.run("k8s_rollout_lock", plan=options.pop("plan", "ca"), holder=holder, **options)


@pytest.fixture
def plan(request):
    """A lock of the test's own."""
    return request.node.name.replace("_", "-")[:50].strip("-")


def test_never_two_holders_while_eight_processes_want_it_two_hundred_times(cluster, kubeconfig, tmp_path):
    command = [sys.executable, Path(__file__).with_name("contender.py"), tmp_path, str(TIMES)]
    contenders = [
        subprocess.Popen(command, env=environment(kubeconfig), cwd=ROOT, stderr=subprocess.PIPE, text=True)
        for _process in range(PROCESSES)
    ]
    try:
        errors = [contender.communicate(timeout=LONGEST)[1] for contender in contenders]
    finally:
        for contender in contenders:
            contender.kill()
    assert errors == [""] * PROCESSES
    holders = (tmp_path / "log").read_text().split()
    assert len(set(holders)) == len(holders) == PROCESSES * TIMES


def test_releasing_lets_another_one_have_it_at_once(cluster, operator, plan):
    assert lock(operator, "a", plan=plan)["changed"]
    assert not lock(operator, "a", plan=plan)["changed"]
    assert lock(operator, "a", plan=plan, state="released")["changed"]
    assert lock(operator, "b", plan=plan)["duration"] < 5


def restart(namespace, plan, holder):
    """A restart of two workloads, one after the other, of which each takes a while; under the lock of a plan."""
    for name in ("first", "second"):
        namespace.create(workload("Deployment", name, delay="90s"))
    namespace.cluster.fail({"app": "first"}, "slow-start", namespace=namespace.name)
    whole = {
        "version": 1,
        "name": plan,
        "defaults": {"namespace": namespace.name, "max_parallel": 1},
        "workloads": [{"id": "all", "name": ["first", "second"]}],
    }
    running = namespace.operator.start(
        "k8s_rollout_restart",
        plan=whole,
        run_id=f"run-of-{holder}",
        operator="ada",
        journal={"lock_holder": holder},
    )
    namespace.carries(f"run-of-{holder}", "Deployment", "first")
    return running


def test_a_lock_in_use_is_refused_with_who_holds_it_since_when(operator, namespace, plan):
    running = restart(namespace, plan, "ada-1")
    refused = lock(operator, "second", plan=plan)
    running.process.kill()
    assert f'"{plan}" is being restarted by run run-of-ada-1 of ada (ada-1) since 20' in refused["msg"]
    assert refused["duration"] < 15  # its holder showed life, which it does every ten seconds


def test_a_holder_stopped_past_expiry_begins_no_patch_after_it_wakes(cluster, operator, namespace, plan):
    running = restart(namespace, plan, "ada-1")
    os.kill(running.process.pid, signal.SIGSTOP)
    renewed = lease(cluster, plan)["renewTime"]
    taken = lock(operator, "second", plan=plan)
    assert instant(lease(cluster, plan)["acquireTime"]) - instant(renewed) >= EXPIRES_AFTER
    since = now()
    os.kill(running.process.pid, signal.SIGCONT)
    woken = running.result()
    assert "msg" not in taken
    assert patches(cluster, since) == []
    assert outcomes(woken)["second"] == "not_started"
    assert "lock" in woken["msg"]


def lease(cluster, plan):
    shown = cluster.kubectl("get", "lease", "-n", "restartx-system", f"restartx-{plan}", "-o", "json").stdout
    return json.loads(shown)["spec"]


def instant(text):
    return datetime.datetime.fromisoformat(text)


def test_breaking_a_lock_takes_it_at_once_and_keeps_the_reason(cluster, operator, plan):
    lock(operator, "first", plan=plan)
    assert lock(operator, "second", plan=plan, break_lock="its machine is gone")["duration"] < 5
    lease = cluster.kubectl("get", "lease", "-n", "restartx-system", f"restartx-{plan}", "-o", "json").stdout
    assert "its machine is gone (first at " in lease


def test_a_lease_of_a_whole_day_that_nobody_renews_blocks_no_longer_than_one_of_ours(cluster, operator, plan):
    lock(operator, "first", plan=plan)
    patch = json.dumps({"spec": {"leaseDurationSeconds": 86400}})
    cluster.kubectl("patch", "lease", "-n", "restartx-system", f"restartx-{plan}", "--type=merge", "-p", patch)
    refused = lock(operator, "second", plan=plan)
    assert "(first) since 20" in refused["msg"]
    assert lease(cluster, plan)["holderIdentity"] == "first"


def test_check_mode_locks_nothing(cluster, operator, plan):
    assert lock(operator, "a", plan=plan, check=True)["changed"]
    found = cluster.kubectl("get", "lease", "-n", "restartx-system", f"restartx-{plan}", check=False)
    assert found.returncode != 0
