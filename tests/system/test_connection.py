# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Talking to a real API server: who we are, what it lets us do, and what is said when it does not."""

from __future__ import annotations

import base64
import json
import os
import re
import select
import socket
import ssl
import subprocess
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from urllib.parse import urlsplit

import house
import pytest
import yaml

from ansible_collections.restartx.core.plugins.module_utils.cluster import client, errors
from ansible_collections.restartx.core.plugins.module_utils.cluster.connect import connect
from ansible_collections.restartx.core.plugins.module_utils.cluster.retry import Retry
from lab import Lab
from lab.binary import build
from lab.poll import wait_until
from tests.unit.cluster.pki import certificate, key, pem_of
from tests.unit.cluster.server import Reply, Server

NAMESPACE = "shop"
DEPLOYMENTS = f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments"
API = f"{DEPLOYMENTS}/api"
CONFIGMAPS = f"/api/v1/namespaces/{NAMESPACE}/configmaps"
ROLES = "the roles in the collection's folder rbac hold all that is needed"


def deployment(name, **spec):
    pod = {
        "metadata": {"labels": {"app": name}},
        "spec": {"containers": [{"name": "app", "image": "localhost/none:1"}]},
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {"selector": {"matchLabels": {"app": name}}, "template": pod, **spec},
    }


@pytest.fixture(scope="module")
def bare(tmp_path_factory):
    """A cluster of this file's own, without controllers, with the Deployment shop/api."""
    with Lab(tmp_path_factory.mktemp("bare"), owned=True) as lab:
        (cluster,) = lab.up(["bare"], nodes=0, controllers=False)
        cluster.kubectl("create", "namespace", NAMESPACE)
        cluster.kubectl("create", "--namespace", NAMESPACE, "-f", "-", input=json.dumps(deployment("api")))
        yield cluster


@pytest.fixture
def admin(bare):
    connected = connect({"kubeconfig": str(bare.kubeconfig), "context": "bare"}, {})
    yield connected
    connected.close()


def as_user(bare, user, server=None):
    """A kubeconfig of the cluster with another user section (None: the admin's); returns its content."""
    config = yaml.safe_load(bare.kubeconfig.read_text())
    if user is not None:
        config["users"][0]["user"] = user
    if server is not None:
        config["clusters"][0]["cluster"].update(server)
    return {"kubeconfig": config}


def sentence_of(call, *arguments, **options):
    with pytest.raises(errors.ClusterError) as caught:
        call(*arguments, **options)
    return type(caught.value), str(caught.value)


class TestIdentity:
    def test_a_cluster_is_known_by_the_uid_of_kube_system(self, bare, admin):
        expected = bare.kubectl("get", "namespace", "kube-system", "-o", "jsonpath={.metadata.uid}").stdout
        assert admin.uid() == expected
        assert (admin.host, admin.context) == (bare.server, "bare")

    def test_host_and_token_of_the_environment_do_not_lead_a_context_astray(self, bare, admin):
        environ = {"K8S_AUTH_HOST": "https://127.0.0.1:1", "K8S_AUTH_API_KEY": "other", "K8S_AUTH_CONTEXT": "other"}
        found = connect({"kubeconfig": str(bare.kubeconfig), "context": "bare"}, environ)
        assert (found.host, found.uid()) == (bare.server, admin.uid())

    def test_requests_carry_our_name_and_are_all_counted(self, bare):
        cluster = connect({"kubeconfig": str(bare.kubeconfig)}, {})
        before = len(bare.requests(user_agent="restartx/0.1.0"))
        cluster.get(API)
        cluster.list(DEPLOYMENTS)
        cluster.patch(API, {}, "merge", dry_run=True)
        assert cluster.requests == 3
        assert len(bare.requests(user_agent="restartx/0.1.0")) - before == 3

    def test_we_can_act_as_somebody_else_with_several_groups(self, bare, admin):
        options = {"kubeconfig": str(bare.kubeconfig), "impersonate_user": "eve"}
        review = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
        cluster = connect(options | {"impersonate_groups": ["dev", "system:masters"]}, {})
        user = cluster.create("/apis/authentication.k8s.io/v1/selfsubjectreviews", review)["status"]["userInfo"]
        assert user["username"] == "eve"
        assert {"dev", "system:masters"} <= set(user["groups"])


