# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is wrong is said in one sentence, with nothing changed and nothing missing from the result."""

from __future__ import annotations

import functools
import json
from concurrent.futures import ThreadPoolExecutor

import pytest
import yaml
from house import USER_AGENT, Operator, entry_of, now, outcomes, patches, workload

DURATION = 'is not a duration; write "90s", "15m", "3h", "1h30m" or a number of seconds'
KINDS_KNOWN = "the kinds that have one are Deployment, DaemonSet, StatefulSet"


@pytest.fixture(scope="module")
def api(shared_namespace):
    """A namespace with the Deployment api."""
    shared_namespace.create(workload("Deployment", "api"))
    return shared_namespace


def failed(result, changed=False):
    """What a module that failed said: one line, and of which it has nothing to show."""
    assert result["failed"] and result["changed"] is changed
    assert "\n" not in result["msg"] and len(result["msg"]) < 600
    return result["msg"]


OPTIONS = [
    ({"kind": "CronJob"}, f'kind "CronJob" has no rollout; {KINDS_KNOWN}'),
    ({"kind": []}, "kind is an empty list; name at least one, or leave the option out"),
    ({"name": []}, "name is an empty list; name at least one, or leave the option out"),
    ({"namespace": []}, "namespace is an empty list; name at least one, or leave the option out"),
    ({"namespace": ""}, "namespace is empty; give it a value, or leave the option out"),
    ({"name": ["api", ""]}, "name[1] is empty; give it a value, or leave it out"),
    ({"name": "api,"}, "name[1] is empty; give it a value, or leave it out"),
    ({"select": " "}, "select is empty; give it a value, or leave the option out"),
    ({"context": ""}, "context is empty; give it a value, or leave the option out"),
    ({"cluster_uid": []}, "cluster_uid is an empty list; name at least one, or leave the option out"),
    ({"proxy_headers": ""}, "proxy_headers is empty; give it a value, or leave the option out"),
    (
        {"name": "deployment/api"},
        'name: "deployment/api" is not the name of an object: lower-case letters, digits, "-" and "."; '
        "write kind: Deployment and name: api",
    ),
    (
        {"window": {"timezone": "localtime", "days": "tue"}},
        'window.timezone: "localtime" means a different time zone on each machine; write the zone of a place, such '
        "as Europe/Berlin, or UTC",
    ),
    ({"timeout": "-5m"}, f'timeout: "-5m" {DURATION}'),
    ({"timeout": -300}, f'timeout: "-300" {DURATION}'),
    ({"wait_timeout": "soon"}, f'wait_timeout: "soon" {DURATION}'),
    ({"stagger": "10 minutes"}, f'stagger: "10 minutes" {DURATION}'),
    ({"settle": "1w"}, f'settle: "1w" {DURATION}'),
    ({"max_parallel": 0}, "max_parallel: 0 is not a whole number of at least 1"),
    (
        {"failure_budget": -1},
        'failure_budget: "-1" is neither a whole number of at least 0 nor a percentage such as 10%',
    ),
    (
        {"label_selectors": ["tier in web"]},
        'label_selectors: "tier in web" is not a valid selector at "tier in web"; '
        "write it like app=web, tier!=db, tier in (web,api), canary or !canary",
    ),
    (
        {"label_selectors": ["a=b c"]},
        'label_selectors: "a=b c" is not a valid selector at "a=b c"; '
        "write it like app=web, tier!=db, tier in (web,api), canary or !canary",
    ),
    (
        {"field_selectors": ["spec.replicas=1"]},
        'field_selectors: workloads cannot be selected by "spec.replicas", only by metadata.name and metadata.namespace; '
        "use select for everything else",
    ),
    (
        {"select": "spec.replicas >"},
        'select: "spec.replicas >" is not a JMESPath expression: it ends too early (position 15)',
    ),
    ({"select": "a b"}, 'select: "a b" is not a JMESPath expression: unexpected "b" at position 2'),
    ({"select": "nofunc(@)"}, 'select: "nofunc(@)" calls nofunc(), which JMESPath does not have'),
    ({"ticket": "a\nb"}, "ticket: 'a\\nb' contains a line break or a control character; write it as one line"),
    ({"reason": "x" * 1025}, "reason has 1025 characters; at most 1024 are kept on a workload"),
    (
        {"annotations": {"no good": "x"}},
        'annotations: "no good" is not a valid annotation name; write it like example.com/team',
    ),
    (
        {"annotations": {"restartx.io/run": "x"}},
        'annotations: "restartx.io/run" is set by the restart itself; use the options for it',
    ),
    ({"workloads": []}, "workloads is an empty list; name at least one, or leave the option out"),
    ({"workloads": [{"id": "a", "name": "api", "after": "b"}]}, 'workloads[0].after: no workload "b"'),
    ({"workloads": [{"id": "a", "nmae": "api"}]}, 'workloads[0].nmae: unknown option; did you mean "name"?'),
]


