# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What can go wrong in a restart, and what restartx must say of it: one table for KWOK and for a real node.

The workloads are well before their restart, if nothing else is said. What is expected stands here, in words of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from kubelet import ended, looping, running, waiting

# How a wait ends, as the message of the result says it.
PERMANENT = "gave up waiting, because this cannot recover by itself: "
RECOVERABLE = "gave up waiting, because this did not recover within 4s: "
SLOW = "not done after "
DEADLINE = "exceeded its progress deadline"

# How many of the new pods show it, and where they are.
ONE = r"1 of 1 new pod, on node [\w-]+"
NOWHERE = "1 of 1 new pod"

DEPLOYMENT, STATEFUL_SET, DAEMON_SET = "Deployment", "StatefulSet", "DaemonSet"
WORDS = {DEPLOYMENT: "deployment", STATEFUL_SET: "statefulset", DAEMON_SET: "daemon set"}  # kubectl's


@dataclass(frozen=True)
class Row:
    """One workload: what is wrong with it, and what is expected.

    `pod` goes into the pod's spec and `main` into its container; `spec` into that of the workload. `shows` are the
    containers of its new pods, and `events` what is reported of them: (reason, message, container). Only on the node
    `only_on`, if one is given. With `nothing`, nobody starts the new pods.
    """

    id: str
    code: str
    words: str  # a part of the sentence
    kind: str = DEPLOYMENT
    container: str | None = "main"
    pods: str | None = ONE  # a pattern
    ends: str = RECOVERABLE
    outcome: str = "failed"
    about: str = "pod"  # the kind of the object
    exit_code: int | None = None
    also: Sequence[str] = ()
    namespace: str = "shared"
    labels: Mapping[str, str] = field(default_factory=dict)
    pod: Mapping = field(default_factory=dict)
    main: Mapping = field(default_factory=dict)
    spec: Mapping = field(default_factory=dict)
    shows: Mapping[str, Mapping] | None = None
    events: Sequence[tuple[str, str, str | None]] = ()
    conditions: Mapping[str, str] = field(default_factory=dict)
    only_on: str | None = None
    nothing: bool = False
    well_before: bool = True
    failure: str = "by-hand"  # of the lab: who plays its pods
    marks: Mapping = field(default_factory=dict)  # more of the template's metadata
    node: bool = False  # on a real node
    log: Sequence[str] | None = None  # how its log ends
    reasons: frozenset[str] = frozenset()  # those that a kubelet may give when it is asked


def init(name: str, **more: object) -> dict:
    return {"initContainers": [{"name": name, "image": "localhost/shop:1", **more}]}


def sidecar(name: str, **more: object) -> dict:
    return init(name, restartPolicy="Always", **more)


def beside(name: str) -> dict:
    return {"containers": [{"name": name, "image": "localhost/shop:1"}]}


def on(node: str) -> dict:
    return {"nodeSelector": {"kubernetes.io/hostname": node}}


def volume(name: str, **source: object) -> dict:
    return {"volumes": [{"name": name, **source}]}


def claim(name: str) -> dict:
    return volume("data", persistentVolumeClaim={"claimName": name})


def pull(message: str, reason: str = "ErrImagePull", name: str = "main") -> dict:
    return {name: waiting(reason, message)}


def surge(most: int | str) -> dict:
    return {"strategy": {"rollingUpdate": {"maxSurge": most, "maxUnavailable": 0}}}


RECREATE = {"strategy": {"type": "Recreate"}}
ANYWHERE = {"tolerations": [{"operator": "Exists"}]}
PROBE = {"httpGet": {"path": "/ready", "port": 8080}}
UNPACK = 'failed to pull and unpack image "localhost/shop:1": '
RESOLVE = f'{UNPACK}failed to resolve reference "localhost/shop:1": '
RUNC = (
    "failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: "
    "unable to start container process: "
)
SPREAD = {
    "topologySpreadConstraints": [
        {
            "maxSkew": 1,
            "topologyKey": "kubernetes.io/hostname",
            "whenUnsatisfiable": "DoNotSchedule",
            "nodeTaintsPolicy": "Honor",
            "labelSelector": {"matchLabels": {"spread": "yes"}},
            "matchLabelKeys": ["pod-template-hash"],
        }
    ]
}
APART = {
    "affinity": {
        "podAntiAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": [
                {"topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchLabels": {"apart": "yes"}}}
            ]
        }
    }
}

