# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a running cluster promises to those who use it."""

import json
import stat

import pytest
import yaml

from lab import LabError
from lab.command import main

DEPLOYMENT = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: default}
spec:
  replicas: 1
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: "localhost/web:1"}]}
"""


def pids(cluster):
    return {name: process.pid for name, process in cluster.processes().items()}


def test_up_keeps_what_runs_and_restarts_what_does_not(lab, full):
    full.stop("kube-scheduler")
    before = pids(full)
    assert before["kube-scheduler"] is None
    lab.up(["full"])
    after = pids(full)
    assert after.pop("kube-scheduler")
    before.pop("kube-scheduler")
    assert after == before


def test_up_refuses_to_change_what_a_cluster_consists_of(lab):
    with pytest.raises(LabError, match='"bare" runs without controllers; take it down first'):
        lab.up(["bare"], controllers=True)


@pytest.mark.parametrize("name", ["", "EU", "../up", "a_b", "-a"])
def test_a_name_that_cannot_be_a_folder_or_a_context_is_refused(lab, name):
    with pytest.raises(LabError, match="cannot name a cluster"):
        lab.up([name])


def test_the_kubeconfig_has_a_context_per_cluster_and_is_private(lab):
    config = yaml.safe_load(lab.kubeconfig.read_text())
    assert [context["name"] for context in config["contexts"]] == ["bare", "full"]
    assert stat.S_IMODE(lab.kubeconfig.stat().st_mode) == 0o600


def test_a_restarted_api_server_keeps_its_address_and_its_objects(full):
    server = full.server
    full.kubectl("create", "namespace", "kept")
    full.stop("kube-apiserver")
    assert full.kubectl("get", "namespace", "kept", check=False).returncode != 0
    full.start("kube-apiserver")
    assert full.server == server
    assert full.kubectl("get", "namespace", "kept", "-o", "name").stdout == "namespace/kept\n"


def test_a_component_that_does_not_exist_is_named(bare):
    with pytest.raises(LabError, match='"bare" has no component "kwok"; it has etcd, kube-apiserver'):
        bare.stop("kwok")


def test_nodes_are_spread_over_zones_and_numbered_on(full):
    added = full.add_nodes(3, ["x", "y"])
    assert added == ["node-4", "node-5", "node-6"]
    found = json.loads(full.kubectl("get", "nodes", "-o", "json").stdout)["items"]
    zones = {node["metadata"]["name"]: node["metadata"]["labels"]["topology.kubernetes.io/zone"] for node in found}
    assert list(zones.values()) == ["a", "b", "c", "x", "y", "x"]


def test_pods_are_scheduled_and_roll_out(full):
    full.apply(DEPLOYMENT)
    told = full.kubectl("rollout", "status", "deployment/web", "--timeout=180s")
    assert told.stdout.endswith('deployment "web" successfully rolled out\n')


def test_without_controllers_a_status_stays_as_it_is_set(bare):
    bare.apply(DEPLOYMENT)
    status = {"observedGeneration": 1, "replicas": 1, "updatedReplicas": 1, "readyReplicas": 1, "availableReplicas": 1}
    patch = ["patch", "deployment/web", "--subresource=status", "--type=merge", "-p", json.dumps({"status": status})]
    bare.kubectl(*patch)
    assert "successfully rolled out" in bare.kubectl("rollout", "status", "deployment/web").stdout
    web = json.loads(bare.kubectl("get", "deployment/web", "-o", "json").stdout)
    web["status"] = {"observedGeneration": 1, "replicas": 1}
    path = "/apis/apps/v1/namespaces/default/deployments/web/status"
    bare.kubectl("replace", "--raw", path, "-f", "-", input=json.dumps(web))
    told = bare.kubectl("rollout", "status", "deployment/web", "--watch=false").stdout
    assert "0 out of 1 new replicas have been updated" in told
    assert bare.kubectl("get", "replicasets,pods", "-o", "name").stdout == ""


def test_every_request_of_a_client_is_counted_once(bare):
    before = len(bare.requests("kubectl"))
    bare.kubectl("get", "--raw", "/api/v1/namespaces")
    bare.kubectl("get", "--raw", "/api/v1/namespaces?watch=1&timeoutSeconds=1")
    new = bare.requests("kubectl")[before:]
    assert [event["verb"] for event in new] == ["list", "watch"]
    assert not [event for event in bare.requests() if "kubectl" not in event["userAgent"]]


def test_a_service_account_is_itself_and_no_admin(bare, tmp_path):
    bare.kubectl("create", "serviceaccount", "restarter")
    path = bare.service_account_kubeconfig("default", "restarter", tmp_path / "kubeconfig")
    speak = [f"--kubeconfig={path}", f"--context={bare.context}"]
    assert "system:serviceaccount:default:restarter" in bare.kubectl("auth", "whoami", *speak).stdout
    assert bare.kubectl("auth", "can-i", "patch", "deployments", *speak, check=False).stdout == "no\n"


def test_a_certificate_names_user_and_groups_and_may_be_expired(bare, tmp_path):
    good = bare.certificate_kubeconfig(tmp_path / "good", "ann", groups=["operators"])
    told = bare.kubectl("auth", "whoami", "-o", "yaml", f"--kubeconfig={good}").stdout
    assert "username: ann" in told and "- operators" in told
    expired = bare.certificate_kubeconfig(tmp_path / "expired", "ann", expired=True)
    refused = bare.kubectl("get", "namespaces", f"--kubeconfig={expired}", check=False)
    assert refused.returncode == 1 and "Unauthorized" in refused.stderr


def test_status_tells_what_runs(lab, full, capsys):
    assert main(["--dir", str(lab.directory), "status"]) == 0
    told = capsys.readouterr().out
    assert f"full  {full.server}" in told
    for pid in pids(full).values():
        assert f"pid {pid}, up" in told


def test_down_of_an_unknown_cluster_says_what_there_is(lab, capsys):
    assert main(["--dir", str(lab.directory), "down", "mars"]) == 1
    assert capsys.readouterr().err == "lab: No cluster mars here; there is bare, full.\n"