@pytest.fixture(scope="module")
def said(api, operator):
    """What each of these restarts said, and what the API server was asked meanwhile."""
    began = now()
    with ThreadPoolExecutor(4) as pool:
        run = functools.partial(operator.run, "k8s_rollout_restart")
        results = list(pool.map(lambda row: run(**{"namespace": [api.name], **row[0]}), OPTIONS))
    return results, api.cluster.requests(USER_AGENT, began)


@pytest.mark.parametrize("place", range(len(OPTIONS)), ids=[json.dumps(options)[:50] for options, _words in OPTIONS])
def test_an_option_that_makes_no_sense_is_named(said, place):
    assert failed(said[0][place]) == OPTIONS[place][1]


def test_options_are_checked_before_anything_is_asked(said):
    assert said[1] == []


def test_an_expression_that_fits_no_workload_names_the_workload(api):
    message = failed(api.run("restart", select="length(spec.replicas) > `1`"))
    head = f'select: "length(spec.replicas) > `1`" cannot be evaluated on deployment "api" in namespace "{api.name}": '
    assert message.startswith(head + "In function length(), invalid type for value: 1")


def test_undo_with_an_empty_run_id_undoes_nothing(api):
    message = failed(api.run("undo", run_id=""))
    assert message == "run_id is empty; give it a value, or leave the option out"


def written(path, content):
    path.write_text(content if isinstance(content, str) else yaml.safe_dump(content))
    return str(path)


@pytest.fixture
def config(operator):
    """The operator's kubeconfig, as data to change."""
    return yaml.safe_load(operator.kubeconfig.read_text())


def test_an_unreachable_host_is_named(api, config, tmp_path):
    config["clusters"][0]["cluster"]["server"] = "https://127.0.0.1:1"
    result = api.run("restart", kubeconfig=written(tmp_path / "kubeconfig", config))
    assert failed(result).startswith("cannot reach https://127.0.0.1:1: connection refused")
    assert result["cluster"] == {"host": "https://127.0.0.1:1", "context": "eu-west", "uid": None}
    assert result["duration"] < 30


def test_a_host_without_address_is_named(api, config, tmp_path):
    config["clusters"][0]["cluster"]["server"] = "https://no-such-host.invalid:6443"
    message = failed(api.run("restart", kubeconfig=written(tmp_path / "kubeconfig", config)))
    head = 'cannot reach https://no-such-host.invalid:6443: the name "no-such-host.invalid" has no address'
    assert message.startswith(head)


def test_a_server_of_another_authority_is_not_trusted(api, config, tmp_path):
    del config["clusters"][0]["cluster"]["certificate-authority-data"]
    message = failed(api.run("restart", kubeconfig=written(tmp_path / "kubeconfig", config)))
    assert "the server's certificate is signed by an unknown CA: give that CA's certificate as ca_cert" in message


