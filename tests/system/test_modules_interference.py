# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Other people at work on the same workloads, and Ansible gone while a module works."""

from __future__ import annotations

import datetime
import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from house import ROOT, RUN, entry_of, environment, now, outcomes, patches, workload

from lab.poll import wait_until

RUN_ID = "20261124-220000-mine"
SLOW = {"labels": {"lab.restartx.io/failure": "slow-start"}, "delay": "6s"}


def set_image(namespace, name, image):
    namespace.kubectl("set", "image", f"deployment/{name}", f"main={image}")


def image_of(template):
    return template["spec"]["containers"][0]["image"]


def revision_of(item):
    return int(item["metadata"]["annotations"]["deployment.kubernetes.io/revision"])


def test_a_change_between_list_and_patch_makes_a_conflict_and_is_kept(namespace):
    namespace.create(*(workload("Deployment", name) for name in ("first", "second")))
    began = now()
    running = namespace.start("restart", stagger="5s", wait=False, run_id=RUN_ID)
    namespace.carries(RUN_ID, "Deployment", "first")
    set_image(namespace, "second", "localhost/shop:2")
    result = running.result()
    assert outcomes(result) == {"first": "restarted", "second": "restarted"}
    assert patches(namespace.cluster, began, code=409) == ["second"]
    assert patches(namespace.cluster, began, code=200) == ["first", "second"]
    namespace.rolled_out("deployment/second")
    template = namespace.template("Deployment", "second")
    assert (image_of(template), template["metadata"]["annotations"][RUN]) == ("localhost/shop:2", RUN_ID)
    # The deployment has a revision of its own, to which one could go back.
    sets = sorted(namespace.list("replicasets", "app=second"), key=revision_of)
    assert [image_of(item["spec"]["template"])[-1] for item in sets] == ["1", "2", "2"]


def test_what_happens_while_others_are_waited_for_is_seen_and_judged_anew(namespace):
    namespace.create(workload("Deployment", "slow", **SLOW), ready=False)
    namespace.create(*(workload("Deployment", name) for name in ("new", "paused", "gone")))
    workloads = [{"id": "first", "name": "slow"}, {"id": "rest", "name": ["new", "paused", "gone"], "after": ["first"]}]
    began = now()
    running = namespace.start("restart", workloads=workloads, on_failure="continue", run_id=RUN_ID)
    namespace.carries(RUN_ID, "Deployment", "slow")
    set_image(namespace, "new", "localhost/shop:2")
    namespace.kubectl("rollout", "pause", "deployment/paused")
    namespace.kubectl("delete", "deployment/gone")
    result = running.result()
    assert outcomes(result) == {"slow": "restarted", "new": "restarted", "paused": "refused", "gone": "failed"}
    assert image_of(namespace.template("Deployment", "new")) == "localhost/shop:2"
    assert entry_of(result, "paused")["message"].startswith("can't restart paused deployment")
    assert RUN not in namespace.annotations("Deployment", "paused")
    gone = f'deployment "gone" in namespace "{namespace.name}" was deleted in the meantime'
    assert entry_of(result, "gone")["message"] == gone
    assert patches(namespace.cluster, began, code=200) == ["slow", "new"]


WORDS = {"Deployment": "deployment", "StatefulSet": "statefulset", "DaemonSet": "daemon set"}
TAKE_BACK = {"kubectl.kubernetes.io/restartedAt": None, RUN: None}
TAKEN = 'no longer carries run "{run}"'
BY_ARGOCD = TAKEN + '; the last other change of the template was by "argocd" (Update at '


