# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How nodes name images, which images they certainly lack, and on which nodes a workload needs them."""

from __future__ import annotations

import pytest

from ansible_collections.restartx.core.plugins.module_utils.preflight.images import (
    Image,
    Listed,
    full_name,
    nodes_for,
    of_pod,
)
from tests.unit.preflight.scenes import container, made, node, on_nodes, scene

DIGEST = "sha256:" + "a" * 64


@pytest.mark.parametrize(
    "written, listed",
    [
        ("nginx", "docker.io/library/nginx:latest"),
        ("nginx:1.27", "docker.io/library/nginx:1.27"),
        ("shop/web:1", "docker.io/shop/web:1"),
        ("docker.io/shop/web:1", "docker.io/shop/web:1"),
        ("localhost/shop:1", "localhost/shop:1"),
        ("registry:5000/web", "registry:5000/web:latest"),
        ("registry.example.com/a/b:1.2", "registry.example.com/a/b:1.2"),
        (f"shop/web@{DIGEST}", f"docker.io/shop/web@{DIGEST}"),
        (f"shop/web:1@{DIGEST}", f"docker.io/shop/web@{DIGEST}"),
    ],
)
def test_a_node_lists_an_image_with_its_registry_and_its_tag_or_digest(written, listed):
    assert full_name(written) == listed
    assert Listed(node(images=[listed])).has(written) is True
    assert Listed(node(images=["docker.io/other/app:1"])).has(written) is False


def test_an_image_that_a_long_list_or_no_list_shows_may_be_there():
    many = node()
    many["status"]["images"] = [{"names": [f"docker.io/other/app:{place}"]} for place in range(50)]
    assert Listed(many).has("shop/web:1") is None and Listed(node()).has("shop/web:1") is None
    many["status"]["images"][0]["names"].append("docker.io/shop/web:1")
    assert Listed(many).has("shop/web:1") is True


def test_the_images_of_a_pod_are_those_of_its_containers_and_init_containers_each_once():
    spec = {
        "containers": [container(), container(), container(image="shop/proxy:2", imagePullPolicy="Always")],
        "initContainers": [{"name": "wait", "image": "shop/wait:1", "imagePullPolicy": "Never"}, {"name": "none"}],
    }
    assert of_pod({"spec": spec}) == [
        Image("shop/api:1", "IfNotPresent"),
        Image("shop/proxy:2", "Always"),
        Image("shop/wait:1", "Never"),
    ]


NODES = [
    node("n1", labels={"disk": "ssd"}),
    node("n2"),
    node("n3", unschedulable=True),
    node("n4", taints=[{"key": "gpu", "effect": "NoSchedule"}]),
    node("n5", taints=[{"key": "slow", "effect": "PreferNoSchedule"}]),
]


@pytest.mark.parametrize(
    "spec, on_each_node, names",
    [
        ({}, False, ["n1", "n2", "n5"]),
        ({}, True, ["n1", "n2", "n3", "n5"]),  # pods of a DaemonSet also run on cordoned nodes
        ({"nodeSelector": {"disk": "ssd"}}, False, ["n1"]),
        (on_nodes("disk", "DoesNotExist"), False, ["n2", "n5"]),
        ({"tolerations": [{"key": "gpu", "operator": "Exists"}]}, False, ["n1", "n2", "n4", "n5"]),
        ({"tolerations": [{"operator": "Exists"}]}, False, ["n1", "n2", "n3", "n4", "n5"]),
        ({"nodeSelector": {"disk": "tape"}}, True, []),
    ],
)
def test_a_pod_may_use_the_nodes_that_the_scheduler_would_give_it(spec, on_each_node, names):
    assert [one["metadata"]["name"] for one in nodes_for({"spec": spec}, NODES, on_each_node)] == names


def finding(image, policy="IfNotPresent", nodes=(), kind="Deployment"):
    (found,) = scene(
        made(kind, pod={"containers": [container(image=image, imagePullPolicy=policy)]}), nodes=list(nodes)
    ).findings()
    return found


def test_an_image_with_a_digest_need_not_be_asked_for_each_time():
    digest = finding(f"shop/api:1@{DIGEST}", "Always")
    assert "set imagePullPolicy: IfNotPresent" in digest.advice
    assert "IfNotPresent" not in finding("shop/api:1", "Always").advice


def test_the_nodes_that_lack_an_image_are_counted_among_those_that_the_pods_may_use():
    nodes = [node(f"n{place}", images=[image]) for place, image in enumerate(["docker.io/shop/api:1", "a:1", "b:1"])]
    nodes.append(node("n4"))  # which reports no images
    found = finding("shop/api:1", nodes=nodes)
    assert "2 of the 4 nodes that pods of " in found.sentence and " may use lack shop/api:1" in found.sentence
    assert "restartx.core.pre_pull" in found.advice
    assert finding("shop/api:2", nodes=nodes[:3]).sentence.startswith("all 3 nodes that pods of ")
    only = finding("shop/api:2", nodes=nodes[:1]).sentence
    assert only.startswith("the only node that pods of ") and " may use lacks shop/api:2, so " in only
    several = [{"name": f"c{number}", "image": f"shop/{number}:1"} for number in range(3)]
    one = made(pod={"containers": several})
    sentences = [one.sentence for one in scene(one, nodes=nodes).findings() if one.code == "image_pull"]
    assert "lack one or more of shop/0:1, shop/1:1 and 1 more, so " in sentences[0]