def test_an_expired_certificate_is_told_as_such(api, tmp_path):
    path = api.cluster.certificate_kubeconfig(tmp_path / "expired", "ann", expired=True)
    message = failed(Operator(path).run("k8s_rollout_restart", namespace=[api.name]))
    assert message.startswith(f"{api.cluster.server} does not accept the credentials of ")
    assert "(401 Unauthorized): the client certificate expired on " in message
    assert message.endswith(" UTC; renew it")


def test_a_wrong_token_is_told_as_such(api, config, tmp_path):
    config["users"][0]["user"] = {"token": "wrong-token"}
    message = failed(api.run("restart", kubeconfig=written(tmp_path / "kubeconfig", config)))
    assert "(401 Unauthorized): they may be wrong, expired or revoked" in message
    assert "wrong-token" not in message


@pytest.mark.parametrize(
    "content, words",
    [
        ("", "is empty: recreate it, or give another file"),
        ("clusters: [", "is not valid YAML (line "),
        ("- a list", "must be a mapping: correct it, or recreate the file"),
        ({"clusters": []}, "has no contexts: write one with kubectl config set-context, or give another file"),
        (None, "does not exist: give the path of an existing file as kubeconfig"),
    ],
    ids=["empty", "no-yaml", "a-list", "no-contexts", "missing"],
)
def test_a_kubeconfig_that_leads_nowhere_is_named(api, tmp_path, content, words):
    path = tmp_path / "kubeconfig"
    if content is not None:
        written(path, content)
    result = api.run("restart", kubeconfig=str(path))
    assert f'kubeconfig file "{path}" {words}' in failed(result)
    assert (result["cluster"], result["api_requests"]) == ({"host": None, "context": None, "uid": None}, 0)


def test_a_context_that_does_not_exist_is_named_with_those_that_do(api):
    message = failed(api.run("restart", context="mars"))
    assert message == f'there is no context "mars" in kubeconfig file "{api.operator.kubeconfig}": it has eu-west'


@pytest.mark.parametrize(
    "plugin, words",
    [
        ("no-such-plugin", "is not installed here or not executable: install it, or correct its command"),
        ("false", "failed with exit code 1: it said nothing; run it by hand to see why"),
        ("true", "did not print an ExecCredential with a status: run it by hand to see why"),
    ],
)
def test_a_credential_plugin_that_gives_nothing_is_named(api, config, tmp_path, plugin, words):
    version = {"apiVersion": "client.authentication.k8s.io/v1", "interactiveMode": "Never"}
    config["users"][0]["user"] = {"exec": {"command": plugin, **version}}
    result = api.run("restart", kubeconfig=written(tmp_path / "kubeconfig", config))
    message = failed(result)
    assert message.startswith(f'credential plugin "{plugin}" of user ') and message.endswith(words)
    assert result["api_requests"] == 0


@pytest.mark.parametrize("verb", ["restart", "undo", "status", "history", "pause"])
def test_another_cluster_than_the_pinned_one_is_not_touched(api, verb):
    began = now()
    result = api.run(verb, cluster_uid="pinned-uid", **({"state": "paused"} if verb == "pause" else {}))
    uid = result["cluster"]["uid"]
    assert failed(result) == (
        f"the context eu-west leads to {api.cluster.server}, whose cluster has the uid {uid}, but cluster_uid pins "
        "pinned-uid; nothing was touched: correct the kubeconfig, the context or the pinned uid"
    )
    assert [event["verb"] for event in api.cluster.requests(USER_AGENT, began)] == ["get"]


OWNED = {
    "apiVersion": "kafka.strimzi.io/v1",
    "kind": "Kafka",
    "name": "events",
    "uid": "0b5a0c4e-6d8e-4a7e-9a6c-3a0f5f6f4d21",
    "controller": True,
}


