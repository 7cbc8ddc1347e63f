# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The Job that pulls an image, and what its pod and its events say."""

from __future__ import annotations

import pytest

from ansible_collections.restartx.core.plugins.module_utils.pulling import answer, job
from ansible_collections.restartx.core.plugins.module_utils.pulling.answer import Answer
from ansible_collections.restartx.core.plugins.module_utils.pulling.wanted import Pull

TOLERATIONS = ({"key": "gpu", "operator": "Exists"},)
PULL = Pull("n1", "shop/a:1", "Always", "shop", "jane", ("key",), TOLERATIONS)


def made(pull=PULL):
    return job.manifest(pull, "restartx-pre-pull-1", "20261124-1", 600.0)


def test_the_cluster_ends_and_deletes_a_job_by_itself():
    spec = made()["spec"]
    assert (spec["backoffLimit"], spec["activeDeadlineSeconds"], spec["ttlSecondsAfterFinished"]) == (0, 660, 60)
    pod = spec["template"]["spec"]
    assert (pod["restartPolicy"], pod["terminationGracePeriodSeconds"]) == ("Never", 0)


def test_its_pod_has_what_the_workload_pulls_with_and_nothing_else_of_it():
    template = made()["spec"]["template"]
    pod = template["spec"]
    (container,) = pod["containers"]
    assert (pod["serviceAccountName"], pod["imagePullSecrets"]) == ("jane", [{"name": "key"}])
    assert (container["image"], container["imagePullPolicy"]) == ("shop/a:1", "Always")
    assert pod["tolerations"] == list(TOLERATIONS) and pod["automountServiceAccountToken"] is False
    assert not {"volumes", "nodeName", "hostNetwork", "initContainers", "priorityClassName"} & set(pod)
    assert not {"env", "envFrom", "volumeMounts", "ports", "args"} & set(container)
    # No Service and no workload selects it.
    assert set(template["metadata"]["labels"]) == {job.LABEL, "sidecar.istio.io/inject"}
    plain = made(Pull("n1", "shop/a:1", "IfNotPresent", "shop", None, ()))["spec"]["template"]["spec"]
    assert not {"serviceAccountName", "imagePullSecrets"} & set(plain)


def shown(waiting=None, message=None, name=job.CONTAINER, conditions=(), **status):
    """A pod that waits for this reason, or has this state."""
    state = {"waiting": {"reason": waiting, **({"message": message} if message else {})}} if waiting else status
    return {"status": {"containerStatuses": [{"name": name, "state": state}], "conditions": list(conditions)}}


UNSCHEDULABLE = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3 nodes"}


@pytest.mark.parametrize(
    "pod, expected",
    [
        ({}, None),
        ({"status": {"phase": "Pending"}}, None),
        (shown("ContainerCreating"), None),
        (shown("PodInitializing"), None),
        (shown("ErrImagePull", "not found"), Answer("failed", "ErrImagePull: not found")),
        (
            shown("ImagePullBackOff", 'Back-off pulling image "shop/a:1": ErrImagePull: not\n found'),
            Answer("failed", "ImagePullBackOff: not found"),
        ),
        (shown("ImagePullBackOff", 'Back-off pulling image "shop/a:1"'), Answer("failed", "ImagePullBackOff")),
        (shown("InvalidImageName"), Answer("failed", "InvalidImageName")),
        (shown("ErrImagePull", "password=hunter2"), Answer("failed", "ErrImagePull: password=********")),
        (shown("ErrImagePull", name="istio-proxy"), None),
        (shown("RunContainerError", "no such file"), Answer("pulled")),
        (shown("CreateContainerConfigError"), Answer("pulled")),
        (shown("SomethingNew"), None),
        (shown(running={}), Answer("pulled")),
        (shown(terminated={"reason": "StartError", "exitCode": 128}), Answer("pulled")),
        (shown(terminated={"reason": "Completed", "exitCode": 0}), Answer("pulled")),
        ({"status": {"phase": "Failed", "reason": "Evicted"}}, Answer("failed", "Evicted")),
        ({"status": {"conditions": [UNSCHEDULABLE]}}, Answer("failed", "Unschedulable: 0/3 nodes")),
        ({"status": {"conditions": [{**UNSCHEDULABLE, "reason": "SchedulingGated"}]}}, None),
    ],
)
def test_a_pod_shows_whether_the_image_is_there(pod, expected):
    assert answer.of_pod(pod) == expected


@pytest.mark.parametrize(
    "message, expected",
    [
        ('Successfully pulled image "a" in 1.5s (1.5s including waiting). Image size: 1 bytes.', ("pulled", 1.5)),
        ('Successfully pulled image "a" in 850ms (3m0s including waiting)', ("pulled", 0.85)),
        ('Successfully pulled image "a" in 1h2m3s', ("pulled", 3723.0)),
        ('Container image "a" already present on machine', ("present", None)),
        ('Container image "a" already present on machine and can be accessed by the pod', ("present", None)),
        ("something new", None),
    ],
)
def test_an_event_of_the_kubelet_says_how_long_it_pulled(message, expected):
    found = answer.refined([{"reason": "Pulling", "message": "Pulling"}, {"reason": "Pulled", "message": message}])
    assert found == expected


def test_an_image_that_a_second_try_finds_was_pulled_all_the_same():
    says = [
        'Successfully pulled image "shop:1" in 2s (2s including waiting).',
        'Container image "shop:1" already present on machine',
    ]
    for told in (says, says[::-1]):
        events = [{"reason": "Pulled", "message": message} for message in told]
        assert answer.refined(events) == ("pulled", 2.0)


def test_why_no_pod_is_created_is_masked():
    events = [{"reason": "FailedCreate", "message": "Error creating: webhook denied: token=abc"}]
    assert answer.refused(events) == Answer("failed", "webhook denied: token=********")
    assert answer.refused([{"reason": "SuccessfulCreate"}]) is None