class TestObjects:
    def test_a_patch_made_from_an_old_view_is_refused(self, admin):
        seen = admin.get(API)
        admin.patch(API, {"metadata": {"annotations": {"touched": seen["metadata"]["resourceVersion"]}}}, "merge")
        stale = {"metadata": {"resourceVersion": seen["metadata"]["resourceVersion"]}, "spec": {"replicas": 9}}
        assert sentence_of(admin.patch, API, stale, "strategic") == (
            errors.Conflict,
            'deployments.apps "api" in namespace "shop" was changed by someone else in between (409 Conflict): '
            "read it again, then patch it",
        )
        assert admin.get(API)["spec"]["replicas"] != 9

    def test_a_dry_run_answers_like_a_change_and_changes_nothing(self, admin):
        before = admin.get(API)
        answer = admin.patch(API, [{"op": "add", "path": "/spec/replicas", "value": 7}], "json", dry_run=True)
        assert answer["spec"]["replicas"] == 7
        assert admin.get(API) == before

    def test_a_change_carries_its_field_manager(self, admin):
        patched = admin.patch(API, {"spec": {"minReadySeconds": 3}}, "strategic", field_manager="restartx")
        assert "restartx" in {entry["manager"] for entry in patched["metadata"]["managedFields"]}

    def test_objects_are_created_replaced_and_deleted(self, admin):
        made = admin.create(CONFIGMAPS, {"metadata": {"name": "one"}, "data": {"a": "1"}})
        kind, sentence = sentence_of(admin.create, CONFIGMAPS, {"metadata": {"name": "one"}})
        assert (kind, sentence.partition(":")[0]) == (
            errors.Conflict,
            'configmaps "one" in namespace "shop" exists already (409 Conflict)',
        )
        made["data"] = {"a": "2"}
        assert admin.replace(f"{CONFIGMAPS}/one", made)["data"] == {"a": "2"}
        assert sentence_of(admin.replace, f"{CONFIGMAPS}/one", made)[0] is errors.Conflict
        admin.delete(f"{CONFIGMAPS}/one")
        assert sentence_of(admin.get, f"{CONFIGMAPS}/one") == (
            errors.NotFound,
            'configmaps "one" in namespace "shop" does not exist (404 Not Found): '
            f"check name, namespace and cluster ({admin.host})",
        )

    def test_long_lists_come_in_pages_and_are_one_list(self, admin, monkeypatch):
        monkeypatch.setattr(client, "PAGE", 2)
        for number in range(5):
            body = {"metadata": {"name": f"page-{number}", "labels": {"test": "pages"}}}
            admin.create(CONFIGMAPS, body)
        sent = admin.requests
        listing = admin.list(CONFIGMAPS, {"labelSelector": "test=pages"})
        assert [item["metadata"]["name"] for item in listing.items] == [f"page-{number}" for number in range(5)]
        assert {(item["apiVersion"], item["kind"]) for item in listing.items} == {("v1", "ConfigMap")}
        assert admin.requests - sent == 3

    def test_warnings_of_the_server_are_kept(self, admin):
        admin.patch(API, {"spec": {"unheardOf": 1}}, "strategic", dry_run=True)
        assert admin.warnings == ['unknown field "spec.unheardOf"']

    @pytest.mark.parametrize(
        ("path", "words"),
        [
            ("/apis/apps/v1/namespaces/shop/deploys/api", "does not know /apis/apps/v1/namespaces/shop/deploys/api"),
            ("/apis/none.example.com/v1/things", "does not know /apis/none.example.com/v1/things"),
        ],
    )
    def test_an_api_the_server_does_not_have_is_told_from_an_object_it_does_not_have(self, admin, path, words):
        kind, sentence = sentence_of(admin.get, path)
        assert kind is errors.NotFound
        assert words in sentence

    @pytest.mark.parametrize(
        ("body", "words"),
        [
            ({"spec": {"replicas": -1}}, "spec.replicas: Invalid value: -1: must be greater than or equal to 0"),
            ({"spec": {"replicas": "many"}}, "unrecognized type: int32"),
        ],
    )
    def test_an_impossible_change_is_refused_with_the_servers_reason(self, admin, body, words):
        kind, sentence = sentence_of(admin.patch, API, body, "strategic")
        assert kind is errors.Invalid
        assert 'refuses to patch deployments.apps "api" in namespace "shop" (4' in sentence
        assert words in sentence


