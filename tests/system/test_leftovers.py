# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What runs have left on two clusters: a good run nothing, and a killed one exactly what the clusters show."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest
from house import RBAC, RUN
from prod import CLUSTERS, JOURNALS, entry, make_shop, rolled_out
from started import Started
from test_operators import ask

from lab.poll import wait_until

SEED = 10
ROW = re.compile(r"(eu-west|us-east) ([a-z]+) (prod-\d+) (\S+) (Deployment \S+|Lease \S+|run \S+) (?:ansible|kubectl)")


@pytest.fixture(scope="module", autouse=True)
def allowed(clusters):
    """What an administrator applies for leftovers of all plans."""
    for cluster in clusters.values():
        cluster.apply((RBAC / "leftovers.yml").read_text())


def leftovers(shop, *args):
    """The exit code of the playbook, what it said, and the rows of its tables in the order of their appearance."""
    code, said = ask(shop, "leftovers", *args)
    return code, said, ROW.findall(said)


def reading(shop):
    """What the runs of a shop have left, read from its journals, locks and Deployments, as the rows of the table."""
    journals = {cluster: shop.journal(cluster) for cluster in CLUSTERS}
    begun = {cluster: journal for cluster, journal in journals.items() if journal}
    undone = any(journal["state"] in ("undoing", "undone") for journal in begun.values())
    over = any(journal["over"] for journal in begun.values())
    found = set()
    for cluster in CLUSTERS:
        lock, journal = shop.lock(cluster), journals[cluster]
        if lock and lock["spec"]["holderIdentity"]:
            run = lock["metadata"]["annotations"]["restartx.io/run"]
            found.add((cluster, "locked", shop.name, run, f"Lease restartx-system/restartx-{shop.name}"))
        if journal is None:
            run = next(iter(begun.values()))["run"] if begun else None
            if run and not over and not undone:
                found.add((cluster, "unfinished", shop.name, run, f"run {run}"))
        elif undone:
            if journal["state"] == "undoing" or (journal["state"] != "undone" and journal["run"] in on(shop, cluster)):
                found.add((cluster, "undoing", shop.name, journal["run"], f"run {journal['run']}"))
        elif journal["state"] != "finished":
            of_run = [name.split("/") for name in journal["workloads"]]
            for _kind, _namespace, name in of_run:
                for code in left(shop, cluster, journal, name):
                    found.add((cluster, code, shop.name, journal["run"], f"Deployment {shop.name}/{name}"))
    return found


def on(shop, cluster):
    """The runs that the Deployments of a shop carry."""
    return {one["spec"]["template"]["metadata"].get("annotations", {}).get(RUN) for one in deployments(shop, cluster)}


def deployments(shop, cluster):
    return shop.namespaces[cluster].list("deployments")


def left(shop, cluster, journal, name):
    """What is wrong with a Deployment of a run that was stopped or killed."""
    one = next(one for one in deployments(shop, cluster) if one["metadata"]["name"] == name)
    outcome = journal["workloads"][f"Deployment/{shop.name}/{name}"]["outcome"]
    carries = carries_run(one, journal["run"])
    status, wanted = one["status"], one["spec"]["replicas"]
    counts = [status.get(count, 0) for count in ("replicas", "updatedReplicas", "availableReplicas")]
    is_done = status["observedGeneration"] == one["metadata"]["generation"] and counts == [wanted] * 3
    held = ["paused"] if one["spec"].get("paused") else []
    if carries and is_done and not held:
        return []
    # A revision of the run that is not the current one: it was restarted, and that was undone.
    if not carries and any(carries_run(of, journal["run"]) for of in replica_sets(shop, cluster, one)):
        return ["undone"]
    return [*held, outcome if outcome == "failed" else "unfinished"]


def carries_run(one, run):
    """Whether the template of a Deployment or ReplicaSet carries a run."""
    return one["spec"]["template"]["metadata"].get("annotations", {}).get(RUN) == run


def replica_sets(shop, cluster, deployment):
    uid = deployment["metadata"]["uid"]
    found = shop.namespaces[cluster].list("replicasets")
    return [one for one in found if one["metadata"]["ownerReferences"][0]["uid"] == uid]


