# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which server is meant, with whose credentials, and what is said when that cannot be found out."""

from __future__ import annotations

import base64

import pytest
import yaml

from ansible_collections.restartx.core.plugins.module_utils.cluster.auth import resolve
from ansible_collections.restartx.core.plugins.module_utils.cluster.connect import connect
from ansible_collections.restartx.core.plugins.module_utils.cluster.endpoint import find_endpoint
from ansible_collections.restartx.core.plugins.module_utils.cluster.errors import ConfigError
from tests.unit.cluster.pki import certificate, key, pem_of

KEY = key()
CERTIFICATE = certificate(KEY)


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A home folder without a kubeconfig."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    return tmp_path / "home"


@pytest.fixture
def find(home, tmp_path):
    """find(options, environ) -> Endpoint; the pod's folder is `pod` in tmp_path."""
    return lambda options=(), environ=(): find_endpoint(
        resolve(dict(options), dict(environ)), dict(environ), 10, str(tmp_path / "pod")
    )


def config(user=None, **cluster):
    return {
        "current-context": "one",
        "clusters": [{"name": "c", "cluster": {"server": "https://one:6443/", **cluster}}],
        "users": [{"name": "dev", "user": user or {}}],
        "contexts": [{"name": name, "context": {"cluster": "c", "user": "dev"}} for name in ("one", "two")],
    }


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else yaml.safe_dump(content))
    return str(path)


def pod(tmp_path):
    """Make this look like a pod; returns its environment."""
    write(tmp_path / "pod" / "token", "pod-token\n")
    write(tmp_path / "pod" / "ca.crt", CERTIFICATE.decode())
    return {"KUBERNETES_SERVICE_HOST": "10.96.0.1", "KUBERNETES_SERVICE_PORT": "443"}


class TestPrecedence:
    def test_a_host_with_credentials_is_all_there_is_to_know(self, find):
        endpoint = find({"host": "https://given:6443/", "api_key": "t", "kubeconfig": "/does/not/exist"})
        assert (endpoint.host, endpoint.context) == ("https://given:6443", None)
        assert endpoint.source.fetch().authorization == "Bearer t"

    def test_a_host_alone_is_spoken_to_without_credentials(self, find, home):
        write(home / ".kube" / "config", config({"token": "not-for-others"}))
        endpoint = find({"host": "http://127.0.0.1:8001"})
        assert (endpoint.host, endpoint.source.fetch().authorization) == ("http://127.0.0.1:8001", None)

    def test_host_and_token_of_the_environment_lose_against_a_context_option(self, find, home):
        write(home / ".kube" / "config", config({"token": "t"}))
        environ = {"K8S_AUTH_HOST": "https://awx:6443", "K8S_AUTH_API_KEY": "awx", "K8S_AUTH_VERIFY_SSL": "no"}
        endpoint = find({"context": "two"}, environ)
        assert (endpoint.host, endpoint.context, endpoint.validate) == ("https://one:6443", "two", True)
        assert endpoint.source.fetch().authorization == "Bearer t"
        assert find({}, environ).host == "https://awx:6443"

    def test_a_context_option_is_looked_for_in_the_file_the_environment_names(self, find, tmp_path):
        path = write(tmp_path / "elsewhere", config())
        assert find({"context": "two"}, {"K8S_AUTH_KUBECONFIG": path}).context == "two"

    def test_without_options_kubeconfig_of_the_client_comes_before_the_default_and_both_before_the_pod(
        self, find, home, tmp_path
    ):
        environ = pod(tmp_path)
        assert find({}, environ).host == "https://10.96.0.1:443"
        write(home / ".kube" / "config", config())
        assert find({}, environ).host == "https://one:6443"
        named = write(tmp_path / "named", config(server="https://named"))
        assert find({}, environ | {"KUBECONFIG": named}).host == "https://named"

    def test_a_kubeconfig_of_the_client_that_is_missing_does_not_lead_to_the_pods_cluster(self, find, tmp_path):
        with pytest.raises(ConfigError, match='kubeconfig file ".*typo" does not exist'):
            find({}, pod(tmp_path) | {"KUBECONFIG": str(tmp_path / "typo")})

    def test_nothing_at_all_says_what_to_set(self, find):
        with pytest.raises(
            ConfigError, match="no cluster is given, .* set context, kubeconfig, or host with credentials"
        ):
            find()

    def test_in_a_pod_the_service_account_speaks(self, find, tmp_path):
        endpoint = find({}, pod(tmp_path))
        assert (endpoint.context, endpoint.authority) == (None, CERTIFICATE)
        assert endpoint.source.fetch().authorization == "Bearer pod-token"
        write(tmp_path / "pod" / "token", "rotated")
        assert endpoint.source.fetch().authorization == "Bearer rotated"

    def test_an_address_of_version_6_is_put_in_brackets(self, find, tmp_path):
        assert find({}, pod(tmp_path) | {"KUBERNETES_SERVICE_HOST": "fd00::1"}).host == "https://[fd00::1]:443"

    def test_single_options_replace_what_the_kubeconfig_says(self, find, tmp_path):
        kubeconfig = config(
            {"token": "t", "as": "eve"},
            **{"insecure-skip-tls-verify": True, "proxy-url": "http://p:1", "tls-server-name": "n"},
        )
        plain = find({"kubeconfig": kubeconfig})
        assert (plain.validate, plain.proxy, plain.server_name) == (False, "http://p:1", "n")
        assert plain.impersonation == (("Impersonate-User", "eve"),)
        changed = find(
            {
                "kubeconfig": kubeconfig,
                "validate_certs": True,
                "ca_cert": write(tmp_path / "ca", "CA"),
                "proxy": "http://other:2",
                "impersonate_user": "ann",
                "impersonate_groups": ["dev"],
                "host": "https://tunnel:6443",
            }
        )
        assert (changed.validate, changed.authority, changed.proxy) == (True, b"CA", "http://other:2")
        assert changed.impersonation == (("Impersonate-User", "ann"), ("Impersonate-Group", "dev"))
        assert (changed.host, changed.context) == ("https://tunnel:6443", "one")
        assert changed.source.fetch().authorization == "Bearer t"


