# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which Secrets, ConfigMaps, images and service accounts a pod template uses."""

from __future__ import annotations

import itertools

import pytest

from ansible_collections.restartx.core.plugins.module_utils.schedule.selecting import Use
from ansible_collections.restartx.core.plugins.module_utils.selection import uses

S, C = "Secret", "ConfigMap"


def key_of(kind, name="ca", **more):
    return {"name": "X", "valueFrom": {f"{kind}KeyRef": {"name": name, "key": "k", **more}}}


def main(**fields):
    return {"containers": [{"name": "main", "image": "shop/main:1", **fields}]}


def init(**fields):
    return {**main(), "initContainers": [{"name": "first", "image": "shop/first:1", **fields}]}


def volume(**source):
    return {**main(), "volumes": [{"name": "data", **source}]}


def projected(*sources):
    return volume(projected={"sources": list(sources)})


SUB = {"volumeMounts": [{"name": "data", "mountPath": "/ca.pem", "subPath": "ca.pem"}]}
# A pod spec, and what it uses.
TEMPLATES = [
    # Nothing.
    ({}, {}),
    (None, {}),
    ({"containers": None}, {}),
    (main(), {}),
    (main(env=None, envFrom=None), {}),
    (main(env=[]), {}),
    (main(env=[{"name": "SECRET", "value": "ca"}]), {}),
    (main(env=[{"name": "secretKeyRef", "value": "secret/ca"}]), {}),
    (main(env=[{"name": "POD", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}]), {}),
    (main(env=[{"name": "CPU", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu"}}}]), {}),
    (main(env=[{"name": "X", "valueFrom": None}]), {}),
    (main(args=["--secret=ca"], command=["cat", "/secrets/ca"]), {}),
    ({**main(), "nodeSelector": {"secret": "ca"}}, {}),
    (volume(emptyDir={}), {}),
    (volume(persistentVolumeClaim={"claimName": "ca"}), {}),
    (volume(hostPath={"path": "/etc/secret/ca"}), {}),
    (volume(downwardAPI={"items": [{"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}}]}), {}),
    (volume(ephemeral={"volumeClaimTemplate": {"spec": {"storageClassName": "ca"}}}), {}),
    (volume(secret=None), {}),
    (volume(secret={}), {}),
    (volume(csi={"driver": "secrets-store.csi.k8s.io", "volumeAttributes": {"provider": "ca"}}), {}),
    (projected({"serviceAccountToken": {"path": "token"}}, {"downwardAPI": {"items": []}}), {}),
    (volume(projected={"sources": None}), {}),
    ({**main(), "imagePullSecrets": None}, {}),
    ({**main(), "imagePullSecrets": [{}]}, {}),
    # Environment.
    (main(env=[key_of("secret")]), {(S, "ca")}),
    (main(env=[key_of("secret", optional=True)]), {(S, "ca")}),
    (main(env=[key_of("configMap")]), {(C, "ca")}),
    (main(env=[key_of("secret"), key_of("configMap"), key_of("secret", "db")]), {(S, "ca"), (C, "ca"), (S, "db")}),
    (main(envFrom=[{"secretRef": {"name": "ca"}}]), {(S, "ca")}),
    (main(envFrom=[{"configMapRef": {"name": "ca"}, "prefix": "X_"}]), {(C, "ca")}),
    (
        main(envFrom=[{"configMapRef": {"name": "a"}}, {"secretRef": {"name": "b", "optional": True}}]),
        {(C, "a"), (S, "b")},
    ),
    (init(env=[key_of("secret")]), {(S, "ca")}),
    (init(envFrom=[{"configMapRef": {"name": "ca"}}]), {(C, "ca")}),
    (init(restartPolicy="Always", env=[key_of("configMap", "sidecar")]), {(C, "sidecar")}),
    ({**main(), "ephemeralContainers": [{"name": "debug", "env": [key_of("secret")]}]}, {(S, "ca")}),
    (
        {"containers": [{"name": "a"}, {"name": "b", "env": [key_of("secret", "second")]}]},
        {(S, "second")},
    ),
    # Volumes.
    (volume(secret={"secretName": "ca"}), {(S, "ca")}),
    (volume(secret={"secretName": "ca", "optional": True, "items": [{"key": "k", "path": "p"}]}), {(S, "ca")}),
    (volume(configMap={"name": "app"}), {(C, "app")}),
    (volume(configMap={"name": "app", "items": [{"key": "k", "path": "p"}], "defaultMode": 256}), {(C, "app")}),
    ({**main(**SUB), "volumes": [{"name": "data", "secret": {"secretName": "ca"}}]}, {(S, "ca")}),
    ({**init(**SUB), "volumes": [{"name": "data", "configMap": {"name": "ca"}}]}, {(C, "ca")}),
    ({**main(**SUB), "volumes": [{"name": "data", "emptyDir": {}}]}, {}),
    (projected({"secret": {"name": "ca"}}), {(S, "ca")}),
    (projected({"configMap": {"name": "app", "optional": True}}), {(C, "app")}),
    (
        projected(
            {"secret": {"name": "ca", "items": [{"key": "k", "path": "p"}]}},
            {"configMap": {"name": "app"}},
            {"serviceAccountToken": {"path": "t"}},
        ),
        {(S, "ca"), (C, "app")},
    ),
    (volume(csi={"driver": "store", "nodePublishSecretRef": {"name": "ca"}}), {(S, "ca")}),
    (volume(csi={"driver": "store", "nodePublishSecretRef": None}), {}),
    (volume(flexVolume={"driver": "x/y", "secretRef": {"name": "ca"}}), {(S, "ca")}),
    (volume(cephfs={"monitors": ["m"], "secretRef": {"name": "ca"}}), {(S, "ca")}),
    (volume(cephfs={"monitors": ["m"], "secretFile": "/etc/ca"}), {}),
    (volume(cinder={"volumeID": "v", "secretRef": {"name": "ca"}}), {(S, "ca")}),
    (volume(iscsi={"targetPortal": "p", "iqn": "i", "lun": 0, "secretRef": {"name": "ca"}}), {(S, "ca")}),
    (volume(rbd={"monitors": ["m"], "image": "i", "secretRef": {"name": "ca"}}), {(S, "ca")}),
    (volume(scaleIO={"gateway": "g", "system": "s", "secretRef": {"name": "ca"}}), {(S, "ca")}),
    (volume(storageos={"volumeName": "v", "secretRef": {"name": "ca"}}), {(S, "ca")}),
    (volume(azureFile={"secretName": "ca", "shareName": "share"}), {(S, "ca")}),
    # Images.
    ({**main(), "imagePullSecrets": [{"name": "registry"}]}, {(S, "registry")}),
    ({**main(), "imagePullSecrets": [{"name": "one"}, {"name": "two"}]}, {(S, "one"), (S, "two")}),
    # All at once.
    (
        {
            **init(envFrom=[{"secretRef": {"name": "a"}}]),
            "containers": main(env=[key_of("configMap", "b")])["containers"],
            "volumes": [
                *volume(secret={"secretName": "c"})["volumes"],
                *projected({"secret": {"name": "d"}})["volumes"],
            ],
            "imagePullSecrets": [{"name": "e"}],
        },
        {(S, "a"), (C, "b"), (S, "c"), (S, "d"), (S, "e")},
    ),
]


def workload(spec):
    return {"kind": "Deployment", "metadata": {"name": "api"}, "spec": {"template": {"spec": spec}}}


def slow(node, key=""):
    """The same by another way: walks through everything, and collects names by the keys that they are under."""
    found = set()
    if isinstance(node, list):
        for item in node:
            found |= slow(item, key)
    if isinstance(node, dict):
        for word in ("secret", "configmap"):
            if word in key.lower() and isinstance(node.get("name"), str):
                found.add((S if word == "secret" else C, node["name"]))
        for inner, value in node.items():
            found |= {(S, value)} if inner == "secretName" else slow(value, inner)
    return found


@pytest.mark.parametrize("spec, used", TEMPLATES)
def test_a_template_uses_what_it_refers_to(spec, used):
    found = {(use.kind, use.name) for use in uses.uses_of(workload(spec))}
    assert found == set(used) == slow(spec)


def test_the_table_is_long_enough_and_any_two_templates_together_use_what_both_use():
    assert len(TEMPLATES) >= 50
    for one, other in itertools.combinations([spec for spec, _used in TEMPLATES], 2):
        both = {
            name: [*((one or {}).get(name) or []), *((other or {}).get(name) or [])]
            for name in ("containers", "initContainers", "ephemeralContainers", "volumes", "imagePullSecrets")
        }
        assert {(use.kind, use.name) for use in uses.uses_of(workload(both))} == slow(both)


@pytest.mark.parametrize("thing", [{}, {"spec": None}, {"spec": {"template": None}}, {"spec": {"template": {}}}])
def test_a_workload_without_a_template_uses_nothing(thing):
    assert uses.uses_of(thing) == set()
    assert uses.images_of(thing) == []
    assert uses.service_account_of(thing) == "default"


def test_a_use_is_shown_as_it_is_written():
    assert str(Use("ConfigMap", "app-*")) == "configmap/app-*"


@pytest.mark.parametrize(
    "pattern, text, result",
    [
        ("app", "app", True),
        ("app", "app-1", False),
        ("app", "my-app", False),
        ("app-*", "app-1", True),
        ("app-*", "app-", True),
        ("app-*", "app", False),
        ("*-app", "my-app", True),
        ("*-app", "my-apps", False),
        ("*", "", True),
        ("*", "app", True),
        ("a*c", "abc", True),
        ("a*c", "ac", True),
        ("a*a", "a", False),
        ("ab*ba", "aba", False),
        ("a*b*c", "a-b-c", True),
        ("a*b*c", "acbc", True),
        ("a*b*c", "abbc", True),
        ("a*b*c", "acb", False),
        ("a*b*b", "ab", False),
        ("a**c", "abc", True),
        ("*a*b*", "xxaxxbxx", True),
        ("*a*b*", "xxbxxaxx", False),
        ("a.c", "abc", False),
        ("[ab]", "a", False),
        ("a?c", "abc", False),
    ],
)
def test_only_the_star_is_special_in_a_pattern(pattern, text, result):
    assert uses.fits(pattern, text) is result


def test_a_pattern_with_many_stars_takes_no_time():
    assert not uses.fits("*a" * 100 + "*b", "a" * 250)


DIGEST = f"sha256:{'a' * 64}"


@pytest.mark.parametrize(
    "pattern, image, result",
    [
        ("shop/web:1.2", "shop/web:1.2", True),
        ("shop/web", "shop/web:1.2", True),
        ("shop/web", "shop/web", True),
        ("shop/web", f"shop/web@{DIGEST}", True),
        ("shop/web", f"shop/web:1.2@{DIGEST}", True),
        ("shop/web:1.2", f"shop/web:1.2@{DIGEST}", True),
        (f"shop/web@{DIGEST}", f"shop/web@{DIGEST}", True),
        ("shop/web:1", "shop/web:1.2", False),
        ("shop/we", "shop/web:1.2", False),
        ("web", "shop/web:1.2", False),
        ("nginx", "docker.io/library/nginx:1", False),  # as written
        ("registry:5000/web", "registry:5000/web:1", True),
        ("registry:5000/web", "registry:5000/web", True),
        ("registry", "registry:5000/web", False),
        ("registry", "registry:5000", True),
        ("shop/*", "shop/web:1.2", True),
        ("shop/w*", f"shop/web:1.2@{DIGEST}", True),
        ("*:latest", "shop/web:latest", True),
        ("*:latest", f"shop/web:latest@{DIGEST}", False),
        ("registry.example.com/*", "registry.example.com/team/web:1", True),
        ("*/web", "shop/web:1", False),  # with a star it is the whole reference that counts
        ("*/web*", "shop/web:1", True),
    ],
)
def test_an_image_is_a_reference_a_repository_or_a_pattern(pattern, image, result):
    assert uses.fits_image(pattern, image) is result


def test_the_images_are_those_of_containers_and_init_containers():
    assert uses.images_of(workload(init())) == ["shop/main:1", "shop/first:1"]
    assert uses.images_of(workload({"containers": [{"name": "main"}], "initContainers": None})) == [""]


@pytest.mark.parametrize(
    "spec, name",
    [
        ({}, "default"),
        ({"serviceAccountName": ""}, "default"),
        ({"serviceAccountName": "api"}, "api"),
        ({"serviceAccount": "api"}, "api"),
        ({"serviceAccountName": "api", "serviceAccount": "old"}, "api"),
    ],
)
def test_the_service_account_is_default_unless_the_template_names_one(spec, name):
    assert uses.service_account_of(workload(spec)) == name
