# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A first plan is one that can be used as it is, whatever the workloads are called."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.restartx.core.plugins.filter.new_plan_request import new_plan_request
from ansible_collections.restartx.core.plugins.module_utils.fleet import new_plan
from ansible_collections.restartx.core.plugins.module_utils.schedule import plan as plans
from ansible_collections.restartx.core.plugins.module_utils.schedule.values import SUBDOMAIN


def entry(name, kind="Deployment", namespace="shop", outcome="restarted", message="words"):
    return {"kind": kind, "namespace": namespace, "name": name, "outcome": outcome, "message": message, "cause": None}


def made(*entries, namespaces=("shop",), **more):
    return new_plan.plan({"results": list(entries), **more}, list(namespaces), "eu-west")


def test_each_workload_is_an_entry_in_an_order_that_is_said_to_be_a_guess():
    result = made(entry("web"), entry("proxy", "DaemonSet"), entry("redis", "StatefulSet"), entry("api"))
    assert result["error"] is None
    assert "# The order is a guess." in result["text"]
    assert [line.strip() for line in result["text"].splitlines() if line.startswith("    - ")] == [
        "- {id: redis, kind: StatefulSet, name: redis}",
        "- {id: api, name: api}",
        "- {id: web, name: web}",
        "- {id: proxy, kind: DaemonSet, name: proxy}",
    ]
    assert result["lines"] == ["4 workloads are in the plan"]


def test_what_would_be_refused_is_in_a_comment_with_its_reason():
    reason = 'daemon set "agent" in namespace "shop" has the update strategy OnDelete, so a restart would replace no pod;\nset it to RollingUpdate: "x"'
    text = made(entry("api"), entry("agent", "DaemonSet", outcome="refused", message=reason))["text"]
    comments = " ".join(line.strip().removeprefix("#").strip() for line in text.splitlines() if "#" in line)
    assert (
        "- DaemonSet shop/agent has the update strategy OnDelete, so a restart would replace no pod; set it" in comments
    )
    assert 'RollingUpdate: "x"' in comments
    assert [row["name"] for row in yaml.safe_load(text)["restart_plan"]["workloads"]] == ["api"]


def test_several_namespaces_are_named_in_each_entry_and_ids_stay_unique():
    rows = [entry("api"), entry("api", namespace="billing"), entry("api", "StatefulSet"), entry("shop-api")]
    text = made(*rows, namespaces=("shop", "billing"))["text"]
    checked = plans.check(yaml.safe_load(text)["restart_plan"])
    assert len({one.id for one in checked.entries}) == 4
    assert {(one.namespaces, one.kinds, one.names) for one in checked.entries} == {
        ((row["namespace"],), (row["kind"],), (row["name"],)) for row in rows
    }


def test_workloads_of_one_name_have_ids_with_their_namespaces():
    text = made(entry("api"), entry("api", namespace="billing"), namespaces=("shop", "billing"))["text"]
    assert [row["id"] for row in yaml.safe_load(text)["restart_plan"]["workloads"]] == ["billing-api", "shop-api"]


NAMES = st.one_of(
    st.sampled_from(
        ["on", "null", "true", "y", "123", "1e3", "0x1f", "1.5", "a.b", "a" * 63, "a" * 200, "1-2", "12.e4"]
    ),
    st.from_regex(SUBDOMAIN, fullmatch=True).filter(lambda name: name.isascii() and "\n" not in name),
)


@settings(max_examples=200, deadline=None)
@given(
    st.sets(
        st.tuples(NAMES, st.sampled_from(new_plan.KINDS), st.sampled_from(["shop", "on", "1"])), min_size=1, max_size=8
    )
)
def test_every_plan_passes_its_check_and_means_what_was_found(found):
    namespaces = sorted({namespace for _name, _kind, namespace in found})
    text = made(*(entry(*one) for one in found), namespaces=namespaces)["text"]
    checked = plans.check(yaml.safe_load(text)["restart_plan"])
    assert {(one.names[0], one.kinds[0], one.namespaces[0]) for one in checked.entries} == found
    assert checked.max_parallel == 1


