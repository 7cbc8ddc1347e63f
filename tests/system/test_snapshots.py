# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""VolumeSnapshots before a restart pod by pod, on a real API server. Its CustomResourceDefinitions are of the test, and the
test does what a snapshot controller would do."""

from __future__ import annotations

import json

import pytest
from house import RBAC, RUN, now, outcomes, patches, workload

from lab.poll import wait_until

GROUP = "snapshot.storage.k8s.io"
LONG = 180  # seconds
BETWEEN = {"order": "ordinal", "snapshot": {"class": "lab"}}
CLAIMS = ["data-db-0", "data-db-1"]


def definition(kind, scope):
    """A CustomResourceDefinition whose objects may have anything in them."""
    plural = f"{kind.lower()}{'es' if kind.endswith('s') else 's'}"
    anything = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    version = {"name": "v1", "served": True, "storage": True, "schema": anything, "subresources": {"status": {}}}
    marks = {"api-approved.kubernetes.io": "unapproved, of a test"}
    spec = {"group": GROUP, "scope": scope, "names": {"kind": kind, "plural": plural}, "versions": [version]}
    metadata = {"name": f"{plural}.{GROUP}", "annotations": marks}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": metadata,
        "spec": spec,
    }


DEFINITIONS = [definition("VolumeSnapshot", "Namespaced"), definition("VolumeSnapshotClass", "Cluster")]


@pytest.fixture(scope="module")
def with_snapshots(cluster):
    """The cluster, with that API and a class."""
    cluster.apply(json.dumps({"apiVersion": "v1", "kind": "List", "items": DEFINITIONS}))
    names = [f"crd/{one['metadata']['name']}" for one in DEFINITIONS]
    cluster.kubectl("wait", *names, "--for=condition=Established", f"--timeout={LONG}s")
    of_class = {"apiVersion": f"{GROUP}/v1", "kind": "VolumeSnapshotClass", "metadata": {"name": "lab"}}
    wait_until(
        lambda: cluster.kubectl("apply", "-f", "-", input=json.dumps(of_class), check=False).returncode == 0,
        "the class to be accepted",
        timeout=LONG,
    )
    yield cluster
    cluster.kubectl("delete", *names)


@pytest.fixture
def database(namespace):
    """A namespace with a StatefulSet whose pods have a claim each, and with what evictions and snapshots need."""
    for name in ("between_pods", "snapshots"):
        namespace.cluster.apply((RBAC / f"{name}.yml").read_text())
        role = f"restartx-{name.replace('_', '-')}"
        subject = (f"--clusterrole={role}", "--serviceaccount=restartx-system:restartx")
        namespace.kubectl("create", "rolebinding", role, *subject)
    size, common = {"storage": "1Gi"}, {"accessModes": ["ReadWriteOnce"], "storageClassName": ""}
    for claim in CLAIMS:
        volume, where = f"{namespace.name}-{claim}", {"namespace": namespace.name, "name": claim}
        of_volume = {**common, "capacity": size, "hostPath": {"path": "/tmp"}, "claimRef": where}
        of_claim = {**common, "resources": {"requests": size}, "volumeName": volume}
        items = [
            {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": volume}, "spec": of_volume},
            {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": where, "spec": of_claim},
        ]
        namespace.cluster.apply(json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))
    template = {"metadata": {"name": "data"}, "spec": {**common, "resources": {"requests": size}}}
    spec = {"updateStrategy": {"type": "OnDelete"}, "volumeClaimTemplates": [template]}
    namespace.create(workload("StatefulSet", "db", replicas=2, **spec), ready=False)
    wait_until(
        lambda: namespace.get("StatefulSet", "db")["status"].get("availableReplicas") == 2, "the pods", timeout=LONG
    )
    yield namespace
    for claim in CLAIMS:
        namespace.cluster.kubectl("delete", "persistentvolume", f"{namespace.name}-{claim}", "--wait=false")


def snapshots_of(namespace, *selector):
    found = namespace.kubectl("get", "volumesnapshots", *selector, "--output", "json", check=False)
    return json.loads(found.stdout)["items"] if found.returncode == 0 else []


def set_status(namespace, name, **status):
    patch = json.dumps({"status": status})
    namespace.kubectl("patch", "volumesnapshot", name, "--subresource=status", "--type=merge", "--patch", patch)


def test_nothing_is_touched_before_each_claim_has_a_snapshot_that_is_ready(with_snapshots, database):
    began, options = now(), {"kind": ["StatefulSet"], "run_id": "r1", "between_pods": BETWEEN}
    running = database.start("restart", **options)
    wait_until(lambda: len(snapshots_of(database)) == 2, "the snapshots", timeout=LONG)
    first, second = snapshots_of(database)
    assert [one["spec"]["source"]["persistentVolumeClaimName"] for one in (first, second)] == CLAIMS
    set_status(database, first["metadata"]["name"], readyToUse=True)
    running.process.kill()
    running.process.communicate()
    assert not patches(database.cluster, began) and RUN not in database.annotations("StatefulSet", "db")
    running = database.start("restart", **options)  # another start uses the same ones
    set_status(database, second["metadata"]["name"], readyToUse=True)
    result = running.result(longest=300)
    assert outcomes(result) == {"db": "restarted"}, result
    labels = "--selector=restartx.io/run=r1,restartx.io/kind=StatefulSet,restartx.io/workload=db"
    assert [one["metadata"]["uid"] for one in snapshots_of(database, labels)] == [
        one["metadata"]["uid"] for one in (first, second)
    ]


def test_a_snapshot_that_fails_keeps_the_workload_as_it_is(with_snapshots, database):
    began, options = now(), {"kind": ["StatefulSet"], "run_id": "r1", "between_pods": BETWEEN}
    running = database.start("restart", **options)
    wait_until(lambda: len(snapshots_of(database)) == 2, "the snapshots", timeout=LONG)
    name = snapshots_of(database)[0]["metadata"]["name"]
    set_status(database, name, readyToUse=False, error={"message": "no space left"})
    result = running.result(longest=300)
    assert outcomes(result) == {"db": "not_started"}, result
    (one,) = result["results"]
    assert f"VolumeSnapshot {database.name}/{name} has failed: no space left; to have it made again, " in one["message"]
    assert not patches(database.cluster, began)


def test_what_is_missing_is_told_before_anything_is_touched(with_snapshots, database):
    options = {"kind": ["StatefulSet"], "run_id": "r1"}
    unknown = {"order": "ordinal", "snapshot": {"class": "other"}}
    for check in (True, False):
        result = database.start("restart", check=check, between_pods=unknown, **options).result()
        assert 'the VolumeSnapshotClass "other" does not exist on the cluster ' in result["msg"], result
    database.kubectl("delete", "rolebinding", "restartx-snapshots")
    result = database.start("restart", between_pods=BETWEEN, **options).result()
    told = f"to get volumesnapshots.{GROUP} in namespace {database.name}, create volumesnapshots.{GROUP} in namespace"
    assert told in result["msg"] and "rbac/snapshots.yml" in result["msg"], result
    assert not snapshots_of(database) and RUN not in database.annotations("StatefulSet", "db")
