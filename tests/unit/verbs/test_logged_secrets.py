# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a module writes to the log of its host, and prints, never holds a secret: whatever the option, however it ends."""

from __future__ import annotations

import functools
import importlib
import json
import syslog
import types
from pathlib import Path

import calling
import pytest
import yaml
from ansible.module_utils import basic
from ansible.module_utils.common import warnings
from ansible.module_utils.testing import patch_module_args

from ansible_collections.restartx.core.plugins.module_utils.cluster import auth, connect
from ansible_collections.restartx.core.plugins.module_utils.cluster.retry import Retry
from ansible_collections.restartx.core.plugins.module_utils.options import CONNECTION

ROOT = Path(__file__).parents[3]
MODULES = sorted(
    path.stem
    for path in (ROOT / "plugins" / "modules").glob("k8s_*.py")
    if "kubeconfig" in path.read_text() or "CONNECTION" in path.read_text()
)
SECRET = "hush\\'\"hush"  # a backslash and both quotes, which Python and JSON write in another way
WORD = "hush"
KUBECONFIG = {
    "current-context": "one",
    "clusters": [{"name": "c", "cluster": {"server": "https://127.0.0.1:1"}}],
    "users": [
        {
            "name": "u",
            "user": {
                "password": SECRET,
                "exec": {"command": "/nowhere/login", "args": [f"--client={SECRET}"], "apiVersion": "v1"},
            },
        }
    ],
    "contexts": [{"name": "one", "context": {"cluster": "c", "user": "u"}}],
}
ELSEWHERE = {"host": "https://127.0.0.1:1"}
GIVEN = {
    "an inline kubeconfig": {"kubeconfig": KUBECONFIG},
    "an inline kubeconfig as text": {"kubeconfig": yaml.safe_dump(KUBECONFIG)},
    "an inline kubeconfig as JSON": {"kubeconfig": json.dumps(KUBECONFIG)},
    "an inline kubeconfig in a list": {"kubeconfig": [KUBECONFIG]},
    "a token": {**ELSEWHERE, "api_key": SECRET},
    "a password": {**ELSEWHERE, "username": "ann", "password": SECRET},
    "a proxy with a password": {**ELSEWHERE, "api_key": "another-one", "proxy": f"http://ann:{WORD}%41@127.0.0.1:1"},
    "a proxy with a token": {
        **ELSEWHERE,
        "api_key": "another-one",
        "proxy": f"http://{WORD}-hush-hush-hush@127.0.0.1:1",
    },
    "headers for the proxy": {
        **ELSEWHERE,
        "api_key": "another-one",
        "proxy": "http://127.0.0.1:1",
        "proxy_headers": {"proxy_basic_auth": f"ann:{SECRET}", "basic_auth": f"ann:{SECRET}"},
    },
    "an unknown header": {**ELSEWHERE, "api_key": "another-one", "proxy_headers": {"authorization": SECRET}},
    "a host with a password": {"host": f"https://ann:{WORD}@127.0.0.1:1"},
    "a key in place of its path": {**ELSEWHERE, "client_cert": "/none", "client_key": f"-----BEGIN\n{WORD}\n"},
    "a key by its other name": {**ELSEWHERE, "cert_file": "/none", "key_file": f"-----BEGIN\n{WORD}\n"},
}
REFUSED = {"with a value that Ansible refuses": {"wait": "perhaps"}}
ENDINGS = {"as it may": {}, "with an option that does not exist": {"no_such_option": 1}, **REFUSED}


@pytest.fixture
def logged(monkeypatch):
    """What was written to the journal or to syslog."""
    lines = []
    monkeypatch.setattr(syslog, "syslog", lambda *words: lines.append(str(words)))
    monkeypatch.setattr("ansible.module_utils._internal.is_controller", False)
    monkeypatch.setattr(connect, "connect", functools.partial(connect.connect, retry=Retry(attempts=1)))
    warnings._global_warnings.clear()
    return lines


def run(capsys, module, arguments):
    """What the module prints. It reaches no cluster: nothing listens on port 1."""
    with patch_module_args({"namespace": "shop", **arguments}), pytest.raises(SystemExit):
        importlib.import_module(f"{calling.MODULES}.{module}").main()
    return capsys.readouterr().out


def required(module):
    """Values for the options that the module insists on."""
    more = {"k8s_rollout_pause": {"state": "paused"}, "k8s_rollout_lock": {"scope": "s", "lock_holder": "h"}}
    return more.get(module, {})


@pytest.mark.parametrize("journal", [False, True], ids=["syslog", "journal"])
@pytest.mark.parametrize("ending", ENDINGS.values(), ids=ENDINGS)
@pytest.mark.parametrize("given", GIVEN.values(), ids=GIVEN)
def test_no_secret_is_logged_or_printed(capsys, monkeypatch, logged, given, ending, journal):
    monkeypatch.setattr(basic, "has_journal", journal)
    send = types.SimpleNamespace(send=lambda *words, **fields: logged.append(str((words, fields))))
    monkeypatch.setattr(basic, "journal", send, raising=False)
    printed = run(capsys, "k8s_rollout_status", {**given, **ending})
    assert WORD not in printed + "".join(logged)
    refused = ending or "authorization" in given.get("proxy_headers", {})  # then there is no invocation to be logged
    assert ("Invoked with" in "".join(logged)) is not bool(refused)


@pytest.mark.parametrize("module", MODULES)
def test_no_module_logs_or_prints_an_inline_kubeconfig(capsys, logged, module):
    printed = run(capsys, module, {**required(module), **GIVEN["an inline kubeconfig"]})
    assert WORD not in printed + "".join(logged)


@pytest.mark.parametrize("ending", [{}, *REFUSED.values()], ids=["as it may", *REFUSED])
def test_an_inline_kubeconfig_is_replaced_as_a_whole(capsys, logged, ending):
    printed = json.loads(run(capsys, "k8s_rollout_status", {**GIVEN["an inline kubeconfig"], **ending}))
    assert printed["invocation"]["module_args"]["kubeconfig"] == "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"
    assert ending or "kubeconfig=VALUE_SPECIFIED_IN_NO_LOG_PARAMETER" in "".join(logged)


def test_what_is_no_secret_in_an_inline_kubeconfig_is_shown(capsys, logged):
    printed = json.loads(run(capsys, "k8s_rollout_status", GIVEN["an inline kubeconfig"]))
    assert printed["msg"].startswith('credential plugin "/nowhere/login" of user "u" of the kubeconfig option')


def test_the_path_of_a_kubeconfig_is_logged_and_shown(capsys, logged):
    printed = json.loads(run(capsys, "k8s_rollout_status", {"kubeconfig": "/no/such/file"}))
    assert printed["invocation"]["module_args"]["kubeconfig"] == "/no/such/file"
    assert "/no/such/file" in "".join(logged)


def test_all_options_that_are_secret_as_a_whole_stay_hidden_in_results():
    def leaves(options):
        for name, option in options.items():
            yield from leaves(option.get("options", {}))
            if option.get("no_log"):
                yield name

    headers = dict.fromkeys(auth.PROXY_HEADERS, "x")
    given = {name: f"{name}-value" for name in leaves(CONNECTION)} | {"proxy_headers": headers}
    hidden = auth.secrets_of(given)
    for name in leaves(CONNECTION):
        assert (headers.get(name) or given[name]) in hidden
