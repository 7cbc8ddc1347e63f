# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What each verb returns, asks and changes, from a task's options on."""

from __future__ import annotations

import contextlib
import copy
import itertools
import json
import re

import calling
import pytest
from simulation import Executor, FakeCluster, deployment, workload

from ansible_collections.restartx.core.plugins.module_utils.cluster.errors import ConfigError, Forbidden, Invalid
from ansible_collections.restartx.core.plugins.module_utils.record import journal
from ansible_collections.restartx.core.plugins.module_utils.rollout import kinds, restart
from ansible_collections.restartx.core.plugins.module_utils.rollout.errors import RolloutError
from ansible_collections.restartx.core.plugins.module_utils.schedule.errors import PlanError, ScheduleError

SHOP = {"namespace": "shop"}
KEYS = {
    "kind",
    "namespace",
    "name",
    "uid",
    "outcome",
    "changed",
    "revision_before",
    "revision_after",
    "message",
    "cause",
    "pods",
    "missing",
    "nothing_to_replace",
    "risks",
    "started_at",
    "finished_at",
    "duration",
}
# Ansible reads `results` as those of a loop, in which these words have a meaning.
FORBIDDEN_KEYS = {"skipped", "failed", "diff", "unreachable", "warnings"}
PLAN = {
    "version": 1,
    "name": "ca",
    "defaults": {"namespace": "shop"},
    "workloads": [{"id": "core", "name": ["cart"]}, {"id": "web", "name": ["web"], "after": ["core"]}],
}


def cluster_of(*names, **options):
    cluster = FakeCluster([deployment(name) for name in names or ("cart", "web")], **options)
    Executor(cluster)
    return cluster


def held(cluster, name, kind="Deployment"):
    return cluster.objects[kinds.path(kind, "shop", name)]


def annotations_of(cluster, name):
    return kinds.template_annotations(held(cluster, name))


def call(module, cluster, check_mode=False, /, **options):
    """The result and the warnings of a module."""
    verb, prepared = calling.prepare(module, cluster, check_mode, **options)
    return calling.carry_out(verb, prepared), prepared.warnings


def restarted(cluster, check_mode=False, **options):
    return calling.run("k8s_rollout_restart", cluster, check_mode, **{**SHOP, **options})


def outcomes(result):
    return {entry["name"]: entry["outcome"] for entry in result["results"]}


# -- one shape -------------------------------------------------------------------------------------------------------


CALLS = [
    ("k8s_rollout_restart", {}),
    ("k8s_rollout_status", {}),
    ("k8s_rollout_status", {"wait": True}),
    ("k8s_rollout_undo", {}),
    ("k8s_rollout_history", {}),
    ("k8s_rollout_pause", {"state": "paused"}),
    ("k8s_rollout_plan", {"plan": PLAN}),
]
IDS = [f"{module.removeprefix('k8s_rollout_')} {options.get('wait', '')}".strip() for module, options in CALLS]


MORE_KEYS = {
    "k8s_rollout_status": {"last_progress"},
    "k8s_rollout_restart": {"undo_cause", "reaction"},
    "k8s_rollout_undo": {"undo_cause"},
}


def options_for(module, options):
    return options if module == "k8s_rollout_plan" else {**SHOP, **options}


@pytest.mark.parametrize("module, options", CALLS, ids=IDS)
@pytest.mark.parametrize("check_mode", [False, True])
def test_every_entry_of_the_results_has_the_same_keys(module, options, check_mode):
    cluster = cluster_of()
    restarted(cluster)
    result = calling.run(module, cluster, check_mode, **options_for(module, options))
    assert len(result["results"]) == 2
    for entry in result["results"]:
        assert set(entry) - {"revisions"} == KEYS | MORE_KEYS.get(module, set())
        assert not set(entry) & FORBIDDEN_KEYS
        assert (entry["kind"], entry["namespace"], entry["uid"]) == ("Deployment", "shop", f"uid-shop-{entry['name']}")
    assert sum(result["summary"].values()) == 2


@pytest.mark.parametrize(
    "module, options, told",
    [
        ("status", SHOP, True),
        ("restart", SHOP, True),
        ("restart", {"plan": PLAN}, False),
        ("plan", {"plan": PLAN}, False),
        ("preflight", SHOP, False),
        ("preflight", {"plan": PLAN}, False),
    ],
)
def test_risks_are_told_for_each_workload_unless_findings_tell_them(module, options, told):
    result = calling.run(f"k8s_rollout_{module}", cluster_of(), **options)
    assert [any("readiness probe" in risk for risk in entry["risks"]) for entry in result["results"]] == [told] * 2
    if "findings" in result:
        assert any(one["code"] == "no_readiness_probe" for one in result["findings"])


@pytest.mark.parametrize("module, options", CALLS, ids=IDS)
def test_no_result_holds_a_value_of_an_environment_variable(module, options):
    cluster = cluster_of()
    for name in ("cart", "web"):
        container = held(cluster, name)["spec"]["template"]["spec"]["containers"][0]
        container["env"] = [{"name": "PASSWORD", "value": "s3cret"}]
    restarted(cluster)
    result = calling.run(module, cluster, **options_for(module, options))
    assert "s3cret" not in str(result)


@pytest.mark.parametrize("module, options", CALLS, ids=IDS)
def test_a_cluster_that_is_not_the_pinned_one_is_asked_nothing_else(module, options):
    cluster = cluster_of()
    with pytest.raises(ConfigError, match="uid-of-kube-system, but cluster_uid pins another; nothing was touched"):
        calling.run(module, cluster, cluster_uid="another", **options_for(module, options))
    assert cluster.asked == [("get", "/api/v1/namespaces/kube-system")]


