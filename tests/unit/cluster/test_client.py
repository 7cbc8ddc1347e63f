# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is sent, what comes back, and what is sent again."""

from __future__ import annotations

import gzip
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import yaml

from ansible_collections.restartx.core.plugins.module_utils.cluster import errors
from ansible_collections.restartx.core.plugins.module_utils.cluster.connection import USER_AGENT
from tests.unit.cluster.server import Chunks, Reply, hang_up, silence, status

DEPLOYMENTS = "/apis/apps/v1/namespaces/shop/deployments"
API = f"{DEPLOYMENTS}/api"
BUSY = status(429, "TooManyRequests", "too many requests")
DOWN = status(503, "ServiceUnavailable", "apiserver is shutting down")


def page(*names, following=None, version="7"):
    metadata = {"resourceVersion": version, **({"continue": following} if following else {})}
    items = [{"metadata": {"name": name}} for name in names]
    return Reply(body={"apiVersion": "apps/v1", "kind": "DeploymentList", "metadata": metadata, "items": items})


class TestRequests:
    @pytest.mark.parametrize(
        ("call", "method", "params", "content", "body"),
        [
            (lambda c: c.get(API), "GET", {}, None, None),
            (lambda c: c.get(API, {"a": True, "b": None}), "GET", {"a": "true"}, None, None),
            (
                lambda c: c.patch(API, {"spec": {}}, "strategic", field_manager="restartx"),
                "PATCH",
                {"fieldManager": "restartx"},
                "application/strategic-merge-patch+json",
                {"spec": {}},
            ),
            (lambda c: c.patch(API, {}, "merge"), "PATCH", {}, "application/merge-patch+json", {}),
            (
                lambda c: c.patch(API, [{"op": "test"}], "json", dry_run=True),
                "PATCH",
                {"dryRun": "All"},
                "application/json-patch+json",
                [{"op": "test"}],
            ),
            (lambda c: c.create(DEPLOYMENTS, {"a": 1}), "POST", {}, "application/json", {"a": 1}),
            (lambda c: c.replace(API, {"a": 1}), "PUT", {}, "application/json", {"a": 1}),
            (lambda c: c.delete(API, dry_run=True), "DELETE", {"dryRun": "All"}, None, None),
            (
                lambda c: c.delete(API, {"gracePeriodSeconds": 0}),
                "DELETE",
                {},
                "application/json",
                {"gracePeriodSeconds": 0},
            ),
        ],
    )
    def test_each_verb_sends_its_method_parameters_content_type_and_body(
        self, serve, cluster_of, call, method, params, content, body
    ):
        server = serve(Reply(body={"answer": 1}))
        assert call(cluster_of(server)) == {"answer": 1}
        (seen,) = server.seen
        assert (seen.method, seen.params, seen.body) == (method, params, body)
        assert dict(seen.headers).get("Content-Type") == content

    def test_the_user_agent_names_the_collection_and_its_version(self, serve, cluster_of):
        galaxy = yaml.safe_load((Path(__file__).parents[3] / "galaxy.yml").read_text())
        server = serve(Reply())
        cluster_of(server).get("/version")
        assert dict(server.seen[0].headers)["User-Agent"] == USER_AGENT == f"restartx/{galaxy['version']}"

    def test_every_impersonated_group_is_a_header_of_its_own(self, serve, cluster_of):
        server = serve(Reply())
        cluster_of(server, {"impersonate_user": "eve", "impersonate_groups": ["dev", "ops"]}).patch(API, {}, "merge")
        sent = [pair for pair in server.seen[0].headers if pair[0].startswith("Impersonate")]
        assert sent == [("Impersonate-User", "eve"), ("Impersonate-Group", "dev"), ("Impersonate-Group", "ops")]

    def test_a_path_prefix_of_the_host_is_kept(self, serve, cluster_of):
        server = serve(Reply())
        cluster_of(server, {"host": f"{server.url}/k8s/clusters/c-1/"}).get("/version")
        assert server.seen[0].path == "/k8s/clusters/c-1/version"

    @pytest.mark.parametrize("path", ["pods", f"{DEPLOYMENTS}/..", f"{DEPLOYMENTS}//x", f"{DEPLOYMENTS}/.", f"{API}/"])
    def test_a_path_that_would_reach_another_object_is_refused_unsent(self, serve, cluster_of, path):
        server = serve(Reply())
        with pytest.raises(errors.Invalid, match="is not a path of the API"):
            cluster_of(server).delete(path)
        assert server.seen == []

    def test_characters_of_a_name_that_mean_something_in_urls_stay_part_of_the_name(self, serve, cluster_of):
        server = serve(Reply())
        cluster_of(server).get(f"{DEPLOYMENTS}/a?b#c d")
        assert server.seen[0].path == f"{DEPLOYMENTS}/a%3Fb%23c%20d"

    def test_compressed_answers_are_asked_for_and_understood(self, serve, cluster_of):
        body = gzip.compress(json.dumps({"a": "x" * 1000}).encode())
        server = serve(Reply(body=body, headers={"Content-Encoding": "gzip"}))
        assert cluster_of(server).get(API) == {"a": "x" * 1000}
        assert dict(server.seen[0].headers)["Accept-Encoding"] == "gzip"

    def test_warnings_of_the_server_are_kept_once_each(self, serve, cluster_of):
        header = {"Warning": r'299 - "apps/v1beta1 is \"old\"", 299 - "and, deprecated"'}
        cluster = cluster_of(serve(Reply(headers=header)))
        cluster.get(API)
        cluster.get(API)
        assert cluster.warnings == ['apps/v1beta1 is "old"', "and, deprecated"]

    def test_requests_are_counted_across_threads(self, serve, cluster_of):
        server = serve(Reply())
        cluster = cluster_of(server)
        with ThreadPoolExecutor(16) as pool:
            list(pool.map(lambda _number: cluster.get(API), range(100)))
        assert cluster.requests == len(server.seen) == 100

    def test_an_answer_that_is_no_json_object_says_what_to_check(self, serve, cluster_of):
        with pytest.raises(errors.ServerFailed, match="the address of a Kubernetes API server"):
            cluster_of(serve(Reply(body=b"<html>Log in</html>"))).get(API)

    def test_a_secret_that_the_server_repeats_is_not_shown(self, serve, cluster_of):
        server = serve(status(400, "BadRequest", "you sent Bearer hush-hush, and 'hush-hush' is no good"))
        with pytest.raises(errors.Invalid) as caught:
            cluster_of(server, {"api_key": "hush-hush"}).get(API)
        assert "hush" not in str(caught.value)
        assert "is no good" in str(caught.value)

    def test_a_redirect_is_not_followed(self, serve, cluster_of):
        server = serve(Reply(302, headers={"Location": "/login"}))
        with pytest.raises(errors.ClusterError, match="redirects .* give the API server's own address"):
            cluster_of(server).get(API)
        assert len(server.seen) == 1


