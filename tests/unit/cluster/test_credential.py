# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Credentials are fetched again before they end, when they are refused, and by one thread only."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from ansible_collections.restartx.core.plugins.module_utils.cluster.credential import (
    TRANSIENT_SECONDS,
    Credential,
    Credentials,
    Source,
    bearer,
)
from ansible_collections.restartx.core.plugins.module_utils.cluster.errors import (
    ConfigError,
    CredentialPlugin,
    Unauthorized,
)
from tests.unit.cluster.pki import NOW, certificate, key
from tests.unit.cluster.server import Reply, status
from tests.unit.cluster.test_certificate import token

SECONDS = 10  # more than any test needs
API = "/apis/apps/v1/namespaces/shop/deployments/api"


def at_once(call):
    """In place of a thread in the background."""
    call()


class Numbered:
    """A source of the tokens 1, 2, 3 ... Each lasts for `life` seconds from its fetch. Set `failure` to have it fail."""

    def __init__(self, time, life=None, **source):
        self.fetches = 0
        self.failure = None
        self._time = time
        self._life = life
        self.source = Source("user x", self.fetch, **{"renewable": True, **source})

    def fetch(self):
        self.fetches += 1
        if self.failure:
            raise self.failure
        expires = None if self._life is None else self._time.now + self._life
        return Credential(f"Bearer {self.fetches}", expires=expires)


class Hanging(Numbered):
    """As Numbered; while `hangs` is set, a fetch lasts until `over` is."""

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.hangs = False
        self.begun, self.over = threading.Event(), threading.Event()

    def fetch(self):
        if self.hangs:
            self.begun.set()
            assert self.over.wait(SECONDS)
        return super().fetch()


def tokens_over_time(time, numbered, moments):
    credentials = Credentials(numbered.source, lambda: time.now, at_once)
    start, tokens = time.now, []
    for moment in moments:
        time.now = start + moment
        tokens.append(credentials.current()[1].authorization.removeprefix("Bearer "))
    return tokens


@pytest.mark.parametrize(
    ("source", "moments", "tokens"),
    [
        ({}, [0, 10**6], "11"),
        ({"life": 600}, [0, 449, 450, 451, 899, 900], "112223"),
        ({"life": 3600}, [0, 3299, 3300], "112"),
        ({"life": 60}, [0, 44, 45], "112"),
        ({"life": 600}, [0, 700], "12"),
        ({"life": 600, "renewable": False}, [0, 700], "11"),
        ({"life": -5}, [0, 0], "12"),
        ({"max_age": 60}, [0, 59, 60], "112"),
    ],
)
def test_they_are_renewed_well_before_they_end(time, source, moments, tokens):
    assert tokens_over_time(time, Numbered(time, **source), moments) == list(tokens)


def test_a_plugin_that_hangs_delays_no_request_while_the_old_credential_is_valid(time):
    hanging = Hanging(time, life=600)
    credentials = Credentials(hanging.source, lambda: time.now)
    credentials.current()
    hanging.hangs = True
    time.now += 450
    for _request in range(3):
        assert credentials.current()[1].authorization == "Bearer 1"
    assert hanging.begun.wait(SECONDS)
    time.now += 149
    assert credentials.current()[1].authorization == "Bearer 1"
    hanging.over.set()
    time.now += 1  # the old one has ended: what is under way is waited for, and not begun a second time
    assert credentials.current(SECONDS)[1].authorization == "Bearer 2"
    assert hanging.fetches == 2


def test_a_request_waits_for_a_plugin_that_hangs_no_longer_than_for_an_answer(time):
    hanging = Hanging(time, life=600)
    credentials = Credentials(hanging.source, lambda: time.now)
    generation, _credential = credentials.current()
    hanging.hangs = True
    with pytest.raises(CredentialPlugin, match="no new credentials of user x came within 0 seconds") as caught:
        credentials.renew(generation, 0.01)
    assert caught.value.transient
    hanging.over.set()
    assert credentials.renew(generation, SECONDS)


def test_a_renewal_that_fails_ahead_of_time_is_repeated_after_a_pause_and_harms_nobody(time):
    numbered = Numbered(time, life=600)
    credentials = Credentials(numbered.source, lambda: time.now, at_once)
    credentials.current()
    numbered.failure = CredentialPlugin("the plugin failed")
    fetches = []
    for seconds in (450, 1, 8, 1, 9, 1):
        time.now += seconds
        assert credentials.current()[1].authorization == "Bearer 1"
        fetches.append(numbered.fetches)
    assert fetches == [2, 2, 2, 3, 3, 4]
    numbered.failure = None
    time.now += 10
    credentials.current()
    assert credentials.current()[1].authorization == "Bearer 5"


@pytest.mark.parametrize("failure", [CredentialPlugin("the plugin failed"), ConfigError("cannot read the token file")])
def test_what_fails_after_it_worked_is_taken_for_a_passing_fault_for_a_while(time, failure):
    numbered = Numbered(time, life=600)
    credentials = Credentials(numbered.source, lambda: time.now, at_once)
    credentials.current()
    numbered.failure = failure
    found = []
    for seconds in (600, 1, TRANSIENT_SECONDS - 2, 1):
        time.now += seconds
        with pytest.raises(type(failure), match=str(failure)) as caught:
            credentials.current()
        found.append(caught.value.transient)
    assert found == [True, True, True, False]
    numbered.failure = None
    credentials.current()
    numbered.failure = failure  # a new fault, after it worked again
    time.now += 600
    with pytest.raises(type(failure)) as caught:
        credentials.current()
    assert caught.value.transient


def test_what_never_worked_is_a_lasting_fault(time):
    numbered = Numbered(time)
    numbered.failure = CredentialPlugin("the plugin failed")
    with pytest.raises(CredentialPlugin) as caught:
        Credentials(numbered.source, lambda: time.now).current()
    assert not caught.value.transient


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
    assert numbered.fetches == 2


def test_a_fault_is_told_to_all_threads_that_wait_each_with_an_error_of_its_own(time):
    hanging = Hanging(time, life=600)
    credentials = Credentials(hanging.source, lambda: time.now)
    credentials.current()
    hanging.hangs, hanging.failure = True, CredentialPlugin("the plugin failed")
    time.now += 600

    def failure(_number):
        with pytest.raises(CredentialPlugin) as caught:
            credentials.current()
        return caught.value

    with ThreadPoolExecutor(4) as pool:
        waiting = [pool.submit(failure, number) for number in range(4)]
        assert hanging.begun.wait(SECONDS)
        hanging.over.set()
        assert len({id(each.result(SECONDS)) for each in waiting}) == 4


def test_fixed_ones_are_not_tried_again(time):
    credentials = Credentials(Numbered(time, renewable=False).source, lambda: time.now)
    assert credentials.renew(credentials.current()[0]) is False


def test_every_one_ever_sent_stays_secret(time):
    credentials = Credentials(Numbered(time).source, lambda: time.now)
    credentials.renew(credentials.current()[0])
    assert credentials.secrets == {"Bearer 1", "1", "Bearer 2", "2"}


def test_a_bug_in_a_source_is_not_dressed_up(time):
    numbered = Numbered(time)
    numbered.failure = KeyError("a bug")
    with pytest.raises(KeyError):
        Credentials(numbered.source, lambda: time.now).current()


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
        cluster.request("GET", API, attempts=1)
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
            "the token expired on 2023-11-14 at 22:13 UTC; renew it",
        ),
        (
            Credential(certificate=EXPIRED),
            f"the client certificate expired on {PAST:%Y-%m-%d at %H:%M} UTC; renew it",
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
