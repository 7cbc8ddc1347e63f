# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The options that select workloads."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  api_version:
    description: API version of the workloads. There is only one. The option exists so that tasks that set it keep working.
    type: str
    default: apps/v1
    choices: [apps/v1]
    aliases: [api, version]
  kind:
    description: V(Deployment), V(StatefulSet), V(DaemonSet), or several of them. The other spellings of C(kubectl) are accepted.
    type: list
    elements: str
    default: [Deployment]
  name:
    description:
      - One or more names. Without names and selectors, all workloads of O(kind) in O(namespace) are selected.
      - A name that does not exist in any of the namespaces is an error, unless O(allow_empty=true).
    type: list
    elements: str
  name_pattern:
    description: Patterns for names, such as V(app-*). In a pattern, V(*) stands for any text, and nothing else is special. A workload
      must match one of them.
    type: list
    elements: str
  namespace:
    description:
      - One or more namespaces. Required unless O(all_namespaces=true).
      - A namespace in which nothing is found is an error, unless O(allow_empty=true).
    type: list
    elements: str
    default: []
  all_namespaces:
    description: Whether to look in all namespaces of the cluster. Cannot be combined with O(namespace), and needs a name or a
      selector.
    type: bool
    default: false
  label_selectors:
    description:
      - Label selectors that must all match, such as V(tier=web) or V(tier in (web,api)). Several may be written as one text, separated
        by commas.
    type: list
    elements: str
    default: []
  field_selectors:
    description: Field selectors that must all match. The API knows V(metadata.name) and V(metadata.namespace) of workloads.
    type: list
    elements: str
    default: []
  select:
    description: JMESPath expression on the workload that must be true, such as V(spec.replicas > `1`).
    type: str
  uses:
    description:
      - Secrets and ConfigMaps, such as V(secret/internal-ca) or V(configmap/app-*). The pod template of a workload must refer to one of
        them in any way, such as in variables, in volumes of all kinds, or to pull images. Init containers and sidecars count too.
      - V(*) in a name stands for any text. The kinds may be written as for C(kubectl), in any case.
      - What only a service account or a volume claim refers to does not count, because it is not in the template.
    type: list
    elements: str
  service_account:
    description: Names of service accounts. The pods of a workload must run as one of them. A pod template that names none runs as
      V(default).
    type: list
    elements: str
  image:
    description:
      - Images. A container or an init container must have one of them. The image is compared as it is written in the pod template,
        so V(nginx) does not match V(docker.io/library/nginx:1).
      - Without V(*), it is the whole reference, or the reference without its digest, or without tag and digest. V(shop/web) matches
        V(shop/web:1.2).
      - With V(*), which stands for any text, the pattern must match the whole reference, such as V(registry.example.com/*).
    type: list
    elements: str
  only:
    description:
      - Conditions on the pods of a workload. A second call finds only what is left.
      - It needs the permission to list pods.
    type: dict
    suboptions:
      started_before:
        description:
          - At least one pod of the workload must be older than this duration, such as V(30d), or have started before this instant,
            such as V(2026-11-01T00:00Z). An instant needs a time zone, and must not be in the future.
          - Pods that have ended or are being deleted do not count. A pod that has not started counts from its creation.
          - A workload that the same C(run_id) has restarted already remains selected.
        type: str
        required: true
  exclude:
    description:
      - Workloads to leave out. A workload that matches one of the options is left out.
      - A name that does not exist is no error here.
    type: dict
    suboptions:
      name:
        description: Names of workloads.
        type: list
        elements: str
      name_pattern:
        description: Patterns for names.
        type: list
        elements: str
      label_selectors:
        description: Label selectors. A workload that matches all of them is left out.
        type: list
        elements: str
      uses:
        description: Secrets and ConfigMaps that the pod template refers to.
        type: list
        elements: str
      service_account:
        description: Service accounts.
        type: list
        elements: str
      image:
        description: Images.
        type: list
        elements: str
  allow_empty:
    description:
      - Whether to accept that nothing is found, that a name is not found, that nothing is found in one of the namespaces, or that
        O(exclude) or O(only) leaves nothing.
      - Otherwise the module fails before it changes anything. It names everything that is missing, with suggestions.
    type: bool
    default: false
"""
