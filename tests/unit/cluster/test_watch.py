# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A watch tells everything once and in order, whatever happens to its connections, and never dies without a word."""

from __future__ import annotations

import json
import queue
import threading
import time as clock

import pytest

from ansible_collections.restartx.core.plugins.module_utils.cluster import errors
from ansible_collections.restartx.core.plugins.module_utils.cluster.watch import Lost, Relisted, Watch
from tests.unit.cluster.server import Chunks, Reply, hang_up, silence, status

PODS = "/api/v1/namespaces/shop/pods"
SECONDS = 10  # more than any test needs


def line(kind, name, version):
    content = {"metadata": {"name": name, "resourceVersion": str(version)}}
    return json.dumps({"type": kind, "object": content}).encode() + b"\n"


def failure(code, message=""):
    return (
        json.dumps({"type": "ERROR", "object": {"kind": "Status", "code": code, "message": message}}).encode() + b"\n"
    )


def pods(*names, version):
    items = [{"metadata": {"name": name}} for name in names]
    return Reply(body={"kind": "PodList", "metadata": {"resourceVersion": str(version)}, "items": items})


def short(event):
    """What an event says, for comparison."""
    if isinstance(event, Relisted):
        return "Relisted", [item["metadata"]["name"] for item in event.items]
    if isinstance(event, Lost):
        return "Lost", type(event.error)
    return type(event).__name__, event.object["metadata"]["name"]


class Watched:
    """A watch that runs in its thread; what it delivers is taken one by one."""

    def __init__(self, cluster, version="1", params=None, **times):
        self.delivered = queue.SimpleQueue()
        self.stopped = threading.Event()
        self.watch = Watch(cluster, PODS, params, version, self.delivered.put, self.stopped, **times)
        self.thread = threading.Thread(target=self.watch.run, daemon=True)
        self.thread.start()

    def take(self, count):
        return [short(self.delivered.get(timeout=SECONDS)) for _number in range(count)]

    def stop(self):
        self.stopped.set()
        self.thread.join(SECONDS)
        assert not self.thread.is_alive()


class Pauses:
    """An event in whose place pauses are written down; set after `count` of them."""

    def __init__(self, count):
        self._event = threading.Event()
        self._count = count
        self.seconds = []

    def is_set(self):
        return self._event.is_set()

    def wait(self, seconds=None):
        if seconds is None:
            self._event.wait()
            return
        self.seconds.append(seconds)
        if len(self.seconds) == self._count:
            self._event.set()


@pytest.fixture
def watch(cluster_of):
    """Watch a server: watch(server, ...) -> Watched; pauses last no longer than `longest` real seconds."""
    running = []

    def start(server, version="1", params=None, first=0.5, longest=0.01, **times):
        running.append(Watched(cluster_of(server, first=first, longest=longest), version, params, **times))
        return running[-1]

    yield start
    for watched in running:
        watched.stop()


def test_events_are_told_in_order_and_the_next_answer_goes_on_from_the_last(serve, watch):
    first = Chunks((line("ADDED", "a", 2), line("MODIFIED", "a", 3), line("DELETED", "a", 4), line("BOOKMARK", "", 9)))
    server = serve(first, Chunks((line("MODIFIED", "b", 10),), "open"))
    watched = watch(server, params={"labelSelector": "a=b"})
    assert watched.take(4) == [("Changed", "a"), ("Changed", "a"), ("Removed", "a"), ("Changed", "b")]
    assert server.seen[0].params == {
        "watch": "true",
        "labelSelector": "a=b",
        "resourceVersion": "1",
        "allowWatchBookmarks": "true",
        "timeoutSeconds": "45",
    }
    assert [seen.params["resourceVersion"] for seen in server.seen] == ["1", "9"]


def test_it_says_each_time_the_server_has_agreed_to_it(serve, cluster_of):
    opened = []
    stopped = Pauses(3)
    server = serve(hang_up, Chunks((line("ADDED", "a", 2),)), status(503, "", ""))
    Watch(
        cluster_of(server), PODS, {}, "1", lambda event: None, stopped, opened=lambda: opened.append(len(server.seen))
    ).run()
    assert opened == [2]


