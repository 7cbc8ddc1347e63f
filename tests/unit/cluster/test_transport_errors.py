# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Where no answer comes, name, network, proxy and TLS are told apart."""

from __future__ import annotations

import select
import socket
import ssl
from http.server import BaseHTTPRequestHandler

import pytest
import urllib3

from ansible_collections.restartx.core.plugins.module_utils.cluster import transport_errors
from ansible_collections.restartx.core.plugins.module_utils.cluster.errors import Unreachable
from ansible_collections.restartx.core.plugins.module_utils.cluster.transport_errors import trouble_of
from tests.unit.cluster.pki import DAY, NOW, certificate, key, pem_of
from tests.unit.cluster.server import Reply

API = "/apis/apps/v1/namespaces/shop/deployments/api"
CA_KEY, KEY = key(), key()
CA = certificate(CA_KEY, name="ca")


@pytest.fixture
def tls(tmp_path):
    """Make a server's TLS context with a certificate signed by the CA: tls(host=..., end=..., clients=None)."""

    def make(host="127.0.0.1", clients=None, **validity):
        path = tmp_path / "server.pem"
        path.write_bytes(
            certificate(KEY, name="server", issuer="ca", issuer_key=CA_KEY, host=host, **validity) + pem_of(KEY)
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        if clients:
            context.verify_mode = ssl.CERT_REQUIRED
            context.maximum_version = ssl.TLSVersion.TLSv1_2  # in 1.3 the alert comes after the handshake
            context.load_verify_locations(cadata=clients.decode())
        return context

    return make


@pytest.fixture
def trusted(tmp_path):
    """The option that trusts the CA."""
    (tmp_path / "ca.pem").write_bytes(CA)
    return {"ca_cert": str(tmp_path / "ca.pem")}


def pair(tmp_path, name="dev", **validity):
    (tmp_path / "client.pem").write_bytes(
        certificate(KEY, name=name, issuer="ca", issuer_key=CA_KEY, **validity) + pem_of(KEY)
    )
    return {"client_cert": str(tmp_path / "client.pem")}


def test_a_server_with_a_certificate_of_the_given_ca_is_spoken_to(serve, cluster_of, tls, trusted, tmp_path):
    server = serve(Reply(body={"a": 1}), tls=tls(clients=CA))
    assert cluster_of(server, trusted | pair(tmp_path)).get(API) == {"a": 1}


def test_a_certificate_nobody_can_trust_is_taken_where_the_user_says_so(serve, cluster_of, tls, recwarn):
    server = serve(Reply(body={"a": 1}), tls=tls(host="10.0.0.1", end=NOW - DAY))
    assert cluster_of(server, {"validate_certs": False}).get(API) == {"a": 1}
    assert not list(recwarn)


def test_a_certificate_that_is_replaced_in_the_middle_of_a_run_is_shown_from_then_on(
    serve, cluster_of, tls, trusted, tmp_path, time
):
    def whom(handler):
        ((_kind, name),) = handler.connection.getpeercert()["subject"][0]
        Reply(body={"name": name})(handler)

    cluster = cluster_of(serve(whom, tls=tls(clients=CA)), trusted | pair(tmp_path, name="first"))
    assert cluster.get(API) == {"name": "first"}
    pair(tmp_path, name="second")
    assert cluster.get(API) == {"name": "first"}
    time.now += 61
    answers = (cluster.get(API)["name"] for _request in range(1000))  # it is read again in the background
    assert "second" in answers


@pytest.mark.parametrize(
    ("server", "words"),
    [
        ({"end": NOW - DAY}, "the server's certificate has expired: the expired certificate must be renewed"),
        ({"start": NOW + DAY, "end": NOW + 2 * DAY}, "is not valid yet: check the clocks of both sides"),
        (
            {"host": "10.0.0.1"},
            "is for another (address|host name): use a name the certificate holds, or set tls-server-name",
        ),
    ],
)
def test_each_fault_of_the_servers_certificate_is_named_and_not_tried_again(
    serve, cluster_of, tls, trusted, server, words
):
    cluster = cluster_of(serve(Reply(), tls=tls(**server)), trusted)
    with pytest.raises(Unreachable, match=words):
        cluster.get(API)
    assert cluster.requests == 1


def test_an_unknown_ca_is_named(serve, cluster_of, tls):
    with pytest.raises(Unreachable, match="signed by an unknown CA: give that CA's certificate as ca_cert"):
        cluster_of(serve(Reply(), tls=tls())).get(API)


def test_a_certificate_signed_by_itself_is_named(serve, cluster_of, tmp_path):
    (tmp_path / "server.pem").write_bytes(certificate(KEY, host="127.0.0.1") + pem_of(KEY))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "server.pem")
    with pytest.raises(Unreachable, match="signed by itself and not trusted: give its CA as ca_cert"):
        cluster_of(serve(Reply(), tls=context)).get(API)