class TestPermissions:
    @pytest.fixture
    def nobody(self, bare, tmp_path):
        """A service account without any rights."""
        bare.kubectl("create", "serviceaccount", "nobody", "--namespace", NAMESPACE, check=False)
        path = bare.service_account_kubeconfig(NAMESPACE, "nobody", tmp_path / "nobody")
        return connect({"kubeconfig": str(path)}, {})

    @pytest.mark.parametrize(
        ("call", "verb", "what", "where"),
        [
            (lambda c: c.get(API), "get", 'deployments.apps "api"', ' in namespace "shop"'),
            (lambda c: c.list(DEPLOYMENTS), "list", "deployments.apps", ' in namespace "shop"'),
            (lambda c: c.list("/apis/apps/v1/deployments"), "list", "deployments.apps", ""),
            (lambda c: c.stream(DEPLOYMENTS, {}, 5), "watch", "deployments.apps", ' in namespace "shop"'),
            (lambda c: c.patch(API, {}, "merge"), "patch", 'deployments.apps "api"', ' in namespace "shop"'),
            (
                lambda c: c.create(CONFIGMAPS, {"metadata": {"name": "x"}}),
                "create",
                "configmaps",
                ' in namespace "shop"',
            ),
            (lambda c: c.delete(f"{CONFIGMAPS}/x"), "delete", 'configmaps "x"', ' in namespace "shop"'),
            (lambda c: c.get("/api/v1/nodes/n1"), "get", 'nodes "n1"', ""),
        ],
    )
    def test_what_we_may_not_do_is_named_by_verb_resource_and_namespace(self, nobody, call, verb, what, where):
        resource = what.split(" ")[0]
        assert sentence_of(call, nobody) == (
            errors.Forbidden,
            f'User "system:serviceaccount:shop:nobody" may not {verb} {what}{where} (403 Forbidden): '
            f"grant {verb} on {resource}{where}; {ROLES}",
        )
        assert nobody.requests == 1

    def test_whose_kube_system_may_not_be_seen_has_no_known_uid(self, nobody):
        assert nobody.uid() is None

    def test_without_credentials_that_is_what_is_missing(self, bare):
        kind, sentence = sentence_of(connect({"host": bare.server, "validate_certs": False}, {}).get, API)
        assert kind is errors.Forbidden
        assert sentence.startswith(
            f"{bare.server} got no credentials and does not let anonymous users get deployments.apps"
        )

    def test_a_policy_that_refuses_is_heard(self, bare, admin):
        bare.apply(POLICY)
        body = {"metadata": {"name": "refused", "labels": {"day": "friday"}}}
        found = []

        def refused():
            try:
                admin.create(CONFIGMAPS, body, dry_run=True)
            except errors.Invalid as error:
                found.append(str(error))
            return found

        wait_until(refused, "the API server to know the policy")
        assert found[0].startswith(f'{bare.server} refuses to create configmaps in namespace "shop" (422)')
        assert found[0].endswith("denied request: not on Fridays")


