# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Credential plugins are run without a terminal and within a time, and named when they give nothing."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from ansible_collections.restartx.core.plugins.module_utils.cluster.errors import CredentialPlugin
from ansible_collections.restartx.core.plugins.module_utils.cluster.kubeconfig import choose, load
from ansible_collections.restartx.core.plugins.module_utils.cluster.plugin import Plugin

V1 = "client.authentication.k8s.io/v1"


@pytest.fixture
def plugin(tmp_path):
    """Make the plugin of a user "dev" whose program `login` is this shell script: plugin(script, ...) -> Plugin."""

    def make(script, *, timeout=10, environ=None, cluster=None, **section):
        program = tmp_path / "login"
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        section = {"apiVersion": V1, "command": "login", **section}
        config = {
            "clusters": [{"name": "c", "cluster": {"server": "https://c", **(cluster or {})}}],
            "users": [{"name": "dev", "user": {"exec": section}}],
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "dev"}}],
        }
        environ = {"PATH": f"{tmp_path}:{os.environ['PATH']}", **(environ or {})}
        return Plugin(choose(load(config), "c"), environ, timeout)

    return make


def says(status, version=V1):
    """A script that prints a credential."""
    return f"cat <<'END'\n{json.dumps({'apiVersion': version, 'kind': 'ExecCredential', 'status': status})}\nEND"


def test_a_token_with_its_end_is_taken(plugin):
    credential = plugin(says({"token": "abc", "expirationTimestamp": "2026-01-01T00:00:10Z"})).fetch()
    assert (credential.authorization, credential.expires) == ("Bearer abc", 1767225610.0)


def test_a_certificate_with_its_key_is_taken(plugin):
    credential = plugin(says({"clientCertificateData": "CERT", "clientKeyData": "KEY"})).fetch()
    assert (credential.authorization, credential.certificate, credential.key) == (None, b"CERT", b"KEY")
    assert "KEY" not in repr(credential)


def test_it_gets_arguments_environment_and_what_it_is_for(plugin, tmp_path):
    cluster = {
        "certificate-authority-data": "Q0E=",
        "extensions": [{"name": "client.authentication.k8s.io/exec", "extension": {"audience": "x"}}],
    }
    script = f'echo "$1 $2 $REGION $HOME_REGION $KUBERNETES_EXEC_INFO" > {tmp_path}/seen\n' + says({"token": "abc"})
    plugin(
        script,
        cluster=cluster,
        environ={"HOME_REGION": "eu"},
        args=["get-token", "--now"],
        env=[{"name": "REGION", "value": "us"}],
        provideClusterInfo=True,
    ).fetch()
    first, second, region, home, info = (tmp_path / "seen").read_text().split(" ", 4)
    assert (first, second, region, home) == ("get-token", "--now", "us", "eu")
    assert json.loads(info) == {
        "apiVersion": V1,
        "kind": "ExecCredential",
        "spec": {
            "interactive": False,
            "cluster": {"server": "https://c", "certificate-authority-data": "Q0E=", "config": {"audience": "x"}},
        },
    }


def test_it_cannot_wait_for_somebody_to_type(plugin):
    """Nor can it take what was typed for somebody else."""
    reader, writer = os.pipe()
    os.write(writer, b"typed\n")
    own = os.dup(0)
    os.dup2(reader, 0)
    try:
        with pytest.raises(CredentialPlugin, match="exit code 1: got nothing"):
            plugin('read answer; echo "got ${answer:-nothing}" >&2; exit 1').fetch()
    finally:
        os.dup2(own, 0)
        for descriptor in (reader, writer, own):
            os.close(descriptor)


NAME = 'credential plugin "login" of user "dev" of the kubeconfig option'
BY_HAND = "run it by hand to see why"


