# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Fixtures of this room: a scripted server, time that passes only when slept, and clusters made of both."""

from __future__ import annotations

import pytest

from ansible_collections.restartx.core.plugins.module_utils.cluster.connect import connect
from ansible_collections.restartx.core.plugins.module_utils.cluster.retry import Retry
from tests.unit.cluster.server import Server


class FakeTime:
    """A clock that `sleep` moves. `random` is the answer of the dice."""

    def __init__(self, now=1000.0, random=0.5):
        self.now = now
        self.random = random
        self.slept = []

    def sleep(self, seconds):
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
