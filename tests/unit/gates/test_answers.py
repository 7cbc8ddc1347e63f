# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the answers of Prometheus, web servers and the API server mean to a gate."""

from __future__ import annotations

import datetime
import json

import pytest

from ansible_collections.restartx.core.plugins.module_utils.cluster import web
from ansible_collections.restartx.core.plugins.module_utils.cluster.api import Listing
from ansible_collections.restartx.core.plugins.module_utils.cluster.errors import Forbidden, NotFound
from ansible_collections.restartx.core.plugins.module_utils.gates.provider import Asking, GateError
from ansible_collections.restartx.core.plugins.module_utils.gates.read import gate_of

NOW = datetime.datetime(2026, 11, 24, 22, 0, tzinfo=datetime.UTC)


# -- Prometheus --------------------------------------------------------------------------------------------------------


def prometheus(**bounds):
    return gate_of({"prometheus": "errors", "url": "http://p:9090", **bounds}).provider


def reply(content, status=200, seconds=0.1):
    return web.Reply(status, content if isinstance(content, bytes) else json.dumps(content).encode(), seconds)


def result(kind, value):
    return reply({"status": "success", "data": {"resultType": kind, "result": value}})


def vector(*series):
    return result("vector", [{"metric": metric, "value": [1764021600.1, value]} for metric, value in series])


API, WEB = {"__name__": "errors", "job": "api"}, {"__name__": "errors", "job": "web"}


@pytest.mark.parametrize(
    "answer, bounds, is_open, said",
    [
        (vector(({}, "0.5")), {"max": 0.5}, True, '"errors" is 0.5'),
        (vector(({}, "0.51")), {"max": 0.5}, False, '"errors": it is 0.51, above 0.5'),
        (vector(({}, "2")), {"min": 2}, True, '"errors" is 2'),
        (vector(({}, "1.9")), {"min": 2}, False, '"errors": it is 1.9, below 2'),
        (vector(({}, "3")), {"equals": 3}, True, '"errors" is 3'),
        (vector(({}, "0")), {"equals": 3}, False, '"errors": it is 0, not 3'),
        (vector(({}, "0")), {"max": 0}, True, '"errors" is 0'),
        (vector(({}, "5")), {"min": 1, "max": 4}, False, '"errors": it is 5, above 4'),
        (vector((API, "1"), (WEB, "2")), {"max": 2}, True, '"errors" has 2 values, 1 to 2'),
        (vector((API, "1"), (WEB, "3")), {"max": 2}, False, '"errors": errors{job="web"} is 3, above 2'),
        (result("scalar", [1764021600.1, "7"]), {"max": 7}, True, '"errors" is 7'),
        (vector(), {"max": 9}, False, '"errors" has no value'),
        (vector(({}, "NaN")), {"max": 9}, False, '"errors": it is nan, which cannot be compared'),
        (vector(({}, "+Inf")), {"min": 9}, False, '"errors": it is inf, which cannot be compared'),
        (
            vector((API, "1"), (WEB, "NaN")),
            {"max": 9},
            False,
            '"errors": errors{job="web"} is nan, which cannot be compared',
        ),
    ],
)
def test_each_series_must_be_within_the_bounds_and_nothing_is_closed(answer, bounds, is_open, said):
    found = prometheus(**bounds).answer(answer)
    assert found.is_open is is_open and found.said.startswith(said) and not found.final


def test_only_the_first_series_that_are_wrong_are_named():
    series = [({"pod": f"p{number}"}, "9") for number in range(50)]
    said = prometheus(max=1).answer(vector(*series)).said
    assert said.endswith('{pod="p2"} is 9, above 1, and 47 more')


@pytest.mark.parametrize(
    "answer, sentence",
    [
        (reply({"status": "error", "error": "parse error"}, 400), "http://p:9090 refuses the expression: parse error"),
        (reply(b"<html>", 502), "http://p:9090 gives no answer of Prometheus .status 502."),
        (reply([], 200), "http://p:9090 gives no answer of Prometheus"),
        (reply({"status": "success", "data": {}}), "http://p:9090 gives no answer of Prometheus"),
        (vector(({}, "much")), "http://p:9090 gives no answer of Prometheus"),
        (result("matrix", []), '"errors" gives a matrix; it must give a number'),
        (result("string", [1, "x"]), '"errors" gives a string'),
    ],
)
def test_what_is_no_answer_of_prometheus_is_an_error(answer, sentence):
    with pytest.raises(GateError, match=sentence):
        prometheus(max=1).answer(answer)