@pytest.mark.parametrize(
    ("script", "section", "sentence"),
    [
        ("exit 3", {}, f"{NAME} failed with exit code 3: it said nothing; {BY_HAND}"),
        ("echo one >&2; echo two >&2; exit 1", {}, f"{NAME} failed with exit code 1: two; {BY_HAND}"),
        ("echo nonsense", {}, f"{NAME} did not print an ExecCredential with a status: {BY_HAND}"),
        ("echo '{}'", {}, f"{NAME} did not print an ExecCredential with a status: {BY_HAND}"),
        (says({}), {}, f"{NAME} gave neither a token nor a client certificate with its key: {BY_HAND}"),
        (
            says({"clientCertificateData": "CERT"}),
            {},
            f"{NAME} gave neither a token nor a client certificate with its key: {BY_HAND}",
        ),
        (
            says({"token": "abc"}, version="client.authentication.k8s.io/v1beta1"),
            {},
            f"{NAME} returned client.authentication.k8s.io/v1beta1, the kubeconfig expects {V1}: "
            "update the plugin, or recreate the kubeconfig with it",
        ),
        (
            says({"token": "abc", "expirationTimestamp": "tomorrow"}),
            {},
            f'{NAME} gave an expirationTimestamp that is not a time, "tomorrow": update it',
        ),
        (
            "",
            {"command": "no-such-login", "installHint": "Get it\nfrom example.com."},
            'credential plugin "no-such-login" of user "dev" of the kubeconfig option is not installed here or not '
            "executable: install it, or correct its command (Get it from example.com.)",
        ),
        (
            "",
            {"interactiveMode": "Always"},
            f"{NAME} needs a terminal (interactiveMode Always), and a module has none: "
            "log in beforehand in a way that lasts, or give a token",
        ),
        ("", {"apiVersion": None}, f"{NAME} needs apiVersion and command in its exec section: add them"),
    ],
)
def test_one_that_gives_nothing_is_named_with_the_reason(plugin, script, section, sentence):
    with pytest.raises(CredentialPlugin) as caught:
        plugin(script, **section).fetch()
    assert str(caught.value) == sentence


def test_one_that_cannot_be_started_is_named(plugin, tmp_path):
    made = plugin("")
    (tmp_path / "login").write_bytes(b"\x7fELF, not really")
    with pytest.raises(CredentialPlugin, match="cannot be started .Exec format error.: correct its command"):
        made.fetch()


def ended(pid):
    """Whether this process runs no more, be it collected or not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def test_one_that_hangs_is_ended_with_its_children(plugin, tmp_path):
    began = time.monotonic()
    with pytest.raises(CredentialPlugin, match='"login aws eks" .* gave no answer within 0.3 seconds: run it by hand'):
        plugin(f"sleep 60 & echo $! > {tmp_path}/child; wait", timeout=0.3, args=["aws", "eks", "--verbose"]).fetch()
    assert time.monotonic() - began < 5
    child = int((tmp_path / "child").read_text())
    while not ended(child):
        assert time.monotonic() - began < 5


@pytest.mark.parametrize(
    ("script", "section", "hidden"),
    [
        (
            'echo "bad secret $CLIENT_SECRET" >&2; exit 1',
            {"env": [{"name": "CLIENT_SECRET", "value": "hush-hush-1"}]},
            "hush-hush-1",
        ),
        ('echo "refused: token=abc123" >&2; exit 1', {}, "abc123"),
        ('echo "Authorization: Bearer abc123" >&2; exit 1', {}, "abc123"),
        ('echo "expired eyJhbGciOi.eyJleHAi.c2ln" >&2; exit 1', {}, "eyJleHAi"),
        ("exit 1", {"args": ["get-token", "--client-secret", "hush"]}, "hush"),
        ("exit 1", {"args": ["--password=hush"]}, "hush"),
    ],
)
def test_what_it_says_is_shown_without_secrets(plugin, script, section, hidden):
    with pytest.raises(CredentialPlugin) as caught:
        plugin(script, **section).fetch()
    assert hidden not in str(caught.value)