class TestText:
    LOG = "/api/v1/namespaces/shop/pods/api-1/log"

    @pytest.mark.parametrize("answer", [Reply(body=b"one\ntwo\n"), Chunks((b"one\nt", b"wo\n"))])
    def test_lines_come_as_they_are(self, serve, cluster_of, answer):
        server = serve(answer)
        assert cluster_of(server).text(self.LOG, {"previous": True, "tailLines": 2}) == "one\ntwo"
        assert server.seen[0].params == {"previous": "true", "tailLines": "2"}

    def test_what_is_no_text_does_no_harm(self, serve, cluster_of):
        assert cluster_of(serve(Reply(body=b"\xff\n"))).text(self.LOG) == "\ufffd"

    def test_a_failure_is_told_at_once(self, serve, cluster_of, time):
        server = serve(DOWN)
        with pytest.raises(errors.ServerFailed):
            cluster_of(server).text(self.LOG)
        assert len(server.seen) == 1 and time.slept == []


class TestLists:
    def test_items_get_the_kind_that_lists_leave_out(self, serve, cluster_of):
        listing = cluster_of(serve(page("api", "web"))).list(DEPLOYMENTS, {"labelSelector": "a=b"})
        assert [(item["kind"], item["apiVersion"], item["metadata"]["name"]) for item in listing.items] == [
            ("Deployment", "apps/v1", "api"),
            ("Deployment", "apps/v1", "web"),
        ]
        assert listing.resource_version == "7"

    def test_pages_are_followed_to_the_last(self, serve, cluster_of):
        server = serve(page("a", following="t1"), page("b", following="t2"), page("c"))
        listing = cluster_of(server).list(DEPLOYMENTS, {"labelSelector": "a=b"})
        assert [item["metadata"]["name"] for item in listing.items] == ["a", "b", "c"]
        assert [seen.params for seen in server.seen] == [
            {"labelSelector": "a=b", "limit": "1000"},
            {"labelSelector": "a=b", "limit": "1000", "continue": "t1"},
            {"labelSelector": "a=b", "limit": "1000", "continue": "t2"},
        ]

    def test_pages_that_expired_on_the_way_are_replaced_by_one_whole_list(self, serve, cluster_of):
        gone = status(410, "Expired", "the provided continue parameter is too old")
        server = serve(page("a", following="t1"), gone, page("a", "b", version="9"))
        listing = cluster_of(server).list(DEPLOYMENTS)
        assert ([item["metadata"]["name"] for item in listing.items], listing.resource_version) == (["a", "b"], "9")
        assert server.seen[-1].params == {}

    def test_a_list_of_nothing_has_no_items(self, serve, cluster_of):
        body = {"kind": "DeploymentList", "metadata": {"resourceVersion": "3"}, "items": None}
        assert cluster_of(serve(Reply(body=body))).list(DEPLOYMENTS).items == []


