# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Gates against a real Prometheus, web servers, and objects of a real API server."""

from __future__ import annotations

import json
import socket

import pytest
import yaml
from house import ROOT, RUN, create_job, end_job, workload
from web_server import WebServer

from lab.poll import wait_until

GATES = ROOT / "rbac" / "gates.yml"
QUICK = {"timeout": "2s", "interval": "1s"}


@pytest.fixture
def ask(operator):
    def ask(**options):
        return operator.run("k8s_rollout_gate", **{**QUICK, **options})

    return ask


# -- Prometheus --------------------------------------------------------------------------------------------------------


ERRORS = 'errors{job="shop",path="%s"} %s\n'


def test_prometheus_opens_the_gate_when_every_series_is_within_the_bounds(prometheus, operator, ask):
    prometheus.metrics = ERRORS % ("/", 7) + ERRORS % ("/pay", 1)
    prometheus.shows("errors", "7", "1")
    question = {"prometheus": "errors", "max": 1, "url": prometheus.url}
    result = ask(**question)
    assert not result["open"] and 'path="/"} is 7, above 1' in result["msg"]
    assert result["msg"].startswith(
        f"the gate (Prometheus {prometheus.url}: errors) is closed: it did not open within 2s"
    )

    waiting = operator.start("k8s_rollout_gate", **question, timeout="60s", interval="1s", **{"for": "3s"})
    prometheus.metrics = ERRORS % ("/", 0) + ERRORS % ("/pay", 1)
    result = waiting.result()
    assert result["open"] and '"errors" has 2 values, 0 to 1' in result["message"], result
    assert result["waited"] >= 3 and result["api_requests"] == 0


@pytest.mark.parametrize(
    "expression, wrong",
    [
        ("nothing_of_this_name", "has no value"),
        ("errors / 0 - errors / 0", "which cannot be compared"),
        ("errors +", "refuses the expression"),
        ("errors[1m]", "gives a matrix"),
    ],
)
def test_an_answer_without_a_number_is_closed(prometheus, ask, expression, wrong):
    prometheus.metrics = ERRORS % ("/", 0)
    prometheus.shows("errors", "0")
    result = ask(prometheus=expression, max=1e9, url=prometheus.url)
    assert not result["open"] and wrong in result["msg"]


def test_a_series_that_is_no_longer_there_is_closed(prometheus, ask):
    prometheus.metrics = ERRORS % ("/", 0)
    prometheus.shows("errors", "0")
    prometheus.metrics = None
    prometheus.shows("errors")
    assert "has no value" in ask(prometheus="errors", max=1, url=prometheus.url)["msg"]


def test_a_prometheus_that_is_stopped_or_gives_no_answer_is_closed_and_opens_again(prometheus, operator, ask):
    prometheus.metrics = ERRORS % ("/", 0)
    prometheus.shows("errors", "0")
    question = {"prometheus": "errors", "max": 1, "url": prometheus.url}
    prometheus.freeze()
    try:
        result = ask(**question)
        assert not result["open"] and "it could not be asked: cannot reach" in result["msg"]
    finally:
        prometheus.thaw()
    prometheus.stop()
    result = ask(**question)
    assert not result["open"] and "it could not be asked: cannot reach" in result["msg"]
    waiting = operator.start("k8s_rollout_gate", **question, timeout="60s", interval="1s")
    prometheus.start()
    assert waiting.result()["open"]


def test_with_on_timeout_continue_the_module_warns_and_succeeds(prometheus, ask):
    result = ask(prometheus="nothing_of_this_name", max=1, url=prometheus.url, on_timeout="continue")
    assert "msg" not in result and not result["open"]
    assert any("counts as open, because on_timeout is continue" in warning for warning in result["warnings"])


# -- web servers -------------------------------------------------------------------------------------------------------


@pytest.fixture
def server(cluster):
    with WebServer(cluster) as found:
        yield found


def test_a_web_server_opens_the_gate_with_its_status_body_and_certificate(server, ask):
    wanted = {"matches": "ok", "that": "lag < `5`", "max_latency": "5s", "certificate": "1h"}
    result = ask(http=server.url, auth=server.auth, **wanted)
    assert result["open"], result["msg"]
    assert result["message"] == f"GET {server.url} answers with status 200"


@pytest.mark.parametrize(
    "changes, options, wrong",
    [
        ({"status": 503}, {}, "answers with status 503, not 200"),
        ({"status": 301, "headers": {"Location": "/other"}}, {}, "answers with status 301, not 200"),
        ({"body": b'{"lag": 9, "password": "s3cret"}'}, {"that": "lag < `5`"}, 'of which "lag < `5`" is not true'),
        ({"body": b"s3cret"}, {"matches": "^ok"}, 'does not match "^ok"'),
        ({"body": b"s3cret"}, {"that": "lag"}, "has a body that is not JSON"),
        ({"body": b"x" * 2_000_000}, {}, "answers with more than 1 MiB"),
        ({"delay": 0.6}, {"max_latency": 0.5}, "more than 0.5s"),
        ({}, {"certificate": "366d"}, "has a certificate that ends on"),
    ],
)
def test_any_other_answer_is_closed_and_no_body_is_shown(server, ask, changes, options, wrong):
    for name, value in changes.items():
        setattr(server, name, value)
    result = ask(http=server.url, auth=server.auth, **options)
    assert wrong in result["msg"] and not result["open"]
    assert "s3cret" not in json.dumps(result)
    assert {path for path, _authorization in server.asked} == {"/health"}


