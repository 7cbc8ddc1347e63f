# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Images of our own: a static program as the only file, in an archive as `docker save` writes it."""

from __future__ import annotations

import functools
import hashlib
import io
import json
import platform
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from lab import go
from lab.api import Object
from lab.lock import locked

SHOP = "localhost/shop:1"  # pods that name it need imagePullPolicy: Never, or IfNotPresent, which is the default
PAUSE = "localhost/pause:1"  # holds the namespaces of a pod

_SOURCE = Path(__file__).parent / "shop"
_FLAGS = ["-trimpath", "-buildvcs=false", "-ldflags", "-s -w"]
_ENTRYPOINTS = {SHOP: ["/shop"], PAUSE: ["/shop", "pause"]}
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}  # as Go and images call them


@functools.cache
def build() -> Path:
    """Path of an archive that holds all images; made on first use, in seconds, then kept in the cache."""
    archive = go.cache_directory() / f"images-{_fingerprint()}" / "images.tar"
    if not archive.exists():
        with locked(go.cache_directory() / "build.lock"):
            if not archive.exists():  # or somebody else has made it while we waited
                archive.parent.mkdir(parents=True, exist_ok=True)
                program = archive.with_name("shop")
                list(go.stream([go.toolchain(), "build", *_FLAGS, "-o", program, "."], _SOURCE))
                draft = archive.with_suffix(".draft")
                _write(draft, program.read_bytes())
                draft.rename(archive)
    return archive


def _fingerprint() -> str:
    digest = hashlib.sha256(Path(__file__).read_bytes())
    for path in sorted(_SOURCE.iterdir()):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _write(path: Path, program: bytes) -> None:
    """Write the archive: one layer, and for each image a configuration that names it."""
    layer = _tar({"shop": program}, mode=0o755)
    files = {"layer.tar": layer}
    manifest: list[Object] = []
    for name, entrypoint in _ENTRYPOINTS.items():
        config = json.dumps(_config(entrypoint, layer)).encode()
        file = f"{hashlib.sha256(config).hexdigest()}.json"
        files[file] = config
        manifest.append({"Config": file, "RepoTags": [name], "Layers": ["layer.tar"]})
    files["manifest.json"] = json.dumps(manifest).encode()
    path.write_bytes(_tar(files))


def _config(entrypoint: Sequence[str], layer: bytes) -> Object:
    machine = platform.machine()
    return {
        "architecture": _ARCHITECTURES.get(machine, machine),
        "os": "linux",
        "config": {"Entrypoint": entrypoint, "WorkingDir": "/"},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"]},
        "history": [],
    }


def _tar(files: Mapping[str, bytes], mode: int = 0o644) -> bytes:
    """A tar of files, all of whose metadata is fixed: the same program gives the same image."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), mode
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()