IMAGES = [
    Row("image-unknown", "image_not_found", "not found", shows=pull(f"{RESOLVE}localhost/shop:1: not found")),
    Row(
        "image-unknown-later",
        "image_not_found",
        "manifest unknown",
        STATEFUL_SET,
        shows=pull(
            f'Back-off pulling image "localhost/shop:1": ErrImagePull: {RESOLVE}manifest unknown', "ImagePullBackOff"
        ),
    ),
    Row(
        "image-unknown-by-event",
        "image_not_found",
        "name unknown",
        DAEMON_SET,
        pod=on("node-1"),
        pods="1 of 1 new pod, on node node-1",
        shows=pull('Back-off pulling image "localhost/shop:1"', "ImagePullBackOff"),
        events=[("Failed", f'Failed to pull image "localhost/shop:1": {RESOLVE}name unknown', "main")],
    ),
    Row(
        "image-unauthorized",
        "image_denied",
        "401 Unauthorized",
        shows=pull(
            f"{RESOLVE}failed to authorize: failed to fetch anonymous token: unexpected status from GET request to "
            "https://auth.example.com/token: 401 Unauthorized"
        ),
    ),
    Row(
        "image-scope",
        "image_denied",
        "insufficient_scope",
        STATEFUL_SET,
        shows=pull(
            f"{RESOLVE}pull access denied, repository does not exist or may require authorization: server message: "
            "insufficient_scope: authorization failed"
        ),
    ),
    Row(
        "image-forbidden",
        "image_denied",
        "403 Forbidden",
        shows=pull(f"{RESOLVE}unexpected status from HEAD request to https://example.com/v2/: 403 Forbidden"),
    ),
    Row(
        "image-too-often",
        "image_rate_limit",
        "toomanyrequests",
        DAEMON_SET,
        pod=on("node-2"),
        shows=pull(
            f"{UNPACK}failed to copy: httpReadSeeker: failed open: unexpected status code "
            "https://example.com/v2/shop/manifests/1: 429 Too Many Requests - Server message: toomanyrequests: You have "
            "reached your pull rate limit"
        ),
    ),
    Row(
        "image-certificate",
        "image_unreachable",
        "x509: certificate signed by unknown authority",
        shows=pull(
            f'{RESOLVE}failed to do request: Head "https://example.com/v2/shop/manifests/1": tls: failed to verify '
            "certificate: x509: certificate signed by unknown authority"
        ),
    ),
    Row(
        "image-no-route",
        "image_unreachable",
        "no route to host",
        STATEFUL_SET,
        shows=pull(
            f'{RESOLVE}failed to do request: Head "https://example.com/v2/": dial tcp 192.0.2.9:443: connect: no route '
            "to host"
        ),
    ),
    Row(
        "image-no-host",
        "image_unreachable",
        "no such host",
        shows=pull(
            f'{RESOLVE}failed to do request: Head "https://example.com/v2/": dial tcp: lookup example.com on '
            "192.0.2.53:53: no such host"
        ),
    ),
    Row(
        "image-no-answer",
        "image_unreachable",
        "i/o timeout",
        shows=pull(
            f'{RESOLVE}failed to do request: Head "https://example.com/v2/": dial tcp 192.0.2.9:443: i/o timeout'
        ),
    ),
    Row(
        "image-no-space",
        "image_pull",
        "no space left on device",
        shows=pull(f"{UNPACK}failed to extract layer: write /var/lib/containerd/x: no space left on device"),
    ),
    Row(
        "image-name",
        "image_pull",
        "invalid reference format",
        ends=PERMANENT,
        shows=pull('Failed to apply default image tag "Shop:1": invalid reference format', "InvalidImageName"),
    ),
    Row(
        "image-never",
        "image_pull",
        "is not present with pull policy of Never",
        DAEMON_SET,
        pod=on("node-3"),
        ends=PERMANENT,
        shows=pull('Container image "localhost/shop:1" is not present with pull policy of Never', "ErrImageNeverPull"),
    ),
    Row(
        "image-of-init",
        "image_not_found",
        'init container "migrate"',
        container="migrate",
        pod=init("migrate"),
        shows=pull(f"{RESOLVE}localhost/shop:1: not found", name="migrate"),
    ),
    Row(
        "image-of-sidecar",
        "image_denied",
        'sidecar container "proxy"',
        STATEFUL_SET,
        container="proxy",
        pod=sidecar("proxy"),
        shows=pull(f"{RESOLVE}denied: requested access to the resource is denied", name="proxy"),
    ),
]

