# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The ports of clusters that are founded at the same time."""

import itertools
import socket

import pytest

from lab.ports import held_ports


@pytest.fixture
def offer(monkeypatch):
    """A function: from now on `port` is the first that is tried, and after it those above."""

    def first(port):
        offers = itertools.count(port)
        monkeypatch.setattr("lab.ports.random.choice", lambda _range: next(offers))

    return first


def test_each_listener_gets_a_port_of_its_own():
    with held_ports(["a", "b", "c"]) as ports:
        assert list(ports) == ["a", "b", "c"]
        assert len(set(ports.values())) == 3


def test_nobody_else_can_choose_a_port_that_is_held(offer):
    with held_ports(["first"]) as held:
        offer(held["first"])
        with held_ports(["second"]) as others:
            assert others["second"] > held["first"]


def test_a_port_somebody_listens_on_is_not_chosen(offer):
    with socket.create_server(("127.0.0.1", 0)) as server:
        taken = server.getsockname()[1]
        offer(taken)
        with held_ports(["other"]) as others:
            assert others["other"] > taken


def test_a_server_listens_on_a_port_that_is_held_for_it():
    with held_ports(["server"]) as ports:
        address = ("127.0.0.1", ports["server"])
        with socket.create_server(address) as server, socket.create_connection(address) as client:
            accepted, _peer = server.accept()
            with accepted:
                client.sendall(b"heard")
                assert accepted.recv(5) == b"heard"
