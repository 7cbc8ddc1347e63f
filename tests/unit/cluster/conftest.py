# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Fixtures of this package: a scripted server, time that passes only when slept, and clusters made of both."""

from __future__ import annotations

import json

import pytest

from ansible_collections.restartx.core.plugins.module_utils.cluster.connect import connect
from ansible_collections.restartx.core.plugins.module_utils.cluster.retry import Retry
from tests.unit.cluster.server import Server

EXEC = "client.authentication.k8s.io/v1"


class FakeTime:
    """A clock that `sleep` moves. `random` is the answer of the dice."""

    def __init__(self, now=1000.0, random=0.5):
        self.now = now
        self.random = random
        self.slept = []
        self.on_sleep = lambda: None  # what happens in the meantime

    def sleep(self, seconds):
        self.on_sleep()
        self.slept.append(seconds)
        self.now += seconds

    def retry(self, **policy):
        return Retry(clock=lambda: self.now, sleep=self.sleep, random=lambda: self.random, **policy)


@pytest.fixture
def time():
    return FakeTime()


@pytest.fixture
def serve():
    """Start servers that end with the test: serve(answer, answer, ..., tls=None) -> Server."""
    servers = []

    def start(*script, **options):
        servers.append(Server(script, **options))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


@pytest.fixture
def plugin(tmp_path):
    """A kubeconfig with a credential plugin that fails while a file exists: plugin(server) -> (options, file)."""

    def make(server):
        broken, program = tmp_path / "broken", tmp_path / "login"
        token = json.dumps({"apiVersion": EXEC, "kind": "ExecCredential", "status": {"token": "t"}})
        program.write_text(f"#!/bin/sh\nif [ -e {broken} ]; then echo no network >&2; exit 1; fi\necho '{token}'\n")
        program.chmod(0o755)
        config = {
            "current-context": "c",
            "clusters": [{"name": "c", "cluster": {"server": server.url}}],
            "users": [{"name": "u", "user": {"exec": {"apiVersion": EXEC, "command": str(program)}}}],
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        }
        return {"host": None, "kubeconfig": config}, broken

    return make


@pytest.fixture
def cluster_of(time):
    """Connect to a server: cluster_of(server, options, **policy) -> Cluster, which waits in fake time only."""
    clusters = []

    def make(server, options=None, **policy):
        options = {"host": server.url, **(options or {})}
        clusters.append(connect(options, {}, retry=time.retry(**policy), now=lambda: time.now))
        return clusters[-1]

    yield make
    for cluster in clusters:
        cluster.close()