BAD_OPTIONS = [
    ({"namespace": []}, "namespace is an empty list"),
    ({"all_namespaces": True}, "namespace and all_namespaces: true contradict each other"),
    ({"kind": ["Pod"]}, 'kind "Pod" has no rollout'),
    ({"label_selectors": ["a b"]}, "label_selectors"),
    ({"field_selectors": ["spec.x=1"]}, "field_selectors"),
    ({"select": "spec.["}, "select"),
    (
        {"name": "deployment/cart"},
        'name: "deployment/cart" is not the name of an object: .* kind: Deployment and name: cart',
    ),
    ({"name": ["cart", "ca*"]}, 'name: "ca[*]" is not the name of an object: .*use name_pattern: ca[*]'),
    ({"name_pattern": ["ca?"]}, 'name_pattern: "ca[?]" is not a pattern'),
    ({"uses": "pvc/data"}, 'uses: "pvc/data" is not a Secret or ConfigMap'),
    ({"uses": ["secret/ca", "secret"]}, 'uses: "secret" is not a Secret or ConfigMap'),
    ({"service_account": "App"}, 'service_account: "App" is not the name'),
    ({"image": "a b"}, 'image: "a b" is not an image'),
    ({"only": {"started_before": "soon"}}, 'only.started_before: "soon" is not a duration'),
    (
        {"only": {"started_before": "2026-12-01T00:00Z"}},
        "only.started_before: 2026-12-01T00:00:00.00:00 is in the future",
    ),
    ({"only": {"started_before": "2026-11-01T00:00"}}, "only.started_before: .* is not an instant with a time zone"),
    ({"exclude": {"uses": "x"}}, 'exclude.uses: "x" is not a Secret or ConfigMap'),
    ({"exclude": {"label_selectors": ["a b"]}}, 'exclude.label_selectors: "a b" is not a valid selector'),
    ({"namespace": ["shop", "Shop"]}, 'namespace: "Shop" is not the name of a namespace'),
]
WITH_SELECTION = [(module, options) for module, options in CALLS if module != "k8s_rollout_plan"]


@pytest.mark.parametrize("module, options", WITH_SELECTION, ids=IDS[:-1])
@pytest.mark.parametrize("bad, sentence", BAD_OPTIONS)
def test_a_bad_selection_is_told_of_before_anything_is_asked(module, options, bad, sentence):
    cluster = cluster_of()
    with pytest.raises((RolloutError, ScheduleError), match=sentence):
        calling.run(module, cluster, **{**SHOP, **options, **bad})
    assert cluster.asked == []


@pytest.mark.parametrize(
    "bad, sentence",
    [
        ({"timeout": "0s"}, "timeout: .*more than 0"),
        ({"timeout": "-1"}, "timeout: .*is not a duration"),
        ({"wait_timeout": "soon"}, "wait_timeout: .*is not a duration"),
        ({"wait_timeout": 0}, "wait_timeout: .*more than 0"),
        ({"settle": "-5s"}, "settle: .*is not a duration"),
        ({"stagger": "x"}, "stagger: .*is not a duration"),
        ({"max_parallel": 0}, "max_parallel: .*at least 1"),
        ({"failure_budget": -1}, "failure_budget: .*at least 0"),
        ({"window": {"days": ["tue"]}}, "window.timezone: is required"),
        ({"workloads": [{"id": "a"}, {"id": "b", "after": ["c"]}]}, r"workloads\[1\].after"),
    ],
)
def test_bad_terms_of_a_restart_are_told_of_before_anything_is_asked(bad, sentence):
    cluster = cluster_of()
    with pytest.raises((ScheduleError, PlanError), match=sentence):
        restarted(cluster, **bad)
    assert cluster.asked == []


@pytest.mark.parametrize(
    "bad, sentence",
    [
        ({"run_id": "a\nb"}, "run_id"),
        ({"reason": "x" * 2000}, "reason has 2000 characters"),
        ({"annotations": {"restartx.io/run": "x"}}, "annotations"),
        ({"workloads": [{"id": "a"}], "all_namespaces": True}, "all_namespaces: has no effect together with workloads"),
        ({"workloads": []}, "workloads is an empty list"),
    ],
)
def test_what_may_not_be_written_is_told_of_before_anything_is_asked(bad, sentence):
    cluster = cluster_of()
    with pytest.raises(RolloutError, match=sentence):
        restarted(cluster, **bad)
    assert cluster.asked == []


@pytest.mark.parametrize("written", ["tier in (web,api)", ["tier in (web", "api)"], "tier in (web,api),!canary"])
def test_a_label_selector_with_commas_may_be_text(written):
    _verb, prepared = calling.prepare("k8s_rollout_status", cluster_of(), label_selectors=written, **SHOP)
    assert prepared.entries()[0].label_selectors[0] == "tier in (web,api)"


@pytest.mark.parametrize("module", ["k8s_rollout_lock", "k8s_rollout_journal"])
def test_the_name_of_a_plan_is_checked_before_anything_is_asked(module):
    cluster = cluster_of()
    with pytest.raises(ScheduleError, match="plan: .* is not the name of a plan: .*, at most 50"):
        calling.run(module, cluster, plan="a" * 51)
    assert cluster.asked == []


