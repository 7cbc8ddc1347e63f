# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Reads kubeconfig files, merges them as kubectl does, and picks one context.

https://kubernetes.io/docs/concepts/configuration/organize-cluster-access-kubeconfig/: if two files have an entry of
the same name, the first one counts. Relative paths are relative to the file that contains them. Files that do not exist
are skipped if several are given.
"""

from __future__ import annotations

import os
import typing as t
from collections.abc import Mapping
from dataclasses import dataclass, field

from ansible_collections.restartx.core.plugins.module_utils.cluster.errors import ConfigError
from ansible_collections.restartx.core.plugins.module_utils.cluster.kubeconfig_schema import check_shape
from ansible_collections.restartx.core.plugins.module_utils.cluster.libraries import yaml

_LISTS = {"clusters": "cluster", "users": "user", "contexts": "context"}
_FILE_KEYS = {"clusters": ("certificate-authority",), "users": ("client-certificate", "client-key", "tokenFile")}
_MOST_NAMES = 20


@dataclass(frozen=True)
class Kubeconfig:
    """One or more kubeconfig files, merged. `where` names them in messages; `paths` are those that were read."""

    where: str
    clusters: dict[str, dict] = field(repr=False)
    users: dict[str, dict] = field(repr=False)
    contexts: dict[str, dict] = field(repr=False)
    current: str | None
    paths: tuple[str, ...] = ()


@dataclass(frozen=True)
class Chosen:
    """The cluster and the user of one context of a kubeconfig. All paths in them are absolute."""

    where: str
    context: str
    cluster: dict = field(repr=False)
    user_name: str | None
    user: dict = field(repr=False)
    paths: tuple[str, ...] = ()

    @property
    def whose(self) -> str:
        """The owner of the credentials, for messages."""
        return f'user "{self.user_name}" of {self.where}' if self.user_name else f"nobody (no user in {self.where})"


def load(source: str | Mapping) -> Kubeconfig:
    """Read `source`: a path, several paths joined by the system's path separator, or the content as a mapping.

    Raises ConfigError if files are missing, empty, not readable, not YAML, or not a kubeconfig.
    """
    if isinstance(source, Mapping):
        where = "the kubeconfig option"
        return _merged(where, [(where, dict(source), os.getcwd())], ())
    if (
        not isinstance(source, str) or "\n" in source or source.lstrip().startswith("{")
    ):  # not shown: it may hold secrets
        raise ConfigError(
            "kubeconfig is neither a path nor a dictionary: give a path, or the content through from_yaml"
        )
    listed = [os.path.abspath(os.path.expanduser(path)) for path in source.split(os.pathsep) if path.strip()]
    paths = tuple(path for path in listed if os.path.exists(path))
    if not paths:
        do = "do" if len(listed) > 1 else "does"
        raise ConfigError(f"{_files(listed)} {do} not exist: give the path of an existing file as kubeconfig")
    contents = [(_files([path]), _read(path), os.path.dirname(path)) for path in paths]
    return _merged(_files(paths), contents, paths)


def with_absolute_paths(text: str, folder: str) -> str:
    """A kubeconfig with absolute paths instead of paths relative to its folder, so that it can be copied elsewhere.

    Text that is not a kubeconfig is returned unchanged; load() reports what is wrong with it.
    """
    try:
        content = _parsed(text)
        check_shape(content, "")
    except (yaml.YAMLError, ConfigError):
        return text
    if not content:
        return text
    for key, inner in _LISTS.items():
        for entry in content.get(key) or []:
            if entry.get(inner):
                entry[inner] = _absolute(entry[inner], key, folder)
    return yaml.safe_dump(content, sort_keys=False)


def choose(config: Kubeconfig, context: str | None) -> Chosen:
    """Select a context (None: the current one). Raises ConfigError if it does not lead to a server."""
    where = config.where
    if not config.contexts:
        raise ConfigError(f"{where} has no contexts: write one with kubectl config set-context, or give another file")
    known = _names(config.contexts)
    context = context or config.current
    if not context:
        raise ConfigError(f"{where} has no current context: set context to one of {known}")
    if context not in config.contexts:
        raise ConfigError(f'there is no context "{context}" in {where}: it has {known}')
    entry = config.contexts[context]
    name, user_name = entry.get("cluster"), entry.get("user")
    if not name or name not in config.clusters:
        raise ConfigError(
            f'context "{context}" of {where} names cluster "{name or ""}", which does not exist in it: '
            f"correct the context, or choose another of {known}"
        )
    if user_name and user_name not in config.users:
        raise ConfigError(
            f'context "{context}" of {where} names user "{user_name}", which does not exist in it: add that user'
        )
    cluster = config.clusters[name]
    if not cluster.get("server"):
        raise ConfigError(f'cluster "{name}" of {where} has no server: set it to the URL of the API server')
    return Chosen(where, context, cluster, user_name, config.users[user_name] if user_name else {}, config.paths)


def _read(path: str) -> dict:
    where = _files([path])
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read()
        if text.startswith("$ANSIBLE_VAULT"):
            raise ConfigError(
                f"{where} is encrypted with Ansible Vault: name it in the option kubeconfig of a task whose connection is "
                "local, or decrypt it"
            )
        content = _parsed(text)
    except OSError as error:
        raise ConfigError(f"cannot read {where} ({error.strerror}): correct the path or its permissions") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:  # its text could quote secrets, its position cannot
        mark = getattr(error, "problem_mark", None)
        position = f" (line {mark.line + 1}, column {mark.column + 1})" if mark else ""
        raise ConfigError(f"{where} is not valid YAML{position}: correct it, or recreate it") from None
    if content is None:
        raise ConfigError(f"{where} is empty: recreate it, or give another file")
    return content


def _parsed(text: str) -> t.Any:
    """What the YAML says. libyaml, which almost every PyYAML has, is ten times as fast as its parser in Python."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return yaml.load(text, Loader=loader)


def _merged(where: str, contents: list[tuple[str, dict, str]], paths: tuple[str, ...]) -> Kubeconfig:
    merged: dict[str, dict[str, dict]] = {key: {} for key in _LISTS}
    current = None
    for name, content, folder in contents:
        check_shape(content, name)
        for key, inner in _LISTS.items():
            for entry in content.get(key) or []:
                if not entry.get("name"):
                    raise ConfigError(f"{key} of {name} have an entry without a name: give it one")
                merged[key].setdefault(entry["name"], _absolute(entry.get(inner) or {}, key, folder))
        current = current or content.get("current-context")
    return Kubeconfig(where=where, current=current, paths=paths, **merged)


def _absolute(entry: dict, key: str, folder: str) -> dict:
    """A copy of the entry with absolute paths of files, and of a plugin's command if it contains a folder."""
    entry = dict(entry)
    for name in _FILE_KEYS.get(key, ()):
        if entry.get(name):
            entry[name] = os.path.join(folder, entry[name])
    plugin = entry.get("exec") or {}
    if os.path.dirname(plugin.get("command") or ""):
        entry["exec"] = {**plugin, "command": os.path.join(folder, plugin["command"])}
    return entry


def _files(paths: list[str] | tuple[str, ...]) -> str:
    listed = " and ".join(f'"{path}"' for path in paths)
    return f"kubeconfig file{'s' if len(paths) > 1 else ''} {listed}"


def _names(entries: dict) -> str:
    names = sorted(entries)
    more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    return ", ".join(names[:_MOST_NAMES]) + more
