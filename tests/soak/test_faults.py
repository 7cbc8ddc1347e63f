# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What happens to clusters and networks during a run: it completes in the same start, each workload restarted once."""

from __future__ import annotations

import os
import signal
import time

import network
import pytest
from house import USER_AGENT, now
from shops import NAME
from test_watch import compact
from ticket import Ticket

from lab.poll import wait_until

ETCD_STOPS = 10  # seconds


def test_an_api_server_is_killed_and_started_again(shop, seed, tell):
    def strike(cluster, ticket):
        kill(cluster, "kube-apiserver")
        time.sleep(ticket.random.uniform(0, 5))
        start_api_server(cluster)

    completes(Ticket(shop, "api-server", seed), strike, tell)


def test_etcd_stops_for_a_while(shop, seed, tell):
    def strike(cluster, _ticket):
        pid = cluster.process("etcd").pid
        os.kill(pid, signal.SIGSTOP)
        try:
            time.sleep(ETCD_STOPS)
        finally:
            os.kill(pid, signal.SIGCONT)

    completes(Ticket(shop, "etcd", seed), strike, tell)


def test_what_the_watches_saw_last_is_forgotten(shop, seed, tell):
    struck = []

    def strike(cluster, _ticket):
        kill(cluster, "kube-apiserver")  # its own memory goes further back than its store's
        compact(cluster)
        struck.extend([cluster, now()])
        start_api_server(cluster)

    completes(Ticket(shop, "forgotten", seed), strike, tell)
    # After a 410 the module lists the workloads again, which it otherwise does only before its first patch.
    assert asked(*struck, "list")


def test_connections_fall_silent(shop, seed, tell):
    reason = network.lacking()
    if reason:
        pytest.fail(reason) if os.environ.get("CI") == "true" else pytest.skip(reason)
    struck = []
    with network.Network(shop.clusters.values()) as client:

        def strike(cluster, _ticket):
            assert client.silence(cluster)
            struck.extend([cluster, now()])

        completes(Ticket(shop, "silent", seed), strike, tell, client.within)
        assert client.dropped()
    assert asked(*struck, "watch")


def completes(ticket, strike, tell, within=()):
    """Start the restart, strike the cluster that it works on, and see it complete."""
    began = time.monotonic()
    with ticket.start(within) as started:
        context, number = ticket.wait_for_progress()
        strike(ticket.shop.clusters[context], ticket)
        code, said = started.result()
    tell(f"{context}, after {number} restarts: exit code {code} after {time.monotonic() - began:.0f} s")
    assert code == 0, said
    ticket.assert_done()
    ticket.assert_unlocked()
    ticket.assert_never_patched_twice()


def kill(cluster, component):
    """SIGKILL for a component; returns when it is dead."""
    process = cluster.process(component)
    os.kill(process.pid, signal.SIGKILL)
    wait_until(lambda: not process.pid, f"{component} to be dead")


def start_api_server(cluster):
    """Start it again, and anew what may leave pods for ever that were made in between.

    Where a StatefulSet's pod was replaced while nobody watched, the scheduler of 1.37 takes the new one for the old one
    on another node ("Scheduler cache is corrupted") and never schedules it; KWOK, unlike a kubelet, may overlook it.
    """
    cluster.start("kube-apiserver")
    for component in ("kube-scheduler", "kwok"):
        cluster.stop(component)
        cluster.start(component)


def asked(cluster, since, verb):
    """What restartx asked for in the shop's workloads since then, with this verb."""
    return [
        event
        for event in cluster.requests(USER_AGENT, since)
        if event["verb"] == verb
        and event["objectRef"].get("namespace") == NAME
        and event["objectRef"].get("apiGroup") == "apps"
    ]