def test_a_namespace_or_all_of_them_must_be_said():
    cluster = cluster_of()
    with pytest.raises(RolloutError, match="namespace is missing; name one or more, or set all_namespaces: true"):
        calling.run("k8s_rollout_restart", cluster)
    with pytest.raises(RolloutError, match="all_namespaces: true alone would change the whole cluster"):
        calling.run("k8s_rollout_restart", cluster, all_namespaces=True)
    assert cluster.asked == []


def test_looking_at_all_namespaces_needs_nothing_beside():
    cluster = FakeCluster([deployment("cart"), deployment("proxy", namespace="edge")])
    Executor(cluster)
    assert set(outcomes(calling.run("k8s_rollout_status", cluster, all_namespaces=True))) == {"cart", "proxy"}


# -- restart ---------------------------------------------------------------------------------------------------------


def test_a_restart_returns_the_run_and_what_came_of_each():
    cluster = cluster_of()
    result = restarted(cluster, run_id="r1", name="cart")
    (entry,) = result["results"]
    assert result["run_id"] == "r1"
    assert result["changed"]
    assert result["summary"] == {"restarted": 1}
    assert "msg" not in result
    assert (entry["outcome"], entry["message"]) == ("restarted", 'deployment "cart" successfully rolled out')
    assert (entry["revision_before"], entry["revision_after"]) == ("1", "2")
    assert (entry["started_at"], entry["finished_at"]) == ("2026-11-24T22:00:00Z", "2026-11-24T22:00:10Z")
    assert entry["duration"] == pytest.approx(10, abs=0.1)


def test_who_why_and_when_is_on_the_template_of_each():
    cluster = cluster_of()
    request = {"reason": "certificates renewed", "ticket": "CHG1", "operator": "ops", "annotations": {"a.b/c": "d"}}
    restarted(cluster, run_id="r1", max_parallel=1, **request)
    assert annotations_of(cluster, "cart") == {
        restart.RUN: "r1",
        restart.REASON: "certificates renewed",
        restart.TICKET: "CHG1",
        restart.OPERATOR: "ops",
        restart.RESTARTED_AT: "2026-11-24T22:00:00Z",
        "restartx.io/restarted-at": "2026-11-24T22:00:00Z",
        "a.b/c": "d",
    }
    # The true time of its own patch.
    assert annotations_of(cluster, "web")[restart.RESTARTED_AT] == "2026-11-24T22:00:10Z"


def test_a_change_cause_is_written_only_when_given():
    cluster = cluster_of()
    restarted(cluster, name="cart", change_cause="CA rotated")
    restarted(cluster, name="web")
    assert kinds.annotations_of(held(cluster, "cart"))[restart.CHANGE_CAUSE] == "CA rotated"
    assert restart.CHANGE_CAUSE not in kinds.annotations_of(held(cluster, "web"))


def test_without_a_run_id_one_is_made_that_sorts_by_time():
    cluster = cluster_of()
    ids = [restarted(cluster, name="cart")["run_id"] for _number in range(2)]
    assert all(re.fullmatch(r"20261124-2200\d\d-[0-9a-f]{6}", run) for run in ids)
    assert ids[0] < ids[1]
    assert annotations_of(cluster, "cart")[restart.RUN] == ids[1]


def test_the_same_run_again_changes_nothing():
    cluster = cluster_of()
    restarted(cluster, run_id="r1")
    result = restarted(cluster, run_id="r1")
    assert (result["changed"], result["summary"], result["diffs"]) == (False, {"already_restarted": 2}, [])


def test_entries_of_workloads_have_the_modules_defaults_and_an_order():
    cluster = FakeCluster([deployment("cart"), workload("StatefulSet", "redis"), workload("StatefulSet", "other")])
    Executor(cluster)
    result = restarted(
        cluster,
        kind="StatefulSet",
        timeout="25s",
        settle="7s",
        workloads=[
            {"id": "cache", "name": "redis"},
            {"id": "core", "kind": "Deployment", "name": "cart", "after": ["cache"], "settle": 0},
        ],
    )
    assert outcomes(result) == {"redis": "restarted", "cart": "restarted"}
    redis, cart = result["results"]
    assert redis["duration"] == pytest.approx(17, abs=0.1)
    assert cart["duration"] == pytest.approx(10, abs=0.1)
    assert cart["started_at"] >= redis["finished_at"]


@pytest.mark.parametrize("own", [None, "6s"])
def test_the_timeout_of_an_entry_beats_that_of_the_module(own):
    cluster = cluster_of("cart", takes=1000)
    entry = {"id": "core", "name": "cart", **({"timeout": own} if own else {})}
    result = restarted(cluster, timeout="20s", workloads=[entry])
    assert result["results"][0]["message"].startswith(f"not done after {own or '20s'}: ")


def test_limits_hold():
    names = [f"w{number}" for number in range(6)]
    cluster = cluster_of(*names)
    restarted(cluster, max_parallel=2, stagger="3s")
    moments = [moment for moment, _name in cluster.patches]
    assert all(later - earlier >= 3 for earlier, later in itertools.pairwise(moments))
    assert all(later - earlier >= 10 for earlier, later in zip(moments, moments[2:]))


@pytest.mark.parametrize(
    "options, expected",
    [
        ({}, {"a": "unfinished", "b": "not_started", "c": "not_started"}),
        ({"failure_budget": 1}, {"a": "unfinished", "b": "restarted", "c": "restarted"}),
        ({"on_failure": "continue"}, {"a": "unfinished", "b": "restarted", "c": "restarted"}),
        ({"on_failure": "undo"}, {"a": "undone", "b": "not_started", "c": "not_started"}),
        ({"on_failure": "undo", "failure_budget": 1}, {"a": "undone", "b": "restarted", "c": "restarted"}),
    ],
)
def test_what_a_failure_leads_to(options, expected):
    cluster = cluster_of(*"abc", breaks={"a"})
    result = restarted(cluster, timeout="20s", max_parallel=1, **options)
    assert outcomes(result) == expected
    assert "Deployment shop/a" in result["msg"]


