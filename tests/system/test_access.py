# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""First steps on real clusters: what is missing and the commands that provide it, and a first plan that can be used."""

from __future__ import annotations

import shlex
import subprocess
from dataclasses import replace

import pytest
import yaml
from house import ROOT, Operator, now, workload

PLAYBOOKS = ROOT / "playbooks"
READING = {"get", "list", "watch"}


@pytest.fixture
def novice(cluster, namespace, tmp_path):
    """A service account without any permission."""
    namespace.kubectl("create", "serviceaccount", "novice")
    return Operator(cluster.service_account_kubeconfig(namespace.name, "novice", tmp_path / "novice"))


def ask(operator, namespace, **options):
    return operator.run("k8s_rollout_access", namespace=[namespace.name], **options)


def test_the_service_account_of_rbac_lacks_nothing_and_nothing_is_changed(cluster, operator, namespace):
    began = now()
    result = ask(operator, namespace)
    assert result["missing"] == [] and "msg" not in result
    access = result["access"]
    assert access["user"] == "system:serviceaccount:restartx-system:restartx"
    assert access["version"].startswith("v1.") and access["server_certificate_expires"] > access["token_expires"]
    assert abs(access["clock_ahead"]) <= 1
    token = yaml.safe_load(operator.kubeconfig.read_text())["users"][0]["user"]["token"]
    assert token not in str(result)
    sent = cluster.requests("restartx/", began)
    changes = [event for event in sent if event["verb"] not in READING and "dryRun=All" not in event["requestURI"]]
    assert {event["objectRef"]["resource"] for event in changes} == {
        "selfsubjectreviews",
        "selfsubjectrulesreviews",  # it names all that is granted, so nothing is asked for one by one
    }


def test_the_commands_for_an_administrator_provide_what_is_missing(cluster, novice, namespace):
    result = ask(novice, namespace)
    what = [one["what"].partition(":")[0] for one in result["missing"]]
    missing = "permission is missing in namespace"
    of_namespaces = [namespace.name, namespace.name, "restartx-system"]
    assert len(what) == 4 and what[1:] == [f"{missing} {name}" for name in of_namespaces]
    assert f"{len(what)} things are missing" in result["msg"]
    for command in dict.fromkeys(command for one in result["missing"] for command in one["commands"]):
        kubectl, option, context, *words = shlex.split(command.replace("rbac/", f"{ROOT}/rbac/"))
        assert (kubectl, option, context) == ("kubectl", "--context", cluster.context)
        cluster.kubectl(*words)
    assert ask(novice, namespace)["missing"] == []
    cluster.kubectl("delete", "clusterrolebinding", "restartx-identity-novice", "restartx-budgets-novice")
    cluster.kubectl("delete", "rolebinding", "restartx-journal-novice", "--namespace", "restartx-system")


def test_one_missing_permission_is_named(cluster, novice, namespace):
    role = ["create", "clusterrolebinding", f"{namespace.name}-view", "--clusterrole=view"]
    cluster.kubectl(*role, f"--serviceaccount={namespace.name}:novice")
    patch = ["--verb=patch", "--resource=deployments.apps,statefulsets.apps"]
    namespace.kubectl("create", "role", "novice", *patch)
    namespace.kubectl("create", "rolebinding", "novice", "--role=novice", f"--serviceaccount={namespace.name}:novice")
    what = [one["what"] for one in ask(novice, namespace)["missing"]]
    assert f"permission is missing in namespace {namespace.name}: to patch daemonsets.apps" in what
    cluster.kubectl("delete", "clusterrolebinding", f"{namespace.name}-view")


def test_an_expired_certificate_is_what_is_missing(cluster, namespace, tmp_path):
    expired = Operator(cluster.certificate_kubeconfig(tmp_path / "expired", "jane", expired=True))
    result = ask(expired, namespace)
    (missing,) = result["missing"]
    assert "the client certificate expired on" in missing["what"] and "renew it" in missing["what"]
    assert result["access"]["client_certificate_expires"] < now().isoformat()
    assert result["access"]["reachable"] is False


def test_the_access_to_all_clusters_is_verified(calm_shop):
    verify = replace(calm_shop, playbook=PLAYBOOKS / "verify_access.yml")
    code, said = verify.run()
    assert code == 0, said
    assert "eu-west: nothing is missing" in said and "us-east: nothing is missing" in said
    verify.inventory["us-east"]["restartx_cluster_uid"] = "another"
    code, said = verify.run("-e", f"namespaces={calm_shop.name},default")
    assert code != 0
    assert "eu-west: 1 thing is missing" in said and "in namespace default" in said
    assert "kubectl --context eu-west apply --namespace default -f rbac/namespace.yml" in said
    assert "us-east: 1 thing is missing" in said and "but cluster_uid pins another" in said


@pytest.fixture
def on_delete(calm_shop):
    """A workload on eu-west whose restart would be refused."""
    namespace = calm_shop.namespaces["eu-west"]
    namespace.create(workload("DaemonSet", "agent", updateStrategy={"type": "OnDelete"}), ready=False)
    yield
    namespace.kubectl("delete", "daemonset", "agent")


def test_a_first_plan_passes_the_check_as_it_is(calm_shop, on_delete, tmp_path):
    asked = replace(calm_shop, playbook=PLAYBOOKS / "new_plan.yml")
    file = tmp_path / "plan.yml"
    namespaces = ["-e", f"namespaces={calm_shop.name}"]
    code, said = asked.run(*namespaces, "-e", "cluster=eu-west", "-e", f"file={file}")
    assert code == 0 and asked.untouched(), said
    text = file.read_text()
    assert "DaemonSet" in text and "OnDelete" in text
    assert [row["name"] for row in yaml.safe_load(text)["restart_plan"]["workloads"]] == ["api", "pay", "web"]
    code, said = calm_shop.run("-e", f"@{file}", "--check")
    assert code == 0 and "6 workloads" in said, said

    code, said = asked.run(*namespaces, "-e", f"file={file}")
    assert code != 0 and f"{file} exists and is not overwritten" in said
    assert file.read_text() == text
    code, said = asked.run(*namespaces)  # by default from the first cluster of the inventory
    assert code == 0 and "restart_plan:" in said and "on us-east" in said
    code, said = asked.run("-e", "namespaces=")
    assert code != 0 and "namespaces[0]: is empty text" in said


def test_a_plan_is_written_where_the_command_is_given(calm_shop, tmp_path):
    """Also by the playbook of the collection, whose own folder Ansible takes for relative paths of tasks."""
    playbook, inventory = calm_shop.command()[0], calm_shop.folder / "inventory.yml"
    given = [playbook, "-i", inventory, "restartx.core.new_plan", "-e", f"namespaces={calm_shop.name} file=plan.yml"]
    env = calm_shop.environment() | {"ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".collections"), "COLUMNS": "500"}

    def run(command):
        done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout + done.stderr

    code, said = run(given)
    assert code == 0 and (tmp_path / "plan.yml").exists() and not (PLAYBOOKS / "plan.yml").exists(), said
    command = said.partition(f"read {tmp_path}/plan.yml, then: ansible-playbook ")[2].partition("--check")[0]
    code, said = run([playbook, *shlex.split(command), "--check"])
    assert code == 0 and "6 workloads" in said, said
    code, said = run(given)
    assert code != 0 and f"{tmp_path}/plan.yml exists and is not overwritten" in said
