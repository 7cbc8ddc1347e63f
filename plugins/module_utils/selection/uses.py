# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a pod template uses: Secrets, ConfigMaps, images and its service account.

Only the template counts. A Secret that a service account or a volume claim refers to is not in it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ansible_collections.restartx.core.plugins.module_utils.rollout.kinds.fields import Object, field
from ansible_collections.restartx.core.plugins.module_utils.schedule.selecting import Use

CONTAINERS = ("containers", "initContainers", "ephemeralContainers")
# Where the types of the API refer to a Secret or ConfigMap by its name (core/v1, types.go), as dotted paths.
_OF_VARIABLE = (("valueFrom.secretKeyRef.name", "Secret"), ("valueFrom.configMapKeyRef.name", "ConfigMap"))
_OF_VARIABLES = (("secretRef.name", "Secret"), ("configMapRef.name", "ConfigMap"))
_OF_PROJECTION = (("secret.name", "Secret"), ("configMap.name", "ConfigMap"))
_OF_VOLUME = (
    ("secret.secretName", "Secret"),
    ("configMap.name", "ConfigMap"),
    ("azureFile.secretName", "Secret"),
    ("cephfs.secretRef.name", "Secret"),
    ("cinder.secretRef.name", "Secret"),
    ("csi.nodePublishSecretRef.name", "Secret"),
    ("flexVolume.secretRef.name", "Secret"),
    ("iscsi.secretRef.name", "Secret"),
    ("rbd.secretRef.name", "Secret"),
    ("scaleIO.secretRef.name", "Secret"),
    ("storageos.secretRef.name", "Secret"),
)
_OF_PULL = (("name", "Secret"),)


def uses_of(workload: Object) -> set[Use]:
    """The Secrets and ConfigMaps that the pod template refers to, also those that may be missing (`optional`).

    A volume counts whether or not a container mounts it, because its pods do not start without it.
    """
    return _in_template(workload, required=False) | _named(_pod_spec(workload), "imagePullSecrets", _OF_PULL)


def required_of(workload: Object) -> set[Use]:
    """Those without which a pod does not start. A pod starts without its imagePullSecrets if it can pull its images."""
    return _in_template(workload, required=True)


def _in_template(workload: Object, required: bool) -> set[Use]:
    spec = _pod_spec(workload)
    found: set[Use] = set()
    for container in _containers(spec, CONTAINERS):
        found |= _named(container, "env", _OF_VARIABLE, required)
        found |= _named(container, "envFrom", _OF_VARIABLES, required)
    for volume in _items(spec, "volumes"):
        found |= _named(volume.get("projected"), "sources", _OF_PROJECTION, required)
    return found | _named(spec, "volumes", _OF_VOLUME, required)


def images_of(workload: Object) -> list[str]:
    """The images of containers and init containers, as they are written in the template."""
    return [one.get("image") or "" for one in _containers(_pod_spec(workload), ("containers", "initContainers"))]


def service_account_of(workload: Object) -> str:
    """The service account of the pods; `default` if the template names none."""
    spec = _pod_spec(workload)
    return spec.get("serviceAccountName") or spec.get("serviceAccount") or "default"


def fits(pattern: str, text: str) -> bool:
    """Whether the text matches the whole pattern, in which `*` stands for any text, also none, and nothing else is
    special."""
    first, *rest = pattern.split("*")
    if not rest:
        return text == pattern
    *middle, last = rest
    place, end = len(first), len(text) - len(last)
    if place > end or not (text.startswith(first) and text.endswith(last)):
        return False
    for part in middle:
        found = text.find(part, place, end)
        if found < 0:
            return False
        place = found + len(part)
    return True


def fits_image(pattern: str, image: str) -> bool:
    """Whether an image reference matches.

    With `*`, the whole reference counts. Without it, a reference also matches its part without the digest, and without
    tag and digest: `shop/web` and `shop/web:1` both match `shop/web:1@sha256:...`.
    """
    if "*" in pattern:
        return fits(pattern, image)
    without_digest = image.partition("@")[0]
    path, slash, name = without_digest.rpartition("/")
    return pattern in (image, without_digest, f"{path}{slash}{name.partition(':')[0]}")


def _pod_spec(workload: Object) -> Object:
    spec: Object = field(workload, "spec.template.spec", {})
    return spec


def _containers(spec: Object, lists: tuple[str, ...]) -> Iterator[Object]:
    for name in lists:
        yield from _items(spec, name)


def _items(thing: Any, name: str) -> list[Object]:
    """The items of a list; none if it is missing or null."""
    found: list[Object] = field(thing, name, [])
    return found


def _named(thing: Any, items: str, paths: tuple[tuple[str, str], ...], required: bool = False) -> set[Use]:
    """What the items of a list refer to under these paths; only what must be there, if `required`."""
    found = {
        (kind, field(item, path))
        for item in _items(thing, items)
        for path, kind in paths
        if not (required and field(item, f"{path.rpartition('.')[0]}.optional", False))
    }
    return {Use(kind, name) for kind, name in found if name}
