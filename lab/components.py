# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which programs make a cluster, and how each is called."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from lab import kubeconfig
from lab.audit import LAB_USER
from lab.certificates import Authority
from lab.nodes import FAKE
from lab.stages import write_stages

if TYPE_CHECKING:
    from lab.control_plane import ControlPlane

# The order of starting: each needs those before it.
CONTROL_PLANE = ("etcd", "kube-apiserver")
CONTROLLERS = ("kube-controller-manager", "kube-scheduler", "kwok")

# Seconds between SIGTERM and SIGKILL. The controller manager ignores SIGTERM for as
# long as it cannot reach its API server; API server and etcd wait for their clients.
MAX_WAIT = 3

PORTS = ("etcd", "etcd-peer", "kube-apiserver")

_SERVICE_ADDRESS = "10.96.0.1"  # the first of the service range: the kubernetes service
SERVICE_RANGE = "10.96.0.0/16"
_POD_RANGE = "10.244.0.0/16"
_ISSUER = "https://kubernetes.default.svc.cluster.local"

# The users the lab's own components speak as, besides the service accounts of kube-system.
_USERS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "kube-controller-manager": ("system:kube-controller-manager", ()),
    "kube-scheduler": ("system:kube-scheduler", ()),
    "kwok": ("restartx-lab:kwok", ("system:masters",)),
    "lab": (LAB_USER, ("system:masters",)),
    "admin": ("admin", ("system:masters",)),
    "kubelet-client": ("kube-apiserver-kubelet-client", ("system:masters",)),
}

# Only what users of the cluster ask for is recorded: the control plane's own requests
# would be a hundred times as many.
_AUDIT_POLICY = """\
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
  - level: None
    users:
      - system:apiserver
      - system:kube-controller-manager
      - system:kube-scheduler
      - system:kube-proxy
      - restartx-lab:kwok
  - level: None
    userGroups: ["system:serviceaccounts:kube-system", "system:nodes"]
  - level: None
    nonResourceURLs: ["/readyz*", "/livez*", "/healthz*"]
  - level: Metadata
"""


def prepare(directory: Path, authority: Authority, context: str, server: str) -> None:
    """Write the files that the components of a new cluster at `server` read."""
    authority.service_account_key()
    hosts = ("127.0.0.1", "localhost", "kubernetes.default", _SERVICE_ADDRESS)
    authority.issue("kube-apiserver", "kube-apiserver", hosts=hosts)
    for name, (user, groups) in _USERS.items():
        credentials = kubeconfig.certificate_user(*authority.issue(name, user, groups))
        kubeconfig.write(
            directory / f"{name}.kubeconfig",
            kubeconfig.entry(context, server, authority.certificate_path, credentials),
        )
    (directory / "audit-policy.yaml").write_text(_AUDIT_POLICY)
    write_stages(directory / "stages.yaml")


def arguments(component: str, cluster: ControlPlane) -> list[str]:
    """The command line of a component, without the binary."""
    return [component, *_ARGUMENTS[component](cluster, cluster.directory)]


def _etcd(cluster: ControlPlane, directory: Path) -> list[str]:
    client, peer = (f"http://127.0.0.1:{cluster.ports[key]}" for key in ("etcd", "etcd-peer"))
    return [
        f"--data-dir={directory}/etcd",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=default={peer}",
        "--unsafe-no-fsync",  # nothing in a lab outlives a power cut
    ]


def _kube_apiserver(cluster: ControlPlane, directory: Path) -> list[str]:
    pki = cluster.authority.directory
    flags = [
        "--bind-address=127.0.0.1",
        f"--secure-port={cluster.ports['kube-apiserver']}",
        f"--etcd-servers=http://127.0.0.1:{cluster.ports['etcd']}",
        "--endpoint-reconciler-type=none",  # an advertised address on loopback is refused
        "--authorization-mode=Node,RBAC",
        "--allow-privileged=true",
        f"--service-cluster-ip-range={SERVICE_RANGE}",
        f"--client-ca-file={pki}/ca.crt",
        f"--tls-cert-file={pki}/kube-apiserver.crt",
        f"--tls-private-key-file={pki}/kube-apiserver.key",
        f"--service-account-key-file={pki}/service-account.key",
        f"--service-account-signing-key-file={pki}/service-account.key",
        f"--service-account-issuer={_ISSUER}",
        # For logs and exec on a real node, whose name no DNS knows.
        "--kubelet-preferred-address-types=InternalIP",
        f"--kubelet-certificate-authority={pki}/ca.crt",
        f"--kubelet-client-certificate={pki}/kubelet-client.crt",
        f"--kubelet-client-key={pki}/kubelet-client.key",
        f"--audit-policy-file={directory}/audit-policy.yaml",
        f"--audit-log-path={cluster.audit_log}",
        "--audit-log-maxsize=100000",  # MB: a rotated log would lose counted requests
    ]
    if not cluster.controllers:
        # Nobody makes the default service accounts there that pods would need.
        flags.append("--disable-admission-plugins=ServiceAccount")
    return flags


def _kube_controller_manager(cluster: ControlPlane, directory: Path) -> list[str]:
    pki = cluster.authority.directory
    return [
        f"--kubeconfig={directory}/kube-controller-manager.kubeconfig",
        f"--root-ca-file={pki}/ca.crt",
        f"--service-account-private-key-file={pki}/service-account.key",
        "--use-service-account-credentials",
        *_CLIENT,
    ]


def _kube_scheduler(cluster: ControlPlane, directory: Path) -> list[str]:
    return [f"--kubeconfig={directory}/kube-scheduler.kubeconfig", *_CLIENT]


def _kwok(cluster: ControlPlane, directory: Path) -> list[str]:
    return [
        f"--kubeconfig={directory}/kwok.kubeconfig",
        f"--config={directory}/stages.yaml",
        "--manage-all-nodes=false",
        f"--manage-nodes-with-annotation-selector={FAKE}=fake",  # real ones have a kubelet
        "--node-lease-duration-seconds=40",  # a kubelet's; KWOK's own default is no lease at all
        f"--cidr={_POD_RANGE}",
        "--node-ip=127.0.0.1",
        "--v=WARN",  # else a line for every pod that changes
    ]


_CLIENT = [
    "--leader-elect=false",
    "--secure-port=0",
    "--kube-api-qps=500",
    "--kube-api-burst=1000",
]

_ARGUMENTS = {
    "etcd": _etcd,
    "kube-apiserver": _kube_apiserver,
    "kube-controller-manager": _kube_controller_manager,
    "kube-scheduler": _kube_scheduler,
    "kwok": _kwok,
}
