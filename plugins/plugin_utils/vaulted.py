# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Decrypts kubeconfigs that are encrypted with Ansible Vault while they are needed."""

from __future__ import annotations

import os
import typing as t
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Readable:
    """The paths of readable kubeconfigs. `encrypted` are those that had to be decrypted to a temporary file.

    `loader` is Ansible's DataLoader, which removes the temporary files at the latest when Ansible ends.
    """

    loader: t.Any
    paths: list[str] = field(default_factory=list)
    encrypted: list[str] = field(default_factory=list)
    _temporary: list[str] = field(default_factory=list)

    def remove(self) -> None:
        """Remove the decrypted files."""
        while self._temporary:
            self.loader.cleanup_tmp_file(self._temporary.pop())


def decrypt(loader: t.Any, paths: Iterable[str]) -> Readable:
    """Decrypt the encrypted kubeconfigs. The others keep their paths.

    Relative paths in a kubeconfig, such as those of certificates, still work from the temporary file.
    """
    readable = Readable(loader)
    try:
        for path in paths:
            real = loader.get_real_file(path) if os.path.exists(path) else path
            if real != path and real != loader.path_dwim(path):
                readable._temporary.append(real)
                readable.encrypted.append(path)
                _resolve_relative_paths(Path(real), os.path.dirname(os.path.abspath(path)))
            readable.paths.append(real)
    except BaseException:
        readable.remove()
        raise
    return readable


def _resolve_relative_paths(file: Path, folder: str) -> None:
    # Imported here, because few kubeconfigs are encrypted.
    from ansible_collections.restartx.core.plugins.module_utils.cluster.kubeconfig import with_absolute_paths

    text = file.read_text(encoding="utf-8", errors="surrogateescape")
    file.write_text(with_absolute_paths(text, folder), encoding="utf-8", errors="surrogateescape")