STARTS = [
    Row(
        "config-map",
        "config_missing",
        'configmap "settings" not found',
        shows={"main": waiting("CreateContainerConfigError", 'configmap "settings" not found')},
    ),
    Row(
        "config-key",
        "config_missing",
        "couldn't find key prices",
        STATEFUL_SET,
        shows={"main": waiting("CreateContainerConfigError", "couldn't find key prices in ConfigMap shop/settings")},
    ),
    Row(
        "secret-of-init",
        "config_missing",
        'secret "login" not found',
        DAEMON_SET,
        container="migrate",
        pod={**init("migrate"), **on("node-1")},
        shows={"migrate": waiting("CreateContainerConfigError", 'secret "login" not found')},
    ),
    Row(
        "create-container",
        "start_failed",
        "context deadline exceeded",
        outcome="unfinished",
        shows={"main": waiting("CreateContainerError", "context deadline exceeded")},
    ),
    Row(
        "mount-in-container",
        "start_failed",
        "error mounting",
        STATEFUL_SET,
        outcome="unfinished",
        exit_code=128,
        shows={
            "main": waiting(
                "RunContainerError",
                f'{RUNC}error during container init: error mounting "/data" to rootfs: not a directory',
                lastState={
                    "terminated": {
                        "exitCode": 128,
                        "reason": "StartError",
                        "message": f'{RUNC}error during container init: error mounting "/data" to rootfs: not a directory',
                    }
                },
            )
        },
    ),
    Row(
        "command",
        "bad_command",
        "no such file or directory",
        ends=PERMANENT,
        exit_code=128,
        main={"command": ["/shoop"]},
        shows={
            "main": waiting(
                "RunContainerError",
                f'{RUNC}exec: "/shoop": stat /shoop: no such file or directory',
                lastState={
                    "terminated": {
                        "exitCode": 128,
                        "reason": "StartError",
                        "message": f'{RUNC}exec: "/shoop": stat /shoop: no such file or directory',
                    }
                },
            )
        },
    ),
    Row(
        "command-of-shell",
        "bad_command",
        "exit code 127",
        STATEFUL_SET,
        exit_code=127,
        shows={"main": looping(127)},
    ),
    Row(
        "command-not-allowed",
        "bad_command",
        "exit code 126",
        container="migrate",
        pod=init("migrate"),
        exit_code=126,
        shows={"migrate": looping(126)},
    ),
    Row(
        "sandbox",
        "start_failed",
        "failed to setup network for sandbox",
        container=None,
        outcome="unfinished",
        nothing=True,
        events=[
            (
                "FailedCreatePodSandBox",
                'Failed to create pod sandbox: rpc error: code = Unknown desc = failed to setup network for sandbox "1"',
                None,
            )
        ],
    ),
]

CRASHES = [
    Row("crash", "crash_loop", "exit code 1", exit_code=1, shows={"main": looping(1)}),
    Row("crash-stateful", "crash_loop", "exit code 2", STATEFUL_SET, exit_code=2, shows={"main": looping(2)}),
    Row(
        "crash-of-init",
        "crash_loop",
        'init container "migrate"',
        DAEMON_SET,
        container="migrate",
        pod={**init("migrate"), **on("node-1")},
        exit_code=3,
        shows={"migrate": looping(3)},
    ),
    Row(
        "crash-of-sidecar",
        "crash_loop",
        'sidecar container "proxy"',
        container="proxy",
        pod=sidecar("proxy"),
        exit_code=1,
        shows={"proxy": looping(1)},
    ),
    Row(
        "crash-of-second",
        "crash_loop",
        'container "logger"',
        STATEFUL_SET,
        container="logger",
        pod=beside("logger"),
        exit_code=1,
        shows={"logger": looping(1)},
    ),
    Row(
        "crash-of-signal",
        "crash_loop",
        "exit code 139",
        exit_code=139,
        shows={"main": looping(139)},
    ),
    Row(
        "crash-of-three-on-one-node",
        "crash_loop",
        "exit code 1",
        pods="3 of 3 new pods, all on node node-2",
        exit_code=1,
        pod=on("node-2"),
        spec={"replicas": 3, **surge("100%")},
        shows={"main": looping(1)},
    ),
    Row(
        "crash-of-three",
        "crash_loop",
        "exit code 1",
        pods="3 of 3 new pods, on 3 nodes",
        exit_code=1,
        labels={"spread": "yes"},
        pod=SPREAD,
        spec={"replicas": 3, **surge("100%")},
        shows={"main": looping(1)},
    ),
    Row(
        "crash-on-one-node",
        "crash_loop",
        "exit code 1",
        pods="1 of 3 new pods, on node node-1",
        exit_code=1,
        labels={"spread": "yes"},
        pod=SPREAD,
        spec={"replicas": 3, **surge("100%")},
        shows={"main": looping(1)},
        only_on="node-1",
    ),
    Row(
        "crash-on-all-nodes",
        "crash_loop",
        "exit code 1",
        DAEMON_SET,
        pods="3 of 3 new pods, on 3 nodes",
        exit_code=1,
        spec={"updateStrategy": {"rollingUpdate": {"maxUnavailable": 3}}},
        shows={"main": looping(1)},
    ),
    Row(
        "memory",
        "oom",
        "runs out of memory (CrashLoopBackOff, exit code 137, 2 restarts)",
        exit_code=137,
        shows={"main": looping(137, "OOMKilled")},
    ),
    Row(
        "memory-of-sidecar",
        "oom",
        'sidecar container "proxy"',
        STATEFUL_SET,
        container="proxy",
        pod=sidecar("proxy"),
        exit_code=137,
        shows={"proxy": looping(137, "OOMKilled")},
    ),
    Row(
        "memory-of-init",
        "oom",
        'init container "migrate"',
        DAEMON_SET,
        container="migrate",
        pod={**init("migrate"), **on("node-2")},
        exit_code=137,
        shows={"migrate": looping(137, "OOMKilled")},
    ),
    Row(
        "memory-and-crash",
        "oom",
        'container "main"',
        exit_code=137,
        also=["crash_loop"],
        pod=beside("logger"),
        shows={"main": looping(137, "OOMKilled"), "logger": looping(1)},
    ),
    Row(
        "crash-and-deadline",
        "crash_loop",
        "exit code 1",
        ends=DEADLINE,
        exit_code=1,
        spec={"progressDeadlineSeconds": 3},
        shows={"main": ended(1)},
    ),
]

