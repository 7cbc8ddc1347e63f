"""How pods and nodes behave on KWOK: the life of a healthy pod, and of each failure.

The failures differ in data; what they share (conditions, container states, the crash
cycle) is written once. Messages and reasons are those of a real kubelet. A pod's first
container fails, or the one its annotation lab.restartx.io/container names; the others
are healthy. The annotation lab.restartx.io/delay (such as 20s) sets how long a slow
start takes, and when a later failure comes.
"""

import yaml

_FAILURE = '.metadata.labels["lab.restartx.io/failure"]'
_DELAY = '.metadata.annotations["lab.restartx.io/delay"]'
_WAITING = ".status.containerStatuses.[].state.waiting.reason"
_TERMINATED = ".status.containerStatuses.[].state.terminated.reason"
_READY = '.status.conditions.[] | select( .type == "Ready" ) | .status'

_STARTS_WELL = ("NotIn", ["image-pull", "crash-loop", "slow-start", "never-ready", "oom"])
_CRASHES = ("In", ["crash-loop", "oom", "fail-later"])

# Variables every template may use: the container that fails, its last status, and how
# it ends when it crashes.
_PROLOGUE = """\
{{ $now := Now }}
{{ $pod := . }}
{{ $annotations := or .metadata.annotations dict }}
{{ $labels := or .metadata.labels dict }}
{{ $first := index .spec.containers 0 }}
{{ $target := or (index $annotations "lab.restartx.io/container") $first.name }}
{{ $last := dict }}
{{ range .status.containerStatuses }}{{ if eq .name $target }}{{ $last = . }}{{ end }}{{ end }}
{{ $restarts := int (or $last.restartCount 0) }}
{{ $oom := eq (or (index $labels "lab.restartx.io/failure") "") "oom" }}
{{ $exit := dict "reason" "Error" "exitCode" 1 }}
{{ if $oom }}{{ $exit = dict "reason" "OOMKilled" "exitCode" 137 }}{{ end }}
"""

_READY_CONDITIONS = """\
conditions:
{{ range list "PodReadyToStartContainers" "Initialized" "Ready" "ContainersReady" }}
- {type: {{ . }}, status: "True", reason: null, message: null, lastTransitionTime: {{ $now | Quote }}}
{{ end }}
"""

_UNREADY_CONDITIONS = """\
conditions:
{{ range list "PodReadyToStartContainers" "Initialized" }}
- {type: {{ . }}, status: "True", lastTransitionTime: {{ $now | Quote }}}
{{ end }}
{{ range list "Ready" "ContainersReady" }}
- type: {{ . }}
  status: "False"
  reason: ContainersNotReady
  message: "containers with unready status: [{{ $target }}]"
  lastTransitionTime: {{ $now | Quote }}
{{ end }}
"""

# `%s` stands for what is particular to the container that fails.
_CONTAINERS = """\
containerStatuses:
{{ range .spec.containers }}
- name: {{ .name | Quote }}
  image: {{ .image | Quote }}
  imageID: ""
{{ if eq .name $target }}
%s
{{ else }}
  containerID: {{ printf "containerd://%%s" (printf "%%s/%%s" $pod.metadata.uid .name | sha256sum) | Quote }}
  ready: true
  started: true
  restartCount: 0
  state: {running: {startedAt: {{ or $pod.status.startTime $now | Quote }}}}
{{ end }}
{{ end }}
{{ with .spec.initContainers }}
initContainerStatuses:
{{ range . }}
- name: {{ .name | Quote }}
  image: {{ .image | Quote }}
  imageID: ""
  ready: true
  restartCount: 0
{{ if eq (or .restartPolicy "") "Always" }}
  started: true
  state: {running: {startedAt: {{ or $pod.status.startTime $now | Quote }}}}
{{ else }}
  started: false
  state: {terminated: {reason: Completed, exitCode: 0, startedAt: {{ $now | Quote }}, finishedAt: {{ $now | Quote }}}}
{{ end }}
{{ end }}
{{ end }}
"""

_PLACE = """\
phase: %s
startTime: {{ or .status.startTime $now | Quote }}
hostIP: {{ NodeIPWith .spec.nodeName | Quote }}
podIP: {{ PodIPWith .spec.nodeName (or .spec.hostNetwork false) .metadata.uid .metadata.name .metadata.namespace | Quote }}
"""