# -- web servers -------------------------------------------------------------------------------------------------------


def http(**options):
    return gate_of({"http": "https://shop/health", **options}).provider


@pytest.mark.parametrize(
    "options, answer, wrong",
    [
        ({}, reply(b""), None),
        ({}, reply(b"", 503), "answers with status 503, not 200"),
        ({}, reply(b"", 301), "answers with status 301, not 200"),
        ({"status": [200, 204]}, reply(b"", 204), None),
        ({"status": [200, 204]}, reply(b"", 500), "answers with status 500, not 200 or 204"),
        ({"matches": "^ok$"}, reply(b"ok"), None),
        ({"matches": "^ok$"}, reply(b"s3cret"), 'has a body that does not match "^ok$"'),
        ({"that": "lag < `5`"}, reply({"lag": 4}), None),
        ({"that": "lag < `5`"}, reply({"lag": 5, "token": "s3cret"}), 'has a body of which "lag < `5`" is not true'),
        ({"max_latency": 0.5}, reply(b"", seconds=0.4), None),
        ({"max_latency": 0.5}, reply(b"", seconds=0.6), "took 0.60s, more than 0.5s"),
        ({"certificate": "14d"}, reply(b""), "shows no certificate whose end could be read"),
    ],
)
def test_a_web_server_must_answer_as_is_wanted_and_its_body_is_not_shown(options, answer, wrong):
    found = http(**options).answer(answer, NOW)
    assert found.is_open is (wrong is None)
    assert wrong is None or found.said == f"GET https://shop/health {wrong}"
    assert "s3cret" not in found.said


def test_a_body_that_is_not_json_is_an_error():
    with pytest.raises(GateError, match="has a body that is not JSON"):
        http(that="lag").answer(reply(b"ok"), NOW)


# -- objects and Jobs --------------------------------------------------------------------------------------------------


class Api:
    """The objects of a cluster by path, and what was asked."""

    def __init__(self, **objects):
        self.objects = {path.replace("__", "/"): found for path, found in objects.items()}
        self.asked = []

    def get(self, path, params=None, *, deadline=None):
        self.asked.append(path)
        found = self.objects.get(path)
        if found is None:
            raise NotFound("not found")
        if isinstance(found, Exception):
            raise found
        return found

    def list(self, path, params=None, *, deadline=None, attempts=None):
        found = self.get(path)
        return Listing(found, "1")

    def text(self, path, params=None, *, deadline=None):
        return self.get(path)


def cluster(objects):
    api = Api()
    api.objects = objects
    return api


def ask(provider, objects):
    return provider.ask(Asking(cluster(objects), NOW, 10.0))


APPS = {"resources": [{"name": "statefulsets/scale", "kind": "Scale", "namespaced": True}]}
APPS["resources"].append({"name": "statefulsets", "kind": "StatefulSet", "namespaced": True})
CORE = {"resources": [{"name": "nodes", "kind": "Node", "namespaced": False}]}
CORE["resources"].append({"name": "secrets", "kind": "Secret", "namespaced": True})
REDIS = "/apis/apps/v1/namespaces/shop/statefulsets/redis"


def thing(kind="StatefulSet", name="redis", namespace="shop", that="status.readyReplicas >= `2`", **more):
    wanted = {"kind": kind, "name": name, **({"namespace": namespace} if namespace else {}), **more}
    return gate_of({"object": wanted, "that": that}).provider


@pytest.mark.parametrize("ready, is_open", [(3, True), (2, True), (1, False), (None, False)])
def test_the_expression_must_be_true_of_the_object(ready, is_open):
    found = ask(thing(), {"/apis/apps/v1": APPS, REDIS: {"status": {"readyReplicas": ready}}})
    assert found.is_open is is_open and not found.final
    assert 'of statefulset "redis" in namespace "shop"' in found.said


def test_an_object_that_does_not_exist_is_closed_and_may_come():
    found = ask(thing(), {"/apis/apps/v1": APPS})
    assert (found.is_open, found.final) == (False, False)
    assert found.said == 'statefulset "redis" in namespace "shop" does not exist'


