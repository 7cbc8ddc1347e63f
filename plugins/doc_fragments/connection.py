# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The options that say which cluster a module talks to."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  kubeconfig:
    description:
      - Path of a kubeconfig, several joined as in E(KUBECONFIG), or the content of one as a dictionary.
      - Falls back to E(K8S_AUTH_KUBECONFIG), then to E(KUBECONFIG), then to C(~/.kube/config), and in a pod to its service account.
      - With a local connection the path is looked up as C(files/) of a role or playbook are, and decrypted when it is vaulted.
    type: raw
  context:
    description:
      - Context of the kubeconfig; its current one by default.
      - Giving O(context) or O(kubeconfig) as an option makes all other C(K8S_AUTH_*) variables void, so that a host or a token in
        the environment can never lead forty inventory hosts to one cluster.
      - Falls back to E(K8S_AUTH_CONTEXT).
    type: str
  host:
    description: URL of the API server. Falls back to E(K8S_AUTH_HOST).
    type: str
  api_key:
    description: Bearer token. Falls back to E(K8S_AUTH_API_KEY).
    type: str
  username:
    description: User name for basic authentication. Falls back to E(K8S_AUTH_USERNAME).
    type: str
  password:
    description: Password for basic authentication. Falls back to E(K8S_AUTH_PASSWORD).
    type: str
  validate_certs:
    description:
      - Whether the server's certificate is checked. Falls back to E(K8S_AUTH_VALIDATE_CERTS) or E(K8S_AUTH_VERIFY_SSL).
    type: bool
    aliases: [verify_ssl]
  ca_cert:
    description: Path of the certificate authority. Falls back to E(K8S_AUTH_CA_CERT) or E(K8S_AUTH_SSL_CA_CERT).
    type: path
    aliases: [ssl_ca_cert]
  client_cert:
    description: Path of a client certificate. Falls back to E(K8S_AUTH_CLIENT_CERT) or E(K8S_AUTH_CERT_FILE).
    type: path
    aliases: [cert_file]
  client_key:
    description: Path of the client certificate's key. Falls back to E(K8S_AUTH_CLIENT_KEY) or E(K8S_AUTH_KEY_FILE).
    type: path
    aliases: [key_file]
  proxy:
    description: URL of an HTTP proxy. Falls back to E(K8S_AUTH_PROXY).
    type: str
  no_proxy:
    description: Hosts that are reached without the proxy, separated by commas. Falls back to E(K8S_AUTH_NO_PROXY).
    type: str
  proxy_headers:
    description: Headers for the proxy. Fall back to E(K8S_AUTH_PROXY_HEADERS_PROXY_BASIC_AUTH) and so on.
    type: dict
    suboptions:
      proxy_basic_auth:
        description: Colon-separated user and password for the proxy.
        type: str
      basic_auth:
        description: Colon-separated user and password for the server behind the proxy.
        type: str
      user_agent:
        description: User agent that the proxy sees.
        type: str
  persist_config:
    description: Whether refreshed tokens of identity providers are written back to the kubeconfig. Falls back to E(K8S_AUTH_PERSIST_CONFIG).
    type: bool
  impersonate_user:
    description: User to act as. Falls back to E(K8S_AUTH_IMPERSONATE_USER).
    type: str
  impersonate_groups:
    description: Groups to act as. Falls back to E(K8S_AUTH_IMPERSONATE_GROUPS), separated by commas.
    type: list
    elements: str
  cluster_uid:
    description:
      - The uid of the cluster's C(kube-system) namespace. When another cluster answers, the module fails before it touches anything.
    type: str
  controller:
    description:
      - The Ansible process for which the module works, as C(PID:START TIME). When it is gone, nothing more is changed.
      - Set by the collection's action plugin for local connections; there is no need to give it.
    type: str
requirements:
  - python >= 3.11
  - kubernetes >= 31
  - jmespath >= 1.0
"""