@pytest.mark.parametrize(
    "of_plan, of_entry, expected",
    [
        ("stop", "continue", {"a": "unfinished", "b": "restarted"}),
        ("continue", "stop", {"a": "unfinished", "b": "not_started"}),
        ("continue", "undo", {"a": "undone", "b": "not_started"}),
        ("undo", "continue", {"a": "unfinished", "b": "restarted"}),
        ("undo", "stop", {"a": "unfinished", "b": "not_started"}),
    ],
)
def test_an_entry_may_react_differently_to_its_failures(of_plan, of_entry, expected):
    entries = [{"id": "first", "name": "a", "on_failure": of_entry}, {"id": "second", "name": "b"}]
    defaults = {"namespace": "shop", "max_parallel": 1, "timeout": "20s", "on_failure": of_plan}
    plan = {"version": 1, "name": "ca", "defaults": defaults, "workloads": entries}
    result = calling.run("k8s_rollout_restart", cluster_of("a", "b", breaks={"a"}), plan=plan)
    assert outcomes(result) == expected


@pytest.mark.parametrize("kind, asked", [("StatefulSet", True), ("Deployment", False)])
def test_the_check_asks_for_what_an_undo_that_deletes_pods_needs(kind, asked):
    cluster = FakeCluster([workload(kind, "cart")])
    defaults = {"namespace": "shop", "kind": kind, "on_failure": "undo", "delete_stuck_pods": True}
    cluster.denied = {("delete", "pods")}
    needs = pytest.raises(RolloutError, match="to delete pods in namespace shop") if asked else contextlib.nullcontext()
    with needs:
        planned(cluster, {**PLAN, "defaults": defaults, "workloads": [{"id": "core", "name": "cart"}]})


def test_the_sentence_names_what_broke_and_not_what_was_held_back_by_it():
    result = restarted(cluster_of(*"abcde", breaks=set("abcd")), timeout="20s", on_failure="continue")
    assert result["msg"].startswith("4 of 5 workloads not restarted: Deployment shop/a unfinished: not done after 20s")
    assert result["msg"].endswith("; and 1 more")
    result = restarted(cluster_of(*"ab", breaks={"a"}), timeout="20s", max_parallel=1)
    assert result["msg"].startswith("2 of 2 workloads not restarted: Deployment shop/a unfinished")
    assert "shop/b" not in result["msg"]


def test_the_sentence_on_a_single_workload_tells_its_cause():
    cluster = cluster_of("cart", breaks={"cart"})
    cluster.executor.later(5, lambda: cluster.add_pod(held(cluster, "cart"), "ImagePullBackOff"))
    result = restarted(cluster, timeout="20s")
    (entry,) = result["results"]
    assert set(entry["cause"]) == {
        *("code", "object", "pods", "pod", "container", "exit_code", "reason", "sentence", "advice", "log", "also")
    }
    assert entry["cause"]["code"] == "image_pull"
    assert result["msg"] == f"Deployment shop/cart failed: {entry['cause']['sentence']}"


def test_an_undo_on_failure_reaches_what_an_operator_owns_where_the_restart_did():
    cluster = cluster_of("cart", breaks={"cart"})
    held(cluster, "cart")["metadata"]["ownerReferences"] = [
        {"apiVersion": "x/v1", "kind": "Shop", "name": "s", "uid": "u", "controller": True}
    ]
    assert outcomes(restarted(cluster))["cart"] == "refused"
    result = restarted(cluster, allow_owned=True, on_failure="undo", timeout="20s")
    assert outcomes(result) == {"cart": "undone"}


def test_an_undo_on_failure_leaves_the_annotations_of_the_workload_itself_alone():
    cluster = cluster_of("cart", breaks={"cart"})
    held(cluster, "cart")["metadata"]["annotations"]["team"] = "checkout"
    _result, warnings = call("k8s_rollout_restart", cluster, on_failure="undo", timeout="20s", **SHOP)
    assert held(cluster, "cart")["metadata"]["annotations"]["team"] == "checkout"
    assert warnings == []


def test_nothing_starts_outside_the_window():
    cluster = cluster_of()
    result = restarted(cluster, window={"hours": "01:00-02:00", "timezone": "UTC"})
    assert outcomes(result) == {"cart": "not_started", "web": "not_started"}
    assert "outside the window" in result["msg"]
    assert not cluster.patches


def test_a_zone_that_may_not_be_what_is_meant_comes_with_a_warning():
    window = {"hours": "00:00-24:00", "timezone": "EST"}
    _result, of_restart = call("k8s_rollout_restart", cluster_of(), window=window, **SHOP)
    _result, of_plan = call("k8s_rollout_plan", cluster_of(), plan={**PLAN, "window": window})
    words = 'window.timezone: "EST" is UTC-05:00 all year'
    assert [text.startswith(words) for text in of_restart] == [True]
    assert [text.startswith(f"restart_plan.{words}") for text in of_plan] == [True]


def test_without_waiting_the_patches_are_all():
    cluster = cluster_of()
    result = restarted(cluster, wait=False)
    assert result["summary"] == {"restarted": 2}
    assert cluster.executor.clock.passed < 1
    assert not cluster.executor.followed


