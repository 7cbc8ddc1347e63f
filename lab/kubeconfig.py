# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Kubeconfig files: one entry per cluster, merged under a lock, readable by the owner only."""

from __future__ import annotations

import base64
import os
import tempfile
from pathlib import Path

import yaml

from lab.api import Object
from lab.lock import locked

_LISTS = ("clusters", "users", "contexts")


def entry(name: str, server: str, authority: Path, user: Object) -> Object:
    """A kubeconfig with one cluster, user and context, all called `name`.

    `authority` is the path of the CA certificate; `user` is the credential part, as made
    by `certificate_user` or `token_user`.
    """
    cluster = {"server": server, "certificate-authority-data": _data(authority)}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": cluster}],
        "users": [{"name": name, "user": user}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
        "current-context": name,
    }


def certificate_user(certificate: Path, key: Path) -> Object:
    """Credentials of a client certificate; both arguments are paths."""
    return {"client-certificate-data": _data(certificate), "client-key-data": _data(key)}


def token_user(token: str) -> Object:
    """Credentials of a bearer token."""
    return {"token": token}


def write(path: str | Path, config: Object) -> Path:
    """Write a whole kubeconfig to `path`, mode 0600, all at once."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # 0600
    with os.fdopen(descriptor, "w") as file:
        yaml.safe_dump(config, file, sort_keys=False)
    os.replace(temporary, path)
    return path


def merge(path: Path, config: Object, lock: Path) -> None:
    """Put the entries of `config` into the file `path`; others of the same name go."""
    with locked(lock):
        merged = _read(path)
        for key in _LISTS:
            names = {item["name"] for item in config[key]}
            kept = [item for item in merged[key] if item["name"] not in names]
            merged[key] = sorted(kept + config[key], key=lambda item: item["name"])
        merged["current-context"] = merged["current-context"] or config["current-context"]
        write(path, merged)


def remove(path: Path, name: str, lock: Path) -> None:
    """Take the entries called `name` out of the file `path`; the last one takes the file along."""
    with locked(lock):
        config = _read(path)
        for key in _LISTS:
            config[key] = [item for item in config[key] if item["name"] != name]
        if not config["contexts"]:
            path.unlink(missing_ok=True)
            return
        if config["current-context"] == name:
            config["current-context"] = config["contexts"][0]["name"]
        write(path, config)


def _read(path: Path) -> Object:
    try:
        found: Object = yaml.safe_load(path.read_text())
    except FileNotFoundError:
        empty: Object = {"apiVersion": "v1", "kind": "Config", "current-context": ""}
        return empty | {key: [] for key in _LISTS}
    return found


def _data(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()