class TestUsers:
    @pytest.mark.parametrize(
        ("user", "header"),
        [
            ({"token": "t", "username": "u", "password": "p"}, "Bearer t"),
            ({"username": "u", "password": "p"}, "Basic dTpw"),
            ({}, None),
            ({"token": "t", "exec": {"command": "never-run"}}, "Bearer t"),
        ],
    )
    def test_the_header_is_made_of_token_or_password(self, find, user, header):
        assert find({"kubeconfig": config(user)}).source.fetch().authorization == header

    def test_a_token_file_beats_a_token_and_is_read_anew(self, find, tmp_path):
        path = write(tmp_path / "token", "first\n")
        source = find({"kubeconfig": config({"token": "t", "tokenFile": path})}).source
        assert source.fetch().authorization == "Bearer first"
        write(tmp_path / "token", "second")
        assert source.fetch().authorization == "Bearer second"
        assert (source.renewable, source.max_age) == (True, 60.0)

    def test_certificates_come_as_data_or_as_files(self, find, tmp_path):
        data = {"client-certificate-data": base64.b64encode(b"C").decode(), "client-key": write(tmp_path / "k", "K")}
        credential = find({"kubeconfig": config(data)}).source.fetch()
        assert (credential.certificate, credential.key) == (b"C", b"K")

    @pytest.mark.parametrize("name", ["certificate-authority-data", "client-certificate-data", "client-key-data"])
    @pytest.mark.parametrize(
        ("text", "accepted"),
        [
            ("QUJD\nREVG\n", True),
            ("QUJD\r\nREVG\r\n", True),
            ("\nQ\nUJDREVG", True),
            ("QUJD REVG", False),
            ("QUJD\tREVG", False),
            ("QUJDRE", False),
            ("QUJD-EVG", False),
        ],
    )
    def test_base64_may_be_broken_into_lines_and_nothing_else(self, find, name, text, accepted):
        """Go's encoding/base64, with which kubectl reads it, leaves out line breaks."""
        data = {"client-certificate-data": "QQ==", "client-key-data": "QQ==", "certificate-authority-data": "QQ=="}
        data[name] = text
        authority = data.pop("certificate-authority-data")
        content = yaml.safe_load(yaml.safe_dump(config(data, **{"certificate-authority-data": authority})))

        def read():
            endpoint = find({"kubeconfig": content})
            credential = endpoint.source.fetch()
            values = {"certificate-authority-data": endpoint.authority, "client-key-data": credential.key}
            return values.get(name, credential.certificate)

        if accepted:
            assert read() == b"ABCDEF"
        else:
            with pytest.raises(ConfigError, match=f"{name} of .* is not base64: correct it"):
                read()

    def test_credentials_among_the_options_replace_the_user_as_a_whole(self, find):
        credential = find({"kubeconfig": config({"token": "t"}), "username": "u", "password": "p"}).source.fetch()
        assert credential.authorization == "Basic dTpw"

    def test_a_certificate_option_may_hold_its_key(self, find, tmp_path):
        both = write(tmp_path / "both", (CERTIFICATE + pem_of(KEY)).decode())
        assert b"PRIVATE KEY" in find({"host": "https://h", "client_cert": both}).source.fetch().key

    def test_impersonation_in_the_kubeconfig_is_kept(self, find):
        user = {"as": "eve", "as-uid": "7", "as-groups": ["a", "b"], "as-user-extra": {"a/b": ["x"]}}
        assert find({"kubeconfig": config(user)}).impersonation == (
            ("Impersonate-User", "eve"),
            ("Impersonate-Uid", "7"),
            ("Impersonate-Group", "a"),
            ("Impersonate-Group", "b"),
            ("Impersonate-Extra-a%2Fb", "x"),
        )