def refusals(namespace):
    """The workloads that are not restarted, and why."""
    return {
        "paused": f'can\'t restart paused deployment (run rollout resume first): deployment "paused" in namespace '
        f'"{namespace}" is paused; resume it with k8s_rollout_pause and state: resumed',
        "by-hand": f'statefulset "by-hand" in namespace "{namespace}" has the update strategy OnDelete, so a restart would '
        "replace no pod; set it to RollingUpdate, or have its pods evicted one by one with the option between_pods",
        "by-hand-too": f'daemon set "by-hand-too" in namespace "{namespace}" has the update strategy OnDelete, so a restart '
        "would replace no pod; set it to RollingUpdate, or have its pods evicted one by one with the option between_pods",
        "leaving": f'deployment "leaving" in namespace "{namespace}" is being deleted; wait until it is gone, or leave it '
        "out",
    }


def test_what_cannot_be_restarted_is_refused_before_anything_is_touched(namespace):
    by_hand = {"updateStrategy": {"type": "OnDelete"}}
    leaving = workload("Deployment", "leaving")
    leaving["metadata"]["finalizers"] = ["example.com/wait"]
    namespace.create(
        workload("Deployment", "paused", paused=True),
        workload("StatefulSet", "by-hand", **by_hand),
        workload("DaemonSet", "by-hand-too", **by_hand),
        workload("Deployment", "fine"),
        leaving,
        ready=False,
    )
    namespace.rolled_out("deployment/fine")
    namespace.kubectl("delete", "deployment/leaving", "--wait=false")
    began, kinds = now(), ["Deployment", "StatefulSet", "DaemonSet"]
    result = namespace.run("restart", kind=kinds)
    expected = refusals(namespace.name)
    assert {name: entry_of(result, name)["message"] for name in expected} == expected
    assert outcomes(result) == {**dict.fromkeys(expected, "refused"), "fine": "not_started"}
    assert result["msg"].startswith("5 of 5 workloads not restarted: ") and not result["changed"]
    assert patches(namespace.cluster, began) == []
    others = namespace.run("restart", kind=kinds, on_failure="continue")
    assert outcomes(others)["fine"] == "restarted" and others["failed"]
    namespace.kubectl("patch", "deployment/leaving", "--type=merge", "-p", '{"metadata": {"finalizers": null}}')


def test_what_another_controller_owns_is_refused_unless_allowed(namespace):
    owned = workload("StatefulSet", "events")
    owned["metadata"]["ownerReferences"] = [OWNED]
    # The garbage collector deletes what belongs to an owner that never was, unless the deletion is held up.
    owned["metadata"]["finalizers"] = ["example.com/wait"]
    namespace.create(owned, ready=False)
    began = now()
    check = namespace.run("restart", kind="StatefulSet", check=True)
    refused = entry_of(check, "events")
    assert refused["outcome"] == "refused"
    manager = 'Kafka "events" (kafka.strimzi.io/v1)'
    name = f'statefulset "events" in namespace "{namespace.name}"'
    assert refused["message"] == (
        f"{name} is managed by {manager}, which may revert the change; change it through its owner, or "
        "set allow_owned: true"
    )
    assert patches(namespace.cluster, began) == []
    allowed = namespace.run("restart", kind="StatefulSet", allow_owned=True, wait=False)
    assert outcomes(allowed) == {"events": "restarted"}
    namespace.kubectl("patch", "statefulset/events", "--type=merge", "-p", '{"metadata": {"finalizers": null}}')


def test_a_namespace_that_is_missing_finds_nothing(cluster, tmp_path):
    reader = cluster.certificate_kubeconfig(tmp_path / "reader", "reader", groups=["readers"])
    cluster.kubectl("create", "clusterrolebinding", "readers", "--clusterrole=view", "--group=readers")
    message = failed(Operator(reader).run("k8s_rollout_restart", namespace=["never-made"], name="api"))
    assert message == (
        'nothing found named "api" in eu-west: searched Deployment in namespace "never-made"; '
        'namespace "never-made" does not exist; to go on without it, set allow_empty: true'
    )