POLICY = """
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: fridays}
spec:
  matchConstraints:
    resourceRules: [{apiGroups: [""], apiVersions: [v1], operations: [CREATE], resources: [configmaps]}]
  validations:
    - expression: "!has(object.metadata.labels) || !('day' in object.metadata.labels)"
      message: not on Fridays
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: fridays}
spec: {policyName: fridays, validationActions: [Deny]}
"""


@pytest.fixture(scope="module")
def webhook(bare, tmp_path_factory):
    """A webhook that judges the Deployment "judged": what it says is set as `verdict`."""
    own = key()
    pair = tmp_path_factory.mktemp("webhook") / "pair"
    pem = certificate(own, host="127.0.0.1")
    pair.write_bytes(pem + pem_of(own))
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(pair)

    def judge(handler):
        request = handler.server.seen[-1].body["request"]
        verdict = {"uid": request["uid"], **handler.server.verdict}
        Reply(body={"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": verdict})(handler)

    server = Server([judge], tls=tls)
    server.verdict = {"allowed": True}
    made = deployment("judged")
    made["metadata"]["labels"] = {"test": "webhook"}
    bare.kubectl("create", "--namespace", NAMESPACE, "-f", "-", input=json.dumps(made))
    bare.apply(WEBHOOK % (server.url, base64.b64encode(pem).decode()))
    yield server
    bare.kubectl("delete", "validatingwebhookconfiguration", "judge")
    server.close()


class TestWebhooks:
    @pytest.mark.parametrize(
        ("code", "kind", "start"),
        [
            (403, errors.Forbidden, 'The owner of these credentials (user "bare" of kubeconfig file'),
            (400, errors.Invalid, 'cannot patch deployments.apps "judged" in namespace "shop" (400)'),
            (422, errors.Invalid, 'cannot patch deployments.apps "judged" in namespace "shop" (422)'),
        ],
    )
    def test_one_that_refuses_is_quoted(self, admin, webhook, code, kind, start):
        webhook.verdict = {"allowed": False, "status": {"code": code, "message": "not on Fridays"}}
        found, sentence = self.refusal(admin)
        assert found is kind
        assert sentence.startswith(start)
        assert sentence.endswith('admission webhook "judge.example.com" denied the request: not on Fridays')

    def test_one_that_warns_is_quoted_and_obeyed(self, admin, webhook):
        webhook.verdict = {"allowed": True, "warnings": ["it is almost Friday"]}
        wait_until(lambda: self.patch(admin) and admin.warnings, "the webhook to be asked")
        assert admin.warnings == ["it is almost Friday"]

    def test_one_that_fails_is_asked_again_and_then_named(self, bare, webhook):
        waits = []
        retry = Retry(attempts=3, sleep=waits.append)
        admin = connect({"kubeconfig": str(bare.kubeconfig)}, {}, retry=retry)
        webhook.verdict = {"uid": "of another review"}
        found, sentence = self.refusal(admin)
        assert found is errors.ServerFailed
        assert 'failed calling webhook "judge.example.com"' in sentence
        assert len(waits) == 2

    @staticmethod
    def patch(admin):
        return admin.patch(f"{DEPLOYMENTS}/judged", {}, "strategic", dry_run=True)

    def refusal(self, admin):
        """Class and sentence of the first refusal: the API server takes a webhook up with some delay."""
        found = []

        def refused():
            try:
                self.patch(admin)
            except errors.ClusterError as error:
                found.append((type(error), str(error)))
            return found

        wait_until(refused, "the webhook to be asked")
        return found[0]


WEBHOOK = """
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {name: judge}
webhooks:
  - name: judge.example.com
    clientConfig: {url: "%s/", caBundle: %s}
    rules: [{apiGroups: [apps], apiVersions: [v1], operations: [UPDATE], resources: [deployments]}]
    objectSelector: {matchLabels: {test: webhook}}
    admissionReviewVersions: [v1]
    sideEffects: None
    timeoutSeconds: 5
"""


