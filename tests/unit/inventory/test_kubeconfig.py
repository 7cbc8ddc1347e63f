# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The inventory plugin, read by a real ansible-inventory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from ansible.errors import AnsibleParserError
from ansible.parsing.vault import VaultLib, VaultSecret

from ansible_collections.restartx.core.plugins.inventory import kubeconfig
from ansible_collections.restartx.core.plugins.inventory.kubeconfig import check_options, host_name, matches, wave
from tests.unit.cluster.pki import certificate, key

ROOT = Path(__file__).parents[3]
ARN = "arn:aws:eks:eu-west-1:111122223333:cluster/prod"


@pytest.fixture
def read(tmp_path):
    """Writes kubeconfigs and a source, and returns (the inventory or None, what was printed)."""

    def read(source="", kubeconfigs=None, environment=None, limit=None):
        for name, contexts in (kubeconfigs or {"config": ["us-1", "eu-2", "eu-1"]}).items():
            text = contexts if isinstance(contexts, str) else json.dumps({"contexts": [{"name": c} for c in contexts]})
            (tmp_path / name).write_text(text)
        file = tmp_path / "test.kubeconfig.yml"
        file.write_text(f"plugin: restartx.core.kubeconfig\n{source}\n")
        variables = {
            name: value for name, value in os.environ.items() if name not in ("KUBECONFIG", "RESTARTX_CONTEXTS")
        }
        variables |= {
            "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".collections"),
            "ANSIBLE_HOME": str(tmp_path / "ansible"),
            "ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED": "true",
            "HOME": str(tmp_path),
            **(environment or {}),
        }
        command = [
            Path(sys.executable).with_name("ansible-inventory"),
            "-i",
            file,
            "--list",
            *(["--limit", limit] if limit else []),
        ]
        done = subprocess.run(command, cwd=tmp_path, env=variables, capture_output=True, text=True, check=False)
        printed = " ".join(done.stderr.split())  # Ansible wraps its messages
        assert "Traceback" not in printed
        return (json.loads(done.stdout, object_hook=plain) if done.returncode == 0 else None), printed

    return read


def plain(value):
    """Strings that are never templates, such as those set by plugins, are written as {"__ansible_unsafe": ...}."""
    return value.get("__ansible_unsafe", value)


def test_contexts_become_local_hosts_in_the_order_of_the_kubeconfig(read, tmp_path):
    inventory, _printed = read("kubeconfig: config")
    assert inventory["clusters"]["hosts"] == ["us-1", "eu-2", "eu-1"]
    assert inventory["_meta"]["hostvars"]["eu-2"] == {
        "ansible_connection": "local",
        "ansible_python_interpreter": sys.executable,
        "restartx_context": "eu-2",
        "restartx_kubeconfig": str(tmp_path / "config"),
    }


def test_filters_groups_and_waves_go_by_pattern(read):
    inventory, _printed = read(
        'kubeconfig: [config]\ninclude: ["eu-*", "us-*"]\nexclude: "*-dev"\n'
        'groups: {emea: "eu-*", pair: [us-1, eu-1], nobody: "x*"}\nwaves: [eu-2, [us-1, "nothing*"]]',
        {"config": ["us-1", "eu-dev", "eu-2", "eu-1", "other"]},
    )
    assert inventory["clusters"]["hosts"] == ["us-1", "eu-2", "eu-1"]
    assert inventory["emea"]["hosts"] == ["eu-2", "eu-1"]
    assert inventory["pair"]["hosts"] == ["us-1", "eu-1"]
    hosts = inventory["_meta"]["hostvars"]
    assert {host: hosts[host]["restartx_wave"] for host in hosts} == {"eu-2": 1, "us-1": 2, "eu-1": 3}


def test_a_pattern_that_excludes_nothing_or_puts_nothing_into_a_wave_is_a_warning(read):
    inventory, printed = read("kubeconfig: config\nwaves: ['eu-canray*', [eu-1, 'us-*']]\nexclude: ['prd-*']")
    assert inventory["clusters"]["hosts"] == ["us-1", "eu-2", "eu-1"]
    warned = [line.split(": ", 1)[1] for line in printed.split("[WARNING]: ")[1:]]
    assert [line.strip() for line in warned] == [
        "exclude: 'prd-*' matches no context.",
        "waves: 'eu-canray*' matches no context.",
    ]


def test_several_kubeconfigs_are_joined_and_the_first_context_of_a_name_counts(read, tmp_path):
    files = {"one": ["a", "b"], "two": ["b", "c"]}
    inventory, _printed = read("kubeconfig: [one, two]", files)
    assert inventory["clusters"]["hosts"] == ["a", "b", "c"]
    joined = f"{tmp_path / 'one'}:{tmp_path / 'two'}"
    assert {host["restartx_kubeconfig"] for host in inventory["_meta"]["hostvars"].values()} == {joined}


