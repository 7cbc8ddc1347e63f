# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Inventory plugin: each context of a kubeconfig is a host of the group `clusters`."""

from __future__ import annotations

DOCUMENTATION = r"""
name: kubeconfig
short_description: The contexts of a kubeconfig as hosts
version_added: 0.1.0
author:
  - restartx contributors (@restartx)
description:
  - Makes a host of the group C(clusters) of each context of one or more kubeconfigs, in the order of the files.
  - The host is called like its context. Characters that mean something in host patterns or file names, as in the ARN of an EKS cluster,
    become C(-), so C(arn:aws:eks:eu-west-1:111122223333:cluster/prod) is C(arn-aws-eks-eu-west-1-111122223333-cluster-prod).
  - Each host has the variables C(restartx_context) and C(restartx_kubeconfig), and C(restartx_wave) where O(waves) is given. Its modules run on
    the controller, with the Python that runs Ansible.
  - Where E(RESTARTX_CONTEXTS) is set, only the contexts that it names, separated by commas, are used. Each of them must exist.
  - A source is a YAML file whose name ends in C(kubeconfig.yml) or C(kubeconfig.yaml).
notes:
  - Patterns are those of a shell (C(*), C(?), C([abc])), match the whole name of the context, and mind upper and lower case.
  - For groups and variables by expressions, add a source of the P(ansible.builtin.constructed#inventory) plugin.
options:
  plugin:
    description: The name of this plugin.
    type: str
    required: true
    choices: [restartx.core.kubeconfig]
  kubeconfig:
    description:
      - Path of a kubeconfig, several joined as in E(KUBECONFIG), or a list of them; relative to the inventory source. May be a template.
      - The files may be encrypted with Ansible Vault.
      - By default what E(KUBECONFIG) names, or else C(~/.kube/config). As with kubectl, files named by E(KUBECONFIG) may be missing.
      - Where two files have a context of the same name the first one counts, as with kubectl.
    type: raw
  optional:
    description:
      - Whether files that O(kubeconfig) names may be missing, as those of E(KUBECONFIG) may. Without any of them there are no hosts, and the
        group C(clusters) is empty.
    type: bool
    default: false
  include:
    description: Patterns of contexts to use.
    type: list
    elements: str
    default: ["*"]
  exclude:
    description: Patterns of contexts to leave out.
    type: list
    elements: str
    default: []
  groups:
    description: More groups; the name of each with a pattern, or a list of patterns, of the contexts in it.
    type: dict
    default: {}
  waves:
    description:
      - The order in which clusters are restarted. Each entry is a pattern, or a list of patterns, of the contexts in a wave.
      - Waves are numbered from 1. A context is in the first one that matches it; contexts that none matches make up the last wave.
    type: list
    elements: raw
    default: []
  cluster_uid:
    description:
      - Asks each cluster for the uid of its C(kube-system) namespace, which is its identity, and sets C(restartx_cluster_uid_seen).
      - A cluster that cannot be asked is a warning, and its host lacks the variable.
    type: bool
    default: false
"""

EXAMPLES = r"""
# prod.kubeconfig.yml: all contexts of the usual kubeconfig
plugin: restartx.core.kubeconfig
---
# One canary cluster, then Europe, then everything else; groups for group_vars
plugin: restartx.core.kubeconfig
kubeconfig: [~/.kube/prod-eu, ~/.kube/prod-us]
exclude: ["*-dev"]
groups:
  emea: "eu-*"
  americas: ["us-*", "br-*"]
waves:
  - eu-canary
  - "eu-*"
---
# The lab's clusters, unless KUBECONFIG names others
plugin: restartx.core.kubeconfig
kubeconfig: "{{ lookup('ansible.builtin.env', 'KUBECONFIG') or '.lab/kubeconfig' }}"
"""

import os
import re
import sys
from concurrent.futures import ThreadPoolExecutor
from fnmatch import fnmatchcase

from ansible.errors import AnsibleParserError
from ansible.plugins.inventory import BaseInventoryPlugin

CONNECTIONS_AT_ONCE = 16