class TestWhatDoesNotWork:
    """Each with one clear sentence."""

    def test_an_expired_client_certificate(self, bare, tmp_path):
        path = bare.certificate_kubeconfig(tmp_path / "expired", "eve", expired=True)
        kind, sentence = sentence_of(connect({"kubeconfig": str(path)}, {}).get, API)
        assert kind is errors.Unauthorized
        assert re.fullmatch(
            rf'{bare.server} does not accept the credentials of user "bare" of kubeconfig file "{path}" '
            r"\(401 Unauthorized\): the client certificate expired on .* UTC; renew it",
            sentence,
        )

    def test_a_token_that_nobody_issued(self, bare, tmp_path):
        kind, sentence = sentence_of(connect(as_user(bare, {"token": "made-up-token"}), {}).get, API)
        assert kind is errors.Unauthorized
        assert "they may be wrong, expired or revoked: log in again" in sentence
        assert "made-up-token" not in sentence

    def test_a_port_where_nobody_listens(self, bare):
        options = as_user(bare, None, server={"server": "https://127.0.0.1:1"})
        assert sentence_of(connect(options, {}, retry=Retry(sleep=lambda _seconds: None)).get, API) == (
            errors.Unreachable,
            "cannot reach https://127.0.0.1:1: connection refused, check the port and that something listens there",
        )

    def test_a_ca_that_did_not_sign_the_server(self, bare):
        other = base64.b64encode(certificate(key())).decode()
        options = as_user(bare, None, server={"certificate-authority-data": other})
        assert sentence_of(connect(options, {}).get, API) == (
            errors.Unreachable,
            f"cannot reach {bare.server}: the server's certificate is signed by an unknown CA: "
            "give that CA's certificate as ca_cert",
        )

    def test_a_name_that_is_not_in_the_servers_certificate(self, bare):
        known, unknown = (
            connect(as_user(bare, None, server={"tls-server-name": name}), {})
            for name in ("localhost", "other.example")
        )
        assert known.get(API)["kind"] == "Deployment"
        assert sentence_of(unknown.get, API) == (
            errors.Unreachable,
            f"cannot reach {bare.server}: the server's certificate is for another host name: "
            "use a name the certificate holds, or set tls-server-name in the kubeconfig",
        )

    def test_plain_http_to_a_port_that_speaks_tls(self, bare):
        host = bare.server.replace("https:", "http:")
        assert sentence_of(connect({"host": host}, {}).get, API) == (
            errors.Invalid,
            f"{host} expects TLS: write the host with https://",
        )

    def test_a_context_that_does_not_exist(self, bare):
        assert sentence_of(connect, {"kubeconfig": str(bare.kubeconfig), "context": "prod"}, {}) == (
            errors.ConfigError,
            f'there is no context "prod" in kubeconfig file "{bare.kubeconfig}": it has bare',
        )

    def test_an_empty_kubeconfig(self, tmp_path):
        (tmp_path / "config").write_text("")
        assert sentence_of(connect, {"kubeconfig": str(tmp_path / "config")}, {}) == (
            errors.ConfigError,
            f'kubeconfig file "{tmp_path}/config" is empty: recreate it, or give another file',
        )