@pytest.mark.parametrize(
    ("client", "words"),
    [
        (None, "the server may want a client certificate"),
        (
            {"start": NOW - 9 * DAY, "end": NOW - DAY},
            "the client certificate has expired: renew the expired certificate",
        ),
    ],
)
def test_a_server_that_refuses_our_certificate_in_the_handshake_is_understood(
    serve, cluster_of, tls, trusted, tmp_path, client, words
):
    server = serve(Reply(), tls=tls(clients=CA))
    with pytest.raises(Unreachable, match=words):
        cluster_of(server, trusted | (pair(tmp_path, **client) if client else {})).get(API)


def test_a_port_without_tls_is_named(serve, cluster_of):
    server = serve(Reply())
    with pytest.raises(Unreachable, match="does not speak TLS on this port: check the port"):
        cluster_of(server, {"host": server.url.replace("http:", "https:")}).get(API)


def test_a_name_that_no_host_can_have_is_named(serve, cluster_of):
    cluster = cluster_of(serve(Reply()), {"host": "https://a..b:6443"})
    with pytest.raises(Unreachable, match="that is not a valid host name, correct it"):
        cluster.get(API)
    assert cluster.requests == 1


def test_a_port_where_nobody_listens_is_named(cluster_of, serve):
    server = serve(Reply())
    server.close()
    with pytest.raises(Unreachable, match=f"^cannot reach {server.url}: connection refused, check the port"):
        cluster_of(server).get(API)


def urllib3_error(kind, cause, *arguments):
    """As urllib3 raises them: one of its own from one of Python's."""
    try:
        try:
            raise cause
        except OSError as error:
            raise kind(*arguments, "words") from error
    except urllib3.exceptions.HTTPError as error:
        return error


@pytest.mark.parametrize(
    ("error", "words", "ambiguous"),
    [
        (
            urllib3_error(
                urllib3.exceptions.NewConnectionError, socket.gaierror(-2, "Name or service not known"), None
            ),
            'the name "one" has no address (Name or service not known), check the name and DNS',
            False,
        ),
        (
            urllib3_error(urllib3.exceptions.NewConnectionError, OSError(113, "No route to host"), None),
            "No route to host, check the network in between",
            False,
        ),
        (
            urllib3.exceptions.ConnectTimeoutError(None, "timed out"),
            "no connection in time, check the address, firewalls and proxy",
            False,
        ),
        (
            urllib3.exceptions.ReadTimeoutError(None, None, "timed out"),
            "connected, but no answer in time, the API server may be overloaded: try again later",
            True,
        ),
        (
            urllib3.exceptions.ProtocolError("aborted", ConnectionResetError(104, "Connection reset by peer")),
            "Connection reset by peer, check the network in between",
            True,
        ),
        (
            urllib3.exceptions.SSLError(ssl.SSLEOFError(8, "EOF occurred in violation of protocol")),
            "EOF occurred in violation of protocol, check the network in between",
            True,
        ),
        (
            urllib3.exceptions.ProtocolError("incomplete"),
            "the connection broke, the API server or a proxy may be restarting: try again later",
            True,
        ),
        (
            urllib3.exceptions.ProxyError("no proxy", socket.gaierror(-2, "Name or service not known")),
            'the name "proxy" has no address (Name or service not known), check the name and DNS',
            False,
        ),
    ],
)
def test_troubles_of_the_network_are_told_apart_and_may_heal(error, words, ambiguous):
    trouble = trouble_of(error, "https://one:6443", "http://ann:hush@proxy:3128", API)
    way = "https://one:6443"
    if isinstance(error, urllib3.exceptions.ProxyError):
        way += " through the proxy http://proxy:3128"
    assert str(trouble) == f"cannot reach {way}: {words}"
    assert (trouble.transient, trouble.ambiguous, trouble.path) == (True, ambiguous, API)


