#!/usr/bin/python
# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: k8s_rollout_pre_pull
version_added: 0.2.0
short_description: Pull images on the nodes on which a restart will need them
author: restartx contributors (@restartx)
description:
  - Pulls the images of the workloads of a selection or of a plan on each node that their new pods may use. So the restart does not wait
    for a registry, and an image that cannot be pulled is found before anything is touched.
  - The nodes of a workload are those that fit its node selector, its required node affinity and its tolerations, and that are ready and
    not cordoned. Pods of a DaemonSet run on cordoned nodes, too.
  - The images are those of the containers and init containers of its template. An image that the node reports already is not pulled
    again, unless its C(imagePullPolicy) is C(Always). One whose policy is C(Never) is left out, and so is a workload without pods.
  - A node reports only its largest images, 50 by default. For an image that is not among them, the kubelet finds out whether it is there.
  - For each image, it creates a Job in the namespace of the workload, with its service account and pull secrets and with nothing else of
    it. It deletes each of these Jobs. If it is killed, they end and are deleted by Kubernetes.
  - The containers of these Jobs run C(true) as nobody, within the Pod Security Standard C(restricted). It does not matter whether the image
    has that command.
extends_documentation_fragment:
  - restartx.core.connection
  - restartx.core.selection
  - restartx.core.attributes
attributes:
  check_mode:
    support: full
    details: In check mode it returns which images would be pulled on which nodes.
  diff_mode:
    support: N/A
  idempotent:
    support: partial
    details: An image that is there already is not pulled again. With the pull policy C(Always), the registry is asked again.
options:
  plan:
    description:
      - A whole plan, as for M(restartx.core.k8s_rollout_plan). Do not combine it with options that select workloads.
    type: dict
  max_pods:
    description: How many images are pulled at once. On one node it is never more than one.
    type: int
    default: 5
  pull_timeout:
    description: How long the pull of one image on one node may take.
    type: str
    default: 10m
seealso:
  - module: restartx.core.k8s_rollout_preflight
"""

EXAMPLES = r"""
- name: See which images would be pulled on which nodes for a plan
  restartx.core.k8s_rollout_pre_pull:
    plan:
      version: 1
      name: rotate-internal-ca
      defaults: {namespace: shop}
      workloads:
        - {id: core, name: [catalog, cart]}
  check_mode: true

- name: Pull the images of all Deployments and DaemonSets of a namespace
  restartx.core.k8s_rollout_pre_pull:
    namespace: shop
    kind: [Deployment, DaemonSet]
    max_pods: 10
    pull_timeout: 5m
"""

RETURN = r"""
images:
  description: One entry for each image on each node.
  returned: if the nodes could be read
  type: list
  elements: dict
  contains:
    node:
      description: The name of the node.
      type: str
      returned: always
    image:
      description: The image as the template names it.
      type: str
      returned: always
    namespace:
      description: The namespace with whose credentials it was pulled.
      type: str
      returned: always
    outcome:
      description: C(pulled), C(present) if the node has it, C(failed), or C(planned) in check mode.
      type: str
      returned: always
    seconds:
      description: How long the kubelet pulled. Without its event, the time from the creation of the Job to the end of the pull.
      type: float
      returned: always, null if nothing was pulled
    message:
      description: Why it failed, in the words of the kubelet, the scheduler or the API server. Passwords and tokens are masked.
      type: str
      returned: always, null if it did not fail
  sample:
    - node: worker-3
      image: registry.example.com/shop/api:1.4
      namespace: shop
      outcome: pulled
      seconds: 12.417
      message: null
notes:
  description: Sentences on nodes and workloads that were left out.
  returned: if the nodes could be read
  type: list
  elements: str
  sample: ["nothing is pulled on nodes that are not ready: worker-7"]
summary:
  description: How many images have each outcome.
  returned: always
  type: dict
  sample: {pulled: 12, present: 30}
results:
  description: Empty. All modules for rollouts return it.
  returned: always
  type: list
  elements: dict
cluster:
  description: The cluster that answered. Its uid is that of the namespace C(kube-system), or null without permission to read it.
  returned: always
  type: dict
  sample: {host: "https://10.0.0.1:6443", context: eu-west, uid: 0b5a0c4e-6d8e-4a7e-9a6c-3a0f5f6f4d21}
api_requests:
  description: How many requests were sent to the API server.
  returned: always
  type: int
duration:
  description: How many seconds the module ran.
  returned: always
  type: float
"""

from ansible_collections.restartx.core.plugins.module_utils import entry
from ansible_collections.restartx.core.plugins.module_utils.options import CONNECTION, SELECTION
from ansible_collections.restartx.core.plugins.module_utils.verbs.pre_pull import pre_pull


def main() -> None:
    entry.run_module(
        pre_pull,
        {
            **CONNECTION,
            **SELECTION,
            "plan": {"type": "dict"},
            "max_pods": {"type": "int", "default": 5},
            "pull_timeout": {"type": "str", "default": "10m"},
        },
    )


if __name__ == "__main__":
    main()