HOST = {"host": "https://h", "api_key": "t"}


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"host": "h:6443"}, 'host "h:6443" of the options is not a URL: write it like https://name:port'),
        ({"host": "ftp://h"}, 'host "ftp://h" of the options is not a URL: write it like https://name:port'),
        (
            {"host": "https://h:99999"},
            'host "https://h:99999" of the options is not a URL: write it like https://name:port',
        ),
        (
            {"host": "https://ann:hush@h"},
            'host "https://h" of the options holds a user: set username and password in its place',
        ),
        (HOST | {"proxy": "p:3128"}, 'proxy "p:3128" of the options is not a URL: write it like http://name:port'),
        (
            HOST | {"ca_cert": "/no/ca"},
            'cannot read "/no/ca" (No such file or directory): correct the path or its permissions',
        ),
        (
            HOST | {"client_cert": "/no/c", "client_key": "/no/k"},
            'cannot read "/no/c" (No such file or directory): correct the path or its permissions',
        ),
        ({"host": "https://h", "username": "u"}, "username and password belong together: set password as well"),
        ({"host": "https://h", "password": "p"}, "username and password belong together: set username as well"),
        (
            {"host": "https://h", "client_key": "k"},
            "client_cert and client_key belong together: set client_cert as well",
        ),
        (
            {"host": "https://h", "api_key": "two words"},
            "the token of api_key is empty or holds characters that no token has: give the bare token",
        ),
        (
            HOST | {"impersonate_groups": ["a"]},
            "impersonate_groups alone is not possible: set impersonate_user as well",
        ),
        (
            HOST | {"impersonate_user": "a\nb"},
            "Impersonate-User of the options cannot be sent in a header: use printable ASCII characters",
        ),
        (
            {"kubeconfig": config(server="one")},
            'host "one" of context "one" of the kubeconfig option is not a URL: write it like https://name:port',
        ),
        (
            {"kubeconfig": config({"client-certificate-data": "Q0E="})},
            'user "dev" of the kubeconfig option has only one of client-certificate and client-key: add the other one',
        ),
        (
            {"kubeconfig": config({"client-certificate-data": "%"})},
            'client-certificate-data of user "dev" of the kubeconfig option is not base64: '
            "correct it, or recreate the file",
        ),
        (
            {"kubeconfig": config(**{"certificate-authority-data": "Q0E="})},
            'the CA certificate of context "one" of the kubeconfig option is not a PEM certificate: correct it',
        ),
        (
            HOST | {"proxy": "socks5://p:1080"},
            'the proxy "socks5://p:1080" needs the Python package PySocks: install it',
        ),
    ],
)
@pytest.mark.filterwarnings("ignore:SOCKS support")
def test_what_is_wrong_is_one_sentence_with_a_way_out_before_any_request(home, options, sentence):
    with pytest.raises(ConfigError) as caught:
        connect(options, {})
    assert str(caught.value) == sentence


@pytest.mark.parametrize(
    ("certificate_pem", "key_pem"),
    [
        (CERTIFICATE, pem_of(key())),
        (CERTIFICATE, pem_of(KEY, b"password")),
        (b"rubbish", pem_of(KEY)),
        (CERTIFICATE, b""),
    ],
    ids=["of another key", "encrypted", "no certificate", "no key"],
)
def test_a_certificate_that_cannot_be_shown_is_named(home, tmp_path, certificate_pem, key_pem):
    files = {
        "client_cert": write(tmp_path / "c", certificate_pem.decode()),
        "client_key": write(tmp_path / "k", key_pem.decode()),
    }
    with pytest.raises(ConfigError, match="client certificate and key of the options cannot be used: give a matching"):
        connect({"host": "https://h", **files}, {})


def test_no_secret_is_in_what_python_shows(home):
    user = {"token": "hush-1", "client-certificate-data": "Q0E=", "client-key-data": "aHVzaA=="}
    options = {"kubeconfig": config(user, **{"proxy-url": "http://a:hush-2@p:1"}), "host": "http://h"}
    endpoint = find_endpoint(resolve(options, {}), {}, 10)
    cluster = connect(options, {"K8S_AUTH_PASSWORD": "not-used"})
    shown = repr(cluster) + repr(endpoint) + repr(endpoint.source.fetch())
    assert "hush" not in shown and "aHVzaA==" not in shown
    assert cluster.secrets == {"hush-1", "Bearer hush-1", "hush-2", "aHVzaA=="}
