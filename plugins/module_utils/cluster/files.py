# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The files that options and kubeconfigs name."""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping

from ansible_collections.restartx.core.plugins.module_utils.cluster.errors import ConfigError

_LINE_BREAKS = {ord("\r"): None, ord("\n"): None}  # kubectl accepts these in base64, and no other characters


def read_file(path: str) -> bytes:
    """The content of a file; raises ConfigError if it cannot be read."""
    if "\n" in path:  # not shown: it may be a key
        raise ConfigError("the content of a file was given where its path is expected: give the path")
    try:
        with open(os.path.expanduser(path), "rb") as file:
            return file.read()
    except (OSError, ValueError) as error:  # ValueError: a path that is not valid
        reason = getattr(error, "strerror", error)
        raise ConfigError(f'cannot read "{path}" ({reason}): correct the path or its permissions') from None


def content_of(entry: Mapping, name: str, where: str) -> bytes | None:
    """The value of `<name>-data` in a kubeconfig entry, decoded, or the content of the file `<name>`, or None."""
    data = entry.get(f"{name}-data")
    if data:
        try:
            return base64.b64decode(str(data).translate(_LINE_BREAKS), validate=True)
        except ValueError:
            raise ConfigError(f"{name}-data of {where} is not base64: correct it, or recreate the file") from None
    return read_file(entry[name]) if entry.get(name) else None