@pytest.mark.parametrize(
    "result, words",
    [
        ({"results": [], "msg": "Task failed: no workloads in namespace shpo"}, "no workloads in namespace shpo"),
        ({"unreachable": True}, "the cluster could not be reached"),
        (
            {"results": [entry("agent", "DaemonSet", outcome="refused", message="OnDelete")]},
            "no workload can be restarted, so there is no plan: DaemonSet shop/agent: OnDelete",
        ),
    ],
)
def test_without_anything_to_restart_there_is_no_plan(result, words):
    assert new_plan.plan(result, ["shop"], "eu-west")["error"] == words


CLUSTERS = ["eu-west", "us-east"]


@pytest.mark.parametrize("namespaces", ["shop,billing", " shop , billing ", ["shop", "billing"], "shop,billing,shop"])
def test_namespaces_are_a_list_or_text_with_commas(namespaces):
    asked = new_plan.prepare(namespaces, None, None, CLUSTERS)
    assert asked == {
        "error": None,
        "namespaces": ["shop", "billing"],
        "cluster": "eu-west",
        "file": None,
        "command": "ansible-playbook restartx.core.restart_prod -e @plan.yml --check",
    }


@pytest.mark.parametrize(
    "given, path, word",
    [
        ("plan.yml", "/home/ada/plan.yml", "@plan.yml"),
        ("../my plan.yml", "/home/my plan.yml", "'@../my plan.yml'"),
        ("/tmp/plan.yml", "/tmp/plan.yml", "@/tmp/plan.yml"),
        ("~/plan.yml", "~/plan.yml", "'@~/plan.yml'"),
    ],
)
def test_a_file_is_named_as_seen_from_the_folder_in_which_the_command_is_given(given, path, word):
    asked = new_plan.prepare("shop", None, given, CLUSTERS, folder="/home/ada")
    assert asked["file"] == path
    assert asked["command"] == f"ansible-playbook restartx.core.restart_prod -e {word} --check"


def test_the_filter_takes_the_current_folder(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert new_plan_request("shop", file="plan.yml", clusters=CLUSTERS)["file"] == f"{tmp_path}/plan.yml"


def test_the_command_has_the_inventories_that_were_given():
    sources = ["/home/ada/my inventory", "/etc/hosts.kubeconfig.yml", "/home/ada-2/hosts", "eu-west,us-east"]
    command = new_plan.prepare("shop", None, None, CLUSTERS, sources, "/home/ada")["command"]
    assert command == (
        "ansible-playbook -i 'my inventory' -i /etc/hosts.kubeconfig.yml -i /home/ada-2/hosts -i eu-west,us-east "
        "restartx.core.restart_prod -e @plan.yml --check"
    )
    text = new_plan.plan({"results": [entry("api")]}, ["shop"], "eu-west", command)["text"]
    assert f"#   {command}\n" in text


@pytest.mark.parametrize(
    "variables, words",
    [
        ({"namespaces": None}, "namespaces is missing; name those"),
        ({"namespaces": ""}, "namespaces[0]: is empty text"),
        ({"namespaces": " "}, "namespaces[0]: is empty text"),
        ({"namespaces": []}, "namespaces is empty"),
        ({"namespaces": [""]}, "namespaces[0]: is empty text"),
        ({"namespaces": [None]}, "namespaces[0]: null is not text"),
        ({"namespaces": "shop,"}, "namespaces[1]: is empty text"),
        ({"namespaces": "Shop"}, 'namespaces[0]: "Shop" is not the name of a namespace'),
        ({"namespaces": {"shop": 1}}, "namespaces is empty, or no list"),
        ({"cluster": ""}, "cluster: is empty text; name a host"),
        ({"cluster": "eu-wset"}, 'cluster: eu-wset is no host of the group clusters; did you mean "eu-west"?'),
        ({"cluster": "zzz"}, "cluster: zzz is no host of the group clusters; there are eu-west, us-east"),
        ({"file": ""}, "file: is empty text; name the file, or leave it out"),
        ({"file": ["a"]}, "file: "),
        ({"clusters": []}, "the inventory has no host in the group clusters"),
    ],
)
def test_a_mistake_is_one_sentence_that_names_the_variable(variables, words):
    asked = {"namespaces": "shop", "cluster": None, "file": None, "clusters": CLUSTERS, **variables}
    assert new_plan.prepare(**asked)["error"].startswith(words)