class TestIdentity:
    def test_it_is_the_uid_of_kube_system_and_asked_for_once(self, serve, cluster_of):
        server = serve(Reply(body={"metadata": {"uid": "u-1"}}))
        cluster = cluster_of(server)
        assert [cluster.uid(), cluster.uid()] == ["u-1", "u-1"]
        assert [seen.path for seen in server.seen] == ["/api/v1/namespaces/kube-system"]

    def test_it_is_unknown_where_we_may_not_ask(self, serve, cluster_of):
        assert cluster_of(serve(status(403, "Forbidden", "no"))).uid() is None


class TestRepetition:
    @pytest.mark.parametrize("call", ["get", "patch", "replace", "create", "delete"])
    def test_too_many_requests_is_waited_for_as_long_as_the_server_asks(self, serve, cluster_of, time, call):
        server = serve(Reply(429, b"", {"Retry-After": "7"}), BUSY, Reply(body={"done": 1}))
        arguments = {"patch": ({}, "merge"), "replace": ({},), "create": ({},)}.get(call, ())
        assert getattr(cluster_of(server), call)(API, *arguments) == {"done": 1}
        assert time.slept == [7 + 0.5 * 0.5, 0.5 * 1.0]

    def test_a_date_in_retry_after_is_understood(self, serve, cluster_of, time):
        time.now = 1_000_000_000.0  # Sun, 09 Sep 2001 01:46:40 GMT
        server = serve(Reply(503, b"", {"Retry-After": "Sun, 09 Sep 2001 01:46:52 GMT"}), Reply())
        cluster_of(server).get(API)
        assert time.slept == [12 + 0.5 * 0.5]

    def test_failures_of_the_server_are_waited_for_longer_each_time(self, serve, cluster_of, time):
        cluster_of(serve(DOWN, DOWN, DOWN, DOWN, Reply())).get(API)
        assert time.slept == [0.25, 0.5, 1.0, 2.0]

    def test_after_the_last_attempt_the_error_is_told(self, serve, cluster_of, time):
        server = serve(BUSY)
        with pytest.raises(errors.Throttled):
            cluster_of(server, attempts=3).get(API)
        assert len(server.seen) == 3

    def test_no_pause_reaches_beyond_the_deadline(self, serve, cluster_of, time):
        server = serve(Reply(429, b"", {"Retry-After": "7"}))
        with pytest.raises(errors.Throttled):
            cluster_of(server).get(API, deadline=time.now + 20)
        assert len(time.slept) == 2

    @pytest.mark.parametrize("code", [400, 401, 403, 404, 409, 410, 422, 501])
    def test_what_waiting_cannot_heal_is_asked_once(self, serve, cluster_of, time, code):
        server = serve(status(code, "Whatever", "no"))
        with pytest.raises(errors.ClusterError):
            cluster_of(server, {"api_key": "t"}).get(API)
        assert (len(server.seen), time.slept) == (1, [])

    @pytest.mark.parametrize("lost", [hang_up, status(500, "InternalError", "etcd"), Chunks((b"{",), "broken")])
    @pytest.mark.parametrize(
        ("call", "arguments", "times"),
        [
            ("get", (), 2),
            ("patch", ({}, "strategic"), 2),
            ("replace", ({},), 2),
            ("delete", (), 2),
            ("create", ({},), 1),
        ],
    )
    def test_after_a_lost_answer_all_but_creations_are_sent_again(
        self, serve, cluster_of, lost, call, arguments, times
    ):
        server = serve(lost, Reply())
        call = getattr(cluster_of(server), call)
        if times == 1:
            with pytest.raises(errors.ClusterError):
                call(API, *arguments)
        else:
            call(API, *arguments)
        assert len(server.seen) == times

    @pytest.mark.parametrize("safe", [{"resend": True}, {"dry_run": True}])
    def test_a_creation_known_to_be_harmless_is_sent_again(self, serve, cluster_of, safe):
        server = serve(hang_up, Reply(body={"a": 1}))
        assert cluster_of(server).create(DEPLOYMENTS, {}, **safe) == {"a": 1}

    def test_a_creation_the_server_asks_to_repeat_is_repeated(self, serve, cluster_of):
        server = serve(Reply(503, b"", {"Retry-After": "1"}), Reply(body={"a": 1}))
        assert cluster_of(server).create(DEPLOYMENTS, {}) == {"a": 1}

    def test_a_server_that_never_answered_is_given_up_soon(self, serve, cluster_of, time):
        server = serve(hang_up)
        with pytest.raises(errors.Unreachable, match="the connection broke"):
            cluster_of(server).get(API)
        assert len(server.seen) == 3

    def test_a_server_that_answered_before_is_waited_for(self, serve, cluster_of, time):
        server = serve(Reply(), hang_up)
        cluster = cluster_of(server)
        cluster.get(API)
        with pytest.raises(errors.Unreachable):
            cluster.get(API)
        assert len(server.seen) == 1 + 10

    def test_a_silent_server_is_given_up_at_the_deadline(self, serve, cluster_of, time):
        server = serve(silence)
        with pytest.raises(errors.Unreachable, match="connected, but no answer in time"):
            cluster_of(server).get(API, deadline=time.now)
        assert len(server.seen) == 1

    def test_when_one_connection_has_fallen_silent_the_others_of_the_pool_are_not_trusted(
        self, serve, cluster_of, time
    ):
        ports, both = [], threading.Barrier(2)

        def note(handler):
            both.wait()
            ports.append(handler.client_address[1])
            Reply()(handler)

        server = serve(note, note, silence, note)
        cluster = cluster_of(server)
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(cluster.get, [API, API]))
            with pytest.raises(errors.Unreachable):
                cluster.get(API, deadline=time.now)
            list(pool.map(cluster.get, [API, API]))
        assert len(set(ports)) == 4