_RUNNING = """\
  containerID: {{ printf "containerd://%%s" (printf "%%s/%%s" $pod.metadata.uid .name | sha256sum) | Quote }}
  ready: %s
  started: true
  restartCount: {{ $restarts }}
  state: {running: {startedAt: {{ or $pod.status.startTime $now | Quote }}}}
"""

_EXIT = """{terminated: {reason: {{ $exit.reason }}, exitCode: {{ $exit.exitCode }}, \
startedAt: {{ or $pod.status.startTime $now | Quote }}, finishedAt: {{ $now | Quote }}}}"""

_EXITED = f"""\
  ready: false
  started: false
  restartCount: {{{{ $restarts }}}}
  state: {_EXIT}
  lastState: {{{{ toJson (or $last.lastState dict) }}}}
"""

# A kubelet restarts at once, then after 10 s, twice that, and so on up to 5 minutes.
_BACK_OFF = """\
{{ $pause := index (list "10s" "20s" "40s" "1m20s" "2m40s" "5m0s") (min $restarts 5) }}
  ready: false
  started: false
  restartCount: {{ add $restarts 1 }}
  state:
    waiting:
      reason: CrashLoopBackOff
      message: "back-off {{ $pause }} restarting failed container={{ .name }} \
pod={{ $pod.metadata.name }}_{{ $pod.metadata.namespace }}({{ $pod.metadata.uid }})"
  lastState: {{ toJson $last.state }}
"""

_WAITS = """\
  ready: false
  started: false
  restartCount: 0
  state:
    waiting:
      reason: %s
      message: %s
"""
_PULL_ERROR = (
    'failed to pull and unpack image \\"{{ .image }}\\": '
    'failed to resolve reference \\"{{ .image }}\\": not found'
)
_ERR_IMAGE_PULL = _WAITS % ("ErrImagePull", f'"{_PULL_ERROR}"')
_IMAGE_BACK_OFF = _WAITS % (
    "ImagePullBackOff",
    f'"Back-off pulling image \\"{{{{ .image }}}}\\": ErrImagePull: {_PULL_ERROR}"',
)


def _status(conditions, container, phase):
    return _PROLOGUE + conditions + _CONTAINERS % container + _PLACE % phase


def _stage(name, when, delay=0, then=None, delay_from=None, event=None, kind="Pod", delete=False):
    """One Stage document: `when` maps jq paths to (operator, values); times in milliseconds."""
    step = {"delete": True} if delete else {}
    if then:
        step["statusTemplate"] = then
    if event:
        step["event"] = dict(zip(("type", "reason", "message"), event))
    pause = {"durationMilliseconds": delay}
    if delay_from:
        pause["durationFrom"] = {"expressionFrom": delay_from}
    return {
        "apiVersion": "kwok.x-k8s.io/v1alpha1",
        "kind": "Stage",
        "metadata": {"name": name},
        "spec": {
            "resourceRef": {"apiGroup": "v1", "kind": kind},
            "selector": {
                "matchExpressions": [
                    {"key": path, "operator": operator} | ({"values": values} if values else {})
                    for path, (operator, values) in when.items()
                ]
            },
            "delay": pause,
            "next": step,
        },
    }


_ALIVE = {".metadata.deletionTimestamp": ("DoesNotExist", None)}
_NEW = _ALIVE | {".status.phase": ("In", ["Pending"])}
_JOB = {".metadata.ownerReferences.[].kind": ("In", ["Job"])}

_RUNS = _status(_READY_CONDITIONS, _RUNNING % "true", "Running")
_RUNS_UNREADY = _status(_UNREADY_CONDITIONS, _RUNNING % "false", "Running")
_HAS_EXITED = _status(_UNREADY_CONDITIONS, _EXITED, "Running")
_BACKS_OFF = _status(_UNREADY_CONDITIONS, _BACK_OFF, "Running")

