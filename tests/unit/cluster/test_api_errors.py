# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Every refusal becomes an error that names verb, resource, namespace and name, and ends with the way out."""

from __future__ import annotations

import json

import pytest

from ansible_collections.restartx.core.plugins.module_utils.cluster import errors
from ansible_collections.restartx.core.plugins.module_utils.cluster.api_errors import (
    Answer,
    error_of,
    one_line,
    parse_retry_after,
    parse_status,
)
from ansible_collections.restartx.core.plugins.module_utils.cluster.request_target import Target, target_of, verb_of

DEPLOYMENTS = "/apis/apps/v1/namespaces/shop/deployments"
API = f"{DEPLOYMENTS}/api"
HOST = "https://one:6443"
ROLES = "the roles in the collection's folder rbac hold all that is needed"


@pytest.mark.parametrize(
    ("path", "target", "text"),
    [
        (API, Target("deployments.apps", "shop", "api"), 'deployments.apps "api" in namespace "shop"'),
        (
            f"{API}/scale",
            Target("deployments.apps/scale", "shop", "api"),
            'deployments.apps/scale "api" in namespace "shop"',
        ),
        (DEPLOYMENTS, Target("deployments.apps", "shop"), 'deployments.apps in namespace "shop"'),
        ("/apis/apps/v1/deployments", Target("deployments.apps"), "deployments.apps"),
        ("/api/v1/namespaces/shop/pods/a", Target("pods", "shop", "a"), 'pods "a" in namespace "shop"'),
        ("/api/v1/namespaces/shop", Target("namespaces", None, "shop"), 'namespaces "shop"'),
        ("/api/v1/namespaces", Target("namespaces"), "namespaces"),
        ("/api/v1/nodes/n1", Target("nodes", None, "n1"), 'nodes "n1"'),
        ("/version", Target("/version"), "/version"),
    ],
)
def test_a_path_tells_resource_namespace_and_name(path, target, text):
    assert target_of(path) == target
    assert str(target) == text


@pytest.mark.parametrize(
    ("method", "path", "params", "verb"),
    [
        ("GET", API, {}, "get"),
        ("GET", DEPLOYMENTS, {}, "list"),
        ("GET", DEPLOYMENTS, {"watch": True}, "watch"),
        ("GET", "/version", {}, "get"),
        ("POST", DEPLOYMENTS, {}, "create"),
        ("PUT", API, {}, "update"),
        ("PATCH", API, {}, "patch"),
        ("DELETE", API, {}, "delete"),
        ("DELETE", DEPLOYMENTS, {}, "deletecollection"),
    ],
)
def test_a_request_tells_its_rbac_verb(method, path, params, verb):
    assert verb_of(method, target_of(path), params) == verb


def rbac(user="eve", verb="patch", resource="deployments", group="apps", where='in the namespace "shop"'):
    what = f'cannot {verb} resource "{resource}" in API group "{group}" {where}'
    return f'deployments.apps "api" is forbidden: User "{user}" {what}'


def answer(code, text="", method="PATCH", path=API, reason=None, **more):
    return Answer(method, path, {}, code, HOST, 'user "dev"', text, reason, **more)


