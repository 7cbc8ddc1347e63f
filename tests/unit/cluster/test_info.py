# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is told of a connection and of its server."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime
from email.utils import formatdate

import pytest

from ansible_collections.restartx.core.plugins.module_utils.cluster.errors import Unauthorized, Unreachable
from tests.unit.cluster.pki import DAY, NOW, certificate, key, pem_of
from tests.unit.cluster.server import Reply, hang_up, status
from tests.unit.cluster.test_certificate import token

KEY = key()
VERSION = {"major": "1", "gitVersion": "v1.37.0"}


@pytest.fixture
def tls(tmp_path):
    """A server's TLS context, with a certificate that ends in three days, and the options that trust it."""
    pem = certificate(KEY, host="127.0.0.1", end=NOW + 3 * DAY)
    (tmp_path / "server.pem").write_bytes(pem + pem_of(KEY))
    (tmp_path / "ca.pem").write_bytes(pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "server.pem")
    return context, {"ca_cert": str(tmp_path / "ca.pem")}


@pytest.mark.parametrize("more", [{}, {"validate_certs": False}])
def test_the_end_of_the_servers_certificate_is_read_whether_or_not_it_is_checked(serve, cluster_of, tls, more):
    context, trusted = tls
    cluster = cluster_of(serve(Reply(body=VERSION), tls=context), {**trusted, **more})
    for _time in range(2):  # also on a connection that was kept open
        info = cluster.server_info()
        assert (info.version, info.certificate_expires) == ("v1.37.0", NOW + 3 * DAY)
    assert cluster.connection_info().validate is not bool(more)
    assert cluster.requests == 2


def test_without_tls_there_is_no_certificate(serve, cluster_of):
    assert cluster_of(serve(Reply(body=VERSION))).server_info().certificate_expires is None


def dated(date):
    """An answer with this Date."""

    def reply(handler):
        handler.date_time_string = lambda timestamp=None: date
        Reply(body=VERSION)(handler)

    return reply


@pytest.mark.parametrize(
    "seconds, ahead", [(0, 0), (0.9, 0), (-0.1, 0), (1.0, 0), (-90, 90), (3.2, -2), (3600.5, -3600)]
)
def test_the_clock_of_the_server_is_compared_to_a_second(serve, cluster_of, time, seconds, ahead):
    """`seconds` is how far our clock is ahead of the beginning of the server's second."""
    time.now = 1_700_000_000 + seconds
    server = serve(dated(formatdate(1_700_000_000, usegmt=True)))
    assert cluster_of(server).server_info().clock_ahead == ahead


@pytest.mark.parametrize("date", ["", "yesterday"])
def test_without_a_date_that_can_be_read_nothing_is_said_of_the_clock(serve, cluster_of, date):
    assert cluster_of(serve(dated(date))).server_info().clock_ahead is None


def test_a_token_tells_its_end_and_is_not_told_itself(serve, cluster_of):
    secret = token({"exp": 1_700_000_000})
    info = cluster_of(serve(Reply()), {"api_key": secret}).connection_info()
    assert info.token_expires == datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)
    assert secret not in repr(info) and not info.renewed


def test_a_token_of_a_plugin_is_renewed(serve, plugin, cluster_of):
    server = serve(Reply())
    options, _broken = plugin(server)
    info = cluster_of(server, options).connection_info()
    assert (info.renewed, info.token_file) == (True, False)


def test_a_token_in_a_file_may_be_renewed_or_not(serve, cluster_of, tmp_path):
    server = serve(Reply())
    (tmp_path / "token").write_text(token({"exp": 1_700_000_000}))
    kubeconfig = tmp_path / "config"
    kubeconfig.write_text(
        f"current-context: c\nclusters: [{{name: c, cluster: {{server: '{server.url}'}}}}]\n"
        "contexts: [{name: c, context: {cluster: c, user: u}}]\nusers: [{name: u, user: {tokenFile: token}}]\n"
    )
    info = cluster_of(server, {"host": None, "kubeconfig": str(kubeconfig)}).connection_info()
    assert info.token_expires == datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)
    assert (info.renewed, info.token_file) == (False, True)


def test_a_client_certificate_tells_its_end(serve, cluster_of, tmp_path):
    (tmp_path / "pair.pem").write_bytes(certificate(KEY, end=NOW + DAY) + pem_of(KEY))
    info = cluster_of(serve(Reply()), {"client_cert": str(tmp_path / "pair.pem")}).connection_info()
    assert (info.certificate_expires, info.token_expires, info.renewed) == (NOW + DAY, None, False)


def test_the_user_of_a_proxy_is_not_told(serve, cluster_of):
    info = cluster_of(serve(Reply()), {"proxy": "http://jane:s3cret@proxy:3128"}).connection_info()
    assert info.proxy == "http://proxy:3128" and "s3cret" not in repr(info)


def test_a_lost_answer_is_asked_for_again_and_a_refusal_is_not(serve, cluster_of):
    assert cluster_of(serve(hang_up, Reply(body=VERSION))).server_info().version == "v1.37.0"
    with pytest.raises(Unreachable):
        cluster_of(serve(hang_up)).server_info()
    refused = cluster_of(serve(status(401, "Unauthorized", "Unauthorized")), {"api_key": "t"})
    with pytest.raises(Unauthorized):
        refused.server_info()
    assert refused.requests == 1