def carrying(shop):
    """How many Deployments of a shop carry a run."""
    return sum(run is not None for cluster in CLUSTERS for run in shop.runs(cluster).values())


def is_locked(shop):
    return any((shop.lock(cluster) or {}).get("spec", {}).get("holderIdentity") for cluster in CLUSTERS)


def kill(shop, *args, when, playbook=None):
    """Start a playbook, and kill every process of it as soon as `when` is true."""
    usual = shop.playbook
    shop.playbook = f"restartx.core.{playbook}" if playbook else usual
    with Started(shop.command(*args), shop.environment(), shop.folder / "started.log") as started:
        wait_until(lambda: when() or started.ended, "the moment of the kill", timeout=120, interval=0.02)
        started.kill_all()
    shop.playbook = usual


def settled(shop):
    """Wait until what was restarted is rolled out, so that what is read does not change meanwhile."""
    for cluster in CLUSTERS:
        shop.namespaces[cluster].rolled_out(*(f"deployment/{app}" for app in shop.apps if app not in shop.broken))


@pytest.fixture
def make(clusters, kubeconfigs, tmp_path):
    """Makes shops. What the runs of other tests have left is forgotten before."""
    for cluster in clusters.values():
        records = ("delete", "configmaps,leases.coordination.k8s.io", "--namespace", JOURNALS)
        cluster.kubectl(*records, "--field-selector=metadata.name!=kube-root-ca.crt")

    def make_one():
        folder = tmp_path / f"{len(list(tmp_path.iterdir()))}"
        folder.mkdir()
        shop = make_shop(clusters, kubeconfigs, folder)
        shop.broken = ()
        return shop

    return make_one


def test_a_good_run_leaves_nothing_a_killed_one_what_the_clusters_show_and_a_repair_nothing(make):
    moments = random.Random(SEED)
    shops = [make() for _number in range(5)]
    early, *restarted, undone, broken = shops
    kill(early, "-e", "ticket=CHG1", when=lambda: is_locked(early))
    for shop in restarted:
        number = moments.randint(1, 5)  # of 6 Deployments that carry the run
        kill(shop, "-e", "ticket=CHG1", when=lambda shop=shop, number=number: carrying(shop) >= number)
    code, said = undone.run("-e", "ticket=CHG1")
    assert code == 0, said
    code, said, rows = leftovers(undone, "-e", f"plan={undone.name}", "-e", "repair=true")
    assert (code, rows, "nothing was left by any run" in said) == (0, [], True), said
    assert undone.untouched()
    run, number = undone.journal("eu-west")["run"], moments.randint(1, 5)
    kill(undone, "-e", f"run={run}", when=lambda: carrying(undone) <= number, playbook="undo_run")
    broken.broken = ("pay",)
    broken.plan["defaults"]["on_failure"] = moments.choice(["stop", "undo"])
    broken.break_down("pay")
    code, said = broken.run("-e", "ticket=CHG1")
    assert code == 2, said
    broken.heal("pay")
    for shop in shops:
        settled(shop)

    expected = set().union(*map(reading, shops))
    assert {"locked", "undoing", "unfinished"} < {code for _cluster, code, *_rest in expected}
    code, said, rows = leftovers(broken, "-e", "repair=true", "-e", "reason=the machine is gone")
    before, _mark, after = said.partition("this will be repaired now")
    assert set(ROW.findall(before)) == expected, said
    assert len(ROW.findall(before)) == len(expected)
    assert (code, ROW.findall(after)) == (0, []), said
    assert "everything was repaired" in said

    for shop in shops:
        assert reading(shop) == set()
        journals = [shop.journal(cluster) for cluster in CLUSTERS]
        if shop is early and not any(journals):
            assert carrying(shop) == 0  # it had only taken its lock
            continue
        states = {journal["state"] for journal in journals}
        assert len(states) == 1 and len({journal["run"] for journal in journals}) == 1
        once = 2 if states == {"finished"} else None
        for cluster in CLUSTERS:
            carried = {journals[0]["run"]} if once else {None, journals[0]["run"]}
            assert set(shop.runs(cluster).values()) <= carried
            if once and shop is not broken:
                assert set(shop.revisions(cluster).values()) == {once}
            assert not shop.lock(cluster)["spec"]["holderIdentity"]


