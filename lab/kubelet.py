# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How kubelet and kube-proxy of a real node are called, and what they read."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from lab import kubeconfig, network, runtime
from lab.api import Object

if TYPE_CHECKING:
    from lab.control_plane import ControlPlane

PORTS = ("kube-proxy-health", "kube-proxy-metrics")
LABEL = "lab.restartx.io/node"  # "real" on a real node, for node selectors

_DNS = "10.96.0.10"  # nobody answers there; without any, each pod would get a warning


class State(network.Plan):
    """What was decided when the node was founded: its name, the port of each of PORTS, and its network."""

    name: str
    ports: dict[str, int]


def prepare(directory: Path, state: State, cluster: ControlPlane) -> None:
    """Write the files that kubelet and kube-proxy of the node read."""
    authority, name = cluster.authority, state["name"]
    serving = authority.issue("kubelet-serving", name, hosts=(state["address"], name))
    users: Mapping[str, tuple[str, tuple[str, ...]]]
    users = {"kubelet": (f"system:node:{name}", ("system:nodes",)), "kube-proxy": ("system:kube-proxy", ())}
    for component, (user, groups) in users.items():
        credentials = kubeconfig.certificate_user(*authority.issue(component, user, groups))
        kubeconfig.write(
            directory / f"{component}.kubeconfig",
            kubeconfig.entry(cluster.context, cluster.server, authority.certificate_path, credentials),
        )
    configs = {
        "kubelet": _kubelet(directory, state, authority.certificate_path, serving),
        "kube-proxy": _proxy(directory, state),
    }
    for component, config in configs.items():
        (directory / f"{component}.yaml").write_text(yaml.safe_dump(config, sort_keys=False))


def kubelet_arguments(directory: Path, state: State) -> list[str]:
    """The command line of the kubelet, without the binary."""
    return [
        "kubelet",
        f"--config={directory}/kubelet.yaml",
        f"--kubeconfig={directory}/kubelet.kubeconfig",
        "--root-dir=/var/lib/kubelet",  # a folder of the node: see node.py
        "--cert-dir=/var/lib/kubelet/pki",
        f"--hostname-override={state['name']}",
        f"--node-ip={state['address']}",
        f"--node-labels={LABEL}=real",
    ]


def proxy_arguments(directory: Path) -> list[str]:
    """The command line of kube-proxy, without the binary."""
    return ["kube-proxy", f"--config={directory}/kube-proxy.yaml"]


def _kubelet(directory: Path, state: State, authority: Path, serving: tuple[Path, Path]) -> Object:
    certificate, key = serving
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        # Only the bridge's own address, not those by which others reach this machine.
        "address": state["address"],
        "readOnlyPort": 0,
        "healthzPort": 0,
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": str(authority)},
        },
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": str(certificate),
        "tlsPrivateKeyFile": str(key),
        "containerRuntimeEndpoint": f"unix://{runtime.SOCKET}",
        # Cgroups as a sandbox gives them: version 1 or 2, and no systemd.
        "failCgroupV1": False,
        "cgroupDriver": "cgroupfs",
        "cgroupsPerQOS": False,
        "enforceNodeAllocatable": [],
        "failSwapOn": False,
        "evictionHard": {"memory.available": "50Mi", "nodefs.available": "1%", "imagefs.available": "1%"},
        "imageGCHighThresholdPercent": 100,  # images can be had only once
        "makeIPTablesUtilChains": False,
        "podLogsDir": f"{directory}/pod-logs",
        "volumePluginDir": f"{directory}/volume-plugins",
        "clusterDNS": [_DNS],
        "clusterDomain": "cluster.local",
        "eventRecordQPS": 0,
    }


def _proxy(directory: Path, state: State) -> Object:
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "nftables",
        "hostnameOverride": state["name"],
        "clientConnection": {"kubeconfig": f"{directory}/kube-proxy.kubeconfig"},
        "healthzBindAddress": f"127.0.0.1:{state['ports']['kube-proxy-health']}",
        "metricsBindAddress": f"127.0.0.1:{state['ports']['kube-proxy-metrics']}",
        # Else a pod that is reached through a service answers its neighbour on the bridge directly.
        "nftables": {"masqueradeAll": True},
        # 0: the machine's own limits are left alone.
        "conntrack": {"maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"},
        "nodePortAddresses": ["127.0.0.0/8"],
    }
