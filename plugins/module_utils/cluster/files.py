# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The files that options and kubeconfigs name."""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping

from ansible_collections.restartx.core.plugins.module_utils.cluster.errors import ConfigError


def read_file(path: str) -> bytes:
    """The content of a file; raises ConfigError where it cannot be read."""
    try:
        with open(os.path.expanduser(path), "rb") as file:
            return file.read()
    except (OSError, ValueError) as error:  # ValueError: a path that no file can have
        reason = getattr(error, "strerror", error)
        raise ConfigError(f'cannot read "{path}" ({reason}): correct the path or its permissions') from None


def content_of(entry: Mapping, name: str, where: str) -> bytes | None:
    """What a kubeconfig entry holds as `<name>-data` in base64, else in the file `<name>`, else None."""
    data = entry.get(f"{name}-data")
    if data:
        try:
            return base64.b64decode(str(data), validate=True)
        except ValueError:
            raise ConfigError(f"{name}-data of {where} is not base64: correct it, or write the file anew") from None
    return read_file(entry[name]) if entry.get(name) else None