@pytest.mark.parametrize(
    "kind, change, words",
    [
        ("Deployment", TAKE_BACK | {"argocd/tracking": "shop"}, BY_ARGOCD),
        ("StatefulSet", TAKE_BACK | {"argocd/tracking": "shop"}, BY_ARGOCD),
        ("Deployment", {RUN: "somebody-elses"}, 'now carries run "somebody-elses", set by "argocd" (Update at '),
        ("DaemonSet", TAKE_BACK, f"{TAKEN}; the object does not say who did it"),
    ],
    ids=["removed", "removed-statefulset", "replaced", "removed-without-a-trace"],
)
def test_a_restart_taken_back_by_somebody_else_is_named_at_once(namespace, kind, change, words):
    namespace.create(workload(kind, "api", labels={"lab.restartx.io/failure": "never-ready"}), ready=False)
    # Who created it in the second of the restart could be taken for the one who changed it after that.
    created = datetime.datetime.fromisoformat(namespace.get(kind, "api")["metadata"]["creationTimestamp"])
    wait_until(lambda: now() >= created + datetime.timedelta(seconds=1), "the next second")
    running = namespace.start("restart", kind=kind, run_id=RUN_ID)
    namespace.carries(RUN_ID, kind, "api")
    body = json.dumps({"spec": {"template": {"metadata": {"annotations": change}}}})
    namespace.kubectl("patch", kind, "api", "--field-manager=argocd", "--patch", body)
    result = running.result()
    (entry,) = result["results"]
    assert (entry["outcome"], entry["changed"], entry["cause"]) == ("superseded", True, None)
    name = f'{WORDS[kind]} "api" in namespace "{namespace.name}"'
    head = f"the restart of {name} was reverted: its template "
    assert entry["message"].startswith(head + words.format(run=RUN_ID))
    assert result["failed"] and result["msg"] == f"{kind} {namespace.name}/api superseded: {entry['message']}"
    assert entry["duration"] < 60


APPLY = ("apply",)  # Argo CD's way, and kubectl's
SERVER_SIDE = ("apply", "--server-side", "--force-conflicts", "--field-manager=kustomize-controller")  # Flux's way
REPLACE = ("replace",)  # Argo CD's with the sync option Replace=true


@pytest.mark.parametrize(
    "deploy, outcome",
    [(APPLY, "already_restarted"), (SERVER_SIDE, "already_restarted"), (REPLACE, "restarted")],
    ids=["apply", "server-side-apply", "replace"],
)
def test_what_is_applied_from_git_again_keeps_a_restart_and_what_is_replaced_loses_it(namespace, deploy, outcome):
    manifest = json.dumps(workload("Deployment", "api"))
    first = APPLY if deploy == REPLACE else deploy
    namespace.kubectl(*first, "-f", "-", input=manifest)
    namespace.rolled_out("deployment/api")
    namespace.run("restart", run_id=RUN_ID)
    namespace.kubectl(*deploy, "-f", "-", input=manifest)
    assert outcomes(namespace.run("restart", run_id=RUN_ID)) == {"api": outcome}


def children(pid):
    """The processes below a process, as (pid, the name that ps shows)."""
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in task.read_text().split():
            name = Path(f"/proc/{child}/comm").read_text().strip()
            found += [(int(child), name), *children(child)]
    return found


def module_below(process):
    """The pid of the module that an Ansible process runs in a fork of its worker, None while there is none."""
    return next((pid for pid, name in children(process.pid) if name == "rollout_restart"), None)


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] not in "ZX"
    except OSError:
        return False


def test_nothing_more_is_restarted_when_ansible_is_killed(namespace, operator, tmp_path):
    names = [f"app-{number}" for number in range(4)]
    namespace.create(*(workload("Deployment", name) for name in names))
    began = now()
    said = f"namespace={namespace.name} stagger=6s run_id={RUN_ID}"
    command = [Path(sys.executable).with_name("ansible"), "localhost", "-m", "restartx.core.k8s_rollout_restart", "-a"]
    env = environment(operator.kubeconfig, ANSIBLE_HOME=str(tmp_path))
    with subprocess.Popen([*command, said], cwd=ROOT, env=env, stdout=subprocess.DEVNULL) as ansible:
        try:
            namespace.carries(RUN_ID, "Deployment", "app-0")
            module = module_below(ansible)
            assert module
            ansible.send_signal(signal.SIGKILL)
            ansible.wait(timeout=30)
            wait_until(lambda: not alive(module), "the module to end", timeout=30)
        finally:
            ansible.kill()
    assert patches(namespace.cluster, began) == ["app-0"]
    assert all(RUN not in namespace.annotations("Deployment", name) for name in names[1:])
