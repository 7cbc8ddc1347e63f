# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Kubeconfigs are read and merged as kubectl does it; what is wrong with one is said in a sentence with a way out."""

from __future__ import annotations

import copy
import os

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.restartx.core.plugins.module_utils.cluster.connect import connect
from ansible_collections.restartx.core.plugins.module_utils.cluster.errors import ClusterError, ConfigError
from ansible_collections.restartx.core.plugins.module_utils.cluster.kubeconfig import choose, load, with_absolute_paths


def config(name="one", user=None, current=True, **cluster):
    """A kubeconfig with one context."""
    return {
        "current-context": name if current else None,
        "clusters": [{"name": name, "cluster": {"server": f"https://{name}:6443", **cluster}}],
        "users": [{"name": name, "user": user or {"token": "t"}}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
    }


@pytest.fixture
def write(tmp_path):
    """Write a kubeconfig: write(content, name) -> path; content is text or data."""

    def save(content, name="config"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(content if isinstance(content, str) else yaml.safe_dump(content))
        return str(path)

    return save


def test_the_current_context_is_taken_unless_another_is_named(write):
    two = config("one")
    for key in ("clusters", "users", "contexts"):
        two[key] += config("two")[key]
    path = write(two)
    assert choose(load(path), None).cluster["server"] == "https://one:6443"
    assert choose(load(path), "two").cluster["server"] == "https://two:6443"


def test_of_several_files_the_first_counts_and_missing_ones_are_skipped(write, tmp_path):
    first = write(config("one", server="https://first"), "a")
    second = write({**config("one", server="https://second"), "current-context": "other"}, "b")
    third = write(config("three"), "c")
    merged = load(os.pathsep.join([str(tmp_path / "missing"), first, second, third]))
    assert choose(merged, None).cluster["server"] == "https://first"
    assert choose(merged, "three").cluster["server"] == "https://three:6443"


def test_relative_paths_are_relative_to_the_file_they_stand_in(write, tmp_path):
    user = {"tokenFile": "t", "client-certificate": "/abs/c", "client-key": "k", "exec": {"command": "bin/login"}}
    chosen = choose(load(write(config(user=user, **{"certificate-authority": "pki/ca"}), "sub/config")), None)
    folder = tmp_path / "sub"
    assert chosen.cluster["certificate-authority"] == str(folder / "pki/ca")
    assert (chosen.user["tokenFile"], chosen.user["client-certificate"]) == (str(folder / "t"), "/abs/c")
    assert chosen.user["exec"]["command"] == str(folder / "bin/login")


def test_a_copy_elsewhere_names_the_same_files(write, tmp_path):
    user = {"tokenFile": "t", "client-certificate": "/abs/c", "client-key": "k", "exec": {"command": "bin/login"}}
    text = yaml.safe_dump(config(user=user, **{"certificate-authority": "pki/ca"}))
    original = choose(load(write(text, "sub/config")), None)
    copy_ = choose(load(write(with_absolute_paths(text, str(tmp_path / "sub")), "copy")), None)
    assert (copy_.cluster, copy_.user) == (original.cluster, original.user)


@pytest.mark.parametrize("text", ["", "plain", "a: [", "[1, 2]", "clusters: 1", "users: [{name: u, user: {token: 7}}]"])
def test_a_copy_of_what_is_no_kubeconfig_is_left_as_it_is(text):
    assert with_absolute_paths(text, "/f") == text


def test_a_command_without_a_folder_is_left_to_the_path(write):
    assert choose(load(write(config(user={"exec": {"command": "aws"}}))), None).user["exec"]["command"] == "aws"


def test_the_content_may_be_given_as_data():
    assert choose(load(config("one")), None).context == "one"


def test_a_home_folder_is_expanded(write, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    write(config("one"))
    assert choose(load("~/config"), None).context == "one"


def without(key, **changes):
    content = {**config(), **changes}
    content.pop(key, None)
    return content


@pytest.mark.parametrize(
    ("content", "context", "sentence"),
    [
        ("", None, 'kubeconfig file "{path}" is empty: recreate it, or give another file'),
        ("# nothing\n", None, 'kubeconfig file "{path}" is empty: recreate it, or give another file'),
        (
            "a: b: c",
            None,
            'kubeconfig file "{path}" is not valid YAML (line 1, column 5): correct it, or recreate it',
        ),
        ("\tx: y", None, 'kubeconfig file "{path}" is not valid YAML (line 1, column 1): correct it, or recreate it'),
        ("- a", None, 'the content of kubeconfig file "{path}" must be a mapping: {correct}'),
        (
            {"clusters": []},
            None,
            'kubeconfig file "{path}" has no contexts: write one with kubectl config set-context, or give another file',
        ),
        ({"contexts": "x"}, None, 'contexts of kubeconfig file "{path}" must be a list: {correct}'),
        (
            {"contexts": [{"name": "x"}, {"context": {}}]},
            None,
            'contexts of kubeconfig file "{path}" have an entry without a name: give it one',
        ),
        (
            {"users": [{"name": "x", "user": "token"}]},
            None,
            'users[0].user of kubeconfig file "{path}" must be a mapping: {correct}',
        ),
        (
            config(user={"password": 1234}),
            None,
            'users[0].user.password of kubeconfig file "{path}" must be text (in quotes): {correct}',
        ),
        (
            config(user={"exec": {"args": ["get", None]}}),
            None,
            'users[0].user.exec.args[1] of kubeconfig file "{path}" is empty: {correct}',
        ),
        (
            config(user={"auth-provider": {"config": {"id-token": 5}}}),
            None,
            'users[0].user.auth-provider.config.id-token of kubeconfig file "{path}" '
            "must be text (in quotes): {correct}",
        ),
        (
            config(**{"insecure-skip-tls-verify": "false"}),
            None,
            'clusters[0].cluster.insecure-skip-tls-verify of kubeconfig file "{path}" must be true or false: {correct}',
        ),
        (
            "$ANSIBLE_VAULT;1.1;AES256\n6162",
            None,
            'kubeconfig file "{path}" is encrypted with Ansible Vault: name it in the option kubeconfig of a task whose '
            "connection is local, or decrypt it",
        ),
        (config(), "two", 'there is no context "two" in kubeconfig file "{path}": it has one'),
        (
            config(current=False),
            None,
            'kubeconfig file "{path}" has no current context: set context to one of one',
        ),
        (
            without("clusters"),
            None,
            'context "one" of kubeconfig file "{path}" names cluster "one", which does not exist in it: '
            "correct the context, or choose another of one",
        ),
        (
            without("users"),
            None,
            'context "one" of kubeconfig file "{path}" names user "one", which does not exist in it: add that user',
        ),
        (
            config(server=""),
            None,
            'cluster "one" of kubeconfig file "{path}" has no server: set it to the URL of the API server',
        ),
    ],
)
def test_what_is_wrong_is_one_sentence_that_names_the_file_and_the_way_out(write, content, context, sentence):
    path = write(content)
    with pytest.raises(ConfigError) as caught:
        choose(load(path), context)
    assert str(caught.value) == sentence.format(path=path, correct="correct it, or recreate the file")


def test_many_contexts_are_not_all_named(write):
    content = config()
    content["contexts"] += [{"name": f"c{number:02}", "context": {}} for number in range(40)]
    with pytest.raises(ConfigError, match="it has c00, c01, .* c19 and 21 more$"):
        choose(load(write(content)), "none")


def test_files_that_are_missing_or_cannot_be_read_are_named(tmp_path):
    with pytest.raises(ConfigError, match='kubeconfig file ".*/no" does not exist: give the path of an existing file'):
        load(str(tmp_path / "no"))
    with pytest.raises(ConfigError, match='kubeconfig files ".*/no" and ".*/nor" do not exist'):
        load(os.pathsep.join([str(tmp_path / "no"), str(tmp_path / "nor")]))
    with pytest.raises(ConfigError, match='cannot read kubeconfig file ".*" .Is a directory.: correct the path'):
        load(str(tmp_path))


@pytest.mark.parametrize("text", ["apiVersion: v1\nusers: [{token: secret}]", '{"users": [{"token": "secret"}]}'])
def test_the_text_of_a_kubeconfig_in_place_of_its_path_is_not_shown(text):
    with pytest.raises(
        ConfigError, match="neither a path nor a dictionary: give a path, or the content through from_yaml"
    ) as caught:
        load(text)
    assert "secret" not in str(caught.value)


def test_a_context_may_name_no_user(write):
    content = config()
    del content["contexts"][0]["context"]["user"]
    chosen = choose(load(write(content)), None)
    assert (chosen.user, chosen.whose.partition(" (")[0]) == ({}, "nobody")


def places(content, path=()):
    """The paths of all values in a kubeconfig."""
    yield path
    items = content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else ()
    for key, value in items:
        yield from places(value, (*path, key))


FULL = config(
    user={
        **dict.fromkeys(("token", "tokenFile", "username", "password", "client-key", "client-key-data", "as"), "x"),
        "as-groups": ["a"],
        "as-user-extra": {"why": ["x"]},
        "auth-provider": {"name": "oidc", "config": {"id-token": "x"}},
        "exec": {
            "apiVersion": "v1",
            "command": "no-such-program",
            "args": ["a"],
            "env": [{"name": "a", "value": "b"}],
            "provideClusterInfo": True,
        },
    },
    **{"certificate-authority": "x", "certificate-authority-data": "x", "tls-server-name": "x", "proxy-url": "x"},
    extensions=[{"name": "x", "extension": {"a": 1}}],
)
JUNK = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=3), st.just("https://x")),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["name", "a"]), inner, max_size=2),
    max_leaves=3,
)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(list(places(FULL))), st.booleans(), JUNK), min_size=1, max_size=4))
def test_whatever_stands_in_it_is_used_or_refused_in_a_sentence(changes):
    content = copy.deepcopy(FULL)
    for path, remove, junk in changes:
        content = changed(content, path, remove, junk)
    try:
        connect({"kubeconfig": content}, {"PATH": ""})
    except ClusterError as error:
        assert str(error)


def changed(content, path, remove, junk):
    """The content with the value at this path replaced or removed, if it is still there."""
    if not path:
        return {} if remove else junk
    key, *rest = path
    if (isinstance(content, dict) and key in content) or (
        isinstance(content, list) and isinstance(key, int) and key < len(content)
    ):
        if remove and not rest:
            del content[key]
        else:
            content[key] = changed(content[key], rest, remove, junk)
    return content


def test_secrets_are_not_in_what_python_shows_of_it(write):
    loaded = load(write(config(user={"token": "very-secret"})))
    assert "very-secret" not in repr(loaded) + repr(choose(loaded, None))