class TestCredentialPlugins:
    @pytest.fixture
    def plugin(self, bare, tmp_path):
        """Options whose credentials come from this shell script: plugin(script) -> options."""

        def make(script):
            program = tmp_path / "login"
            program.write_text(f"#!/bin/sh\n{script}\n")
            program.chmod(0o755)
            section = {"apiVersion": V1, "command": str(program), "args": ["get-token"], "interactiveMode": "Never"}
            return as_user(bare, {"exec": section})

        return make

    @pytest.fixture
    def token(self, bare):
        """A token that the API server knows."""
        bare.kubectl("create", "serviceaccount", "login", "--namespace", NAMESPACE, check=False)
        return bare.kubectl("create", "token", "login", "--namespace", NAMESPACE).stdout.strip()

    def test_a_token_from_a_plugin_is_accepted(self, plugin, token):
        cluster = connect(plugin(prints(token)), os.environ)
        assert self.user_of(cluster) == "system:serviceaccount:shop:login"
        assert token in cluster.secrets

    def test_a_certificate_from_a_plugin_is_accepted(self, bare, plugin):
        certificate_path, key_path = bare.authority.issue("plugin", "eve")
        status = {"clientCertificateData": certificate_path.read_text(), "clientKeyData": key_path.read_text()}
        script = f"cat <<'END'\n{json.dumps({'apiVersion': V1, 'kind': 'ExecCredential', 'status': status})}\nEND"
        assert self.user_of(connect(plugin(script), os.environ)) == "eve"

    def test_a_token_that_is_no_longer_accepted_is_replaced_in_the_middle_of_a_run(self, plugin, token, tmp_path):
        (tmp_path / "token").write_text("expired")
        cluster = connect(plugin(prints(f"$(cat {tmp_path}/token)")), os.environ)
        (tmp_path / "token").write_text(token)
        assert self.user_of(cluster) == "system:serviceaccount:shop:login"
        assert cluster.requests == 2

    def test_one_that_is_missing(self, bare):
        options = as_user(
            bare, {"exec": {"apiVersion": V1, "command": "no-such-login", "installHint": "See example.com"}}
        )
        assert sentence_of(connect, options, os.environ) == (
            errors.CredentialPlugin,
            'credential plugin "no-such-login" of user "bare" of the kubeconfig option is not installed here or not '
            "executable: install it, or correct its command (See example.com)",
        )

    def test_one_that_fails(self, plugin, tmp_path):
        assert sentence_of(connect, plugin("echo session expired >&2; exit 7"), os.environ) == (
            errors.CredentialPlugin,
            f'credential plugin "{tmp_path}/login get-token" of user "bare" of the kubeconfig option failed with exit '
            "code 7: session expired; run it by hand to see why",
        )

    def test_one_that_hangs(self, plugin, tmp_path):
        assert sentence_of(connect, plugin("sleep 600"), os.environ, plugin_timeout=0.5) == (
            errors.CredentialPlugin,
            f'credential plugin "{tmp_path}/login get-token" of user "bare" of the kubeconfig option gave no answer '
            "within 0.5 seconds: run it by hand, it may wait for a login or for a service that does not answer",
        )

    @staticmethod
    def user_of(cluster):
        review = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
        path = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
        return cluster.create(path, review)["status"]["userInfo"]["username"]