class InventoryModule(BaseInventoryPlugin):
    """Reads kubeconfigs; talks to clusters only if asked to."""

    NAME = "restartx.core.kubeconfig"

    def verify_file(self, path):
        return super().verify_file(path) and path.endswith(("kubeconfig.yml", "kubeconfig.yaml"))

    def parse(self, inventory, loader, path, cache=True):
        super().parse(inventory, loader, path, cache)
        self._read_config_data(path)
        inventory.add_group("clusters")
        files = self._files(os.path.dirname(os.path.abspath(path)))
        if not files:
            return
        hosts = self._hosts([name for file in files for name in self._context_names(file)], files)
        kubeconfig = os.pathsep.join(files)
        for group in self.get_option("groups"):
            inventory.add_group(group)
        for host, context in hosts.items():
            self._add(host, context, kubeconfig)
        if self.get_option("cluster_uid"):
            self._ask(hosts, kubeconfig)

    def _files(self, folder):
        """The kubeconfigs to read, as absolute paths."""
        wanted = self.templar.template(self.get_option("kubeconfig"))
        named = os.environ.get("KUBECONFIG")
        if wanted:
            texts = [wanted] if isinstance(wanted, str) else wanted
            paths = [path for text in texts for path in text.split(os.pathsep) if path]
            files = [os.path.join(folder, os.path.expanduser(path)) for path in paths]
            return [file for file in files if os.path.exists(file) or not self.get_option("optional")]
        paths = [path for path in (named or "~/.kube/config").split(os.pathsep) if path]
        files = [os.path.abspath(os.path.expanduser(path)) for path in paths]
        found = [file for file in files if os.path.exists(file)]
        if not found:
            raise AnsibleParserError(
                f"There is no kubeconfig: {' and '.join(files)} do not exist; set KUBECONFIG or the option kubeconfig."
            )
        return found

    def _context_names(self, file):
        config = self.loader.load_from_file(file, cache="none", unsafe=True)
        try:
            return [str(context["name"]) for context in config["contexts"] or []]
        except (KeyError, TypeError) as error:
            raise AnsibleParserError(f"{file} is no kubeconfig: it has no list of contexts with names.") from error

    def _hosts(self, names, files):
        """The contexts to use, by host name, in order; `names` are those of all files."""
        contexts = list(dict.fromkeys(names))
        only = [name.strip() for name in os.environ.get("RESTARTX_CONTEXTS", "").split(",") if name.strip()]
        for name in only:
            if name not in contexts:
                raise AnsibleParserError(
                    f"RESTARTX_CONTEXTS names {name!r}, but {' and '.join(files)} has only: {', '.join(contexts)}."
                )
        hosts = {}
        for context in contexts:
            used = matches(context, self.get_option("include")) and not matches(context, self.get_option("exclude"))
            if used and (not only or context in only):
                host = host_name(context)
                if host in hosts:
                    raise AnsibleParserError(
                        f"The contexts {hosts[host]!r} and {context!r} would both be the host {host!r}; "
                        "exclude one, or rename it with: kubectl config rename-context"
                    )
                hosts[host] = context
        if not hosts:
            raise AnsibleParserError(
                f"No context is left of those in {' and '.join(files)}: {', '.join(contexts) or 'none'}."
            )
        return hosts

    def _add(self, host, context, kubeconfig):
        self.inventory.add_host(host, group="clusters")
        for group, patterns in self.get_option("groups").items():
            if matches(context, patterns):
                self.inventory.add_host(host, group=group)
        variables = {
            "ansible_connection": "local",
            "ansible_python_interpreter": sys.executable,
            "restartx_context": context,
            "restartx_kubeconfig": kubeconfig,
        }
        if self.get_option("waves"):
            variables["restartx_wave"] = wave(context, self.get_option("waves"))
        for name, value in variables.items():
            self.inventory.set_variable(host, name, value)

    def _ask(self, hosts, kubeconfig):
        """Set restartx_cluster_uid_seen of every cluster that answers."""
        # Only here, for it needs the kubernetes package and half a second.
        from ansible_collections.restartx.core.plugins.module_utils.cluster import connect
        from ansible_collections.restartx.core.plugins.module_utils.cluster.errors import ClusterError

        if connect.KUBERNETES_IMPORT_ERROR:
            raise AnsibleParserError("cluster_uid needs the Python package kubernetes where Ansible runs.")

        def uid(context):
            try:
                cluster = connect.connect({"context": context, "kubeconfig": kubeconfig}, os.environ)
                try:
                    return cluster.uid(), None
                finally:
                    cluster.close()
            except ClusterError as error:
                return None, str(error)

        with ThreadPoolExecutor(CONNECTIONS_AT_ONCE) as pool:
            answers = list(pool.map(uid, hosts.values()))
        for (host, context), (seen, trouble) in zip(hosts.items(), answers, strict=True):
            if seen:
                self.inventory.set_variable(host, "restartx_cluster_uid_seen", seen)
            else:
                self.display.warning(
                    f"The cluster of context {context!r} did not tell its uid: {trouble or 'not permitted'}"
                )


def matches(context, patterns):
    """Whether one of `patterns` (a list, or a single one) matches the whole name."""
    return any(fnmatchcase(context, pattern) for pattern in ([patterns] if isinstance(patterns, str) else patterns))


def host_name(context):
    """The context's name without what host patterns (`:` `,` `*` `!` `&` ...) and paths would take for their own."""
    return re.sub(r"[^\w.@-]+", "-", context).strip("-@.")


def wave(context, waves):
    """The number, from 1, of the first wave that matches; one after the last for a context that none matches."""
    return next((number for number, patterns in enumerate(waves, 1) if matches(context, patterns)), len(waves) + 1)
