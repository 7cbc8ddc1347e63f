# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Why the scheduler finds no node for a pod, and why a node cannot mount its volumes."""

from __future__ import annotations

import re

# What the scheduler says of a volume. It does not matter how many nodes have other problems: the volume is on none of
# the others.
_VOLUMES = tuple(
    (code, re.compile(pattern))
    for code, pattern in (
        ("config_missing", r'persistentvolumeclaim "[^"]*" not found'),
        (
            "volume_not_bound",
            r"unbound immediate PersistentVolumeClaims|didn't find available persistent volumes to bind|"
            r"waiting for ephemeral volume controller|binding volumes: |bound to non-existent pv|"
            r'persistentvolumeclaim "[^"]*" bound to non-existent|did not have enough free storage',
        ),
        (
            "volume_zone",
            r"volume node affinity conflict|didn't match PersistentVolume's node affinity|no available volume zone",
        ),
        ("volume_attached", r"ReadWriteOncePod access mode already in-use|had no available disk"),
    )
)
_NODES = re.compile(r"^0/(?P<all>\d+) nodes are available: (?P<reasons>.*?)(?:\. preemption: .*|\.\s*)?$", re.DOTALL)
_REASON = re.compile(r"(?P<count>\d+) (?P<words>.+?)(?=, \d+ |$)")
_TAINTS = {
    "node_not_ready": re.compile(r"node\.kubernetes\.io/(?:not-ready|unreachable|network-unavailable)"),
    "node_pressure": re.compile(r"node\.kubernetes\.io/(?:memory|disk|pid)-pressure"),
}
TAINTED = "untolerated taint"

_MISSING = re.compile(
    r"""\b(?:secret|configmap|persistentvolumeclaim)s? "[^"]*" not found|references non-existent|"""
    r"""object "[^"]*"/"[^"]*" not registered""",
    re.IGNORECASE,
)
_ATTACHED = re.compile(r"Multi-Attach error|already (?:exclusively )?attached to|is already used by pod")
# The kubelet says this too while it waits for what the event before it has named.
_NO_REASON = re.compile(r"^Unable to attach or mount volumes: .*(?:timed out waiting|context deadline exceeded)")


def code_of(message: str) -> str:
    """The code for the message of a pod's condition PodScheduled."""
    for code, pattern in _VOLUMES:
        if pattern.search(message):
            return code
    listed = _NODES.match(message)
    reasons = [found["words"] for found in _REASON.finditer(listed["reasons"])] if listed else []
    for code, pattern in _TAINTS.items():
        if reasons and all(pattern.search(words) for words in reasons):
            return code
    return "unschedulable"


def tainted(message: str) -> bool:
    """Whether no node is left because of taints alone, which the scheduler of Kubernetes 1.34 and later does not name."""
    listed = _NODES.match(message)
    reasons = [found["words"] for found in _REASON.finditer(listed["reasons"])] if listed else []
    return bool(reasons) and all(TAINTED in words for words in reasons)


def nodes(message: str) -> int:
    """How many nodes the cluster has, according to the scheduler; 0 if it does not say."""
    listed = _NODES.match(message)
    return int(listed["all"]) if listed else 0


def mount_code(message: str) -> str:
    """The code for the message of an event FailedMount, FailedAttachVolume or FailedMapVolume."""
    if _MISSING.search(message):
        return "config_missing"
    return "volume_attached" if _ATTACHED.search(message) else "volume_mount"


def mount_says_why(message: str) -> bool:
    """Whether the message says more than that the kubelet waited in vain."""
    return not _NO_REASON.match(message)
