#!/usr/bin/python
# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: k8s_rollout_access
version_added: 0.1.0
short_description: Check the access to a cluster, and say what is missing for restarts
author: restartx contributors (@restartx)
description:
  - Checks whether the cluster can be reached and accepts the credentials, who they belong to, when they and the certificate of the
    server expire, and how far the clock of the server differs. Then it checks the uid of the cluster, each permission that a restart
    needs, and the namespace of the journals. It changes nothing.
  - It fails if something is missing. It returns everything that is missing at once, each with the commands for an administrator. The
    files in these commands are those in the folder C(rbac) of the collection.
  - It warns of a certificate that expires within a week and of a token that expires within six hours, unless a credential program
    renews it, of a clock that differs by more than 30 seconds, and if the certificate of the server is not checked.
  - Without O(plan) and O(namespace) it checks no permissions for workloads.
extends_documentation_fragment:
  - restartx.core.connection
  - restartx.core.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: N/A
  idempotent:
    support: full
options:
  plan:
    description:
      - A plan, as in the variable C(restart_plan). Its kinds and namespaces are checked. For entries with C(all_namespaces), only the
        permissions to list and watch in all namespaces are checked, because it is not known yet where their workloads are.
    type: dict
  namespace:
    description: The namespaces in which workloads are to be restarted. Needs no permission to find any there.
    type: list
    elements: str
  kind:
    description: The kinds of workloads that are to be restarted in O(namespace).
    type: list
    elements: str
    default: [Deployment, StatefulSet, DaemonSet]
  journal_namespace:
    description: Namespace of the journals.
    type: str
    default: restartx-system
seealso:
  - module: restartx.core.k8s_rollout_plan
"""

EXAMPLES = r"""
- name: Check that restarts are possible in two namespaces
  restartx.core.k8s_rollout_access:
    namespace: [shop, billing]

- name: Check that a plan can be carried out
  restartx.core.k8s_rollout_access:
    plan:
      version: 1
      name: rotate-internal-ca
      defaults: {namespace: shop}
      workloads:
        - {id: core, name: [catalog, cart]}
"""

RETURN = r"""
access:
  description: What is known of the access. It holds no secrets.
  returned: unless the options or the kubeconfig are wrong
  type: dict
  contains:
    reachable:
      description: Whether the server answered and accepted the credentials.
      type: bool
      returned: always
    version:
      description: Version of the server.
      type: str
      returned: always, null if it was not reached
      sample: v1.37.0
    server_certificate_expires:
      description: When the certificate of the server expires, in UTC.
      type: str
      returned: always, null if it was not reached, or without TLS
    clock_ahead:
      description: How many seconds the clock of the server is ahead of this machine's. Negative if it is behind. Precise to a second.
      type: float
      returned: always, null if it was not reached
    proxy:
      description: The URL of the proxy, without its user.
      type: str
      returned: always, null if there is none
    validate_certs:
      description: Whether the certificate of the server is checked.
      type: bool
      returned: always
    credentials:
      description: Where the credentials come from.
      type: str
      returned: always
    credentials_renewed:
      description: Whether another program renews the credentials. False for a token in a file that the kubeconfig names, because nothing
        shows whether that file is renewed.
      type: bool
      returned: always
    token_expires:
      description: When the token expires, as it says itself, in UTC.
      type: str
      returned: always, null if there is no token or it does not say
    client_certificate_expires:
      description: When the client certificate expires, in UTC.
      type: str
      returned: always, null if there is none
    user:
      description: The user that the credentials belong to, as the server says.
      type: str
      returned: always, null if the server does not say
    groups:
      description: The groups of that user.
      type: list
      elements: str
      returned: always
    uid_pinned:
      description: Whether O(cluster_uid) pins the uid of the cluster.
      type: bool
      returned: always
    permissions:
      description: How many permissions for workloads were checked.
      type: int
      returned: always
    journal_namespace:
      description: The namespace of the journals.
      type: str
      returned: always
missing:
  description: What is missing, each with a sentence C(what) and the C(commands) for an administrator, in their order.
  returned: unless the options or the kubeconfig are wrong
  type: list
  elements: dict
  sample:
    - what: "permission is missing in namespace shop: to list and watch pods"
      commands:
        - kubectl --context eu-west apply -f rbac/cluster.yml
        - kubectl --context eu-west apply --namespace shop -f rbac/namespace.yml
results:
  description: Always empty, because no workload is touched.
  returned: always
  type: list
  elements: dict
summary:
  description: Always empty.
  returned: always
  type: dict
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
from ansible_collections.restartx.core.plugins.module_utils.options import CONNECTION
from ansible_collections.restartx.core.plugins.module_utils.verbs.access import access


def main() -> None:
    entry.run_module(
        access,
        {
            **CONNECTION,
            "plan": {"type": "dict"},
            "namespace": {"type": "list", "elements": "str"},
            "kind": {"type": "list", "elements": "str", "default": ["Deployment", "StatefulSet", "DaemonSet"]},
            "journal_namespace": {"type": "str", "default": "restartx-system"},
        },
        mutually_exclusive=[("plan", "namespace")],
    )


if __name__ == "__main__":
    main()