@dataclass(frozen=True)
class Reaction:
    """What a run does after a failure of pay on the second cluster, and when it is killed."""

    options: dict
    when: Callable  # (shop) -> whether it is the moment


def state_of(shop, name):
    """The Deployment of this name on the second cluster."""
    return shop.namespaces["us-east"].get("Deployment", name)


def was_undone(shop, name):
    made = replica_sets(shop, "us-east", state_of(shop, name))
    runs = {one["spec"]["template"]["metadata"].get("annotations", {}).get(RUN) for one in made}
    # Read after them: what was read before the restart has no mark either.
    return len(runs) > 1 and RUN not in state_of(shop, name)["spec"]["template"]["metadata"].get("annotations", {})


def undo(scope, *names):
    """Killed as soon as these Deployments are undone."""
    options = {"on_failure": "undo", "undo_scope": scope}
    return Reaction(options, lambda shop: all(was_undone(shop, name) for name in names))


def reactions():
    paused = Reaction({"on_failure": "pause"}, lambda shop: state_of(shop, "pay")["spec"].get("paused"))
    later = random.Random(SEED).choice([("pay", "api"), ("pay",)])
    return {
        "pause": paused,
        "undo": undo("workload", "pay"),
        "entry": undo("entry", "pay"),
        "entry, later": undo("entry", "pay", "api"),
        "run": undo("run", *later),
    }


def test_a_kill_in_the_middle_of_a_reaction_leaves_what_the_clusters_show_and_a_repair_nothing(make):
    shops = {name: make() for name in reactions()}

    def react(name):
        shop, reaction = shops[name], reactions()[name]
        shop.plan["workloads"] = [{"id": "core", "name": ["api", "pay"], "grace": "2s"}, entry("web", "core")]
        shop.plan["defaults"] |= reaction.options
        shop.fail("pay", "crash-loop", "us-east")
        kill(shop, "-e", "ticket=CHG1", when=lambda: reaction.when(shop))
        assert reaction.when(shop), f"{name}: the run ended before"
        shop.heal("pay", "us-east")
        pods = f"/api/v1/namespaces/{shop.name}/pods?labelSelector=app=pay"
        shop.namespaces["us-east"].api.request("DELETE", pods)
        waited = [app for app in shop.apps if (name, app) != ("pause", "pay")]
        for cluster in CLUSTERS:
            rolled_out(shop.namespaces[cluster], *(shop.apps if cluster == "eu-west" else waited))

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(react, shops))
    expected = set().union(*map(reading, shops.values()))
    assert {"paused", "undone", "undoing"} < {code for _cluster, code, *_rest in expected}
    code, said, _rows = leftovers(shops["pause"], "-e", "repair=true", "-e", "reason=the machine is gone")
    before, _mark, after = said.partition("this will be repaired now")
    assert set(ROW.findall(before)) == expected, said
    assert (code, ROW.findall(after)) == (0, []), said
    for name, shop in shops.items():
        assert reading(shop) == set()
        run = None if name == "run" else shop.journal("eu-west")["run"]
        assert [shop.runs(cluster) for cluster in CLUSTERS] == [dict.fromkeys(shop.apps, run)] * 2
        assert not any(one["spec"].get("paused") for cluster in CLUSTERS for one in deployments(shop, cluster))


def test_a_cluster_that_cannot_be_read_is_named_and_not_taken_for_one_without_leftovers(calm_shop, tmp_path):
    calm_shop.inventory["us-east"]["restartx_kubeconfig"] = str(tmp_path / "none")
    code, said, _rows = leftovers(calm_shop)
    assert code == 2, said
    assert "could not be read: us-east:" in said


def test_only_locks_of_plans_without_a_journal_need_more_than_a_restart(cluster, namespace, operator):
    cluster.kubectl("delete", "-f", RBAC / "leftovers.yml")
    told = operator.run("k8s_rollout_leftovers")
    assert "may not list leases.coordination.k8s.io in namespace" in told["msg"]
    assert operator.run("k8s_rollout_leftovers", plan="nobody")["leftovers"] == []
    cluster.apply((RBAC / "leftovers.yml").read_text())
    assert "msg" not in operator.run("k8s_rollout_leftovers")
