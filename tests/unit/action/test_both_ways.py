# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The same tasks by the packed module and by a fork of the worker, in a real ansible-playbook: the results are equal."""

from __future__ import annotations

import contextlib
import http.server
import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
SECRET = "a-token-that-nobody-may-see"
STATUS = {"namespace": "shop", "name": "api"}
PLAN = {"version": 1, "name": "p", "workloads": [{"id": "a", "name": "api", "namespace": "shop"}]}

# The options of a task, and what else it has. Without a cluster, so they all fail in the end.
TASKS: dict[str, tuple[str, dict, dict]] = {
    "unknown option": ("status", {**STATUS, "nmae": "x"}, {}),
    "missing option": ("plan", {}, {}),
    "exclusive options": ("restart", {**STATUS, "workloads": []}, {}),
    "a secret in the message": ("status", {**STATUS, "api_key": SECRET, "context": SECRET}, {}),
    "refused with a warning": ("status", STATUS, {}),
    "refused, in check mode with a diff": ("restart", STATUS, {"check_mode": True, "diff": True}),
    "refused, no_log": ("undo", {**STATUS, "run_id": "r"}, {"no_log": True}),
    "environment": ("status", {**STATUS, "kubeconfig": "{{ omit }}"}, {"environment": {"KUBECONFIG": "another.yml"}}),
    "loop": ("history", {"namespace": "shop", "name": "{{ item }}"}, {"loop": ["api", "web"]}),
    "delegated": ("pause", {**STATUS, "state": "paused"}, {"delegate_to": "elsewhere"}),
    "twice": ("status", STATUS, {"retries": 1, "delay": 0, "until": "false", "run_once": True, "throttle": 1}),
    "failed_when": ("status", STATUS, {"failed_when": False, "changed_when": True}),
}
IN_A_FORK, PACKED = "in a fork of the worker", "Packing the module, because restartx_in_worker is false."


class Refusing(http.server.BaseHTTPRequestHandler):
    """Refuses everything, and warns of it with the token that it was shown."""

    def do_GET(self):
        status = {"kind": "Status", "status": "Failure", "reason": "Forbidden", "message": f"no {SECRET}", "code": 403}
        body = json.dumps(status).encode()
        self.send_response(403)
        self.send_header("Warning", f'299 - "{SECRET} is old"')
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_PATCH = do_PUT = do_GET

    def log_message(self, *_arguments):
        pass


@contextlib.contextmanager
def refusing_server():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Refusing) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield "http://{}:{}".format(*server.server_address)
        server.shutdown()


def kubeconfig(server):
    names = {"name": "c", "cluster": {"server": server}}, {"name": "u", "user": {"token": SECRET}}
    context = {"name": "x", "context": {"cluster": "c", "user": "u"}}
    parts = {"clusters": names[:1], "users": names[1:], "contexts": [context], "current-context": "x"}
    return json.dumps({"apiVersion": "v1", "kind": "Config", **parts})


@pytest.fixture(scope="module")
def played(tmp_path_factory):
    """(results by way and name of the task, what ansible-playbook printed with -vvv)."""
    folder = tmp_path_factory.mktemp("both")
    ways = {"packed": False, "fork": True}
    tasks = []
    for number, (verb, options, keywords) in enumerate(TASKS.values()):
        for way, in_worker in ways.items():
            task = {f"restartx.core.k8s_rollout_{verb}": options, "register": f"{way}_{number}", "ignore_errors": True}
            tasks.append({**task, **keywords, "vars": {"restartx_in_worker": in_worker}})
    for way in ways:
        content = "{{{{ [{}] | to_json }}}}".format(", ".join(f"{way}_{number}" for number in range(len(TASKS))))
        copy = {"dest": str(folder / f"{way}.json"), "content": content, "mode": "600"}
        tasks.append({"ansible.builtin.copy": copy, "no_log": True})
    defaults = {"group/restartx.core.k8s": {"kubeconfig": "config.yml", "context": "x"}}
    play = {"hosts": "all", "connection": "local", "gather_facts": False, "module_defaults": defaults, "tasks": tasks}
    play["vars"] = {"ansible_python_interpreter": "{{ ansible_playbook_python }}"}
    with refusing_server() as server:
        (folder / "play.yml").write_text(json.dumps([play]))
        (folder / "config.yml").write_text(kubeconfig(server))
        (folder / "another.yml").write_text(kubeconfig(server).replace('"x"', '"y"'))
        command = [Path(sys.executable).with_name("ansible-playbook"), "-vvv", "-i", "one,", folder / "play.yml"]
        own = {"COLLECTIONS_PATH": ROOT / ".collections", "HOME": folder, "LOCALHOST_WARNING": "false"}
        environment = {**os.environ, **{f"ANSIBLE_{name}": str(value) for name, value in own.items()}}
        done = subprocess.run(
            command,
            cwd=folder.parent,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stdout + done.stderr
    results = {way: json.loads((folder / f"{way}.json").read_text()) for way in ways}
    return {way: dict(zip(TASKS, found, strict=True)) for way, found in results.items()}, done.stdout + done.stderr


def without_durations(value):
    """A result without what differs between two runs of one task."""
    if isinstance(value, dict):
        return {name: without_durations(inner) for name, inner in value.items() if name != "duration"}
    return [without_durations(inner) for inner in value] if isinstance(value, list) else value


@pytest.mark.parametrize("name", TASKS)
def test_a_task_returns_the_same_both_ways(played, name):
    results, _output = played
    packed, fork = (without_durations(results[way][name]) for way in ("packed", "fork"))
    assert fork == packed
    assert name == "failed_when" or packed["failed"]


def test_every_task_was_carried_out_both_ways(played):
    _results, output = played
    items = len(TASKS) + 2  # one of them is a loop over two items, and one is tried twice
    assert output.count(IN_A_FORK) == output.count(PACKED) == items


def test_secrets_are_masked_in_results_and_warnings_of_both_ways(played):
    results, output = played
    assert SECRET not in json.dumps(results) + output
    for way in results.values():
        assert [warning for warning in way["refused with a warning"]["warnings"] if "is old" in warning]


def test_the_tasks_fail_for_the_reason_they_are_there_for(played):
    results = played[0]["fork"]
    assert 'nmae: unknown option; did you mean "name"?' in results["unknown option"]["msg"]
    assert "another.yml" in results["environment"]["msg"]
    assert len(results["loop"]["results"]) == 2
    assert results["twice"]["attempts"] == 1
