# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The options that select workloads."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  api_version:
    description: API of the workloads. There is one, the option keeps tasks that name it working.
    type: str
    default: apps/v1
    choices: [apps/v1]
    aliases: [api, version]
  kind:
    description: V(Deployment), V(StatefulSet), V(DaemonSet), or several of them; C(kubectl)'s other spellings are understood.
    type: list
    elements: str
    default: [Deployment]
  name:
    description:
      - One or more names. Without names and selectors all workloads of O(kind) in O(namespace) are meant.
      - An empty list is refused, lest a variable that happens to be empty mean all of them.
    type: list
    elements: str
  namespace:
    description: One or more namespaces. Required unless O(all_namespaces=true).
    type: list
    elements: str
    default: []
  all_namespaces:
    description: Looks in all namespaces of the cluster; excludes O(namespace) and needs a name or a selector beside it.
    type: bool
    default: false
  label_selectors:
    description: Label selectors that must all match, such as V(tier=web) or V(tier in (web,api)).
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
  allow_empty:
    description: Whether finding nothing, or not all of the names, is fine. Otherwise it fails and says what was searched.
    type: bool
    default: false
"""