def test_without_the_option_kubeconfig_it_reads_what_kubectl_reads(read, tmp_path):
    (tmp_path / ".kube").mkdir()
    files = {"one": ["a"], ".kube/config": ["home"]}
    inventory, printed = read("", files, {"KUBECONFIG": f"{tmp_path / 'missing'}:one"})
    assert f"KUBECONFIG names {tmp_path / 'missing'}, which does not exist" in " ".join(printed.split())
    assert inventory["clusters"]["hosts"] == ["a"]
    inventory, _printed = read("", files)
    assert inventory["clusters"]["hosts"] == ["home"]


def test_the_option_kubeconfig_may_be_a_template(read):
    source = "kubeconfig: \"{{ lookup('ansible.builtin.env', 'KUBECONFIG') or 'one' }}\""
    files = {"one": ["a"], "two": ["b"]}
    inventory, _printed = read(source, files)
    assert inventory["clusters"]["hosts"] == ["a"]
    inventory, _printed = read(source, files, {"KUBECONFIG": "two"})
    assert inventory["clusters"]["hosts"] == ["b"]


def test_optional_files_may_be_missing_and_without_any_there_are_no_hosts(read):
    inventory, _printed = read("kubeconfig: [missing, config]\noptional: true")
    assert inventory["clusters"]["hosts"] == ["us-1", "eu-2", "eu-1"]
    inventory, _printed = read("kubeconfig: missing\noptional: true")
    assert inventory["_meta"]["hostvars"] == {}


def test_restartx_contexts_leaves_only_the_contexts_it_names(read):
    inventory, _printed = read("kubeconfig: config", environment={"RESTARTX_CONTEXTS": "eu-1, us-1"})
    assert inventory["clusters"]["hosts"] == ["us-1", "eu-1"]


def test_a_name_that_is_no_host_name_becomes_one_and_the_context_keeps_it(read):
    inventory, _printed = read("kubeconfig: config", {"config": [ARN, "{{ 1 + 1 }}"]}, limit=host_name(ARN))
    assert inventory["clusters"]["hosts"] == ["arn-aws-eks-eu-west-1-111122223333-cluster-prod"]
    assert [host["restartx_context"] for host in inventory["_meta"]["hostvars"].values()] == [ARN]


def test_clusters_of_encrypted_kubeconfigs_are_asked_for_their_uid(read, tmp_path):
    def gone(name):
        cluster = {"server": "https://127.0.0.1:1", "certificate-authority": "ca.crt"}
        text = json.dumps(
            {
                "clusters": [{"name": name, "cluster": cluster}],
                "contexts": [{"name": name, "context": {"cluster": name, "user": ""}}],
            }
        )
        return VaultLib().encrypt(text, VaultSecret(b"open sesame")).decode()

    (tmp_path / "password").write_text("open sesame")
    (tmp_path / "ca.crt").write_bytes(certificate(key()))
    inventory, printed = read(
        "kubeconfig: [a, b]\ncluster_uid: true",
        {"a": gone("a"), "b": gone("b")},
        {"ANSIBLE_VAULT_PASSWORD_FILE": str(tmp_path / "password")},
    )
    assert inventory["clusters"]["hosts"] == ["a", "b"]
    for name in "ab":
        assert f"The cluster of context '{name}' did not tell its uid: cannot reach https://127.0.0.1:1" in printed


def test_a_cluster_that_does_not_tell_its_uid_is_a_warning_and_stays_in_the_inventory(read):
    config = {
        "contexts": [{"name": "gone", "context": {"cluster": "gone"}}],
        "clusters": [{"name": "gone", "cluster": {"server": "http://127.0.0.1:1"}}],
    }
    inventory, printed = read("kubeconfig: config\ncluster_uid: true", {"config": json.dumps(config)})
    assert inventory["clusters"]["hosts"] == ["gone"]
    assert "restartx_cluster_uid_seen" not in inventory["_meta"]["hostvars"]["gone"]
    assert "cluster of context 'gone' did not tell its uid: " in printed
    assert "127.0.0.1:1" in printed