def test_it_says_each_time_it_was_interrupted_by_what_may_pass(serve, cluster_of):
    errors = []
    stopped = Pauses(3)
    server = serve(hang_up, status(503, "", "busy"), Chunks((line("ADDED", "a", 2),)))
    watching = Watch(cluster_of(server), PODS, {}, "1", lambda event: None, stopped, interrupted=errors.append)
    watching.run()
    assert [error.status for error in errors] == [None, 503]


def test_without_a_version_the_whole_collection_is_told_first(serve, watch):
    server = serve(pods("a", "b", version=5), Chunks((line("MODIFIED", "a", 6),), "open"))
    assert watch(server, version=None).take(2) == [("Relisted", ["a", "b"]), ("Changed", "a")]
    assert server.seen[1].params["resourceVersion"] == "5"


def test_a_line_may_be_split_anywhere_and_lines_may_come_together(serve, watch):
    text = line("ADDED", "a", 2) + line("ADDED", "ä" * 3, 3) + line("DELETED", "b", 4)
    pieces = [text[at : at + 7] for at in range(0, len(text), 7)]
    expected = [("Changed", "a"), ("Changed", "äää"), ("Removed", "b")]
    assert watch(serve(Chunks(tuple(pieces), "open"))).take(3) == expected
    assert watch(serve(Chunks((text,), "open"))).take(3) == expected


def test_an_answer_that_is_not_chunked_is_read_as_it_comes(serve, watch):
    def plain(handler):
        handler.send_response(200)
        handler.send_header("Connection", "close")
        handler.end_headers()
        handler.wfile.write(line("ADDED", "a", 2))
        handler.server.over.wait()

    assert watch(serve(plain), server_seconds=0, grace_seconds=0.5).take(1) == [("Changed", "a")]


@pytest.mark.parametrize(
    "broken",
    [
        Chunks((line("ADDED", "a", 2), b'{"type": "ADDED", "obj'), "broken"),
        Chunks((line("ADDED", "a", 2), b'{"type": "ADDED", "obj'), "proper"),
        Chunks((line("ADDED", "a", 2),), "cut"),
        Chunks((line("ADDED", "a", 2), b"<html>\n"), "proper"),
    ],
    ids=["in a chunk", "in a line", "after a line", "with rubbish"],
)
def test_an_answer_that_breaks_off_loses_nothing_and_tells_nothing_twice(serve, watch, broken):
    server = serve(broken, Chunks((line("ADDED", "b", 3),), "open"))
    assert watch(server).take(2) == [("Changed", "a"), ("Changed", "b")]
    assert [seen.params["resourceVersion"] for seen in server.seen] == ["1", "2"]


@pytest.mark.parametrize("failing", [hang_up, status(503, "ServiceUnavailable", ""), Reply(429, b""), Reply(500, b"")])
def test_a_server_that_fails_is_asked_again_from_the_same_version(serve, watch, failing):
    server = serve(failing, failing, Chunks((line("ADDED", "a", 3),), "open"))
    assert watch(server, version="2").take(1) == [("Changed", "a")]
    assert [seen.params["resourceVersion"] for seen in server.seen] == ["2", "2", "2"]


def test_a_silent_connection_is_given_up_and_replaced(serve, watch):
    server = serve(Chunks((line("ADDED", "a", 2),), "open"), Chunks((line("ADDED", "b", 3),), "open"))
    watched = watch(server, server_seconds=0, grace_seconds=0.2)
    assert watched.take(2) == [("Changed", "a"), ("Changed", "b")]
    assert server.seen[1].params["resourceVersion"] == "2"


@pytest.mark.parametrize("gone", [status(410, "Expired", "too old"), Chunks((failure(410, "too old"),))])
def test_what_the_server_forgot_is_listed_again(serve, watch, gone):
    server = serve(gone, pods("b", version=90), Chunks((line("MODIFIED", "b", 91),), "open"))
    assert watch(server, params={"labelSelector": "x=y"}).take(2) == [("Relisted", ["b"]), ("Changed", "b")]
    assert [(seen.params.get("watch"), seen.params.get("resourceVersion")) for seen in server.seen] == [
        ("true", "1"),
        (None, None),
        ("true", "90"),
    ]
    assert all(seen.params["labelSelector"] == "x=y" for seen in server.seen)