PROBES = [
    Row(
        "liveness",
        "liveness_probe",
        "Liveness probe failed: HTTP probe failed with statuscode: 500",
        exit_code=137,
        main={"livenessProbe": PROBE},
        shows={"main": looping(137)},
        events=[("Unhealthy", "Liveness probe failed: HTTP probe failed with statuscode: 500", "main")],
    ),
    Row(
        "liveness-that-ends-well",
        "liveness_probe",
        "Liveness probe failed: dial tcp 10.0.0.1:8080: connection refused",
        STATEFUL_SET,
        exit_code=0,
        main={"livenessProbe": PROBE},
        shows={"main": looping(0, "Completed")},
        events=[("Unhealthy", "Liveness probe failed: dial tcp 10.0.0.1:8080: connection refused", "main")],
    ),
    Row(
        "liveness-of-sidecar",
        "liveness_probe",
        'sidecar container "proxy"',
        DAEMON_SET,
        container="proxy",
        exit_code=143,
        pod={**sidecar("proxy", livenessProbe=PROBE), **on("node-3")},
        shows={"proxy": looping(143)},
        events=[("Unhealthy", "Liveness probe failed: command timed out", "proxy")],
    ),
    Row(
        "startup-that-kills",
        "startup_probe",
        "Startup probe failed: HTTP probe failed with statuscode: 503",
        exit_code=137,
        main={"startupProbe": PROBE},
        shows={"main": looping(137)},
        events=[("Unhealthy", "Startup probe failed: HTTP probe failed with statuscode: 503", "main")],
    ),
    Row(
        "startup",
        "startup_probe",
        "Startup probe failed: HTTP probe failed with statuscode: 503",
        STATEFUL_SET,
        ends=SLOW,
        outcome="unfinished",
        main={"startupProbe": PROBE},
        shows={"main": running(ready=False, started=False)},
        events=[("Unhealthy", "Startup probe failed: HTTP probe failed with statuscode: 503", "main")],
    ),
    Row(
        "startup-of-sidecar",
        "startup_probe",
        'sidecar container "proxy"',
        container="proxy",
        ends=SLOW,
        outcome="unfinished",
        pod=sidecar("proxy", startupProbe=PROBE),
        shows={"proxy": running(ready=False, started=False)},
    ),
    Row(
        "readiness",
        "readiness_probe",
        "Readiness probe failed: HTTP probe failed with statuscode: 503",
        ends=SLOW,
        outcome="unfinished",
        main={"readinessProbe": PROBE},
        shows={"main": running(ready=False)},
        events=[("Unhealthy", "Readiness probe failed: HTTP probe failed with statuscode: 503", "main")],
    ),
    Row(
        "readiness-without-words",
        "readiness_probe",
        "readiness probe: HTTP GET /ready on port 8080",
        DAEMON_SET,
        ends=SLOW,
        outcome="unfinished",
        main={"readinessProbe": PROBE},
        pod=on("node-1"),
        shows={"main": running(ready=False)},
    ),
    Row(
        "readiness-gate",
        "never_ready",
        "runs but is not ready",
        container=None,
        ends=SLOW,
        outcome="unfinished",
        well_before=False,
        pod={"readinessGates": [{"conditionType": "example.com/balancer"}]},
        shows={},
        conditions={"Ready": "False"},
    ),
    Row(
        "init-waits",
        "init_waits",
        'init container "migrate"',
        STATEFUL_SET,
        container="migrate",
        ends=SLOW,
        outcome="unfinished",
        pod=init("migrate"),
        shows={"migrate": running(ready=False)},
    ),
]