def test_a_server_whose_certificate_is_not_trusted_is_closed(server, ask):
    result = ask(http=server.url)
    assert not result["open"] and "is signed by an unknown CA: give that CA's certificate as ca_cert" in result["msg"]
    assert server.asked == []
    assert ask(http=server.url, auth={"validate_certs": False})["open"]


@pytest.mark.parametrize(
    "auth, header",
    [
        ({"token": "s3cret"}, "Bearer s3cret"),
        ({"username": "ada", "password": "s3cret"}, "Basic YWRhOnMzY3JldA=="),
    ],
)
def test_credentials_reach_the_server_and_no_result(server, ask, auth, header):
    server.status = 401
    result = ask(http=server.url, auth={**server.auth, **auth})
    assert server.asked[0] == ("/health", header)
    assert "s3cret" not in json.dumps(result) and header.split()[1] not in json.dumps(result)


# -- the cluster -------------------------------------------------------------------------------------------------------


CRD = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "schemas.shop.example.com"},
    "spec": {
        "group": "shop.example.com",
        "scope": "Namespaced",
        "names": {"kind": "Schema", "plural": "schemas", "singular": "schema"},
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}},
            }
        ],
    },
}


@pytest.fixture
def allowed(cluster, namespace):
    """rbac/gates.yml, bound in the namespace, as the file says."""
    cluster.apply(GATES.read_text())
    subject = ("--clusterrole=restartx-gates", "--serviceaccount=restartx-system:restartx")
    namespace.kubectl("create", "rolebinding", "restartx-gates", *subject)
    return namespace


def test_an_object_opens_the_gate_when_the_expression_becomes_true(namespace, operator, ask):
    question = {"object": {"kind": "StatefulSet", "name": "redis"}, "that": "status.readyReplicas >= `2`"}
    assert "does not exist" in ask(namespace=namespace.name, **question)["msg"]
    waiting = operator.start("k8s_rollout_gate", namespace=namespace.name, **question, timeout="60s", interval="1s")
    namespace.create(workload("StatefulSet", "redis", replicas=2))
    assert waiting.result()["open"]


def test_an_object_of_any_api_is_asked_if_it_may_be_read(cluster, namespace, ask):
    cluster.apply(yaml.safe_dump(CRD))
    cluster.kubectl("wait", "--for=condition=Established", "crd/schemas.shop.example.com", "--timeout=60s")
    thing = {"apiVersion": "shop.example.com/v1", "kind": "Schema", "metadata": {"name": "db"}, "spec": {"version": 42}}
    namespace.kubectl("create", "-f", "-", input=json.dumps(thing))
    wanted = {"api_version": "shop.example.com/v1", "kind": "Schema", "name": "db", "namespace": namespace.name}
    question = {"object": wanted, "that": "spec.version >= `42`"}
    result = ask(**question)
    assert not result["open"] and "it could not be asked" in result["msg"] and "may not get" in result["msg"], result
    namespace.kubectl("create", "role", "schemas", "--verb=get", "--resource=schemas.shop.example.com")
    namespace.kubectl("create", "rolebinding", "schemas", "--role=schemas", "--serviceaccount=restartx-system:restartx")
    assert ask(**question)["open"]


def test_a_job_opens_the_gate_when_it_is_complete(allowed, operator, ask):
    question = {"job": f"{allowed.name}/migrate"}
    assert "does not exist" in ask(**question)["msg"]
    create_job(allowed)
    assert "is suspended" in ask(**question)["msg"]
    waiting = operator.start("k8s_rollout_gate", **question, timeout="60s", interval="1s")
    end_job(allowed, "migrate", "SuccessCriteriaMet", "Complete")
    assert waiting.result()["open"]


def test_a_job_that_failed_ends_the_module_at_once(allowed, ask):
    create_job(allowed)
    end_job(allowed, "migrate", "FailureTarget", "Failed")
    result = ask(job=f"{allowed.name}/migrate", timeout="10m", on_timeout="continue")
    assert not result["open"] and result["msg"].endswith("has failed: by the test")


def test_without_its_permission_a_job_is_closed(namespace, ask):
    result = ask(job=f"{namespace.name}/migrate")
    assert not result["open"] and "it could not be asked" in result["msg"] and "may not get" in result["msg"], result


def test_a_port_opens_the_gate_when_it_accepts_connections(operator, ask):
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = f"127.0.0.1:{listener.getsockname()[1]}"
        assert "connection refused" in ask(tcp=port)["msg"]
        waiting = operator.start("k8s_rollout_gate", tcp=port, timeout="60s", interval="1s")
        listener.listen()
        assert waiting.result()["open"]


