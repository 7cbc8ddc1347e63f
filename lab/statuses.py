# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The statuses KWOK gives to pods and nodes, as templates in its language (Go's).

The failures share their conditions, container states and place; each adds what its own
container looks like. Reasons and messages are those of a real kubelet.
"""

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
startedAt: {{ if $restarts }}{{ $now | Quote }}{{ else }}{{ or $pod.status.startTime $now | Quote }}{{ end }}, \
finishedAt: {{ $now | Quote }}}}"""

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
    'failed to pull and unpack image \\"{{ .image }}\\": failed to resolve reference \\"{{ .image }}\\": not found'
)
_ERR_IMAGE_PULL = _WAITS % ("ErrImagePull", f'"{_PULL_ERROR}"')
_IMAGE_BACK_OFF = _WAITS % (
    "ImagePullBackOff",
    f'"Back-off pulling image \\"{{{{ .image }}}}\\": ErrImagePull: {_PULL_ERROR}"',
)


def _status(conditions: str, container: str, phase: str) -> str:
    return _PROLOGUE + conditions + _CONTAINERS % container + _PLACE % phase


RUNS = _status(_READY_CONDITIONS, _RUNNING % "true", "Running")
RUNS_UNREADY = _status(_UNREADY_CONDITIONS, _RUNNING % "false", "Running")
HAS_EXITED = _status(_UNREADY_CONDITIONS, _EXITED, "Running")
BACKS_OFF = _status(_UNREADY_CONDITIONS, _BACK_OFF, "Running")
PULL_FAILS = _status(_UNREADY_CONDITIONS, _ERR_IMAGE_PULL, "Pending")
PULL_BACKS_OFF = _status(_UNREADY_CONDITIONS, _IMAGE_BACK_OFF, "Pending")

COMPLETED = """\
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

NODE_READY = """\
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