# What the kubelet, and the controller that attaches volumes, report of pods that do not begin.
ATTACHED = 'Multi-Attach error for volume "pvc-1" Volume is already '
VOLUMES = [
    Row(
        "mount-secret",
        "config_missing",
        'secret "no-such" not found',
        container=None,
        nothing=True,
        events=[("FailedMount", 'MountVolume.SetUp failed for volume "tls" : secret "no-such" not found', None)],
    ),
    Row(
        "mount-config-map",
        "config_missing",
        'configmap "no-such" not found',
        DAEMON_SET,
        container=None,
        pod=on("node-2"),
        nothing=True,
        events=[("FailedMount", 'MountVolume.SetUp failed for volume "c" : configmap "no-such" not found', None)],
    ),
    Row(
        "mount-driver",
        "volume_mount",
        "not found in the list of registered CSI drivers",
        STATEFUL_SET,
        container=None,
        outcome="unfinished",
        nothing=True,
        events=[
            (
                "FailedMount",
                'MountVolume.MountDevice failed for volume "pvc-1" : kubernetes.io/csi: attacher.MountDevice failed to '
                "create newCsiDriverClient: driver name csi.example.com not found in the list of registered CSI drivers",
                None,
            )
        ],
    ),
    Row(
        "attached-elsewhere",
        "volume_attached",
        "exclusively attached to one node",
        container=None,
        outcome="unfinished",
        nothing=True,
        events=[
            (
                "FailedAttachVolume",
                f"{ATTACHED}exclusively attached to one node and can't be attached to another",
                None,
            )
        ],
    ),
    Row(
        "attached-to-pod",
        "volume_attached",
        "used by pod(s) other-0",
        STATEFUL_SET,
        container=None,
        outcome="unfinished",
        nothing=True,
        events=[("FailedAttachVolume", f"{ATTACHED}used by pod(s) other-0", None)],
    ),
    Row(
        "map-device",
        "volume_mount",
        "lock file is held",
        container=None,
        outcome="unfinished",
        nothing=True,
        events=[("FailedMapVolume", 'MapVolume.MapPodDevice failed for volume "pvc-1" : lock file is held', None)],
    ),
]

# What the scheduler says.
PLACES = [
    Row(
        "claim-unbound",
        "volume_not_bound",
        "unbound immediate PersistentVolumeClaims",
        container=None,
        pods=NOWHERE,
        outcome="unfinished",
        well_before=False,
        pod=claim("unbound"),
    ),
    Row(
        "claim-absent",
        "config_missing",
        'persistentvolumeclaim "absent" not found',
        container=None,
        pods=NOWHERE,
        well_before=False,
        pod=claim("absent"),
    ),
    Row(
        "claim-far",
        "volume_zone",
        "which belongs to another zone or node",
        container=None,
        pods=NOWHERE,
        outcome="unfinished",
        well_before=False,
        pod=claim("far"),
    ),
    Row(
        "claim-of-one-pod",
        "volume_attached",
        "ReadWriteOncePod access mode already in-use",
        container=None,
        pods=NOWHERE,
        outcome="unfinished",
        pod=claim("single"),
        spec=surge(1),
    ),
    Row(
        "processors",
        "unschedulable",
        "Insufficient cpu",
        container=None,
        pods=NOWHERE,
        outcome="unfinished",
        pod=on("node-1"),
        main={"resources": {"requests": {"cpu": "40"}}},
        spec=surge(1),
    ),
    Row(
        "memory-of-nodes",
        "unschedulable",
        "Insufficient memory",
        container=None,
        pods=NOWHERE,
        outcome="unfinished",
        pod=on("node-1"),
        main={"resources": {"requests": {"memory": "200Gi"}}},
        spec=surge(1),
    ),
    Row(
        "selector-of-nodes",
        "unschedulable",
        "didn't match Pod's node affinity/selector",
        STATEFUL_SET,
        container=None,
        pods=NOWHERE,
        outcome="unfinished",
        pod={"nodeSelector": {"pool": "leaving"}},
    ),
    Row(
        "apart",
        "unschedulable",
        "didn't match pod anti-affinity rules",
        container=None,
        pods=NOWHERE,
        outcome="unfinished",
        labels={"apart": "yes"},
        pod=APART,
        spec={"replicas": 3, **surge(1)},
    ),
    Row(
        "host-port",
        "unschedulable",
        "didn't have free ports",
        container=None,
        pods=NOWHERE,
        outcome="unfinished",
        main={"ports": [{"containerPort": 8080, "hostPort": 8080}]},
        spec={"replicas": 3, **surge(1)},
    ),
    Row(
        "taint",
        "unschedulable",
        "untolerated taint",
        container=None,
        pods=NOWHERE,
        outcome="unfinished",
        pod={**on("node-4"), "tolerations": [{"key": "table", "operator": "Exists"}]},
    ),
    Row(
        "gate",
        "unschedulable",
        "SchedulingGated",
        container=None,
        pods=NOWHERE,
        outcome="unfinished",
        well_before=False,
        pod={"schedulingGates": [{"name": "example.com/quota"}]},
    ),
    Row(
        "preempted",
        "preempted",
        "Preempted by pod",
        container=None,
        pods=NOWHERE,
        outcome="unfinished",
        pod=on("node-2"),
        main={"resources": {"requests": {"cpu": "40"}}},
        spec=RECREATE,
        nothing=True,
    ),
]