@pytest.mark.parametrize("ambiguous", [True, False], ids=["urllib3 1", "urllib3 2"])
def test_urllib3_1_calls_any_broken_connection_through_a_proxy_a_failure_of_the_proxy(monkeypatch, ambiguous):
    monkeypatch.setattr(transport_errors, "IS_URLLIB3_1", ambiguous)
    error = urllib3.exceptions.ProxyError("no proxy", ConnectionResetError(104, "Connection reset by peer"))
    assert trouble_of(error, "https://one:6443", "http://proxy:3128", API).ambiguous is ambiguous
    refused = urllib3.exceptions.ProxyError("no proxy", ConnectionRefusedError(111, "Connection refused"))
    assert trouble_of(refused, "https://one:6443", "http://proxy:3128", API).ambiguous is False


class TestProxies:
    class Refusing(BaseHTTPRequestHandler):
        """A proxy that wants a password."""

        def do_CONNECT(self):
            self.server.seen.append((self.path, dict(self.headers)))
            self.send_error(407, "Proxy Authentication Required")

        def log_message(self, *_arguments):
            """Nothing on the test's output."""

    class Passing(BaseHTTPRequestHandler):
        """A proxy that passes everything on, wherever it was meant to go, to `server.target`."""

        def do_CONNECT(self):
            self.server.seen.append(self.path)
            with socket.create_connection(self.server.target) as target:
                self.send_response(200)
                self.end_headers()
                ends = {self.connection: target, target: self.connection}
                while all(self._pass_on(end, ends[end]) for end in select.select(ends, (), ())[0]):
                    pass
            self.close_connection = True

        @staticmethod
        def _pass_on(end, other):
            data = end.recv(65536)
            other.sendall(data)
            return data

        def log_message(self, *_arguments):
            """Nothing on the test's output."""

    OPTIONS = {"host": "https://one.example:6443", "api_key": "t"}

    def test_the_servers_certificate_is_checked_through_the_proxy(self, serve, cluster_of, tls, trusted):
        server = serve(Reply(body={"a": 1}), tls=tls())
        proxy = serve(handler=self.Passing)
        proxy.target = ("127.0.0.1", server.server_port)
        assert cluster_of(server, trusted | {"proxy": proxy.url}).get(API) == {"a": 1}
        assert proxy.seen == [f"127.0.0.1:{server.server_port}"]
        with pytest.raises(Unreachable, match="^cannot reach https://127.0.0.2:6443: .* is for another"):
            cluster_of(server, trusted | {"proxy": proxy.url, "host": "https://127.0.0.2:6443"}).get(API)
        with pytest.raises(Unreachable, match="signed by an unknown CA"):
            cluster_of(server, {"proxy": proxy.url}).get(API)

    def test_one_that_refuses_is_named_with_its_words_and_gets_the_headers(self, serve, cluster_of):
        proxy = serve(handler=self.Refusing)
        headers = {"proxy_basic_auth": "ann:hush", "user_agent": "agent"}
        cluster = cluster_of(proxy, self.OPTIONS | {"proxy": proxy.url, "proxy_headers": headers})
        with pytest.raises(Unreachable) as caught:
            cluster.get(API)
        assert str(caught.value) == (
            f"cannot reach https://one.example:6443 through the proxy {proxy.url}: Tunnel connection failed: "
            "407 Proxy Authentication Required, check proxy, proxy_headers and no_proxy"
        )
        ((path, sent),) = proxy.seen
        assert path == "one.example:6443"
        assert (sent["proxy-authorization"], sent["user-agent"]) == ("Basic YW5uOmh1c2g=", "agent")

    def test_one_that_does_not_listen_is_named_without_its_password(self, serve, cluster_of):
        proxy = serve(Reply())
        proxy.close()
        with_password = proxy.url.replace("//", "//ann:hush@")
        with pytest.raises(Unreachable) as caught:
            cluster_of(proxy, self.OPTIONS | {"proxy": with_password}).get(API)
        assert f"through the proxy {proxy.url}: connection refused" in str(caught.value)

    def test_the_library_below_takes_no_proxy_from_the_environment_by_itself(self, serve, cluster_of, monkeypatch):
        for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, "http://127.0.0.1:1")
        server = serve(Reply(body={"a": 1}))
        assert cluster_of(server).get(API) == {"a": 1}
        assert cluster_of(server, {"proxy": "http://127.0.0.1:1", "no_proxy": "127.0.0.0/8"}).get(API) == {"a": 1}
