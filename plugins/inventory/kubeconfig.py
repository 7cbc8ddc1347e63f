# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Inventory plugin: each context of a kubeconfig is a host of the group `clusters`."""

from __future__ import annotations

DOCUMENTATION = r"""
name: kubeconfig
short_description: Use the contexts of a kubeconfig as hosts
version_added: 0.1.0
author:
  - restartx contributors (@restartx)
description:
  - Creates a host in the group C(clusters) for each context of one or more kubeconfigs, in the order of the files.
  - The host has the name of its context. Characters that are special in host patterns or file names, as in the ARN of an EKS cluster,
    become C(-). So C(arn:aws:eks:eu-west-1:111122223333:cluster/prod) becomes C(arn-aws-eks-eu-west-1-111122223333-cluster-prod).
  - Each host has the variables C(restartx_context) and C(restartx_kubeconfig), and C(restartx_wave) if O(waves) is given. Its modules
    run on the controller, with the Python of Ansible.
  - If E(RESTARTX_CONTEXTS) is set, only the contexts in it are used, separated by commas. Each of them must exist. An empty value is an
    error.
  - A source is a YAML file whose name ends in C(kubeconfig.yml) or C(kubeconfig.yaml).
notes:
  - Patterns are shell patterns (C(*), C(?), C([abc])). They match the whole name of the context, and are case-sensitive.
  - A name without such characters must be the name of a context. A pattern of O(exclude) or O(waves) that matches no context is a warning.
  - To set groups and variables with expressions, add a source of the P(ansible.builtin.constructed#inventory) plugin.
options:
  plugin:
    description: The name of this plugin.
    type: str
    required: true
    choices: [restartx.core.kubeconfig]
  kubeconfig:
    description:
      - Path of a kubeconfig, several paths joined as in E(KUBECONFIG), or a list of paths. Relative paths start at the inventory
        source. May be a template.
      - The files may be encrypted with Ansible Vault.
      - By default the files in E(KUBECONFIG), or C(~/.kube/config). As with kubectl, files named by E(KUBECONFIG) may be missing.
        Each of them is a warning.
      - If two files have a context of the same name, the first one counts, as with kubectl.
    type: raw
  optional:
    description:
      - Whether files in O(kubeconfig) may be missing, as those in E(KUBECONFIG) may. If all are missing, there are no hosts, and the
        group C(clusters) is empty.
    type: bool
    default: false
  include:
    description: Names and patterns of contexts to use. A name that is not a context is an error, here and in the options that follow.
    type: list
    elements: str
    default: ["*"]
  exclude:
    description: Names and patterns of contexts to leave out.
    type: list
    elements: str
    default: []
  groups:
    description: More groups. Each name has a pattern, or a list of patterns, for the contexts in the group.
    type: dict
    default: {}
  waves:
    description:
      - The order in which clusters are restarted. Each entry is a pattern, or a list of patterns, of the contexts in a wave.
      - Waves are numbered from 1. A context is in the first wave that matches it. Contexts that no wave matches form the last wave.
    type: list
    elements: raw
    default: []
  cluster_uid:
    description:
      - Whether to ask each cluster for the uid of its C(kube-system) namespace, which is its identity, and to set
        C(restartx_cluster_uid_seen).
      - If a cluster does not answer, a warning says so, and its host lacks the variable.
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
import typing as t
from concurrent.futures import ThreadPoolExecutor
from fnmatch import fnmatchcase

from ansible.errors import AnsibleParserError
from ansible.plugins.inventory import BaseInventoryPlugin

from ansible_collections.restartx.core.plugins.module_utils.schedule.values import closest
from ansible_collections.restartx.core.plugins.plugin_utils import vaulted

CONNECTIONS_AT_ONCE = 16


class InventoryModule(BaseInventoryPlugin):
    """Reads kubeconfigs. Connects to clusters only with the option cluster_uid."""

    NAME = "restartx.core.kubeconfig"

    def verify_file(self, path: str) -> bool:
        return super().verify_file(path) and path.endswith(("kubeconfig.yml", "kubeconfig.yaml"))

    def parse(self, inventory: t.Any, loader: t.Any, path: str, cache: bool = True) -> None:
        super().parse(inventory, loader, path, cache)
        check_options(self._read_config_data(path), self.option_definitions, path)
        inventory.add_group("clusters")
        files = self._files(os.path.dirname(os.path.abspath(path)))
        if not files:
            return
        names = [name for file in files for name in self._context_names(file)]
        for option in ("include", "exclude", "groups", "waves"):
            check_names(option, self.get_option(option), names)
        for option in ("exclude", "waves"):
            for pattern in unmatched(self.get_option(option), names):
                self.display.warning(f"{path}: {option}: {pattern!r} matches no context.")
        hosts = self._hosts(names, files)
        kubeconfig = os.pathsep.join(files)
        for group in self.get_option("groups"):
            inventory.add_group(group)
        for host, context in hosts.items():
            self._add(host, context, kubeconfig)
        if self.get_option("cluster_uid"):
            self._ask(hosts, files)

    def _files(self, folder: str) -> list[str]:
        """The kubeconfigs to read, as absolute paths."""
        wanted = self.templar.template(self.get_option("kubeconfig"))
        if self.get_option("kubeconfig") is not None and blank(wanted):
            raise AnsibleParserError(
                f"kubeconfig: {self.get_option('kubeconfig')!r} names no file; correct it or leave it out."
            )
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
        for file in files:
            if file not in found:
                self.display.warning(f"KUBECONFIG names {file}, which does not exist; its clusters are left out.")
        return found

    def _context_names(self, file: str) -> list[str]:
        config = self.loader.load_from_file(file, cache="none", unsafe=True)
        try:
            return [str(context["name"]) for context in config["contexts"] or []]
        except (KeyError, TypeError) as error:
            raise AnsibleParserError(f"{file} is not a kubeconfig: it has no list of contexts with names.") from error

    def _hosts(self, names: list[str], files: list[str]) -> dict[str, str]:
        """The contexts to use, by host name, in order; `names` are those of all files."""
        contexts = list(dict.fromkeys(names))
        given = os.environ.get("RESTARTX_CONTEXTS")
        only = [] if given is None else [name.strip() for name in given.split(",")]
        for name in only:
            if not name:
                raise AnsibleParserError(
                    f"RESTARTX_CONTEXTS is {given!r}, which has an empty name; name the contexts, or unset it for all of them."
                )
            if name not in contexts:
                raise AnsibleParserError(
                    f"RESTARTX_CONTEXTS names {name!r}, but {' and '.join(files)} has only: {', '.join(contexts)}."
                )
        hosts: dict[str, str] = {}
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

    def _add(self, host: str, context: str, kubeconfig: str) -> None:
        self.inventory.add_host(host, group="clusters")
        for group, patterns in self.get_option("groups").items():
            if matches(context, patterns):
                self.inventory.add_host(host, group=group)
        variables: dict[str, t.Any] = {
            "ansible_connection": "local",
            "ansible_python_interpreter": sys.executable,
            "restartx_context": context,
            "restartx_kubeconfig": kubeconfig,
        }
        if self.get_option("waves"):
            variables["restartx_wave"] = wave(context, self.get_option("waves"))
        for name, value in variables.items():
            self.inventory.set_variable(host, name, value)

    def _ask(self, hosts: dict[str, str], files: list[str]) -> None:
        """Set restartx_cluster_uid_seen of every cluster that answers."""
        # Imported late, because only this option needs it.
        from ansible_collections.restartx.core.plugins.module_utils.cluster import connect
        from ansible_collections.restartx.core.plugins.module_utils.cluster.errors import ClusterError

        if connect.KUBERNETES_IMPORT_ERROR:
            raise AnsibleParserError("cluster_uid needs the Python package kubernetes where Ansible runs.")

        def uid(context: str) -> tuple[str | None, str | None]:
            try:
                cluster = connect.connect({"context": context, "kubeconfig": kubeconfig}, os.environ)
                try:
                    return cluster.uid(), None
                finally:
                    cluster.close()
            except ClusterError as error:
                return None, str(error)

        readable = vaulted.decrypt(self.loader, files)
        kubeconfig = os.pathsep.join(readable.paths)
        try:
            with ThreadPoolExecutor(CONNECTIONS_AT_ONCE) as pool:
                answers = list(pool.map(uid, hosts.values()))
        finally:
            readable.remove()
        for (host, context), (seen, trouble) in zip(hosts.items(), answers, strict=True):
            if seen:
                self.inventory.set_variable(host, "restartx_cluster_uid_seen", seen)
            else:
                self.display.warning(
                    f"The cluster of context {context!r} did not tell its uid: {trouble or 'not permitted'}"
                )


def check_options(given: t.Mapping[str, t.Any], known: t.Collection[str], path: str) -> None:
    """Raises AnsibleParserError for an unknown option, or one without a value, which might select all contexts."""
    for option, value in given.items():
        if option not in known:
            hint = closest(str(option), known) or f"; there are {', '.join(known)}"
            raise AnsibleParserError(f"{path}: {option}: unknown option{hint}")
        if blank(value):
            raise AnsibleParserError(f"{path}: {option} is empty; give it a value, or leave the option out.")


def check_names(option: str, value: t.Any, contexts: t.Collection[str]) -> None:
    """Raises AnsibleParserError for a name in an option that is not a context; patterns may match nothing.

    A misspelled name would include or exclude another cluster than it says, or leave out the first wave.
    """
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        for part in value:
            check_names(option, part, contexts)
    elif isinstance(value, str) and not set("*?[") & set(value) and value not in contexts:
        known = closest(value, contexts) or f"; there are {', '.join(contexts) or 'none'}"
        raise AnsibleParserError(f"{option}: there is no context {value!r}{known}")


def unmatched(patterns: t.Any, contexts: t.Collection[str]) -> list[str]:
    """The patterns that match no context: a mistyped one would leave out the first wave, or exclude nothing."""
    if isinstance(patterns, str):
        return [] if any(matches(context, patterns) for context in contexts) else [patterns]
    return [pattern for part in patterns for pattern in unmatched(part, contexts)]


def blank(value: t.Any) -> bool:
    """Whether a value, or a part of it, is empty."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        return not value or any(blank(item) for item in value)
    return value is None or (isinstance(value, str) and not value.strip())


def matches(context: str, patterns: str | list[str]) -> bool:
    """Whether one of `patterns` (a list, or a single one) matches the whole name."""
    return any(fnmatchcase(context, pattern) for pattern in ([patterns] if isinstance(patterns, str) else patterns))


def host_name(context: str) -> str:
    """The name of the context without characters that are special in host patterns (`:` `,` `*` `!` `&` ...) and
    paths."""
    return re.sub(r"[^\w.@-]+", "-", context).strip("-@.")


def wave(context: str, waves: list[str | list[str]]) -> int:
    """The number, from 1, of the first wave that matches; one after the last for a context that none matches."""
    return next((number for number, patterns in enumerate(waves, 1) if matches(context, patterns)), len(waves) + 1)