# Nodes that are not ready, or have no room on their disks.
NODES = [
    Row(
        "node-is-lost",
        "node_not_ready",
        "KubeletReady): Ready is False",
        container=None,
        pods="1 of 1 new pod, on node node-5",
        outcome="unfinished",
        pod={**on("node-5"), **ANYWHERE},
        nothing=True,
    ),
    Row(
        "node-of-running-pods",
        "node_not_ready",
        "KubeletReady): Ready is False",
        container=None,
        pods="1 of 1 new pod, on node node-5",
        outcome="unfinished",
        pod={**on("node-5"), **ANYWHERE},
        shows={},
        conditions={"Ready": "False"},
    ),
    Row(
        "node-has-no-disk",
        "node_pressure",
        "DiskPressure is True",
        DAEMON_SET,
        container=None,
        pods="1 of 1 new pod, on node node-6",
        outcome="unfinished",
        pod={**on("node-6"), **ANYWHERE},
        nothing=True,
    ),
    Row(
        "node-is-lost-with-old-pod",
        "not_terminated",
        "node node-5 is not ready",
        container=None,
        pods=None,
        outcome="unfinished",
        failure="never-ends",
        pod={**on("node-5"), **ANYWHERE, "terminationGracePeriodSeconds": 1},
        spec=RECREATE,
    ),
]

FINALIZER = {"finalizers": ["example.com/backup"]}
ENDS = [
    Row(
        f"finalizer-{kind.lower()}",
        "not_terminated",
        "finalizer example.com/backup",
        kind,
        container=None,
        pods=None,
        outcome="unfinished",
        marks=FINALIZER,
        pod={"terminationGracePeriodSeconds": 1, **on("node-1")},
        spec=RECREATE if kind == DEPLOYMENT else {},
    )
    for kind in (DEPLOYMENT, STATEFUL_SET, DAEMON_SET)
] + [
    Row(
        "never-killed",
        "not_terminated",
        "error killing pod",
        container=None,
        pods=None,
        outcome="unfinished",
        failure="never-ends",
        pod={"terminationGracePeriodSeconds": 1},
        spec=RECREATE,
        events=[("FailedKillPod", "error killing pod: failed to stop container", None)],
    ),
    Row(
        "long-grace",
        "terminates",
        "of 120 s",
        DAEMON_SET,
        container=None,
        pods=None,
        ends=SLOW,
        outcome="unfinished",
        failure="never-ends",
        pod={"terminationGracePeriodSeconds": 120, **on("node-2")},
    ),
    Row(
        "stuck",
        "stuck_pod",
        "is of an older revision and never becomes ready",
        STATEFUL_SET,
        container=None,
        pods=None,
        outcome="unfinished",
        spec={"replicas": 2},
    ),
]


def refused(name: str, code: str, words: str, kind: str = DEPLOYMENT, **more: object) -> Row:
    fixed = {"container": None, "pods": None, "outcome": "unfinished", "about": WORDS[kind]}
    return Row(name, code, words, kind, **{**fixed, **more})


def by(name: str) -> dict:
    return {"labels": {"refuse": name}}