def test_values_are_shown_except_those_of_a_secret():
    found = ask(thing(that="status.wrong || `false`"), {"/apis/apps/v1": APPS, REDIS: {"status": {}}})
    assert "(it gives false)" in found.said
    secret = thing("Secret", "ca", "shop", "data.key == 'x'", api_version="v1")
    found = ask(secret, {"/api/v1": CORE, "/api/v1/namespaces/shop/secrets/ca": {"data": {"key": "s3cret"}}})
    assert not found.is_open and "gives" not in found.said and "s3cret" not in found.said


@pytest.mark.parametrize(
    "wanted, sentence",
    [
        (thing("Widget", api_version="v1"), 'the API "v1" has no kind "Widget"'),
        (thing("Scale", api_version="apps/v1"), 'the API "apps/v1" has no kind "Scale"'),
        (thing("Widget", api_version="shop.example.com/v1"), 'the cluster has no API "shop.example.com/v1"'),
        (thing("Node", api_version="v1"), 'objects of the kind "Node" have no namespace; leave it out'),
        (thing("Secret", namespace=None, api_version="v1"), 'objects of the kind "Secret" have a namespace; give it'),
        (thing(that="length(status.readyReplicas)"), '"length.status.readyReplicas." cannot be evaluated'),
    ],
)
def test_what_cannot_be_asked_is_an_error(wanted, sentence):
    with pytest.raises(GateError, match=sentence):
        ask(wanted, {"/apis/apps/v1": APPS, "/api/v1": CORE, REDIS: {"status": {"readyReplicas": 1}}})


def test_the_api_is_asked_for_the_kind_only_once():
    provider, api = thing(), cluster({"/apis/apps/v1": APPS, REDIS: {"status": {}}})
    for _number in range(3):
        provider.ask(Asking(api, NOW, 10.0))
    assert api.asked == ["/apis/apps/v1", REDIS, REDIS, REDIS]


JOB = "/apis/batch/v1/namespaces/shop/jobs/migrate"
PODS = "/api/v1/namespaces/shop/pods"
MIGRATE = gate_of({"job": "shop/migrate"}).provider


def job(*conditions, **status):
    held = [{"type": kind, "status": value, "message": message} for kind, value, message in conditions]
    return {"spec": {}, "status": {"conditions": held, **status}}


@pytest.mark.parametrize(
    "found, is_open, said",
    [
        (job(("Complete", "True", "")), True, "is complete"),
        (job(("SuccessCriteriaMet", "True", ""), active=1), False, "is not complete (1 active)"),
        (job(("Complete", "False", "")), False, "is not complete (no pod yet)"),
        (job(active=1, failed=2), False, "is not complete (1 active, 2 failed)"),
        ({"spec": {"suspend": True}}, False, "is suspended"),
        (None, False, "does not exist"),
    ],
)
def test_a_job_must_be_complete(found, is_open, said):
    answer = ask(MIGRATE, {JOB: found} if found else {})
    assert (answer.is_open, answer.final) == (is_open, False)
    assert answer.said == f'job "migrate" in namespace "shop" {said}'


def pod(name, created, phase="Failed", code=1):
    return {
        "metadata": {"name": name, "creationTimestamp": created},
        "spec": {"containers": [{"name": "main"}, {"name": "side"}]},
        "status": {
            "phase": phase,
            "containerStatuses": [{"name": "side", "state": {"terminated": {"exitCode": code}}}],
        },
    }


def test_a_job_that_failed_is_closed_for_good_and_tells_the_log_of_its_newest_failed_pod_without_secrets():
    pods = [
        pod("m-1", "2026-11-24T21:00:00Z"),
        pod("m-2", "2026-11-24T21:05:00Z"),
        pod("m-3", "2026-11-24T21:06:00Z", "Running"),
    ]
    log = "connecting\npassword=s3cret\ncolumn exists already\n"
    found = ask(
        MIGRATE,
        {
            JOB: job(("Failed", "True", "Job has reached the specified backoff limit")),
            PODS: pods,
            f"{PODS}/m-2/log": log,
        },
    )
    assert (found.is_open, found.final) == (False, True)
    assert found.said.endswith("has failed: Job has reached the specified backoff limit")
    assert found.log[-1] == "column exists already" and "s3cret" not in str(found.log)


@pytest.mark.parametrize("more", [{PODS: []}, {PODS: Forbidden("may not list pods")}, {}])
def test_a_failed_job_without_a_log_that_may_be_read_has_failed_all_the_same(more):
    found = ask(MIGRATE, {JOB: job(("Failed", "True", "")), **more})
    assert (found.final, found.log) == (True, ())
