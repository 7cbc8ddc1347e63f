# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The options that say which cluster a module talks to."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  kubeconfig:
    description:
      - Path of a kubeconfig, several paths joined as in E(KUBECONFIG), or the content of a kubeconfig as a dictionary.
      - Falls back to E(K8S_AUTH_KUBECONFIG), then to E(KUBECONFIG), then to C(~/.kube/config), and in a pod to its service account.
      - With a local connection, each path is looked up in C(files/) of the role or playbook, then in the current folder. Files that
        are encrypted with Ansible Vault are decrypted while the module runs. Relative paths in them start at the folder of the
        encrypted file.
    type: raw
  context:
    description:
      - Context of the kubeconfig. By default the current one.
      - When O(context) or O(kubeconfig) is given as an option, the other C(K8S_AUTH_*) variables are ignored. Otherwise a host or a
        token in the environment could direct all inventory hosts to one cluster. The variables of O(proxy), O(no_proxy) and
        O(proxy_headers) still count.
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
    description:
      - URL of the proxy that leads to the API server, with the scheme V(http), V(https), V(socks5), V(socks5h), V(socks4) or
        V(socks4a). It may contain a user and a password. SOCKS needs the Python package PySocks.
      - Falls back to E(K8S_AUTH_PROXY), then to C(proxy-url) in the kubeconfig, then to E(HTTPS_PROXY) (for C(http://) servers to
        E(HTTP_PROXY)) with the exceptions in E(NO_PROXY). These variables are read as kubectl reads them, in upper or lower case.
    type: str
  no_proxy:
    description:
      - Servers that are reached without a proxy, separated by commas. Each is a name, a domain, an address, a network such as
        V(10.0.0.0/8), or V(*), as in E(NO_PROXY).
      - Falls back to E(K8S_AUTH_NO_PROXY). For a proxy that E(HTTPS_PROXY) or E(HTTP_PROXY) names, E(NO_PROXY) comes next.
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
    description: Whether to write refreshed tokens of identity providers back to the kubeconfig. Falls back to
      E(K8S_AUTH_PERSIST_CONFIG).
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
      - The uid of the cluster's C(kube-system) namespace. If another cluster answers, the module fails before it touches anything.
    type: str
  controller:
    description:
      - The Ansible process that the module works for, as C(PID:START TIME). When that process is gone, the module changes nothing
        more.
      - The collection's action plugin sets it for local connections. You do not need to set it.
    type: str
  progress:
    description:
      - Where the module writes its progress, as C(FIFO:HOST).
      - The collection's action plugin sets it for local connections if the callback plugin P(restartx.core.progress#callback) is
        enabled. You do not need to set it.
    type: str
notes:
  - An option without a value (empty text, an empty list or mapping, null) is refused before any request is sent. So an empty variable
    never selects everything, and never drops what the option should pin. Leave the option out instead, in a template with
    C(default(omit)). Empty environment variables count as not set.
requirements:
  - python >= 3.11
  - kubernetes >= 31
  - jmespath >= 1.0
"""