BIG = {"main": {"resources": {"requests": {"cpu": "2"}, "limits": {"cpu": "2"}}}, "namespace": "limited"}
# What the API server refuses.
REFUSALS = [
    *(
        refused(f"security-{kind.lower()}", "pod_security", "violates PodSecurity", kind, namespace="secure")
        for kind in (DEPLOYMENT, STATEFUL_SET, DAEMON_SET)
    ),
    *(
        refused(
            f"quota-{kind.lower()}",
            "quota",
            "exceeded quota: tight",
            kind,
            pod={"priorityClassName": "table-limited", **on("node-1")},
        )
        for kind in (DEPLOYMENT, STATEFUL_SET, DAEMON_SET)
    ),
    refused("quota-replicasets", "quota", "may not have a new ReplicaSet", namespace="frozen"),
    refused("limit", "limit_range", "maximum cpu usage per Container is 1", **BIG),
    refused("limit-stateful", "limit_range", "maximum cpu usage per Container is 1", STATEFUL_SET, **BIG),
    refused("policy", "policy_refused", 'because the admission policy "no-latest" refuses them', **by("policy")),
    refused(
        "policy-daemons",
        "policy_refused",
        "use a fixed tag",
        DAEMON_SET,
        **by("policy"),
        pod=on("node-2"),
    ),
    refused(
        "policy-replicaset",
        "policy_refused",
        'gets no new ReplicaSet, because the admission policy "no-sets" refuses it',
        **by("sets"),
    ),
    refused(
        "webhook-away",
        "webhook_unreachable",
        'because the webhook "away.example.com" cannot be reached',
        **by("away"),
    ),
    refused(
        "webhook-away-stateful",
        "webhook_unreachable",
        'because the webhook "away.example.com" cannot be reached',
        STATEFUL_SET,
        **by("away"),
    ),
    refused(
        "webhook-refuses",
        "webhook_refused",
        'because the webhook "team.example.com" refuses them',
        **by("team"),
    ),
    refused(
        "webhook-refuses-daemons",
        "webhook_refused",
        "no team label",
        DAEMON_SET,
        **by("team"),
        pod=on("node-3"),
    ),
    refused(
        "account",
        "not_created",
        'serviceaccount "leaving" not found',
        STATEFUL_SET,
        pod={"serviceAccountName": "leaving"},
    ),
    refused(
        "paused",
        "paused",
        "is paused half-way through its rollout",
        spec={"replicas": 2, **surge(1)},
        also=["readiness_probe"],
        shows={"main": running(ready=False)},
        main={"readinessProbe": PROBE},
    ),
]

# Nobody acts on the change, because the controllers do not run. These are restarted by themselves.
UNSEEN = [
    refused(
        f"unseen-{kind.lower()}", "not_observed", "its controller has not acted on the change", kind, pod=on("node-1")
    )
    for kind in (DEPLOYMENT, STATEFUL_SET, DAEMON_SET)
]

# What containers on a real node do. The workloads are broken from the beginning.
PROBED = {"readinessProbe": {"httpGet": {"path": "/ready", "port": 8080}, "periodSeconds": 1}}
FAILS = {"httpGet": {"path": "/ready", "port": 8080}, "periodSeconds": 1, "failureThreshold": 2}
NEVER_READY = {"args": ["serve", "-ready-after", "1h"]}
CRASHES_SOON = {"args": ["serve", "-crash-after", "500ms", "-ready-after", "1h"]}
GIVES_UP = [
    "each request takes 5ms",
    "connecting to the orders database",
    "listening on :8080",
    "the orders database does not answer",
    "giving up",
]
LISTENS = ["reading the catalogue", "each request takes 5ms", "listening on :8080"]
LOOPS = frozenset({"CrashLoopBackOff", "Error", "Completed"})
SAYS_503 = "probe failed: HTTP probe failed with statuscode: 503"


def env(**source: object) -> dict:
    return {"env": [{"name": "PRICES", "valueFrom": source}]}


def real(name: str, code: str, words: str, reason: str | frozenset[str], **more: object) -> Row:
    reasons = reason if isinstance(reason, frozenset) else frozenset({reason})
    return Row(f"real-{name}", code, words, reasons=reasons, node=True, **{"container": "shop", **more})


def helper(name: str, **more: object) -> dict:
    return {"initContainers": [{"name": name, "image": "localhost/shop:1", "imagePullPolicy": "Never", **more}]}