def test_a_dry_run_asks_once_and_does_not_fail(ask):
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        result = ask(tcp=f"127.0.0.1:{listener.getsockname()[1]}", check=True, timeout="10m")
    assert not result["open"] and "msg" not in result and result["waited"] < 60


def test_the_module_ends_when_its_ansible_process_is_gone(operator, tmp_path):
    waiting = operator.start(
        "k8s_rollout_gate", tcp="127.0.0.1:1", timeout="10m", interval="60s", controller="999999:1"
    )
    result = waiting.result()
    assert "the Ansible process" in result["msg"] and not result.get("open"), result


# -- in a plan ---------------------------------------------------------------------------------------------------------


def test_a_run_waits_for_the_gates_of_its_plan_and_goes_on_when_they_open(shop, prometheus):
    prometheus.metrics = ERRORS % ("/", 7)
    prometheus.shows("errors", "7")
    question = {"prometheus": "errors", "max": 1, "url": prometheus.url, "auth": "monitoring"}
    shop.plan["gates"] = {"errors": {**question, "interval": "1s", "timeout": "3s"}}
    web = next(row for row in shop.plan["workloads"] if row["id"] == "web")
    web["gates"] = {"before": ["errors"]}
    auth = json.dumps({"ticket": "CHG1", "restartx_gate_auth": {"monitoring": {"token": "s3cret"}}})
    code, said = shop.run("-e", auth)
    assert code == 2, said
    assert shop.restarted("eu-west") == ["api", "pay"] and shop.restarted("us-east") == []
    assert f'web (the gate "errors" (Prometheus {prometheus.url}: errors) is closed: it did not open within 3s:' in said
    assert shop.journal("eu-west")["state"] == "stopped"

    prometheus.metrics = ERRORS % ("/", 0)
    prometheus.shows("errors", "0")
    code, more = shop.run("-e", auth)
    assert code == 0, more
    assert shop.restarted("eu-west") == ["web"]
    assert shop.restarted("us-east") == ["api", "pay", "web"]
    held = json.dumps([shop.journal_maps(cluster) for cluster in ("eu-west", "us-east")])
    assert "s3cret" not in said + more + held


def test_a_migration_in_the_order_of_a_run(allowed, operator):
    allowed.create(workload("Deployment", "api", replicas=1), workload("Deployment", "web", replicas=1))
    create_job(allowed)
    ready = {
        "object": {"kind": "Deployment", "name": "api", "namespace": allowed.name},
        "that": "status.readyReplicas == `1`",
    }
    plan = {
        "version": 1,
        "name": allowed.name,
        "defaults": {"namespace": allowed.name},
        "workloads": [
            {"id": "api", "name": "api", "gates": {"after": ["ready"]}},
            {"id": "schema", "gate": {"job": f"{allowed.name}/migrate", "interval": "1s"}, "after": ["api"]},
            {"id": "web", "name": "web", "after": ["schema"]},
        ],
        "gates": {"ready": {**ready, "interval": "1s"}},
    }
    waiting = operator.start("k8s_rollout_restart", plan=plan, journal={"clusters": ["eu"]}, run_id="r1")
    closed = 'the gate "schema" (job "migrate"'
    wait_until(
        lambda: any(closed in str(run["waits_for"]) for run in runs(operator, allowed)), "the gate is journaled", 180
    )
    assert RUN not in allowed.annotations("deployment", "web")
    end_job(allowed, "migrate", "SuccessCriteriaMet", "Complete")
    result = waiting.result()
    assert result["summary"] == {"restarted": 2}, result
    assert [(gate["name"], gate["state"]) for gate in result["gates"]] == [("ready", "open"), ("schema", "open")]
    assert [run["state"] for run in runs(operator, allowed)] == ["finished"]


def runs(operator, namespace):
    return operator.run("k8s_rollout_journal", plan=namespace.name)["runs"]


def test_the_next_wave_waits_for_the_gates_after_this_one(shop):
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        gate = {"tcp": f"127.0.0.1:{listener.getsockname()[1]}", "timeout": "2s", "interval": "1s"}
        given = ("-e", json.dumps({"ticket": "CHG1", "restartx_bake": "2s", "restartx_gates": {"up": gate}}))
        code, said = shop.run(*given, "--check")
        assert code == 0 and "is closed" not in said, said
        code, said = shop.run(*given, "-e", "restartx_max_failed_clusters=1")
        assert code == 2, said
        assert shop.restarted("eu-west") == ["api", "pay", "web"] and shop.restarted("us-east") == []
        assert 'the gate "up" (port' in said and "it did not open within 2s" in said
        assert "it resumes run" in said
        assert shop.journal("eu-west")["state"] == "stopped"

        listener.listen()
        code, said = shop.run(*given)
        assert code == 0, said
        assert shop.restarted("us-east") == ["api", "pay", "web"]
        assert shop.journal("eu-west")["state"] == "finished"