@pytest.mark.parametrize(
    ("given", "kind", "sentence"),
    [
        (
            answer(401, "Unauthorized"),
            errors.Unauthorized,
            f'{HOST} does not accept the credentials of user "dev" (401 Unauthorized): '
            "they may be wrong, expired or revoked: log in again, or give valid credentials",
        ),
        (
            answer(401, hint="the token expired on X, renew the expired one"),
            errors.Unauthorized,
            f'{HOST} does not accept the credentials of user "dev" (401 Unauthorized): '
            "the token expired on X, renew the expired one",
        ),
        (
            answer(403, rbac()),
            errors.Forbidden,
            'User "eve" may not patch deployments.apps "api" in namespace "shop" (403 Forbidden): '
            f'grant patch on deployments.apps in namespace "shop"; {ROLES}',
        ),
        (
            answer(403, rbac(verb="list", where="at the cluster scope"), "GET", "/apis/apps/v1/deployments"),
            errors.Forbidden,
            f'User "eve" may not list deployments.apps (403 Forbidden): grant list on deployments.apps; {ROLES}',
        ),
        (
            answer(403, rbac(verb="impersonate", resource="users", group="", where="at the cluster scope")),
            errors.Forbidden,
            f'User "eve" may not impersonate users (403 Forbidden): grant impersonate on users; {ROLES}',
        ),
        (
            answer(403, rbac(user="system:anonymous")),
            errors.Forbidden,
            f"{HOST} got no credentials and does not let anonymous users "
            'patch deployments.apps "api" in namespace "shop": give credentials',
        ),
        (
            answer(403),
            errors.Forbidden,
            'The owner of these credentials (user "dev") may not patch deployments.apps "api" in namespace "shop" '
            f'(403 Forbidden): grant patch on deployments.apps in namespace "shop"; {ROLES}',
        ),
        (
            answer(403, 'admission webhook "no.example.com" denied the request: not on Fridays'),
            errors.Forbidden,
            'The owner of these credentials (user "dev") may not patch deployments.apps "api" in namespace "shop" '
            '(403 Forbidden): admission webhook "no.example.com" denied the request: not on Fridays',
        ),
        (
            answer(403, 'pods "a" is forbidden: exceeded quota: small', "POST", "/api/v1/namespaces/shop/pods"),
            errors.Forbidden,
            'The owner of these credentials (user "dev") may not create pods in namespace "shop" (403 Forbidden): '
            'pods "a" is forbidden: exceeded quota: small',
        ),
        (
            answer(400, 'admission webhook "no.example.com" denied the request: not on Fridays'),
            errors.Invalid,
            'cannot patch deployments.apps "api" in namespace "shop" (400): '
            'admission webhook "no.example.com" denied the request: not on Fridays',
        ),
        (
            answer(404, 'deployments.apps "api" not found', details={"name": "api"}),
            errors.NotFound,
            'deployments.apps "api" in namespace "shop" does not exist (404 Not Found): '
            f"check name, namespace and cluster ({HOST})",
        ),
        (
            answer(404, 'namespaces "shop" not found', "POST", DEPLOYMENTS, details={"name": "shop"}),
            errors.NotFound,
            f'namespaces "shop" not found (404 Not Found): check name, namespace and cluster ({HOST})',
        ),
        (
            answer(404, "404 page not found"),
            errors.NotFound,
            f"{HOST} does not know {API} (404 Not Found): check that the host is the address of a Kubernetes API "
            "server and that this version of it serves the resource",
        ),
        (
            answer(409, "the object has been modified", reason="Conflict", details={"name": "api"}),
            errors.Conflict,
            'deployments.apps "api" in namespace "shop" was changed by someone else in between (409 Conflict): '
            "read it again, then patch it",
        ),
        (
            answer(409, 'configmaps "x" already exists', "POST", DEPLOYMENTS, "AlreadyExists", details={"name": "x"}),
            errors.Conflict,
            'deployments.apps "x" in namespace "shop" exists already (409 Conflict): '
            "choose another name, or change the existing one",
        ),
        (
            answer(409, "quota has been modified", "POST", DEPLOYMENTS, "Conflict", details={"name": "quota"}),
            errors.Conflict,
            f'{HOST} could not create deployments.apps in namespace "shop" (409 Conflict), try again: '
            "quota has been modified",
        ),
        (
            answer(410, "too old resource version: 1 (2)", "GET", DEPLOYMENTS),
            errors.Expired,
            f'{HOST} no longer remembers the requested state of deployments.apps in namespace "shop" (410 Gone): '
            "list it again",
        ),
        (
            answer(422, 'Deployment.apps "api" is invalid: spec.replicas: Invalid value: -1'),
            errors.Invalid,
            f'{HOST} refuses to patch deployments.apps "api" in namespace "shop" (422), correct the request: '
            'Deployment.apps "api" is invalid: spec.replicas: Invalid value: -1',
        ),
        (
            answer(400, "Client sent an HTTP request to an HTTPS server."),
            errors.Invalid,
            f"{HOST} expects TLS: write the host with https://",
        ),
        (
            answer(429, "too many"),
            errors.Throttled,
            f'{HOST} is too busy to patch deployments.apps "api" in namespace "shop" (429 Too Many Requests), '
            "try again later: too many",
        ),
        (
            answer(500, "etcdserver: no leader"),
            errors.ServerFailed,
            f'{HOST} failed to patch deployments.apps "api" in namespace "shop" (500), '
            "look at the API server or what stands before it: etcdserver: no leader",
        ),
        (
            answer(505),
            errors.ServerFailed,
            f'{HOST} failed to patch deployments.apps "api" in namespace "shop" (505), '
            "look at the API server or what stands before it: no reason given",
        ),
        (
            answer(415, "unsupported media type"),
            errors.Invalid,
            f'{HOST} refuses to patch deployments.apps "api" in namespace "shop" (415), correct the request: '
            "unsupported media type",
        ),
        (
            answer(302),
            errors.Invalid,
            f"{HOST} redirects {API} elsewhere (302): give the API server's own address",
        ),
    ],
)
def test_each_refusal_has_its_class_and_its_sentence(given, kind, sentence):
    error = error_of(given)
    assert type(error) is kind
    assert str(error) == sentence
    assert (error.status, error.path, error.reason) == (given.status, given.path, given.reason)