def test_a_list_that_fails_is_tried_again_until_it_succeeds(serve, watch):
    server = serve(status(503, "", ""), hang_up, pods("a", version=3), Chunks((), "open"))
    assert watch(server, version=None).take(1) == [("Relisted", ["a"])]


def test_a_version_the_server_keeps_failing_on_is_dropped(serve, watch):
    too_large = status(504, "Timeout", "Too large resource version: 900, current: 7")
    server = serve(too_large, too_large, too_large, pods("a", version=7), Chunks((), "open"))
    assert watch(server, version="900").take(1) == [("Relisted", ["a"])]


@pytest.mark.parametrize(
    ("script", "pauses"),
    [
        ((Chunks(()),), [0.25, 0.5, 1.0, 2.0]),
        ((hang_up,), [0.25, 0.5, 1.0, 2.0]),
        ((Reply(429, b"", {"Retry-After": "7"}),), [7.25, 7.25, 7.25, 7.25]),
        ((status(410, "Expired", ""), pods(version=1), status(410, "Expired", "")), [0.0, 0.5, 1.0, 2.0]),
        ((hang_up, hang_up, Chunks((line("ADDED", "a", 2),)), hang_up), [0.25, 0.5, 0.0, 0.25]),
        ((hang_up, hang_up, Chunks((line("ADDED", "a", 2),), "broken"), hang_up), [0.25, 0.5, 0.25, 0.5]),
    ],
    ids=["empty answers", "no answers", "asked to wait", "forgotten at once", "a success", "half a success"],
)
def test_failures_in_a_row_are_followed_by_longer_and_longer_pauses(serve, cluster_of, script, pauses):
    stopped = Pauses(len(pauses))
    Watch(cluster_of(serve(*script)), PODS, {}, "1", lambda event: None, stopped).run()
    assert stopped.seconds == pauses


@pytest.mark.parametrize(
    "reply", [status(403, "Forbidden", ""), status(401, "", ""), status(404, "", ""), status(400, "", "")]
)
def test_what_waiting_cannot_heal_ends_the_watch_with_the_error(serve, watch, reply):
    watched = watch(serve(reply))
    (event,) = watched.take(1)
    assert event == (
        "Lost",
        {400: errors.Invalid, 401: errors.Unauthorized, 403: errors.Forbidden, 404: errors.NotFound}[reply.status],
    )
    watched.thread.join(SECONDS)
    assert not watched.thread.is_alive()


def test_an_error_in_the_middle_of_an_answer_is_judged_like_one_before_it(serve, watch):
    refused = Chunks((line("ADDED", "a", 2), failure(403, "no more")))
    assert watch(serve(refused)).take(2) == [("Changed", "a"), ("Lost", errors.Forbidden)]
    server = serve(Chunks((failure(500, "etcd"),)), Chunks((line("ADDED", "a", 2),), "open"))
    assert watch(server).take(1) == [("Changed", "a")]


def test_an_error_nobody_foresaw_is_told_too(serve, cluster_of):
    delivered = []

    def deliver(event):
        delivered.append(event)
        if len(delivered) == 1:
            raise RuntimeError("a bug")

    Watch(cluster_of(serve(Chunks((line("ADDED", "a", 2),)))), PODS, {}, "1", deliver, threading.Event()).run()
    assert isinstance(delivered[-1], Lost)
    assert isinstance(delivered[-1].error, RuntimeError)


@pytest.mark.parametrize(
    "reply", [Chunks((line("ADDED", "a", 2),), "open"), status(503, "", "")], ids=["reading", "pausing"]
)
def test_stopping_ends_it_promptly_and_without_a_word(serve, watch, reply):
    server = serve(reply)
    watched = watch(server, first=600, longest=600)
    if isinstance(reply, Chunks):
        watched.take(1)
    assert server.asked.wait(SECONDS)
    began = clock.monotonic()
    watched.stop()
    assert clock.monotonic() - began < 1
    assert watched.delivered.empty()