REAL = [
    real(
        "image",
        "image_unreachable",
        "localhost:1/none:1",
        frozenset({"ErrImagePull", "ImagePullBackOff"}),
        main={"image": "localhost:1/none:1", "imagePullPolicy": "Always"},
    ),
    real(
        "image-never",
        "image_pull",
        "is not present with pull policy of Never",
        "ErrImageNeverPull",
        main={"image": "localhost/none:1"},
        ends=PERMANENT,
    ),
    real(
        "image-name",
        "image_pull",
        "Shop:1",
        "InvalidImageName",
        kind=DAEMON_SET,
        main={"image": "Shop:1"},
        ends=PERMANENT,
    ),
    real("crash", "crash_loop", "exit code 1", LOOPS, main={**CRASHES_SOON, **PROBED}, exit_code=1, log=GIVES_UP),
    real(
        "crash-daemons",
        "crash_loop",
        "exit code 1",
        LOOPS,
        kind=DAEMON_SET,
        main={**CRASHES_SOON, **PROBED},
        exit_code=1,
        log=GIVES_UP,
    ),
    real(
        "crash-of-init",
        "crash_loop",
        'init container "migrate"',
        LOOPS,
        container="migrate",
        pod=helper("migrate", **CRASHES_SOON),
        exit_code=1,
        log=GIVES_UP,
    ),
    real(
        "crash-of-sidecar",
        "crash_loop",
        'sidecar container "proxy"',
        LOOPS,
        container="proxy",
        pod=helper("proxy", restartPolicy="Always", startupProbe={**FAILS, "failureThreshold": 600}, **CRASHES_SOON),
        exit_code=1,
        log=GIVES_UP,
    ),
    real(
        "memory",
        "oom",
        "exit code 137",
        frozenset({"OOMKilled", "CrashLoopBackOff"}),
        main={"args": ["serve", "-allocate", "200"], "resources": {"limits": {"memory": "32Mi"}}, **PROBED},
        exit_code=137,
        log=["each request takes 5ms", "using 200 MiB"],
    ),
    real(
        "config-map",
        "config_missing",
        'configmap "settings" not found',
        "CreateContainerConfigError",
        main=env(configMapKeyRef={"name": "settings", "key": "prices"}),
    ),
    real(
        "secret",
        "config_missing",
        'secret "no-such" not found',
        "CreateContainerConfigError",
        kind=DAEMON_SET,
        main=env(secretKeyRef={"name": "no-such", "key": "prices"}),
    ),
    real(
        "key",
        "config_missing",
        "couldn't find key prices in ConfigMap",
        "CreateContainerConfigError",
        main=env(configMapKeyRef={"name": "kube-root-ca.crt", "key": "prices"}),
    ),
    real(
        "command",
        "bad_command",
        "/shoop",
        frozenset({"RunContainerError", "StartError"}),
        main={"command": ["/shoop"]},
        exit_code=128,
        ends=PERMANENT,
    ),
    real(
        "readiness",
        "readiness_probe",
        f"Readiness {SAYS_503}",
        "Unhealthy",
        main={**NEVER_READY, **PROBED},
        ends=SLOW,
        outcome="unfinished",
        log=LISTENS,
    ),
    real(
        "place",
        "unschedulable",
        "Insufficient cpu",
        "Unschedulable",
        container=None,
        pods=NOWHERE,
        main={"args": ["serve"], "resources": {"requests": {"cpu": "50"}}},
        outcome="unfinished",
    ),
    real(
        "startup-of-sidecar",
        "startup_probe",
        "startup probe has not passed",
        "Unhealthy",
        container="proxy",
        pod=helper("proxy", restartPolicy="Always", startupProbe={**FAILS, "failureThreshold": 600}, **NEVER_READY),
        ends=SLOW,
        outcome="unfinished",
        log=LISTENS,
    ),
    real(
        "startup-that-kills",
        "startup_probe",
        f"Startup {SAYS_503}",
        LOOPS,
        main={**NEVER_READY, "startupProbe": FAILS},
        exit_code=0,
        log=["listening on :8080", "ends at once"],
    ),
    real(
        "liveness",
        "liveness_probe",
        f"Liveness {SAYS_503}",
        LOOPS,
        main={**NEVER_READY, **PROBED, "livenessProbe": FAILS},
        exit_code=0,
        log=["each request takes 5ms", "listening on :8080", "ends at once"],
    ),
    real(
        "init-waits",
        "init_waits",
        'init container "migrate"',
        frozenset({None}),
        container="migrate",
        pod=helper("migrate", args=["serve"]),
        ends=SLOW,
        outcome="unfinished",
        log=LISTENS,
    ),
    real(
        "volume-of-secret",
        "config_missing",
        'secret "no-such" not found',
        "FailedMount",
        container=None,
        pod=volume("tls", secret={"secretName": "no-such"}),
    ),
    real(
        "volume-of-config-map",
        "config_missing",
        'configmap "no-such" not found',
        "FailedMount",
        kind=DAEMON_SET,
        container=None,
        pod=volume("settings", configMap={"name": "no-such"}),
    ),
    real(
        "volume-of-host",
        "volume_mount",
        "hostPath type check failed",
        "FailedMount",
        container=None,
        pod=volume("data", hostPath={"path": "/no-such", "type": "Directory"}),
        outcome="unfinished",
    ),
    real(
        "names",  # the application ends with the value that it does not understand as the reason
        "crash_loop",
        "exit code 2",
        LOOPS,
        main={"args": ["serve", "-work", "lookup orders-db on 10.96.0.10:53: no such host"], **PROBED},
        exit_code=2,
        also=["dns"],
    ),
]

TABLE = [*IMAGES, *STARTS, *CRASHES, *PROBES, *VOLUMES, *PLACES, *NODES, *ENDS, *REFUSALS, *UNSEEN, *REAL]