_COMPLETED = """\
{{ $now := Now }}
{{ $pod := . }}
phase: Succeeded
conditions:
{{ range list "Ready" "ContainersReady" }}
- {type: {{ . }}, status: "False", reason: PodCompleted, lastTransitionTime: {{ $now | Quote }}}
{{ end }}
containerStatuses:
{{ range .spec.containers }}
- name: {{ .name | Quote }}
  image: {{ .image | Quote }}
  imageID: ""
  ready: false
  started: false
  restartCount: 0
  state: {terminated: {reason: Completed, exitCode: 0, startedAt: {{ $pod.status.startTime | Quote }}, \
finishedAt: {{ $now | Quote }}}}
{{ end }}
"""

_NODE = """\
{{ $now := Now }}
phase: Running
conditions:
{{ range NodeConditions }}
- type: {{ .type }}
  status: {{ .status | Quote }}
  reason: {{ .reason }}
  message: {{ .message | Quote }}
  lastHeartbeatTime: {{ $now | Quote }}
  lastTransitionTime: {{ $now | Quote }}
{{ end }}
addresses:
- {type: InternalIP, address: {{ NodeIP | Quote }}}
- {type: Hostname, address: {{ .metadata.name | Quote }}}
nodeInfo:
  architecture: amd64
  operatingSystem: linux
  osImage: KWOK
  kernelVersion: ""
  kubeletVersion: v1.37.2
  kubeProxyVersion: ""
  containerRuntimeVersion: kwok://{{ Version }}
  machineID: ""
  systemUUID: ""
  bootID: ""
"""


def _failure(*names):
    return {_FAILURE: ("In", list(names))}


_STAGES = [
    _stage("node-ready", {_READY: ("NotIn", ["True"])}, 0, _NODE, kind="Node"),
    # The life of a healthy pod.
    _stage("pod-runs", _NEW | {_FAILURE: _STARTS_WELL}, 700, _RUNS),
    _stage("pod-completes", _ALIVE | _JOB | {_READY: ("In", ["True"])}, 1000, _COMPLETED),
    _stage(
        "pod-is-deleted",
        {
            ".metadata.deletionTimestamp": ("Exists", None),
            ".metadata.finalizers": ("DoesNotExist", None),
        },
        300,
        delete=True,
    ),
    # The image cannot be pulled.
    _stage(
        "image-pull-fails",
        _NEW | _failure("image-pull") | {_WAITING: ("DoesNotExist", None)},
        700,
        _status(_UNREADY_CONDITIONS, _ERR_IMAGE_PULL, "Pending"),
        event=("Warning", "Failed", "Failed to pull image: not found"),
    ),
    _stage(
        "image-pull-backs-off",
        _ALIVE | _failure("image-pull") | {_WAITING: ("In", ["ErrImagePull"])},
        700,
        _status(_UNREADY_CONDITIONS, _IMAGE_BACK_OFF, "Pending"),
        event=("Normal", "BackOff", "Back-off pulling image"),
    ),
    # The container runs, but is not ready for a while, or ever.
    _stage(
        "starts-unready",
        _NEW | _failure("slow-start", "never-ready"),
        700,
        _RUNS_UNREADY,
        event=(
            "Warning",
            "Unhealthy",
            "Readiness probe failed: HTTP probe failed with statuscode: 503",
        ),
    ),
    _stage(
        "is-ready-at-last",
        _ALIVE | _failure("slow-start") | {_READY: ("In", ["False"])},
        8000,
        _RUNS,
        delay_from=_DELAY,
    ),
    # The container exits, is restarted, and exits again.
    _stage("crashes-at-once", _NEW | _failure("crash-loop", "oom"), 700, _HAS_EXITED),
    _stage(
        "crashes-later",
        _ALIVE | _failure("fail-later") | {_READY: ("In", ["True"])},
        6000,
        _HAS_EXITED,
        delay_from=_DELAY,
    ),
    _stage(
        "crash-backs-off",
        _ALIVE | {_FAILURE: _CRASHES, _TERMINATED: ("Exists", None)},
        700,
        _BACKS_OFF,
        event=("Warning", "BackOff", "Back-off restarting failed container"),
    ),
    _stage(
        "crashes-again",
        _ALIVE | {_FAILURE: _CRASHES, _WAITING: ("In", ["CrashLoopBackOff"])},
        10000,
        _HAS_EXITED,
    ),
]


def write_stages(path):
    """Write all Stages to the file `path`, for KWOK's --config."""
    path.write_text(yaml.safe_dump_all(_STAGES, sort_keys=False))
