# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whether NetworkPolicies leave a pod a way to the DNS or to an address.

A policy counts as a way if it may be one: which pods a selector finds in other namespaces is not known here, and a
Service may have another port than its pods.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence

from ansible_collections.restartx.core.plugins.module_utils.rollout import kinds, labels
from ansible_collections.restartx.core.plugins.module_utils.rollout.causes.complaints import Address
from ansible_collections.restartx.core.plugins.module_utils.rollout.kinds.fields import Object

DNS = 53
_OF_SYSTEM = "kube-system"


def selecting(pod: Object, policies: Iterable[Object]) -> list[Object]:
    """The policies that restrict the egress of the pod."""
    namespace = pod["metadata"].get("namespace")
    return [
        policy
        for policy in policies
        if policy["metadata"].get("namespace") == namespace
        and _restricts_egress(policy)
        and labels.matches(kinds.field(policy, "spec.podSelector", {}), kinds.labels_of(pod))
    ]


def leave_no_dns(pod: Object, policies: Sequence[Object]) -> bool:
    """Whether policies that select the pod allow no egress to a DNS server."""
    local = pod["metadata"].get("namespace") == _OF_SYSTEM
    return bool(policies) and not any(_may_be_dns(rule, local) for rule in _rules(policies))


def leave_no_way(policies: Sequence[Object], address: Address) -> bool:
    """Whether policies that select the pod allow no egress to the address."""
    return bool(policies) and not any(_may_reach(rule, address) for rule in _rules(policies))


def _rules(policies: Iterable[Object]) -> Iterable[Object]:
    return (rule for policy in policies for rule in kinds.field(policy, "spec.egress", []))


def _restricts_egress(policy: Object) -> bool:
    types = kinds.field(policy, "spec.policyTypes")
    return "Egress" in types if types else bool(kinds.field(policy, "spec.egress"))


def _may_be_dns(rule: Object, local: bool) -> bool:
    ports, peers = rule.get("ports") or [], rule.get("to") or []
    if ports:
        return any(_has_port(port, DNS) for port in ports)
    # Without a namespace, a peer is a pod of the same namespace, where there is no DNS server.
    return not peers or local or any("namespaceSelector" in peer or "ipBlock" in peer for peer in peers)


def _may_reach(rule: Object, address: Address) -> bool:
    ports, peers = rule.get("ports") or [], rule.get("to") or []
    if ports and all(port.get("port") in (DNS, "dns", "dns-tcp") and "endPort" not in port for port in ports):
        return address.port == DNS
    return not peers or any(_may_be(peer, address.host) for peer in peers)


def _may_be(peer: Object, host: str) -> bool:
    block = peer.get("ipBlock")
    if block is None:
        return True
    try:
        ip = ipaddress.ip_address(host)
        inside = ip in ipaddress.ip_network(block["cidr"], strict=False)
        return inside and not any(ip in ipaddress.ip_network(one, strict=False) for one in block.get("except") or [])
    except ValueError:
        return True  # a name


def _has_port(port: Object, wanted: int) -> bool:
    first = port.get("port")
    if not isinstance(first, int):
        return True  # all ports, or a name
    return first <= wanted <= port.get("endPort", first)
