# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A watch on a real API server: every change is told once, also while answers end and the server is restarted."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import queue
import threading
import time
import zlib
from concurrent.futures import ThreadPoolExecutor

import pytest
import yaml

from ansible_collections.restartx.core.plugins.module_utils.cluster import errors
from ansible_collections.restartx.core.plugins.module_utils.cluster.connect import connect
from ansible_collections.restartx.core.plugins.module_utils.cluster.watch import Changed, Lost, Relisted, Removed, Watch
from lab import Lab
from lab.poll import wait_until

NAMESPACE = "shop"
CONFIGMAPS = f"/api/v1/namespaces/{NAMESPACE}/configmaps"
EXEC = "client.authentication.k8s.io/v1"
SECONDS = 60  # more than anything here needs


@pytest.fixture(scope="module")
def bare(tmp_path_factory):
    """A cluster of this file's own, without controllers."""
    with Lab(tmp_path_factory.mktemp("bare"), owned=True) as lab:
        (cluster,) = lab.up(["bare"], nodes=0, controllers=False)
        cluster.kubectl("create", "namespace", NAMESPACE)
        yield cluster


@pytest.fixture
def admin(bare):
    connected = connect({"kubeconfig": str(bare.kubeconfig)}, {})
    yield connected
    connected.close()


@pytest.fixture
def viewer(bare, tmp_path):
    """Somebody who may see ConfigMaps, and no more."""
    for kind, *arguments in (
        ("serviceaccount", "viewer"),
        ("role", "viewer", "--verb=get,list,watch", "--resource=configmaps"),
        ("rolebinding", "viewer", "--role=viewer", f"--serviceaccount={NAMESPACE}:viewer"),
    ):
        bare.kubectl("create", kind, *arguments, "--namespace", NAMESPACE, check=False)  # another test may have
    path = bare.service_account_kubeconfig(NAMESPACE, "viewer", tmp_path / "viewer")
    connected = connect({"kubeconfig": str(path)}, {})
    yield connected
    connected.close()


@pytest.fixture
def objects(admin, request):
    """ConfigMaps of the test's own, told apart by a label."""
    return Objects(admin, f"test-{zlib.crc32(request.node.name.encode())}")


@pytest.fixture
def watch(admin, objects):
    """Watch the test's objects from now on: watch(...) -> Watched."""
    running = []

    def start(cluster=admin, params=None, version=None, **times):
        listing = admin.list(CONFIGMAPS, objects.params)
        running.append(
            Watched(cluster, params or objects.params, version or listing.resource_version, listing.items, **times)
        )
        return running[-1]

    yield start
    for watched in running:
        watched.stop()


class Objects:
    """The test's ConfigMaps; `versions` holds the resource version of every change made here."""

    def __init__(self, cluster, label):
        self.cluster = cluster
        self.labels = {"test": label}
        self.params = {"labelSelector": f"test={label}"}
        self.versions = []

    def create(self, name, **labels):
        body = {"metadata": {"name": self.full(name), "labels": {**self.labels, **labels}}}
        return self._note(self.cluster.create(CONFIGMAPS, body))

    def change(self, name, body=None):
        body = body or {"data": {"changes": str(len(self.versions))}}
        return self._note(self.cluster.patch(f"{CONFIGMAPS}/{self.full(name)}", body, "merge"))

    def delete(self, name):
        self.cluster.delete(f"{CONFIGMAPS}/{self.full(name)}")

    def full(self, name):
        """Names must not meet those of other tests."""
        return f"{self.labels['test']}-{name}"

    def _note(self, answer):
        self.versions.append(version(answer))
        return self.versions[-1]


def version(content):
    return int(content["metadata"]["resourceVersion"])


class Watched:
    """A watch in its thread, and the view of the objects that its events give."""

    def __init__(self, cluster, params, resource_version, items, **times):
        self.events = []
        self.view = {item["metadata"]["name"]: version(item) for item in items}
        self._inbox = queue.SimpleQueue()
        self._stopped = threading.Event()
        watching = Watch(cluster, CONFIGMAPS, params, resource_version, self._inbox.put, self._stopped, **times)
        self.thread = threading.Thread(target=watching.run, daemon=True)
        self.thread.start()

    def until(self, condition):
        """Take events until the condition holds; returns the last."""
        deadline = time.monotonic() + SECONDS
        while True:
            event = self._inbox.get(timeout=max(0.0, deadline - time.monotonic()))
            self.events.append(event)
            if isinstance(event, Relisted):
                self.view = {item["metadata"]["name"]: version(item) for item in event.items}
            elif isinstance(event, Changed):
                self.view[event.object["metadata"]["name"]] = version(event.object)
            elif isinstance(event, Removed):
                del self.view[event.object["metadata"]["name"]]
            if condition(event):
                return event

    def until_version(self, wanted):
        """Take events until the change with this resource version was seen."""
        self.until(lambda event: wanted in self.view.values())

    @property
    def versions(self):
        """The resource versions of all changes that were told one by one."""
        return [version(event.object) for event in self.events if isinstance(event, Changed)]

    def stop(self):
        self._stopped.set()
        self.thread.join(SECONDS)
        assert not self.thread.is_alive()


def test_creations_changes_and_deletions_are_told(objects, watch):
    watched = watch()
    objects.create("a")
    objects.change("a")
    objects.delete("a")
    watched.until(lambda event: isinstance(event, Removed))
    assert [type(event) for event in watched.events] == [Changed, Changed, Removed]
    assert watched.versions == objects.versions
    assert watched.view == {}


def test_an_object_that_no_longer_matches_is_told_as_gone(objects, watch):
    objects.create("a", tier="web")
    watched = watch(params={"labelSelector": objects.params["labelSelector"] + ",tier=web"})
    objects.change("a", {"metadata": {"labels": {"tier": None}}})
    watched.until(lambda event: isinstance(event, Removed))
    assert watched.view == {}


