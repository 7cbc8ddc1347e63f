# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A log that complains of the network is explained by the DNS or by NetworkPolicies."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ansible_collections.restartx.core.plugins.module_utils.rollout.causes import codes, complaints, of_log
from tests.unit.rollout.cause_objects import ended, find_in, pod_of, waiting

LOOP = waiting("CrashLoopBackOff", restarts=2, last=ended("Error", 1))
NO_NAME = "dial tcp: lookup orders-db on 10.96.0.10:53: no such host"
NO_ANSWER = "dial tcp 10.1.2.3:5432: i/o timeout"


@pytest.mark.parametrize(
    "line",
    [
        NO_NAME,
        "dial tcp: lookup orders-db on 10.96.0.10:53: read udp 10.0.0.7:4->10.96.0.10:53: i/o timeout",
        "lookup orders-db: Temporary failure in name resolution",
        "psycopg.OperationalError: [Errno -2] Name or service not known",
        'could not translate host name "orders-db" to address',
        "Error: getaddrinfo ENOTFOUND orders-db",
        "Error: getaddrinfo EAI_AGAIN orders-db",
        "java.net.UnknownHostException: orders-db",
        "curl: (6) Could not resolve host: orders-db",
        "dns error: failed to lookup address information: Try again",
    ],
)
def test_a_name_that_is_not_resolved_is_recognized(line):
    assert complaints.unresolved(["starting", line, "giving up"]).line == line
    assert complaints.unanswered([line]) is None


@pytest.mark.parametrize(
    "line, address",
    [
        (NO_ANSWER, ("10.1.2.3", 5432)),
        ('Get "http://prices:8080/list": dial tcp 10.1.2.3:8080: connect: no route to host', ("10.1.2.3", 8080)),
        ("Error: connect ETIMEDOUT 10.1.2.3:6379", ("10.1.2.3", 6379)),
        ('connection to server at "10.1.2.3", port 5432 failed: Connection timed out', ("10.1.2.3", 5432)),
        ("cannot reach orders-db:5432: timed out", ("orders-db", 5432)),
        ("dial tcp [fd00::1]:443: connect: network is unreachable", ("fd00::1", 443)),
    ],
)
def test_an_address_that_does_not_answer_is_recognized(line, address):
    assert complaints.unanswered(["starting", line]).address == address
    assert complaints.unresolved([line]) is None


@pytest.mark.parametrize(
    "line",
    ["listening on 0.0.0.0:8080", "read timeout is 30s", "12:30:15 ready", "dial tcp 10.1.2.3:80: connection refused"],
)
def test_other_lines_complain_of_nothing(line):
    assert not of_log.complains([line])


def policy(name="deny", egress=None, selector=None, **spec):
    given = {"podSelector": selector or {}, "policyTypes": ["Egress"], "egress": egress or [], **spec}
    return {"metadata": {"name": name, "namespace": "shop"}, "spec": given}


DNS_PORTS = [{"protocol": "UDP", "port": 53}, {"protocol": "TCP", "port": 53}]
SYSTEM = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}}}
DNS_ONLY = policy("dns", [{"ports": DNS_PORTS, "to": [SYSTEM]}])


def explain(policies, *lines, pod=None):
    pod = pod or pod_of(container=LOOP)
    cause = replace(find_in([pod], context="eu"), log=lines)
    return of_log.explained(cause, pod, policies, "eu")


def test_a_log_with_a_name_that_is_not_resolved_adds_the_dns():
    found = explain([], "starting", NO_NAME)
    assert (found.code, [one.code for one in found.also]) == ("crash_loop", ["dns"])
    assert found.also[0].sentence.endswith(f"cannot resolve names, according to its log: {NO_NAME}")
    assert "kubectl --context eu get pods --namespace kube-system --selector=k8s-app=kube-dns" in found.advice
    assert "advice" not in codes.Further._fields


@pytest.mark.parametrize(
    "policies, blocked",
    [
        ([policy()], True),
        ([policy(egress=[{"to": [{"podSelector": {"matchLabels": {"app": "db"}}}]}])], True),  # of its own namespace
        ([policy(egress=[{"ports": [{"port": 443}]}])], True),
        ([policy(), policy("more", [{"ports": [{"port": 5432}]}])], True),
        ([policy(selector={"matchLabels": {"app": "api"}})], True),
        ([policy(selector={"matchExpressions": [{"key": "app", "operator": "Exists"}]})], True),
        ([], False),
        ([policy(selector={"matchLabels": {"app": "other"}})], False),
        ([policy(policyTypes=["Ingress"])], False),
        ([policy(policyTypes=None)], False),  # no egress rules, so it is about ingress only
        ([policy(), DNS_ONLY], False),
        ([policy(egress=[{}])], False),
        ([policy(egress=[{"ports": [{"port": 1, "endPort": 1024}]}])], False),
        ([policy(egress=[{"ports": [{"port": "dns"}]}])], False),
        ([policy(egress=[{"to": [SYSTEM]}])], False),
        ([policy(egress=[{"to": [{"ipBlock": {"cidr": "10.96.0.10/32"}}]}])], False),
        ([{**policy(), "metadata": {"name": "deny", "namespace": "other"}}], False),
    ],
)
def test_policies_that_leave_no_way_to_the_dns_are_named(policies, blocked):
    found = explain(policies, NO_NAME)
    assert [one.code for one in found.also] == (["network_policy", "dns"] if blocked else ["dns"])
    if blocked:
        assert "is selected by the NetworkPol" in found.also[0].sentence and '"deny"' in found.also[0].sentence
        assert "has no egress to the DNS" in found.also[0].sentence
        assert "kubectl --context eu describe networkpolicies --namespace shop" in found.advice


BLOCK = {"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.1.0.0/16"]}}


@pytest.mark.parametrize(
    "policies, blocked",
    [
        ([policy()], True),
        ([DNS_ONLY], True),
        ([policy(egress=[{"to": [BLOCK]}])], True),
        ([policy(egress=[{"to": [{"ipBlock": {"cidr": "192.168.0.0/16"}}]}])], True),
        ([policy(egress=[{"to": [{"ipBlock": {"cidr": "10.1.0.0/16"}}]}])], False),
        ([policy(egress=[{"to": [{"podSelector": {}}]}])], False),
        ([policy(egress=[{"ports": [{"port": 9999}]}])], False),  # a Service may have another port than its pods
        ([], False),
    ],
)
def test_policies_that_leave_no_way_to_the_address_in_the_log_are_named(policies, blocked):
    found = explain(policies, NO_ANSWER)
    assert [one.code for one in found.also] == (["network_policy"] if blocked else [])
    if blocked:
        assert "has no egress to 10.1.2.3, port 5432, as its log says" in found.also[0].sentence


def test_there_are_at_most_three_further_causes():
    cause = replace(find_in([pod_of(container=LOOP)]), log=(NO_NAME,), also=(codes.Further("a", "a"),) * 2)
    assert len(of_log.explained(cause, pod_of(), [policy()], None).also) == 3