def test_check_mode_asks_the_server_with_dry_runs_and_changes_nothing():
    cluster = cluster_of()
    before = copy.deepcopy(cluster.objects)
    result = restarted(cluster, check_mode=True)
    assert (result["changed"], result["summary"]) == (True, {"restarted": 2})
    assert cluster.dry_runs == 2
    assert cluster.objects == before
    difference, _other = result["diffs"]
    assert difference["before_header"] == "Deployment shop/cart"
    assert restart.RUN in str(difference["after"]) and restart.RUN not in str(difference["before"])
    assert cluster.executor.clock.passed < 1


def test_check_mode_tells_what_admission_says():
    cluster = cluster_of()
    denied = Forbidden('admission webhook "tickets" denied the request: no ticket', status=403)
    cluster.fail = lambda verb, path: denied if verb == "patch" else None
    result = restarted(cluster, check_mode=True)
    assert result["summary"] == {"failed": 2}
    assert "no ticket" in result["msg"]


def test_finding_nothing_is_fine_when_allowed():
    result = restarted(cluster_of(), name="absent", allow_empty=True)
    assert (result["changed"], result["results"], result["summary"]) == (False, [], {})
    assert "msg" not in result


# -- status ----------------------------------------------------------------------------------------------------------


def slow(cluster, name):
    held(cluster, name)["status"]["updatedReplicas"] = 1


def test_a_look_says_how_far_each_is_and_is_no_failure():
    cluster = cluster_of()
    slow(cluster, "cart")
    result = calling.run("k8s_rollout_status", cluster, **SHOP)
    assert outcomes(result) == {"cart": "in_progress", "web": "rolled_out"}
    assert result["results"][0]["message"].endswith("1 out of 2 new replicas have been updated...")
    assert "msg" not in result and not result["changed"]


def test_a_look_asks_for_causes_of_what_is_not_done_only():
    cluster = cluster_of()
    slow(cluster, "cart")
    cluster.add_pod(held(cluster, "cart"), "CrashLoopBackOff")
    result = calling.run("k8s_rollout_status", cluster, **SHOP)
    assert [entry["cause"] and entry["cause"]["code"] for entry in result["results"]] == ["crash_loop", None]
    assert len([path for path in cluster.lists if path.endswith("/pods")]) == 1


def test_a_look_at_a_rollout_that_failed_fails():
    cluster = cluster_of()
    held(cluster, "cart")["status"]["conditions"] = [{"type": "Progressing", "reason": "ProgressDeadlineExceeded"}]
    result = calling.run("k8s_rollout_status", cluster, **SHOP)
    assert outcomes(result)["cart"] == "failed"
    assert result["msg"].startswith("1 of 2 workloads not rolled out: Deployment shop/cart failed")


def test_a_look_at_many_warns_where_a_cause_may_not_be_asked_for():
    cluster = cluster_of()
    slow(cluster, "cart")
    cluster.fail = lambda verb, path: Forbidden("may not list pods", status=403) if "pods" in path else None
    result, warnings = call("k8s_rollout_status", cluster, **SHOP)
    assert outcomes(result)["cart"] == "in_progress"
    assert warnings == ["no cause for Deployment shop/cart: may not list pods"]


def test_waiting_for_a_rollout_ends_with_it():
    cluster = cluster_of()
    slow(cluster, "cart")
    cluster.executor.later(8, lambda: cluster.finish(held(cluster, "cart")))
    result = calling.run("k8s_rollout_status", cluster, wait=True, **SHOP)
    assert outcomes(result) == {"cart": "rolled_out", "web": "rolled_out"}
    assert cluster.executor.clock.passed == pytest.approx(8, abs=0.1)


def test_waiting_in_vain_is_unfinished():
    cluster = cluster_of()
    slow(cluster, "cart")
    result = calling.run("k8s_rollout_status", cluster, wait=True, timeout="20s", **SHOP)
    assert outcomes(result) == {"cart": "unfinished", "web": "rolled_out"}
    assert "not done after 20s" in result["msg"]


def test_in_check_mode_status_looks_once_and_does_not_pretend():
    cluster = cluster_of()
    slow(cluster, "cart")
    result = calling.run("k8s_rollout_status", cluster, True, wait=True, **SHOP)
    assert outcomes(result) == {"cart": "in_progress", "web": "rolled_out"}


# -- undo ------------------------------------------------------------------------------------------------------------


def undone(cluster, check_mode=False, **options):
    return calling.run("k8s_rollout_undo", cluster, check_mode, **{**SHOP, **options})


def test_an_undo_goes_back_one_revision():
    cluster = cluster_of("cart")
    restarted(cluster)
    result = undone(cluster, name="cart")
    assert (result["changed"], result["summary"], result["run_id"]) == (True, {"undone": 1}, None)
    assert "msg" not in result
    assert annotations_of(cluster, "cart") == {}
    assert (result["results"][0]["revision_before"], result["results"][0]["revision_after"]) == ("2", "3")


def test_an_undo_of_a_run_is_of_that_run_only_and_of_all_kinds():
    cluster = FakeCluster([deployment("cart"), deployment("web"), workload("DaemonSet", "proxy")])
    Executor(cluster)
    restarted(cluster, run_id="r1")
    restarted(cluster, run_id="r2", name="web")
    result = undone(cluster, run_id="r1")
    assert outcomes(result) == {"cart": "undone", "web": "unchanged", "proxy": "unchanged"}
    assert result["run_id"] == "r1"
    assert "msg" not in result
    assert restart.run_of(held(cluster, "web")) == "r2"


