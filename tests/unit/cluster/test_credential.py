# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Credentials are fetched again before they end, when they are refused, and by one thread only."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from ansible_collections.restartx.core.plugins.module_utils.cluster.credential import (
    Credential,
    Credentials,
    Source,
    bearer,
)
from ansible_collections.restartx.core.plugins.module_utils.cluster.errors import ConfigError, Unauthorized
from tests.unit.cluster.pki import NOW, certificate, key
from tests.unit.cluster.server import Reply, status
from tests.unit.cluster.test_certificate import token

API = "/apis/apps/v1/namespaces/shop/deployments/api"


class Numbered:
    """A source of the tokens 1, 2, 3 ... Each lasts for `life` seconds from its reading."""

    def __init__(self, time, life=None, **source):
        self.reads = 0
        self._time = time
        self._life = life
        self.source = Source("user x", self.read, **{"renewable": True, **source})

    def read(self):
        self.reads += 1
        return Credential(f"Bearer {self.reads}", expires=None if self._life is None else self._time.now + self._life)


def tokens_over_time(time, numbered, moments):
    credentials = Credentials(numbered.source, lambda: time.now)
    start, tokens = time.now, []
    for moment in moments:
        time.now = start + moment
        tokens.append(credentials.current()[1].authorization)
    return tokens


@pytest.mark.parametrize(
    ("source", "moments", "tokens"),
    [
        ({}, [0, 10**6], ["Bearer 1", "Bearer 1"]),
        ({"life": 600}, [0, 589, 590, 1179, 1180], ["Bearer 1", "Bearer 1", "Bearer 2", "Bearer 2", "Bearer 3"]),
        ({"life": 600, "renewable": False}, [0, 700], ["Bearer 1", "Bearer 1"]),
        ({"max_age": 60}, [0, 59, 60], ["Bearer 1", "Bearer 1", "Bearer 2"]),
    ],
)
def test_they_are_fetched_again_shortly_before_they_end(time, source, moments, tokens):
    assert tokens_over_time(time, Numbered(time, **source), moments) == tokens


def test_refused_ones_are_fetched_again_once_for_all_threads_that_were_refused(time):
    numbered = Numbered(time)
    credentials = Credentials(numbered.source, lambda: time.now)
    generation, _credential = credentials.current()
    barrier = threading.Barrier(8)

    def refused(_number):
        barrier.wait()
        return credentials.renew(generation)

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(refused, range(8))) == [True] * 8
    assert numbered.reads == 2


def test_fixed_ones_are_not_tried_again(time):
    credentials = Credentials(Numbered(time, renewable=False).source, lambda: time.now)
    assert credentials.renew(credentials.current()[0]) is False


def test_every_one_ever_sent_stays_secret(time):
    credentials = Credentials(Numbered(time).source, lambda: time.now)
    credentials.renew(credentials.current()[0])
    assert credentials.secrets == {"Bearer 1", "1", "Bearer 2", "2"}


def test_a_refused_token_file_is_read_again_and_the_request_sent_again(serve, cluster_of, tmp_path):
    (tmp_path / "token").write_text("old")
    kubeconfig = tmp_path / "config"
    server = serve(status(401, "Unauthorized", "Unauthorized"), Reply(body={"a": 1}), status(401, "Unauthorized", ""))
    kubeconfig.write_text(
        f"current-context: c\nclusters: [{{name: c, cluster: {{server: '{server.url}'}}}}]\n"
        "contexts: [{name: c, context: {cluster: c, user: u}}]\nusers: [{name: u, user: {tokenFile: token}}]\n"
    )
    cluster = cluster_of(server, {"host": None, "kubeconfig": str(kubeconfig)})
    (tmp_path / "token").write_text("new")
    assert cluster.get(API) == {"a": 1}
    assert [dict(seen.headers)["Authorization"] for seen in server.seen] == ["Bearer old", "Bearer new"]
    with pytest.raises(Unauthorized, match='does not accept the credentials of user "u" of kubeconfig file'):
        cluster.get(API)
    assert cluster.requests == 4


PAST = NOW - timedelta(hours=1)
EXPIRED = certificate(key(), end=PAST)


@pytest.mark.parametrize(
    ("credential", "hint"),
    [
        (Credential("Bearer opaque"), ""),
        (Credential("Basic " + token({"exp": 1})), ""),
        (Credential(), "none were sent, give a token (api_key), a client certificate or another context"),
        (
            Credential("Bearer " + token({"exp": 1_700_000_000})),
            "the token expired on 2023-11-14 at 22:13 UTC, renew the expired one",
        ),
        (
            Credential(certificate=EXPIRED),
            f"the client certificate expired on {PAST:%Y-%m-%d at %H:%M} UTC, renew the expired one",
        ),
        (Credential("Bearer t", certificate(key())), ""),
    ],
)
def test_a_refusal_is_explained_by_what_has_expired_or_is_missing(credential, hint):
    credentials = Credentials(Source("x", lambda: credential))
    credentials.current()
    assert credentials.hint() == hint


@pytest.mark.parametrize("text", ["", " ", "two words", "line\nbreak", "ü", "nul\0"])
def test_what_cannot_be_a_token_is_refused_without_being_shown(text):
    with pytest.raises(
        ConfigError, match="the token of api_key is empty or holds characters that no token has"
    ) as caught:
        bearer(text, "api_key")
    assert not text.strip() or text not in str(caught.value)


def test_space_around_a_token_is_dropped():
    assert bearer(" t\n", "api_key") == "Bearer t"