def test_nothing_is_lost_or_told_twice_while_one_answer_follows_another(admin, objects, watch):
    objects.create("a")
    began = admin.requests
    watched = watch(server_seconds=1)
    own = 1  # the list that the watch goes on from
    until = time.monotonic() + 3.5
    while time.monotonic() < until:
        own += 1
        last = objects.change("a")
    watched.until_version(last)
    assert watched.versions == objects.versions[1:]
    assert admin.requests - began - own >= 3  # answers


def test_nothing_is_lost_while_the_api_server_is_restarted(bare, viewer, objects, watch):
    for name in ("a", "b", "gone"):
        objects.create(name)
    watched = watch(viewer)
    watched.until_version(objects.change("a"))
    bare.stop("kube-apiserver")
    bare.start("kube-apiserver")
    objects.delete("gone")
    objects.change("b")
    last = objects.change("a")
    watched.until(lambda event: last in watched.view.values() and len(watched.view) == 2)
    assert watched.view == {objects.full("a"): last, objects.full("b"): objects.versions[-2]}
    assert len(watched.versions) == len(set(watched.versions))
    # And it goes on as before.
    seen = len(watched.events)
    watched.until_version(objects.change("b"))
    assert [type(event) for event in watched.events[seen:]] == [Changed]


def test_requests_sit_a_restart_out(bare, viewer):
    viewer.list(CONFIGMAPS)
    over = threading.Event()

    def ask():
        while not over.is_set():
            viewer.list(CONFIGMAPS)

    with ThreadPoolExecutor() as pool:
        asking = pool.submit(ask)
        bare.stop("kube-apiserver")
        bare.start("kube-apiserver")
        over.set()
        asking.result(SECONDS)


def test_a_version_that_the_server_forgot_leads_to_a_new_list(bare, admin, objects, watch):
    old = objects.create("a")
    objects.create("b")
    compact(bare)
    bare.stop("kube-apiserver")  # its own memory goes further back than its store's
    bare.start("kube-apiserver")
    watched = watch(version=str(old - 1))
    watched.until(lambda event: isinstance(event, Relisted))
    assert [type(event) for event in watched.events] == [Relisted]
    assert sorted(watched.view) == [objects.full("a"), objects.full("b")]
    watched.until_version(objects.change("a"))


def compact(cluster):
    """Let the cluster's store forget all but the present."""

    def etcd(path, body):
        connection = http.client.HTTPConnection("127.0.0.1", cluster.ports["etcd"], timeout=SECONDS)
        with contextlib.closing(connection):
            connection.request("POST", f"/v3/{path}", json.dumps(body))
            return json.loads(connection.getresponse().read())

    revision = etcd("kv/range", {"key": "AA=="})["header"]["revision"]
    etcd("kv/compaction", {"revision": revision, "physical": True})


def test_a_right_that_is_taken_away_ends_the_watch_with_the_reason(bare, viewer, objects, watch):
    watched = watch(viewer, server_seconds=1)
    watched.until_version(objects.create("a"))
    bare.kubectl("delete", "rolebinding", "viewer", "--namespace", NAMESPACE)
    event = watched.until(lambda event: isinstance(event, Lost))
    assert isinstance(event.error, errors.Forbidden)
    assert str(event.error).startswith(
        'User "system:serviceaccount:shop:viewer" may not watch configmaps in namespace "shop" (403 Forbidden): grant'
    )
    watched.thread.join(SECONDS)
    assert not watched.thread.is_alive()


def test_stopping_interrupts_it_at_once(objects, watch):
    watched = watch()
    watched.until_version(objects.create("a"))
    began = time.monotonic()
    watched.stop()
    assert time.monotonic() - began < 1


def test_a_credential_plugin_that_fails_once_in_mid_run_does_not_end_the_watch(bare, admin, objects, tmp_path):
    """Its tokens last for 3 seconds; the second time it is run it fails."""
    bare.kubectl("create", "serviceaccount", "login", "--namespace", NAMESPACE, check=False)
    for arguments in (
        ("role", "login", "--verb=get,list,watch", "--resource=configmaps"),
        ("rolebinding", "login", "--role=login", f"--serviceaccount={NAMESPACE}:login"),
    ):
        bare.kubectl("create", *arguments, "--namespace", NAMESPACE, check=False)
    token = bare.kubectl("create", "token", "login", "--namespace", NAMESPACE).stdout.strip()
    runs, program = tmp_path / "runs", tmp_path / "login"
    status = f'{{"token": "{token}", "expirationTimestamp": "\'$(date -u -d "+3 seconds" +%FT%TZ)\'"}}'
    program.write_text(
        f"#!/bin/sh\necho >> {runs}\nif [ $(wc -l < {runs}) = 2 ]; then echo no network >&2; exit 1; fi\n"
        f'echo \'{{"apiVersion": "{EXEC}", "kind": "ExecCredential", "status": {status}}}\'\n'
    )
    program.chmod(0o755)
    config = yaml.safe_load(bare.kubeconfig.read_text())
    config["users"][0]["user"] = {"exec": {"apiVersion": EXEC, "command": str(program)}}
    cluster = connect({"kubeconfig": config}, os.environ)
    listing = admin.list(CONFIGMAPS, objects.params)
    watched = Watched(cluster, objects.params, listing.resource_version, [], server_seconds=1)
    try:
        wait_until(lambda: runs.exists() and len(runs.read_text()) > 3, "the fourth run of the plugin")
        objects.create("after")
        watched.until(lambda event: isinstance(event, Changed))
    finally:
        watched.stop()
