# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The structure of a kubeconfig, which is checked before anything is read from it.

https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/: only the fields that we use are checked.
"""

from __future__ import annotations

from ansible_collections.restartx.core.plugins.module_utils.cluster.errors import ConfigError

# A type, a dict of the known keys ("*": all keys), or a list with one item that describes all items.
_EXEC = {
    "apiVersion": str,
    "command": str,
    "args": [str],
    "env": [{"name": str, "value": str}],
    "installHint": str,
    "interactiveMode": str,
    "provideClusterInfo": bool,
}
_CLUSTER = {
    "server": str,
    "certificate-authority": str,
    "certificate-authority-data": str,
    "insecure-skip-tls-verify": bool,
    "tls-server-name": str,
    "proxy-url": str,
    "extensions": [{"name": str}],
}
_USER = {
    "client-certificate": str,
    "client-certificate-data": str,
    "client-key": str,
    "client-key-data": str,
    "token": str,
    "tokenFile": str,
    "username": str,
    "password": str,
    "as": str,
    "as-uid": str,
    "as-groups": [str],
    "as-user-extra": {"*": [str]},
    "auth-provider": {"name": str, "config": {"*": str}},
    "exec": _EXEC,
}
_SHAPE = {
    "current-context": str,
    "clusters": [{"name": str, "cluster": _CLUSTER}],
    "users": [{"name": str, "user": _USER}],
    "contexts": [{"name": str, "context": {"cluster": str, "user": str}}],
}
_WORDS = {str: "text (in quotes)", bool: "true or false", dict: "a mapping", list: "a list"}


def check_shape(content: object, where: str, shape: object = None, path: str = "") -> None:
    """Raise ConfigError for the first value in a kubeconfig of the wrong type. null means absent."""
    shape = _SHAPE if shape is None else shape
    kind = shape if isinstance(shape, type) else type(shape)
    if content is None:
        return
    if not isinstance(content, kind):
        raise ConfigError(
            f"{path or 'the content'} of {where} must be {_WORDS[kind]}: correct it, or recreate the file"
        )
    if isinstance(shape, list) and isinstance(content, list):
        for index, item in enumerate(content):
            if item is None:
                raise ConfigError(f"{path}[{index}] of {where} is empty: correct it, or recreate the file")
            check_shape(item, where, shape[0], f"{path}[{index}]")
    elif isinstance(shape, dict) and isinstance(content, dict):
        for key, value in content.items():
            if key in shape or "*" in shape:
                check_shape(value, where, shape.get(key, shape.get("*")), f"{path}.{key}" if path else str(key))