def test_an_undo_to_a_revision():
    cluster = cluster_of("cart")
    restarted(cluster, run_id="r1")
    restarted(cluster, run_id="r2")
    undone(cluster, to_revision=2)
    assert restart.run_of(held(cluster, "cart")) == "r1"


@pytest.mark.parametrize(
    "options, outcome, words",
    [
        ({"to_revision": 7}, "refused", "unable to find specified revision 7 in history"),
        ({"to_revision": 2}, "unchanged", "skipped rollback (current template already matches revision 2)"),
    ],
)
def test_an_undo_that_has_nowhere_to_go(options, outcome, words):
    cluster = cluster_of("cart")
    restarted(cluster)
    result = undone(cluster, **options)
    assert (result["results"][0]["outcome"], result["changed"]) == (outcome, False)
    assert result["results"][0]["message"].startswith(words)
    assert ("msg" in result) == (outcome == "refused")


def test_an_undo_without_history_is_refused():
    result = undone(cluster_of("cart"))
    assert outcomes(result) == {"cart": "refused"}
    assert 'no rollout history found for deployment "cart"' in result["msg"]


def test_a_negative_revision_is_told_of_before_anything_is_asked():
    cluster = cluster_of()
    with pytest.raises(RolloutError, match="unable to find specified revision -1 in history"):
        undone(cluster, to_revision=-1)
    assert cluster.asked == []


def test_one_undo_that_cannot_be_stops_no_other():
    cluster = cluster_of("cart", "web")
    restarted(cluster, name="web")
    assert outcomes(undone(cluster)) == {"cart": "refused", "web": "undone"}


def test_an_undo_warns_of_what_it_takes_along():
    cluster = cluster_of("cart")
    restarted(cluster)
    held(cluster, "cart")["metadata"]["annotations"]["team"] = "checkout"
    held(cluster, "cart")["metadata"]["annotations"]["kubectl.kubernetes.io/last-applied-configuration"] = "{}"
    _result, warnings = call("k8s_rollout_undo", cluster, **SHOP)
    assert [text.partition(";")[2] for text in warnings if "gone or set back" in text] == [" gone or set back: team"]
    assert [text for text in warnings if "was previously managed with 'kubectl apply'" in text]


def test_check_mode_undoes_nothing():
    cluster = cluster_of("cart")
    restarted(cluster, run_id="r1")
    result = undone(cluster, check_mode=True)
    assert (result["summary"], result["changed"], cluster.dry_runs) == ({"undone": 1}, True, 1)
    assert restart.run_of(held(cluster, "cart")) == "r1"


# -- history ---------------------------------------------------------------------------------------------------------


def test_the_history_tells_each_revision_and_what_it_changed():
    cluster = cluster_of("cart")
    restarted(cluster, run_id="r1", ticket="CHG1", reason="why", operator="ops")
    result = calling.run("k8s_rollout_history", cluster, **SHOP)
    (entry,) = result["results"]
    assert (entry["outcome"], entry["message"], entry["changed"]) == ("unchanged", "2 revisions", False)
    first, second = entry["revisions"]
    assert (
        set(first)
        == set(second)
        == {
            "revision",
            "change_cause",
            "reason",
            "ticket",
            "operator",
            "run_id",
            "restarted_at",
            "created_at",
            "differences",
        }
    )
    assert (first["revision"], first["run_id"], first["differences"]) == (1, None, [])
    shown = {name: second[name] for name in ("revision", "run_id", "ticket", "reason", "operator", "restarted_at")}
    assert shown == {
        "revision": 2,
        "run_id": "r1",
        "ticket": "CHG1",
        "reason": "why",
        "operator": "ops",
        "restarted_at": "2026-11-24T22:00:00Z",
    }
    assert f"metadata.annotations[{restart.RUN}]" in [change["path"] for change in second["differences"]]


def test_one_revision_of_the_history_has_its_difference_to_the_one_before():
    cluster = cluster_of("cart")
    restarted(cluster)
    (entry,) = calling.run("k8s_rollout_history", cluster, revision=2, **SHOP)["results"]
    assert [revision["revision"] for revision in entry["revisions"]] == [2]
    assert entry["revisions"][0]["differences"]


@pytest.mark.parametrize(
    "revision, words",
    [(7, "unable to find the specified revision"), (0, "revision must be a positive integer: 0"), (-2, "positive")],
)
def test_a_revision_that_is_not_there(revision, words):
    with pytest.raises(RolloutError, match=words):
        calling.run("k8s_rollout_history", cluster_of(), revision=revision, **SHOP)


def test_a_workload_without_history():
    cluster = cluster_of("cart")
    cluster.revisions.clear()
    (entry,) = calling.run("k8s_rollout_history", cluster, **SHOP)["results"]
    assert (entry["message"], entry["revisions"]) == ("No rollout history found.", [])


def test_the_history_warns_before_the_last_deploy_falls_out_of_it():
    cluster = cluster_of("cart")
    held(cluster, "cart")["spec"]["revisionHistoryLimit"] = 2
    held(cluster, "cart")["spec"]["template"]["spec"]["containers"][0]["image"] = "shop/main:2"
    cluster._note_revision(held(cluster, "cart"))
    restarted(cluster)
    _result, warnings = call("k8s_rollout_history", cluster, **SHOP)
    assert len(warnings) == 1
    assert "drops revision 1" in warnings[0]


# -- pause -----------------------------------------------------------------------------------------------------------


def paused(cluster, state="paused", check_mode=False, **options):
    return calling.run("k8s_rollout_pause", cluster, check_mode, state=state, **{**SHOP, **options})