def test_a_watch_that_is_stopped_while_it_reads_tells_of_no_interruption(serve, cluster_of, time):
    server = serve(Chunks((line("ADDED", "b", 3),), "open"))
    assert watched_after_a_start(cluster_of(server), Meanwhile(time)) == ([("Changed", "b")], [])


def test_a_watch_stopped_before_it_began_asks_nothing(serve, cluster_of):
    server = serve(silence)
    stopped = threading.Event()
    stopped.set()
    Watch(cluster_of(server), PODS, {}, "1", lambda event: None, stopped).run()
    assert server.seen == []


class Meanwhile(Pauses):
    """An event that is waited for in fake time; `action` is what happens during the first pause."""

    def __init__(self, time, action=lambda: None):
        super().__init__(None)
        self._time = time
        self._action = action

    def wait(self, seconds=None):
        super().wait(seconds)
        if seconds:
            self._time.now += seconds
            self._action, action = lambda: None, self._action
            action()


def watched_after_a_start(cluster, stopped):
    """What a watch tells that is stopped when it has told the object "b"; its errors in between."""
    told, troubles = [], []

    def deliver(event):
        told.append(short(event))
        if told[-1][1] == "b":
            stopped._event.set()

    Watch(cluster, PODS, {}, "1", deliver, stopped, interrupted=troubles.append).run()
    return told, troubles


UNAUTHORIZED = status(401, "Unauthorized", "")


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (UNAUTHORIZED, errors.Unauthorized),
        (status(500, "InternalError", "etcd"), errors.ServerFailed),
        (status(429, "TooManyRequests", ""), errors.Throttled),
        (hang_up, errors.Unreachable),
        (Chunks((failure(401),)), errors.Unauthorized),
        (Chunks((failure(500),)), errors.ServerFailed),
    ],
    ids=["401", "500", "429", "no answer", "401 in the answer", "500 in the answer"],
)
def test_a_fault_that_passes_does_not_end_the_watch(serve, cluster_of, time, fault, kind):
    server = serve(Chunks((line("ADDED", "a", 2),)), fault, fault, Chunks((line("ADDED", "b", 3),)))
    told, troubles = watched_after_a_start(cluster_of(server, {"api_key": "t"}), Meanwhile(time))
    assert told == [("Changed", "a"), ("Changed", "b")]
    assert [type(error) for error in troubles] == [kind, kind]


def test_a_credential_plugin_that_fails_once_does_not_end_the_watch(serve, cluster_of, plugin, time):
    server = serve(Chunks((line("ADDED", "a", 2),)), UNAUTHORIZED, Chunks((line("ADDED", "b", 3),)))
    options, broken = plugin(server)
    cluster = cluster_of(server, options)
    broken.touch()
    told, troubles = watched_after_a_start(cluster, Meanwhile(time, broken.unlink))
    assert told == [("Changed", "a"), ("Changed", "b")]
    assert [type(error) for error in troubles] == [errors.CredentialPlugin]


def test_a_server_that_refuses_connections_for_a_while_does_not_end_the_watch(serve, cluster_of, time):
    server = serve()
    server.close()
    again = Meanwhile(time, lambda: serve(Chunks((line("ADDED", "b", 3),)), port=server.server_port))
    told, troubles = watched_after_a_start(cluster_of(server), again)
    assert told == [("Changed", "b")]
    assert ["connection refused" in str(error) for error in troubles] == [True]


@pytest.mark.parametrize("kind", [errors.Unauthorized, errors.CredentialPlugin])
def test_a_fault_that_lasts_ends_the_watch_with_its_sentence(serve, cluster_of, plugin, time, kind):
    server = serve(Chunks((line("ADDED", "a", 2),)), UNAUTHORIZED)
    options, broken = plugin(server)
    cluster = cluster_of(server, options)
    if kind is errors.CredentialPlugin:
        broken.touch()
    began = time.now
    told, troubles = watched_after_a_start(cluster, Meanwhile(time))
    assert told == [("Changed", "a"), ("Lost", kind)]
    assert len(troubles) > 3
    assert time.now - began < 400