class Answers:
    """A `permitted` that gives these answers in turn, the last one for all that follow."""

    def __init__(self, *answers):
        self._answers = list(answers)
        self.asked = 0

    def __call__(self):
        self.asked += 1
        return self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]


WRITING = {
    "patch": lambda cluster, permitted: cluster.patch(API, {}, "merge", permitted=permitted),
    "create": lambda cluster, permitted: cluster.create(DEPLOYMENTS, {}, permitted=permitted),
    "replace": lambda cluster, permitted: cluster.replace(API, {}, permitted=permitted),
    "delete": lambda cluster, permitted: cluster.delete(API, permitted=permitted),
}
UNAUTHORIZED = status(401, "Unauthorized", "")


@pytest.mark.parametrize("write", WRITING.values(), ids=WRITING)
class TestPermission:
    """Before each sending the caller is asked whether the request may still be sent."""

    def test_a_request_that_is_not_permitted_is_not_sent(self, serve, cluster_of, write):
        server, permitted = serve(Reply()), Answers("the window closed")
        with pytest.raises(errors.NotPermitted) as caught:
            write(cluster_of(server), permitted)
        assert (caught.value.why, str(caught.value)) == ("the window closed", "the window closed")
        assert (caught.value.ambiguous, permitted.asked, server.seen) == (False, 1, [])

    def test_a_request_that_is_permitted_is_sent(self, serve, cluster_of, write):
        server, permitted = serve(Reply(body={"a": 1})), Answers(None)
        assert write(cluster_of(server), permitted) == {"a": 1}
        assert (permitted.asked, len(server.seen)) == (1, 1)

    @pytest.mark.parametrize("answer", [BUSY, Reply(503, b"", {"Retry-After": "1"})])
    def test_it_is_asked_again_before_each_repetition(self, serve, cluster_of, write, answer):
        server, permitted = serve(answer), Answers(None, None, "the lock was lost")
        with pytest.raises(errors.NotPermitted, match="^the lock was lost$") as caught:
            write(cluster_of(server), permitted)
        assert (caught.value.ambiguous, permitted.asked, len(server.seen)) == (False, 3, 2)

    def test_it_is_asked_again_after_the_credentials_were_renewed(self, serve, cluster_of, write, tmp_path):
        (tmp_path / "token").write_text("one")
        config = {
            "current-context": "c",
            "clusters": [{"name": "c", "cluster": {"server": "set below"}}],
            "users": [{"name": "u", "user": {"tokenFile": str(tmp_path / "token")}}],
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        }
        server, permitted = serve(UNAUTHORIZED, Reply()), Answers(None, "the window closed")
        config["clusters"][0]["cluster"]["server"] = server.url
        with pytest.raises(errors.NotPermitted):
            write(cluster_of(server, {"host": None, "kubeconfig": config}), permitted)
        assert (permitted.asked, len(server.seen)) == (2, 1)