class TestProxies:
    """A proxy that knows a name for the API server which nobody else knows, and what kubectl makes of it."""

    SERVER = "https://api.bare.example:6443"

    @pytest.fixture
    def proxy(self, bare):
        target = ("127.0.0.1", urlsplit(as_user(bare, None)["kubeconfig"]["clusters"][0]["cluster"]["server"]).port)

        class Passing(BaseHTTPRequestHandler):
            def do_CONNECT(self):
                self.server.seen.append((self.path, self.headers.get("Proxy-Authorization")))
                with socket.create_connection(target) as api:
                    self.send_response(200)
                    self.end_headers()
                    ends = {self.connection: api, api: self.connection}
                    while all(self.pass_on(end, ends[end]) for end in select.select(ends, (), ())[0]):
                        pass
                self.close_connection = True

            @staticmethod
            def pass_on(end, other):
                data = end.recv(65536)
                other.sendall(data)
                return data

            def log_message(self, *_arguments):
                """Nothing on the test's output."""

        server = Server(handler=Passing)
        yield server
        server.close()

    @pytest.mark.parametrize(
        ("environ", "proxied"),
        [
            ({"HTTPS_PROXY": "PROXY"}, True),
            ({"https_proxy": "PROXY"}, True),
            ({"HTTPS_PROXY": "PROXY", "NO_PROXY": "other.example,10.0.0.0/8"}, True),
            ({"HTTPS_PROXY": "PROXY", "NO_PROXY": "bare.example:443"}, True),
            ({"HTTPS_PROXY": "PROXY", "NO_PROXY": ".bare.example"}, False),
            ({"HTTPS_PROXY": "PROXY", "no_proxy": "bare.example:6443"}, False),
            ({"HTTP_PROXY": "PROXY"}, False),
        ],
    )
    def test_the_environment_is_read_as_kubectl_reads_it(self, bare, proxy, tmp_path, environ, proxied):
        environ = {
            name: value.replace("PROXY", proxy.url.replace("//", "//ann:p%40ss@")) for name, value in environ.items()
        }
        options = as_user(bare, None, {"server": self.SERVER, "tls-server-name": "localhost"})
        (tmp_path / "config").write_text(yaml.safe_dump(options["kubeconfig"]))
        command = [build(), "kubectl", "--kubeconfig", tmp_path / "config", "get", "--raw", "/version"]
        done = subprocess.run(
            command, env={"HOME": str(tmp_path), **environ}, capture_output=True, text=True, check=False
        )
        assert (done.returncode == 0) is proxied, done.stderr
        asked = list(proxy.seen)
        proxy.seen.clear()
        cluster = connect(options | {"context": "bare"}, environ, retry=Retry(attempts=1))
        if proxied:
            assert cluster.get("/version") == json.loads(done.stdout)
        else:
            with pytest.raises(errors.Unreachable, match='the name "api.bare.example" has no address'):
                cluster.get("/version")
        assert set(proxy.seen) == set(asked)
        assert set(asked) == ({("api.bare.example:6443", "Basic YW5uOnBAc3M=")} if proxied else set())


class TestSecrets:
    """What modules write to the syslog of the host on which they run."""

    CAPTURE = """
import os, syslog
def note(*words):
    with open(os.environ["SYSLOG"], "a") as file:
        file.write(repr(words) + "\\n")
syslog.syslog = note
"""
    REQUIRED = {
        "k8s_rollout_restart": {"namespace": NAMESPACE, "name": "api", "wait": False, "check": True},
        "k8s_rollout_status": {"namespace": NAMESPACE, "name": "api", "wait": False},
        "k8s_rollout_history": {"namespace": NAMESPACE, "name": "api"},
        "k8s_rollout_undo": {"namespace": NAMESPACE, "name": "api", "wait": "perhaps"},
    }

    def test_an_inline_kubeconfig_is_in_no_log_and_no_result(self, bare, tmp_path):
        options = as_user(bare, None)
        user = options["kubeconfig"]["users"][0]["user"]
        for name in ("client-certificate", "client-key"):
            data = (
                base64.b64encode(Path(user.pop(name)).read_bytes()).decode() if name in user else user[f"{name}-data"]
            )
            user[f"{name}-data"] = data
        (tmp_path / "sitecustomize.py").write_text(self.CAPTURE)
        path = f"{tmp_path}:{house.ROOT / '.collections'}"
        operator = house.Operator(tmp_path / "none")
        env = {"PYTHONPATH": path, "SYSLOG": str(tmp_path / "syslog")}
        running = [operator.start(name, env=env, **more, **options) for name, more in self.REQUIRED.items()]
        results = [each.result() for each in running]
        logged = (tmp_path / "syslog").read_text()
        assert logged.count("Invoked with") == 3
        assert results[1]["cluster"]["host"] == options["kubeconfig"]["clusters"][0]["cluster"]["server"]
        assert "unable to convert to bool" in results[3]["msg"]
        for text in (logged, json.dumps(results)):
            assert user["client-key-data"] not in text
            assert "client-key-data" not in text


V1 = "client.authentication.k8s.io/v1"


def prints(token):
    """A script that gives this token, which may be a command's output."""
    return f"""echo '{{"apiVersion": "{V1}", "kind": "ExecCredential", "status": {{"token": "'"{token}"'"}}}}'"""
