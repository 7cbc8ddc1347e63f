# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Of many causes the worst is told."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ansible_collections.restartx.core.plugins.module_utils.rollout.causes import codes
from tests.unit.rollout.cause_objects import (
    ADDRESS,
    UNREADY,
    a_container,
    ended,
    find_in,
    pod_of,
    running,
    waiting,
)

WORST_FIRST = [
    pod_of("b", container=waiting("CreateContainerConfigError")),
    pod_of("c", container=waiting("RunContainerError")),
    pod_of("d", container=waiting("ErrImagePull")),
    pod_of("e", container=a_container(ended("OOMKilled", 137))),
    pod_of("f", container=waiting("CrashLoopBackOff")),
    pod_of("g", conditions=[{"type": "PodScheduled", "status": "False"}]),
    pod_of("h", init=[running(name="wait")]),
    pod_of("i", phase="Running", conditions=[UNREADY]),
]


@pytest.mark.parametrize("worst", range(len(WORST_FIRST)))
def test_the_worst_cause_is_told(worst):
    found = find_in(WORST_FIRST[:worst:-1] + [WORST_FIRST[worst]])
    assert found.object == f'pod "api-new-{"bcdefghi"[worst]}" in namespace "shop"'


def test_of_equal_causes_the_first_pod_by_name_is_told():
    pods = [pod_of(name, container=waiting("ErrImagePull")) for name in "cab"]
    assert find_in(pods).object == ADDRESS


def test_what_waiting_cannot_help_is_told_before_what_it_may():
    pods = [
        pod_of("a", container=waiting("CreateContainerConfigError")),
        pod_of("b", container=waiting("ErrImageNeverPull")),
    ]
    assert find_in(pods).reason == "ErrImageNeverPull"


@pytest.mark.parametrize("code", codes.CODES)
@pytest.mark.parametrize("container", [None, "app"])
def test_every_advice_can_be_pasted(code, container):
    subject = codes.pod_subject(pod_of(spec={"nodeName": "n1"}), "eu west", container)
    cause = codes.make(code, subject)
    for command in cause.advice.split("kubectl ")[1:]:
        assert command.startswith("--context 'eu west' ")
    assert cause.sentence.startswith(subject.words) and "{" not in cause.advice
    assert "--context" not in codes.make(code, codes.pod_subject(pod_of(), None, container)).advice


def test_the_command_for_a_log_names_pod_container_and_namespace():
    loop = waiting("CrashLoopBackOff", restarts=2, last=ended("Error", 1))
    assert find_in([pod_of(container=loop)], context="eu").advice == (
        "read the log of the container: kubectl --context eu logs api-new-a --namespace shop --container app --previous"
    )
    assert find_in([pod_of(container=a_container(ended("Error", 1)))]).advice.endswith(
        "kubectl logs api-new-a --namespace shop --container app"
    )


def test_messages_of_others_are_masked_before_they_are_cut():
    message = "x" * 290 + " cannot pull from https://app:hunter2@registry.example.com/shop"
    found = find_in([pod_of(container=waiting("ErrImagePull", message))])
    assert "hunt" not in found.sentence


def test_a_long_message_keeps_its_beginning_and_the_reason_at_its_end():
    message = f"failed to pull image: {'failed to resolve reference: ' * 20}401 Unauthorized"
    sentence = find_in([pod_of(container=waiting("ErrImagePull", message))]).sentence
    told = sentence.partition("(ErrImagePull): ")[2]
    assert told.startswith("failed to pull image: ") and told.endswith("401 Unauthorized")
    assert " ... " in told and len(told) < 310


PAGE = (Path(__file__).parents[3] / "docs" / "causes.md").read_text(encoding="utf-8")
ROWS = [line.strip("| ").split(" | ") for line in PAGE.splitlines() if re.match(r"^\| `\w+` \|(?:[^|]+\|){3}$", line)]


def test_the_page_about_causes_has_them_all_from_worst_to_mildest():
    assert [row[0].strip("`") for row in ROWS] == list(codes.CODES)


def test_the_page_about_causes_says_which_of_them_may_recover():
    for name, _seen, _advice, kind in ROWS:
        assert kind.startswith("recoverable") is codes.CODES[name.strip("`")].recoverable, name


def test_every_advice_has_a_command():
    for code, known in codes.CODES.items():
        cause = codes.make(code, codes.pod_subject(pod_of(spec={"nodeName": "n1"}), None, "app"))
        assert "kubectl " in cause.advice, code
        assert known.says


ON = {"spec": {"nodeName": "n2", "containers": [{"name": "app"}]}}
ELSEWHERE = {"spec": {"nodeName": "n3", "containers": [{"name": "app"}]}}
LOOP = waiting("CrashLoopBackOff", restarts=2, last=ended("Error", 1))


@pytest.mark.parametrize(
    "pods, told",
    [
        ([pod_of("a", container=LOOP, **ON)], "1 of 1 new pod, on node n2"),
        ([pod_of("a", container=LOOP, **ON), pod_of("b")], "1 of 2 new pods, on node n2"),
        (
            [pod_of(name, container=LOOP, **ON) for name in "abc"] + [pod_of(name, **ELSEWHERE) for name in "de"],
            "3 of 5 new pods, all on node n2",
        ),
        ([pod_of("a", container=LOOP, **ON), pod_of("b", container=LOOP, **ELSEWHERE)], "2 of 2 new pods, on 2 nodes"),
        ([pod_of("a", container=LOOP)], "1 of 1 new pod"),
        (  # older, dead and terminating pods are not new ones
            [
                pod_of("a", container=LOOP, **ON),
                pod_of("b", "old", container=LOOP, annotations={}, **ELSEWHERE),
                pod_of("c", container=LOOP, phase="Failed", **ELSEWHERE),
                pod_of("d", container=LOOP, deletionTimestamp="2026-11-24T22:19:00Z", **ELSEWHERE),
            ],
            "1 of 1 new pod, on node n2",
        ),
    ],
)
def test_the_pods_concerned_are_counted_with_their_nodes(pods, told):
    found = find_in(pods)
    assert (found.code, found.pods, found.exit_code) == ("crash_loop", told, 1)


def test_further_causes_are_told_from_worst_to_mildest_and_each_once():
    pods = [
        pod_of("a", phase="Running", container=running(), conditions=[UNREADY]),
        pod_of("b", container=waiting("ErrImagePull", "not found")),
        pod_of("c", container=waiting("ErrImagePull", "not found")),
        pod_of("d", container=LOOP),
        pod_of("e", container=waiting("CreateContainerConfigError")),
    ]
    found = find_in(pods)
    assert (found.code, found.pods) == ("config_missing", "1 of 5 new pods")
    assert [one.code for one in found.also] == ["image_not_found", "crash_loop"]
    assert 'pod "api-new-b"' in found.also[0].sentence
    assert find_in(pods[3:4]).also == ()


def test_the_sentence_of_a_further_cause_is_short_and_has_no_secrets():
    long = "password=hunter2 " + "x" * 400
    pods = [
        pod_of("a", container=waiting("CreateContainerConfigError")),
        pod_of("b", container=waiting("ErrImagePull", long)),
    ]
    (further,) = find_in(pods).also
    assert len(further.sentence) == 205 and "hunter2" not in further.sentence
