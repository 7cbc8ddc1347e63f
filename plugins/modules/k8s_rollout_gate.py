#!/usr/bin/python
# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: k8s_rollout_gate
version_added: 0.2.0
short_description: Wait until a condition outside of the workloads allows a restart
author: restartx contributors (@restartx)
description:
  - Asks one question until the answer allows to go on. The question is an expression of Prometheus, a GET request, a JMESPath expression
    on an object of the cluster, a Job that must complete, or a TCP port.
  - A gate that cannot be asked is closed, and so is one that gets no answer, or an answer that it does not understand.
  - The module changes nothing. It fails if the gate does not open in time, or can never open.
extends_documentation_fragment:
  - restartx.core.connection
  - restartx.core.attributes
attributes:
  check_mode:
    support: full
    details: The gate is asked once in check mode, and the module does not wait until it is open.
  diff_mode:
    support: N/A
  idempotent:
    support: full
options:
  prometheus:
    description:
      - An expression of Prometheus that gives a number, or one for each series. Needs O(url), and O(max), O(min) or O(equals).
      - Each series must be within the bounds. No series, C(NaN) and infinity count as closed.
    type: str
  url:
    description: The address of Prometheus, such as C(http://prometheus.example.com:9090).
    type: str
  max:
    description: No series may be above this number.
    type: float
  min:
    description: No series may be below this number.
    type: float
  equals:
    description: Each series must have exactly this value.
    type: float
  http:
    description: A URL that must answer to a GET request with one of O(status). Redirects are not followed. The body is never shown.
    type: str
  status:
    description: The statuses of HTTP that are allowed. By default only 200.
    type: list
    elements: int
  matches:
    description: A regular expression that must be found in the body.
    type: str
  that:
    description: A JMESPath expression that must be true of the O(object), or of the JSON in the body of O(http).
    type: str
  max_latency:
    description: How long the answer to O(http) may take.
    type: str
  certificate:
    description: How long the certificate of the server of O(http) must still be valid, such as C(14d).
    type: str
  object:
    description:
      - An object of the cluster of which O(that) must be true. An object that does not exist counts as closed.
      - Needs the permission to get it.
    type: dict
    suboptions:
      api_version:
        description: Its API, such as C(v1) or C(postgresql.cnpg.io/v1). By default C(apps/v1) for Deployments, StatefulSets and DaemonSets.
        type: str
      kind:
        description: Its kind, such as C(StatefulSet).
        type: str
        required: true
      name:
        description: Its name.
        type: str
        required: true
      namespace:
        description: Its namespace. By default O(namespace).
        type: str
  job:
    description:
      - A Job that must be complete, as C(NAMESPACE/NAME), or as its name in O(namespace). A Job that failed ends the module at once,
        with the last lines of its log.
      - Needs the permission to get Jobs and, for the log, to list pods and get their logs.
    type: str
  tcp:
    description: A port that must accept connections, as C(HOST:PORT). The connection is closed at once.
    type: str
  namespace:
    description: The namespace of O(object) and O(job) if they name none.
    type: str
  auth:
    description: How O(url) or O(http) is reached.
    type: dict
    suboptions:
      token:
        description: A bearer token.
        type: str
      username:
        description: The user of basic authentication.
        type: str
      password:
        description: The password of basic authentication.
        type: str
      ca_cert:
        description: The path of a file with the certificates of the CAs to trust, in PEM. By default those of the system.
        type: path
      validate_certs:
        description: Whether the certificate of the server is checked.
        type: bool
        default: true
  for:
    description: How long the gate must have been open without a break.
    type: str
  timeout:
    description: How long the gate is asked at most. By default C(10m).
    type: str
  interval:
    description: The time between two questions. By default C(10s).
    type: str
  on_timeout:
    description: What happens if the gate does not open in time. With V(continue), the module warns and succeeds.
    type: str
    choices: [fail, continue]
seealso:
  - module: restartx.core.k8s_rollout_restart
  - module: restartx.core.maintenance_window
"""

EXAMPLES = r"""
- name: Go on when the shop has had few errors for a minute
  restartx.core.k8s_rollout_gate:
    prometheus: sum(rate(http_requests_total{namespace="shop", code=~"5.."}[1m]))
    max: 0.5
    for: 1m
    url: http://prometheus.example.com:9090
    auth:
      token: "{{ prometheus_token }}"

- name: Go on when the shop is healthy, and its certificate is valid for two more weeks
  restartx.core.k8s_rollout_gate:
    http: https://shop.example.com/health
    that: status == 'ok'
    certificate: 14d

- name: Go on when at least two pods of the cache are ready
  restartx.core.k8s_rollout_gate:
    namespace: shop
    object:
      kind: StatefulSet
      name: redis
    that: status.readyReplicas >= `2`

- name: Go on when the migration of the database is complete
  restartx.core.k8s_rollout_gate:
    job: shop/migrate-0042
    timeout: 30m

- name: Go on when the database accepts connections
  restartx.core.k8s_rollout_gate:
    tcp: db.example.com:5432
"""

RETURN = r"""
open:
  description: Whether the gate is open.
  returned: when it was asked
  type: bool
gate:
  description: What was asked.
  returned: when it was asked
  type: str
  sample: job "migrate-0042" in namespace "shop"
message:
  description: The last answer, as a clause.
  returned: when it was asked
  type: str
  sample: job "migrate-0042" in namespace "shop" is complete
log:
  description: The last lines of the log of a Job that failed. Passwords and tokens are masked.
  returned: when it was asked
  type: list
  elements: str
waited:
  description: How many seconds the module waited.
  returned: when it was asked
  type: float
results:
  description: Empty. All modules for rollouts return it.
  returned: always
  type: list
  elements: dict
summary:
  description: Empty. All modules for rollouts return it.
  returned: always
  type: dict
cluster:
  description: The cluster that answered. Its uid is that of the namespace C(kube-system), or null if it was not read.
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
from ansible_collections.restartx.core.plugins.module_utils.verbs.gate import gate


def main() -> None:
    entry.run_module(
        gate,
        {
            **CONNECTION,
            "prometheus": {"type": "str"},
            "url": {"type": "str"},
            "max": {"type": "float"},
            "min": {"type": "float"},
            "equals": {"type": "float"},
            "http": {"type": "str"},
            "status": {"type": "list", "elements": "int"},
            "matches": {"type": "str"},
            "that": {"type": "str"},
            "max_latency": {"type": "str"},
            "certificate": {"type": "str"},
            "object": {
                "type": "dict",
                "options": {
                    "api_version": {"type": "str"},
                    "kind": {"type": "str", "required": True},
                    "name": {"type": "str", "required": True},
                    "namespace": {"type": "str"},
                },
            },
            "job": {"type": "str"},
            "tcp": {"type": "str"},
            "namespace": {"type": "str"},
            "auth": {
                "type": "dict",
                "options": {
                    "token": {"type": "str", "no_log": True},
                    "username": {"type": "str", "no_log": False},
                    "password": {"type": "str", "no_log": True},
                    "ca_cert": {"type": "path"},
                    "validate_certs": {"type": "bool", "default": True},
                },
            },
            "for": {"type": "str"},
            "timeout": {"type": "str"},
            "interval": {"type": "str"},
            "on_timeout": {"type": "str", "choices": ["fail", "continue"]},
        },
    )


if __name__ == "__main__":
    main()