def test_pausing_and_resuming():
    cluster = cluster_of("cart")
    result = paused(cluster)
    assert (result["changed"], result["summary"]) == (True, {"paused": 1})
    assert held(cluster, "cart")["spec"]["paused"] is True
    again = paused(cluster)
    assert (again["changed"], again["summary"]) == (False, {"unchanged": 1})
    assert again["results"][0]["message"] == "is already paused"
    assert paused(cluster, "resumed")["summary"] == {"resumed": 1}
    assert not held(cluster, "cart")["spec"].get("paused")


def test_only_a_deployment_can_be_paused_and_others_do_not_keep_it_from_that():
    cluster = FakeCluster([workload("StatefulSet", "redis"), deployment("cart")])
    Executor(cluster)
    result = paused(cluster, kind=["StatefulSet", "Deployment"])
    assert outcomes(result) == {"redis": "refused", "cart": "paused"}
    assert "pausing is not supported" in result["msg"]


def test_check_mode_pauses_nothing():
    cluster = cluster_of("cart")
    assert paused(cluster, check_mode=True)["changed"]
    assert "paused" not in held(cluster, "cart")["spec"]


# -- a plan as one value ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "beside",
    [
        {"workloads": [{"id": "web", "name": "web"}]},
        {"name": "web"},
        {"label_selectors": "tier=web"},
        {"field_selectors": "metadata.name=web"},
        {"select": "metadata.name == 'web'"},
        {"name_pattern": "w*"},
        {"uses": "secret/ca"},
        {"service_account": "web"},
        {"image": "shop/web"},
        {"only": {"started_before": "1d"}},
        {"exclude": {"name": "web"}},
        {"window": {"hours": "22:00-23:00", "timezone": "UTC"}},
        {"max_parallel": 1},
        {"namespace": "shop"},
        {"all_namespaces": True},
        {"kind": "StatefulSet"},
        {"stagger": "5s"},
        {"settle": "5s"},
        {"timeout": "1m"},
        {"grace": "1m"},
        {"failure_budget": 1},
        {"on_failure": "undo"},
    ],
)
def test_what_a_plan_says_itself_is_refused_beside_it(beside):
    cluster = cluster_of()
    (name,) = beside
    with pytest.raises(RolloutError, match=f"{name}: has no effect together with plan"):
        calling.run("k8s_rollout_restart", cluster, plan=PLAN, **beside)
    assert cluster.asked == []


def test_a_journal_needs_a_plan():
    cluster = cluster_of()
    with pytest.raises(RolloutError, match="journal: needs the option plan"):
        calling.run("k8s_rollout_restart", cluster, journal={"clusters": ["eu"]}, **SHOP)
    assert cluster.asked == []


def test_the_lock_of_a_plan_is_held_from_before_anything_is_read_until_the_journal_is_closed():
    cluster = cluster_of()
    calling.run("k8s_rollout_restart", cluster, plan=PLAN, journal={"clusters": ["eu"]})
    asked = [path for verb, path in cluster.asked if not path.endswith("/kube-system")]
    assert asked[0].endswith("/leases/restartx-ca") and asked[-1].endswith("/leases/restartx-ca")
    (lease,) = [one for path, one in cluster.objects.items() if "/leases/" in path]
    assert lease["spec"]["holderIdentity"] == ""


def test_a_lock_that_somebody_else_holds_is_named_and_nothing_is_read():
    cluster = cluster_of()
    calling.run("k8s_rollout_lock", cluster, plan="ca", holder="another", run_id="r9", operator="jane")
    before = len(cluster.asked)
    lease = next(one for path, one in cluster.objects.items() if "/leases/" in path)
    clock = cluster.executor.clock

    def sleep(seconds):
        clock.passed += seconds
        lease["metadata"]["resourceVersion"] = str(int(lease["metadata"]["resourceVersion"]) + 1)  # it is alive

    clock.sleep = sleep
    result = calling.run("k8s_rollout_restart", cluster, plan=PLAN, run_id="r1", journal={"clusters": ["eu"]})
    assert result["locked"] is True
    assert '"ca" is being restarted by run r9 of jane (another)' in result["msg"]
    assert not [path for verb, path in cluster.asked[before:] if "/deployments" in path]


# -- plan ------------------------------------------------------------------------------------------------------------


def planned(cluster, plan=None, **options):
    return calling.run("k8s_rollout_plan", cluster, plan=plan or PLAN, **options)


def test_a_plan_tells_what_it_means_here_and_changes_nothing():
    cluster = cluster_of()
    result = planned(cluster)
    assert (outcomes(result), result["changed"]) == ({"cart": "planned", "web": "planned"}, False)
    assert "msg" not in result
    assert result["plan"]["name"] == "ca"
    assert result["plan"]["order"] == [["core"], ["web"]]
    assert result["plan"]["workloads"] == {"core": ["Deployment shop/cart"], "web": ["Deployment shop/web"]}
    assert result["plan"]["window"] is None
    assert result["plan"]["periods"] == {"day": "2026-11-24", "week": "2026-W48", "month": "2026-11"}
    assert result["runs"] == []
    changing = [(verb, path) for verb, path in cluster.asked if verb not in ("get", "list")]
    assert {path.rpartition("/")[2] for verb, path in changing} == {
        "configmaps",
        "pods",
        "selfsubjectaccessreviews",
        "selfsubjectrulesreviews",
        "cart",
        "web",
    }
    assert (cluster.dry_runs, cluster.patches) == (2, [])
    assert not any("/configmaps/" in path for path in cluster.objects)