@pytest.mark.parametrize(
    ("source", "files", "environment", "sentence"),
    [
        ("", {"other": ["a"]}, {}, ".kube/config do not exist; set KUBECONFIG or the option kubeconfig"),
        ("kubeconfig: missing", {"config": ["a"]}, {}, "missing"),
        (
            "kubeconfig: config",
            {"config": "hello: executor"},
            {},
            "config is not a kubeconfig: it has no list of contexts",
        ),
        ("kubeconfig: config", {"config": ""}, {}, "config is not a kubeconfig: it has no list of contexts"),
        ("kubeconfig: config", {"config": "contexts:"}, {}, "No context is left of those in"),
        ("kubeconfig: config\ninclude: x*", {"config": ["a", "b"]}, {}, "config: a, b."),
        (
            "kubeconfig: config\ninclude: eu-wset",
            {"config": ["eu-west"]},
            {},
            "include: there is no context 'eu-wset'; did you mean \"eu-west\"?",
        ),
        (
            "kubeconfig: config\nexclude: [eu-wset]",
            {"config": ["eu-west"]},
            {},
            "exclude: there is no context 'eu-wset'; did you mean \"eu-west\"?",
        ),
        (
            "kubeconfig: config\nwaves: [eu-wset]",
            {"config": ["eu-west"]},
            {},
            "waves: there is no context 'eu-wset'; did you mean \"eu-west\"?",
        ),
        (
            "kubeconfig: config\nwaves: [[eu-wset]]",
            {"config": ["eu-west"]},
            {},
            "waves: there is no context 'eu-wset'; did you mean \"eu-west\"?",
        ),
        (
            "kubeconfig: config\ngroups: {emea: eu-wset}",
            {"config": ["eu-west"]},
            {},
            "groups: there is no context 'eu-wset'; did you mean \"eu-west\"?",
        ),
        (
            "kubeconfig: config",
            {"config": ["a", "b"]},
            {"RESTARTX_CONTEXTS": "a,c"},
            "RESTARTX_CONTEXTS names 'c', but",
        ),
        (
            "kubeconfig: config",
            {"config": ["a"]},
            {"RESTARTX_CONTEXTS": ""},
            "RESTARTX_CONTEXTS is '', which has an empty",
        ),
        (
            "kubeconfig: config",
            {"config": ["a"]},
            {"RESTARTX_CONTEXTS": "a,"},
            "RESTARTX_CONTEXTS is 'a,', which has an",
        ),
        ("kubeconfig: config", {"config": ["a:b", "a/b"]}, {}, "'a:b' and 'a/b' would both be the host 'a-b'"),
    ],
)
def test_what_it_cannot_read_is_an_error_that_names_it(read, source, files, environment, sentence):
    inventory, printed = read(source, files, environment)
    assert inventory is None
    assert sentence in printed


KNOWN = ["plugin", "kubeconfig", "optional", "include", "exclude", "groups", "waves", "cluster_uid"]


@pytest.mark.parametrize(
    ("option", "hint"),
    [
        ("contexts", f"; there are {', '.join(KNOWN)}"),
        ("incldue", '; did you mean "include"?'),
        ("wave", '; did you mean "waves"?'),
        ("cluster_uids", '; did you mean "cluster_uid"?'),
    ],
)
def test_an_option_that_there_is_not_is_refused(option, hint):
    with pytest.raises(AnsibleParserError) as error:
        check_options({"plugin": "restartx.core.kubeconfig", option: ["eu-1"]}, KNOWN, "a.kubeconfig.yml")
    assert error.value.message == f"a.kubeconfig.yml: {option}: unknown option{hint}"


@pytest.mark.parametrize(
    "value", ["", " ", None, [], {}, [""], [None], ["eu-1", ""], {"emea": ""}, {"emea": []}], ids=repr
)
@pytest.mark.parametrize("option", KNOWN)
def test_no_option_takes_an_empty_value(option, value):
    with pytest.raises(AnsibleParserError, match=f"{option} is empty; give it a value"):
        check_options({option: value}, KNOWN, "a.kubeconfig.yml")


def test_the_options_are_those_that_are_documented():
    documented = yaml.safe_load(kubeconfig.DOCUMENTATION)["options"]
    assert list(documented) == KNOWN
    check_options({name: [0, False, "x"] for name in documented}, documented, "a.kubeconfig.yml")


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        ("kubeconfig: config\ncontexts: [eu-1]", "contexts: unknown option"),
        ("kubeconfig:", "kubeconfig is empty; give it a value, or leave the option out."),
        (
            "kubeconfig: \"{{ lookup('ansible.builtin.env', 'NOWHERE') }}\"",
            "names no file; correct it or leave it out.",
        ),
    ],
)
def test_such_a_source_has_no_hosts(read, source, sentence):
    inventory, printed = read(source, {"config": ["eu-1"]}, {"KUBECONFIG": "config"})
    assert inventory is None
    assert sentence in printed


@pytest.mark.parametrize(
    ("context", "host"),
    [
        ("eu-west", "eu-west"),
        ("kubernetes-admin@kubernetes", "kubernetes-admin@kubernetes"),
        ("gke_project_europe-west1_prod", "gke_project_europe-west1_prod"),
        ("default/api-example-com:6443/kube:admin", "default-api-example-com-6443-kube-admin"),
        ("@file", "file"),
        ("!not", "not"),
        ("web[1:3]", "web-1-3"),
        ("a, b", "a-b"),
    ],
)
def test_host_names_are_safe_in_patterns_and_paths(context, host):
    assert host_name(context) == host


def test_patterns_match_the_whole_name_and_mind_case():
    assert matches("eu-1", "eu-*")
    assert matches("eu-1", ["us-*", "eu-?"])
    assert not matches("eu-1", "eu")
    assert not matches("eu-1", "EU-*")


def test_a_context_is_in_its_first_wave_and_else_in_the_last():
    waves = ["canary", ["eu-*", "us-*"], "eu-1"]
    assert [wave(context, waves) for context in ("canary", "us-1", "eu-1", "ap-1")] == [1, 2, 2, 4]