@pytest.mark.parametrize("lost", [hang_up, status(500, "InternalError", "etcd"), Chunks((b"{",), "broken")])
@pytest.mark.parametrize("name", ["patch", "replace", "delete"])
def test_a_refusal_tells_when_an_earlier_copy_may_have_been_carried_out(serve, cluster_of, name, lost):
    server = serve(lost, BUSY)
    with pytest.raises(errors.NotPermitted) as caught:
        WRITING[name](cluster_of(server), Answers(None, None, "the window closed"))
    assert len(server.seen) == 2
    assert (caught.value.why, caught.value.ambiguous) == ("the window closed", True)
    assert str(caught.value).startswith("the window closed; an earlier copy of the request was sent without an answer")


@pytest.mark.parametrize("lost", [hang_up, status(500, "InternalError", "etcd"), Chunks((b"{",), "broken")])
@pytest.mark.parametrize("name", WRITING)
def test_a_change_whose_answer_was_lost_is_told_as_one_that_may_have_been_made(serve, cluster_of, name, lost):
    with pytest.raises(errors.ClusterError) as caught:
        WRITING[name](cluster_of(serve(lost), attempts=1), None)
    assert caught.value.ambiguous
    assert str(caught.value).endswith(
        "; a copy of the request that got no answer may have been carried out: look at the object"
    )


@pytest.mark.parametrize("final", [status(403, "Forbidden", ""), status(404, "NotFound", "", name="api"), BUSY])
@pytest.mark.parametrize("name", ["patch", "replace", "delete"])
def test_so_is_one_whose_repetition_was_refused(serve, cluster_of, name, final):
    with pytest.raises(errors.ClusterError, match="; a copy of the request that got no answer may have been"):
        WRITING[name](cluster_of(serve(hang_up, final), attempts=3), None)