def test_a_plan_with_a_workload_that_may_not_be_restarted_is_not_fit():
    cluster = cluster_of()
    held(cluster, "web")["spec"]["paused"] = True
    result = planned(cluster)
    assert outcomes(result) == {"cart": "planned", "web": "refused"}
    assert result["msg"].startswith(
        "1 of 2 workloads not fit for a restart: Deployment shop/web refused: can't restart"
    )


def test_a_plan_tells_its_runs_and_its_window():
    cluster = cluster_of()
    calling.run("k8s_rollout_restart", cluster, plan=PLAN, run_id="r1", ticket="CHG1", journal={"clusters": ["eu"]})
    (same,) = planned(cluster)["runs"]
    assert (same["run"], same["ticket"], same["over"], same["done"], same["changes"]) == ("r1", "CHG1", True, 2, [])
    window = {"hours": "01:00-02:00", "timezone": "UTC"}
    result = planned(cluster, {**PLAN, "window": window})
    (run,) = result["runs"]
    assert run["changes"] == ['window: {"hours": "01:00-02:00", "timezone": "UTC"} added']
    assert "workloads" not in run
    assert result["plan"]["window"]["open"] is False
    assert "outside the window" in result["plan"]["window"]["message"]


@pytest.mark.parametrize(
    "outcome, fit", [("unfinished", True), (None, True), ("failed", False)], ids=["slow", "killed", "failed"]
)
def test_a_pod_that_an_unfinished_run_only_waits_for_keeps_no_start_from_resuming_it(outcome, fit):
    cluster = FakeCluster([workload("StatefulSet", "cart")], takes=600)
    plan = {
        **PLAN,
        "defaults": {"namespace": "shop", "kind": "StatefulSet"},
        "workloads": [{"id": "core", "name": "cart"}],
    }
    options = {"plan": plan, "run_id": "r1", "wait_timeout": "10s", "journal": {"clusters": ["eu"]}}
    assert outcomes(calling.run("k8s_rollout_restart", cluster, **options)) == {"cart": "unfinished"}
    record = cluster.objects[journal.path("restartx-system", journal.name_of("ca", "r1"))]
    content = json.loads(record["data"][journal.KEY])
    content["workloads"]["StatefulSet/shop/cart"]["outcome"] = outcome
    record["data"][journal.KEY] = json.dumps(content)
    cart = held(cluster, "cart", "StatefulSet")
    owner = {"kind": "StatefulSet", "name": "cart", "uid": "uid-shop-cart", "controller": True}
    labels = {"app": "cart", "controller-revision-hash": cart["status"]["updateRevision"]}
    meta = {"name": "cart-1", "namespace": "shop", "labels": labels, "ownerReferences": [owner]}
    slow = {"type": "Ready", "status": "False", "lastTransitionTime": "2026-11-24T21:50:00Z"}
    cluster.pods = [{"metadata": meta, "spec": {"containers": []}, "status": {"conditions": [slow]}}]
    assert outcomes(planned(cluster, plan)) == {"cart": "planned" if fit else "refused"}


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet", "DaemonSet"])
def test_each_permission_that_is_missing_alone_is_named_before_anything_is_touched(kind):
    plan = {**PLAN, "defaults": {"namespace": "shop", "kind": kind}}
    asked = FakeCluster([workload(kind, "cart"), workload(kind, "web")])
    planned(asked, plan)
    wanted = asked.reviewed
    kinds_of = {"Deployment": "deployments", "StatefulSet": "statefulsets", "DaemonSet": "daemonsets"}
    revisions = "replicasets" if kind == "Deployment" else "controllerrevisions"
    assert set(wanted) == {
        *((verb, kinds_of[kind]) for verb in ("get", "list", "watch", "patch")),
        ("list", revisions),
        ("list", "pods"),
        ("watch", "pods"),
        ("list", "events"),
        ("list", "poddisruptionbudgets"),
        *((verb, "configmaps") for verb in ("get", "list", "create", "patch", "delete")),
        *((verb, "leases") for verb in ("get", "create", "update")),
    }
    for verb, resource in set(wanted):
        cluster = FakeCluster([workload(kind, "cart"), workload(kind, "web")])
        cluster.denied = {(verb, resource)}
        with pytest.raises(
            RolloutError, match=rf"permission is missing on simulated: to {verb} {resource}\b"
        ) as caught:
            planned(cluster, plan)
        file = "budgets.yml" if resource == "poddisruptionbudgets" else "cluster.yml"
        assert f"kubectl --context simulated apply -f rbac/{file}" in str(caught.value)
        assert cluster.dry_runs == 0


def test_a_missing_namespace_of_the_journals_is_named_by_the_check():
    cluster = cluster_of()
    cluster.namespaces = set()
    with pytest.raises(
        RolloutError, match='namespace "restartx-system".*does not exist.*kubectl apply -f rbac/cluster.yml'
    ):
        planned(cluster)


def test_a_patch_that_the_server_refuses_makes_the_plan_unfit():
    cluster = cluster_of()
    refused = Invalid("admission policy says no", status=422)
    cluster.fail = lambda verb, path: refused if verb == "patch" and path.endswith("/web") else None
    result = planned(cluster)
    assert outcomes(result) == {"cart": "planned", "web": "refused"}
    assert "Deployment shop/web refused: admission policy says no" in result["msg"]
    assert cluster.patches == []


def test_a_broken_plan_is_told_of_before_anything_is_asked():
    cluster = cluster_of()
    with pytest.raises(PlanError, match="restart_plan.workloads"):
        planned(cluster, {**PLAN, "workloads": [{"id": "a", "after": ["b"]}]})
    assert cluster.asked == []
