# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the log of a container adds to its cause: names that are not resolved, and NetworkPolicies that explain it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from ansible_collections.restartx.core.plugins.module_utils.rollout import kinds
from ansible_collections.restartx.core.plugins.module_utils.rollout.causes import (
    codes,
    complaints,
    network_policies,
)
from ansible_collections.restartx.core.plugins.module_utils.rollout.kinds.fields import Object
from ansible_collections.restartx.core.plugins.module_utils.rollout.words import some

MOST_FURTHER = 3  # causes besides the worst one, with those of the log
_NAMED = 3  # policies in a sentence


def policies_path(namespace: str) -> str:
    """The API path of the NetworkPolicies of a namespace."""
    return f"/apis/networking.k8s.io/v1/namespaces/{namespace}/networkpolicies"


def complains(lines: Sequence[str]) -> bool:
    """Whether the log says something about the network, so that NetworkPolicies may explain it."""
    return bool(complaints.unresolved(lines) or complaints.unanswered(lines))


def explained(cause: codes.Cause, pod: Object, policies: Sequence[Object], context: str | None) -> codes.Cause:
    """The cause with what its log says about the network. The advice is then about that.

    `policies` are the NetworkPolicies of the namespace, as far as they could be read.
    """
    found = list(_causes_of(cause, pod, policies, context))
    if not found:
        return cause
    also = [*map(codes.further, found), *cause.also][:MOST_FURTHER]
    return replace(cause, advice=found[0].advice, also=tuple(also))


def _causes_of(
    cause: codes.Cause, pod: Object, policies: Sequence[Object], context: str | None
) -> Iterator[codes.Cause]:
    """The most telling one first."""
    unresolved, unanswered = complaints.unresolved(cause.log), complaints.unanswered(cause.log)
    selecting = network_policies.selecting(pod, policies)
    subject = codes.pod_subject(pod, context)
    if unresolved and network_policies.leave_no_dns(pod, selecting):
        says = f"is selected by {_named(selecting)}, and has no egress to the DNS"
        yield codes.make("network_policy", subject, says=says)
    elif unanswered and unanswered.address and network_policies.leave_no_way(selecting, unanswered.address):
        host, port = unanswered.address
        says = f"is selected by {_named(selecting)}, and has no egress to {host}, port {port}, as its log says"
        yield codes.make("network_policy", subject, says=says)
    if unresolved:
        yield codes.make("dns", codes.pod_subject(pod, context, cause.container), message=unresolved.line)


def _named(policies: Sequence[Object]) -> str:
    names = sorted(policy["metadata"]["name"] for policy in policies)
    quoted = [f'"{name}"' for name in names]
    return f"the NetworkPolic{'y' if len(names) == 1 else 'ies'} {some(quoted, _NAMED)}"


def pod_of(cause: codes.Cause, pods: Sequence[Object]) -> Object | None:
    """The pod of a cause."""
    return next((pod for pod in pods if kinds.field(pod, "metadata.name") == cause.pod), None)