@pytest.mark.parametrize(
    ("code", "retry_after", "transient", "ambiguous"),
    [
        (429, None, True, False),
        (429, 3.0, True, False),
        (500, None, True, True),
        (503, None, True, True),
        (503, 1.0, True, False),
        (504, None, True, True),
        (501, None, False, False),
        (409, 3.0, False, False),
        (404, None, False, False),
    ],
)
def test_what_may_heal_and_what_may_have_been_carried_out(code, retry_after, transient, ambiguous):
    error = error_of(answer(code, retry_after=retry_after))
    assert (error.transient, error.ambiguous) == (transient, ambiguous)
    assert error.retry_after == (retry_after if transient else None)


def test_a_budget_that_does_not_allow_an_eviction_is_named_and_is_no_busy_server():
    said = "The disruption budget db needs 3 healthy pods and has 3 currently"
    path = "/api/v1/namespaces/shop/pods/db-1/eviction"
    words = "Cannot evict pod as it would violate the pod's disruption budget."
    causes = [{"reason": "DisruptionBudget", "message": said}]
    error = error_of(answer(429, words, "POST", path, "TooManyRequests", details={"causes": causes}, retry_after=10.0))
    assert type(error) is errors.OverBudget and (error.transient, error.ambiguous) == (False, False)
    assert error.refusal == said and "too busy" not in str(error) and str(error).endswith(f": {said}")
    busy = error_of(answer(429, words, "POST", path, "TooManyRequests", details={"causes": [{"reason": "other"}, "x"]}))
    assert type(busy) is errors.Throttled and busy.transient


@pytest.mark.parametrize(
    ("header", "details", "seconds"),
    [
        ("7", {}, 7.0),
        (" 0 ", {"retryAfterSeconds": 9}, 0.0),
        ("Sun, 09 Sep 2001 01:46:52 GMT", {}, 12.0),
        ("Sun, 09 Sep 2001 01:00:00 GMT", {}, 0.0),
        ("soon", {"retryAfterSeconds": 9}, 9.0),
        ("-1", {}, None),
        (None, {"retryAfterSeconds": 9}, 9.0),
        (None, {"retryAfterSeconds": 0}, None),
        (None, {"retryAfterSeconds": "x"}, None),
        (None, {}, None),
    ],
)
def test_the_time_the_server_asks_for_is_found_in_header_or_status(header, details, seconds):
    assert parse_retry_after(header, details, now=1_000_000_000.0) == seconds


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (json.dumps({"kind": "Status", "message": "no"}).encode(), "no"),
        (b"plain words\nof a proxy", "plain words\nof a proxy"),
        (b'{"error": "json of something else"}', '{"error": "json of something else"}'),
        (b"<HTML><body>Bad gateway</body></HTML>", "an HTML page, perhaps of a proxy in between"),
        (b"", ""),
        (b"\xff", "\ufffd"),
    ],
)
def test_whatever_the_body_is_there_is_a_message(body, message):
    assert parse_status(body)["message"] == message


def test_long_and_broken_words_are_made_fit_for_a_sentence():
    assert one_line("a\n  b\tc") == "a b c"
    assert len(one_line("x" * 5000)) == 600