@pytest.mark.parametrize(
    ("answer", "call"),
    [
        *[(answer, call) for answer in (BUSY, status(403, "Forbidden", "")) for call in WRITING.values()],
        (hang_up, lambda cluster, permitted: cluster.get(API)),
        (hang_up, lambda cluster, permitted: cluster.list(DEPLOYMENTS)),
        (hang_up, lambda cluster, permitted: cluster.patch(API, {}, "merge", dry_run=True)),
    ],
)
def test_what_was_answered_or_changes_nothing_is_not(serve, cluster_of, answer, call):
    with pytest.raises(errors.ClusterError) as caught:
        call(cluster_of(serve(answer), attempts=1), None)
    assert "may have been carried out" not in str(caught.value)


class TestOutages:
    REFUSED = status(403, "Forbidden", "")

    @pytest.mark.parametrize("refusal", [REFUSED, status(401, "Unauthorized", "")])
    def test_a_refusal_by_a_server_that_has_just_come_back_is_not_believed(self, serve, cluster_of, refusal):
        server = serve(Reply(), hang_up, refusal, refusal, Reply(body={"a": 1}))
        cluster = cluster_of(server, {"api_key": "t"})
        cluster.get(API)
        assert cluster.get(API) == {"a": 1}

    def test_a_refusal_that_lasts_is_believed(self, serve, cluster_of, time):
        cluster = cluster_of(serve(Reply(), hang_up, self.REFUSED))
        cluster.get(API)
        began = time.now
        with pytest.raises(errors.Forbidden):
            cluster.get(API)
        assert time.now - began < 20

    def test_a_server_that_never_accepted_us_is_believed_at_once(self, serve, cluster_of):
        server = serve(hang_up, self.REFUSED)
        with pytest.raises(errors.Forbidden):
            cluster_of(server).get(API)
        assert len(server.seen) == 2

    def test_a_401_by_a_server_that_accepted_us_before_is_not_believed_at_once(self, serve, cluster_of, time):
        server = serve(Reply(), UNAUTHORIZED, UNAUTHORIZED, Reply(body={"a": 1}))
        cluster = cluster_of(server, {"api_key": "t"})
        cluster.get(API)
        assert cluster.create(DEPLOYMENTS, {}) == {"a": 1}
        assert len(time.slept) == 2

    def test_a_401_that_lasts_is_believed(self, serve, cluster_of, time):
        server = serve(Reply(), UNAUTHORIZED)
        cluster = cluster_of(server, {"api_key": "t"}, attempts=100)
        cluster.get(API)
        began = time.now
        with pytest.raises(errors.Unauthorized, match="does not accept the credentials of api_key"):
            cluster.get(API)
        assert 60 <= time.now - began < 80
        server.script[:] = [Reply()]
        cluster.get(API)
        server.script[:] = [UNAUTHORIZED, Reply()]
        cluster.get(API)  # accepted in between, so this is another fault


class TestCredentialPlugins:
    def test_one_that_fails_once_in_mid_run_is_run_again(self, serve, cluster_of, plugin, time):
        server = serve(Reply(), UNAUTHORIZED, Reply(body={"a": 1}))
        options, broken = plugin(server)
        cluster = cluster_of(server, options)
        cluster.get(API)
        broken.touch()
        time.on_sleep = broken.unlink
        assert cluster.get(API) == {"a": 1}
        assert len(time.slept) == 1

    def test_one_that_fails_from_then_on_is_named_when_the_deadline_has_come(self, serve, cluster_of, plugin, time):
        server = serve(Reply(), UNAUTHORIZED)
        options, broken = plugin(server)
        cluster = cluster_of(server, options)
        cluster.get(API)
        broken.touch()
        with pytest.raises(errors.CredentialPlugin, match="failed with exit code 1: no network"):
            cluster.get(API, deadline=time.now + 5)
        assert time.slept

    def test_one_that_never_gave_anything_is_named_at_once(self, serve, cluster_of, plugin, time):
        server = serve(Reply())
        options, broken = plugin(server)
        broken.touch()
        with pytest.raises(errors.CredentialPlugin, match="failed with exit code 1: no network"):
            cluster_of(server, options)
        assert time.slept == []
