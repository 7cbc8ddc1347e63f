# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a person reads about the access to many clusters."""

from __future__ import annotations

from ansible_collections.restartx.core.plugins.module_utils.fleet.access import summary

ACCESS = {
    "reachable": True,
    "version": "v1.37.0",
    "server_certificate_expires": "2027-11-28T10:00:00Z",
    "clock_ahead": 0.0,
    "proxy": None,
    "validate_certs": True,
    "credentials": "user restartx",
    "credentials_renewed": False,
    "token_expires": "2026-11-29T10:00:00Z",
    "client_certificate_expires": None,
    "user": "jane",
    "groups": [],
    "uid_pinned": True,
    "permissions": 19,
    "journal_namespace": "restartx-system",
}
CLUSTER = {"host": "https://10.0.0.1:6443", "context": "eu-west", "uid": "0b5a"}


def result(*missing, **access):
    return {"access": {**ACCESS, **access}, "missing": list(missing), "cluster": CLUSTER, "results": []}


def test_a_cluster_with_everything_is_told_in_a_few_lines():
    assert summary({"eu-west": result()}) == {
        "failed": {},
        "lines": [
            "eu-west: nothing is missing",
            "  server: https://10.0.0.1:6443 without a proxy, Kubernetes v1.37.0, certificate until 2027-11-28 10:00 UTC",
            "  credentials: user restartx, as jane, token until 2026-11-29 10:00 UTC",
            "  uid: 0b5a, as pinned; clock: as here",
            "  permissions for workloads: 19 checked; journals in restartx-system",
        ],
    }


def test_each_missing_thing_is_a_line_with_its_commands_below():
    one = {"what": "permission is missing in namespace shop: to list pods", "commands": ["kubectl a", "kubectl b"]}
    told = summary({"eu-west": result(one, one), "us-east": result(one)})
    assert told["failed"] == {"eu-west": "2 things are missing", "us-east": "1 thing is missing"}
    assert told["lines"].count(f"  missing: {one['what']}") == 3
    place = told["lines"].index(f"  missing: {one['what']}")
    assert told["lines"][place + 1 : place + 3] == ["    kubectl a", "    kubectl b"]


def test_what_is_known_of_a_server_that_does_not_answer_is_told():
    lost = {"what": "no answer: check the address", "commands": []}
    told = summary({"eu-west": result(lost, reachable=False, version=None, server_certificate_expires=None, user=None)})
    assert told["lines"] == [
        "eu-west: 1 thing is missing",
        "  server: https://10.0.0.1:6443 without a proxy",
        "  credentials: user restartx, token until 2026-11-29 10:00 UTC",
        "  missing: no answer: check the address",
    ]


def test_a_task_that_failed_before_the_module_is_told_too():
    assert summary({"a": {"msg": "Task failed: no such kubeconfig"}, "b": {"unreachable": True}})["lines"] == [
        "a: 1 thing is missing",
        "  missing: no such kubeconfig",
        "b: 1 thing is missing",
        "  missing: it could not be reached",
    ]


def test_the_unusual_is_named():
    (_head, server, credentials, uid, permissions) = summary(
        {
            "a": result(
                proxy="http://proxy:3128",
                validate_certs=False,
                clock_ahead=-95.0,
                uid_pinned=False,
                permissions=0,
                credentials_renewed=True,
            )
        }
    )["lines"]
    assert "through the proxy http://proxy:3128" in server and server.endswith(", not checked")
    assert credentials.endswith("renewed by another program")
    assert uid == "  uid: 0b5a, not pinned; clock: 1m 35s behind the one here"
    assert "none checked, because neither a plan nor a namespace was given" in permissions
