# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Gates from their options, and what is wrong with bad ones."""

from __future__ import annotations

import pytest

from ansible_collections.restartx.core.plugins.module_utils.gates.judgement import Limits
from ansible_collections.restartx.core.plugins.module_utils.gates.read import gate_of
from ansible_collections.restartx.core.plugins.module_utils.schedule.errors import ScheduleError

PROMETHEUS = {"prometheus": "up", "url": "http://prometheus:9090", "min": 1}
HTTP = {"http": "https://shop.example.com/health"}
OBJECT = {"object": {"kind": "StatefulSet", "name": "redis", "namespace": "shop"}, "that": "status.readyReplicas"}
JOB = {"job": "shop/migrate"}
TCP = {"tcp": "db:5432"}
EVERY = [PROMETHEUS, HTTP, OBJECT, JOB, TCP]


@pytest.mark.parametrize(
    "given, about",
    [
        (PROMETHEUS, "Prometheus http://prometheus:9090: up"),
        (HTTP, "GET https://shop.example.com/health"),
        ({"http": "https://shop.example.com/health?token=s3cret"}, "GET https://shop.example.com/health"),
        (OBJECT, 'statefulset "redis" in namespace "shop": status.readyReplicas'),
        (JOB, 'job "migrate" in namespace "shop"'),
        (TCP, "port db:5432"),
        ({"tcp": "[::1]:80"}, "port [::1]:80"),
    ],
)
def test_a_gate_says_what_it_asks_and_no_secrets(given, about):
    assert gate_of(given).provider.about() == about


@pytest.mark.parametrize("given", EVERY, ids=[next(iter(given)) for given in EVERY])
def test_every_gate_takes_the_same_limits(given):
    limits = {"timeout": "5m", "interval": "2s", "for": "30s", "on_timeout": "continue"}
    assert gate_of({**given, **limits}).limits == Limits(300.0, 2.0, 30.0, "continue")
    assert gate_of(given).limits == Limits(600.0, 10.0, 0.0, "fail")


def test_an_object_or_job_without_a_namespace_is_in_the_given_one():
    assert gate_of({"job": "migrate"}, "shop").provider.namespace == "shop"
    assert gate_of({"job": "pay/migrate"}, "shop").provider.namespace == "pay"
    wanted = {"object": {"kind": "Deployment", "name": "api"}, "that": "spec"}
    assert gate_of(wanted, "shop").provider.namespace == "shop"
    assert gate_of(wanted).provider.namespace is None  # the cluster says whether it needs one


BAD = [
    ({}, "the gate has nothing to ask; give exactly one of prometheus, http, object, job, tcp"),
    ({**HTTP, **TCP}, "the gate has http and tcp; give exactly one"),
    ({**HTTP, "max": 1}, "max: has no effect with http"),
    ({**JOB, "that": "x"}, "that: has no effect with job"),
    ({**TCP, "auth": {}}, "auth: has no effect with tcp"),
    ({**OBJECT, "status": 200}, "status: has no effect with object"),
    ({**PROMETHEUS, "that": "x"}, "that: has no effect with prometheus"),
    ({"prometheus": "up", "min": 1}, "url: is missing"),
    ({"prometheus": "up", "url": "http://p"}, "the gate compares with nothing; give max, min or equals"),
    ({**PROMETHEUS, "prometheus": ""}, "prometheus: "),
    ({**PROMETHEUS, "url": "prometheus:9090"}, 'url: "prometheus:9090" is not a URL'),
    ({**PROMETHEUS, "url": "http://me:s3cret@p"}, "url: the URL has a user name"),
    ({**PROMETHEUS, "max": "many"}, 'max: "many" is not a number'),
    ({**PROMETHEUS, "max": float("nan")}, "max: NaN is not a number"),
    ({**PROMETHEUS, "min": True}, "min: true is not a number"),
    ({"http": ""}, "http: "),
    ({"http": "ftp://shop"}, 'http: "ftp://shop" is not a URL'),
    ({**HTTP, "status": 99}, "status: 99 is not a whole number of at least 100"),
    ({**HTTP, "status": [200, 600]}, "status: 600 is not a status of HTTP"),
    ({**HTTP, "status": []}, "status: "),
    ({**HTTP, "matches": "("}, 'matches: "[(]" is not a regular expression'),
    ({**HTTP, "that": "a ="}, 'that: "a =" is not a JMESPath expression'),
    ({**HTTP, "that": ""}, "that: "),
    ({**HTTP, "max_latency": 0}, "max_latency: "),
    ({**HTTP, "certificate": "long"}, 'certificate: "long" is not a duration'),
    ({**HTTP, "auth": {"token": "a", "username": "b", "password": "c"}}, "auth: token and username contradict"),
    ({**HTTP, "auth": {"username": "b"}}, "auth: username and password belong together"),
    ({**HTTP, "auth": {"ca_cert": "/none/ca.pem"}}, "auth.ca_cert: /none/ca.pem cannot be read: No such file"),
    ({"object": "redis", "that": "x"}, "object: is not a mapping"),
    (
        {"object": {"kind": "Pod", "name": "a"}, "that": "x"},
        'object.api_version: is missing; give the one of the kind "Pod"',
    ),
    ({"object": {"kind": "StatefulSet"}, "that": "x"}, "object.name: is missing"),
    ({"object": {"name": "redis"}, "that": "x"}, "object.kind: is missing"),
    ({"object": {"kind": "StatefulSet", "nmae": "x"}, "that": "x"}, 'object.nmae: unknown option; did you mean "name"'),
    ({"object": OBJECT["object"]}, "that: is missing"),
    ({"job": "migrate"}, "job: give the namespace too, as NAMESPACE/migrate"),
    ({"job": "a/b/c"}, 'job: "a/b/c" is not a Job'),
    ({"job": "shop/Migrate"}, 'job: "shop/Migrate" is not a Job'),
    ({"tcp": "db"}, 'tcp: "db" is not an address'),
    ({"tcp": "db:70000"}, 'tcp: "db:70000" has no valid port'),
    ({"tcp": "::1:80"}, 'tcp: "::1:80" is not an address'),
    ({"tcp": ":80"}, 'tcp: ":80" is not an address'),
    ({**TCP, "timeout": "0s"}, "timeout: "),
    ({**TCP, "timeout": ""}, "timeout: "),
    ({**TCP, "interval": 0}, "interval: "),
    ({**TCP, "for": "10m"}, "for: is not shorter than timeout"),
    ({**TCP, "on_timeout": "pass"}, 'on_timeout: "pass" is not one of fail, continue'),
]


@pytest.mark.parametrize("given, sentence", BAD)
def test_a_bad_gate_is_refused_in_a_sentence_that_names_the_option(given, sentence):
    with pytest.raises(ScheduleError, match=f"^{sentence}") as told:
        gate_of(given)
    assert "s3cret" not in str(told.value)


def test_passwords_are_in_no_representation_of_a_gate():
    for auth in ({"token": "s3cret"}, {"username": "me", "password": "s3cret"}):
        gate = gate_of({**HTTP, "auth": auth})
        assert gate.provider.site.authorization and "s3cret" not in repr(gate) + str(gate)
        assert gate.provider.site.authorization not in repr(gate)
