# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What pods answer through the API server: any status is an answer, unless the API server itself refuses."""

from __future__ import annotations

import gzip

import pytest

from ansible_collections.restartx.core.plugins.module_utils.cluster import errors
from ansible_collections.restartx.core.plugins.module_utils.cluster.api import Reply as Told
from tests.unit.cluster.server import Chunks, Reply, hang_up, silence, status

PATH = "/api/v1/namespaces/shop/pods/https:db-0:8008/proxy/"


@pytest.mark.parametrize("code", [200, 302, 401, 403, 404, 429, 503])
def test_each_status_of_a_pod_is_an_answer(serve, cluster_of, code):
    server = serve(Reply(code, b"not now"))
    assert cluster_of(server).reply(PATH) == Told(code, b"not now")
    (seen,) = server.seen
    assert (seen.method, seen.path) == ("GET", PATH)


def test_a_body_that_is_compressed_or_comes_in_pieces_is_read(serve, cluster_of):
    packed = Reply(body=gzip.compress(b'{"role": "primary"}'), headers={"Content-Encoding": "gzip"})
    cluster = cluster_of(serve(packed, Chunks((b'{"role": ', b'"replica"}'))))
    assert cluster.reply(PATH).json() == {"role": "primary"}
    assert cluster.reply(PATH).json() == {"role": "replica"}


def test_a_warning_of_a_pod_is_none_of_the_server(serve, cluster_of):
    cluster = cluster_of(serve(Reply(200, b"", {"Warning": '299 - "the password is hunter2"'})))
    cluster.reply(PATH)
    assert cluster.warnings == []


@pytest.mark.parametrize(
    "answer, error",
    [
        (status(503, "ServiceUnavailable", "error trying to reach service: dial tcp: refused"), errors.ClusterError),
        (status(403, "Forbidden", "may not"), errors.Forbidden),
        (status(404, "NotFound", "no such pod"), errors.NotFound),
        (Reply(429, b"Too many requests, please try again later.\n"), errors.Throttled),
        (hang_up, errors.Unreachable),
        (silence, errors.Unreachable),
        (Chunks((b"half",), "broken"), errors.Unreachable),
        (Reply(body=b"x" * 1_100_000), errors.ServerFailed),
        (Reply(body=gzip.compress(b"x" * 9_000_000), headers={"Content-Encoding": "gzip"}), errors.ServerFailed),
    ],
    ids=["unreachable", "forbidden", "gone", "busy", "no answer", "silence", "broken", "long", "long when unpacked"],
)
def test_what_is_no_answer_of_the_pod_is_an_error_after_one_attempt(serve, cluster_of, time, answer, error):
    server = serve(answer, answer)
    cluster = cluster_of(server)
    with pytest.raises(error):
        cluster.reply(PATH, deadline=time.now + 1)
    assert len(server.seen) == 1
