# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Conditions on workloads: how they are written in a plan and in the options of modules.

The readers work as in values.py. selection/filters.py decides which workloads fulfil a condition.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.restartx.core.plugins.module_utils.schedule import duration
from ansible_collections.restartx.core.plugins.module_utils.schedule.days import INSTANT
from ansible_collections.restartx.core.plugins.module_utils.schedule.errors import ScheduleError, show
from ansible_collections.restartx.core.plugins.module_utils.schedule.values import (
    NAME_PATTERN,
    SUBDOMAIN,
    deadline,
    text,
)

# What a pod template may use, and the spellings of kubectl, in any case.
USED_KINDS = {"Secret": ("secret", "secrets"), "ConfigMap": ("configmap", "configmaps", "cm")}
IMAGE = r"[-A-Za-z0-9._:/@+*]+"

# The options of entries and of `exclude`, in the form of schedule/schema.py.
ROWS: dict[str, dict[str, Any]] = {
    "name_pattern": {
        "type": "patterns",
        "about": "Patterns for names, such as `app-*`. `*` stands for any text. A workload must match one of them.",
    },
    "uses": {
        "type": "uses",
        "about": "Secrets and ConfigMaps, as `secret/internal-ca` or `configmap/app-*`. A workload must use one of them.",
    },
    "service_account": {
        "type": "names",
        "about": "Service accounts. The pods of a workload must run as one of them.",
    },
    "image": {
        "type": "images",
        "about": "Images, as `shop/web`, `shop/web:1.2` or `registry.example.com/*`. A container must have one of them.",
    },
}


@dataclass(frozen=True)
class Use:
    """A Secret or ConfigMap, or several with a pattern for their names."""

    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind.lower()}/{self.name}"


@dataclass(frozen=True)
class Only:
    """A condition on the state of a workload: one of its pods started before an instant, or is older than seconds."""

    started_before: float | datetime.datetime

    def instant(self, now: datetime.datetime) -> datetime.datetime:
        """The instant before which a pod must have started."""
        if isinstance(self.started_before, datetime.datetime):
            return self.started_before
        return now - datetime.timedelta(seconds=self.started_before)

    def __str__(self) -> str:
        if isinstance(self.started_before, datetime.datetime):
            return self.started_before.isoformat()
        return duration.text(self.started_before)


@dataclass(frozen=True)
class Exclude:
    """Workloads to leave out: those that match the names, or the patterns, or all label selectors, and so on."""

    names: tuple[str, ...] = ()
    name_patterns: tuple[str, ...] = ()
    label_selectors: tuple[str, ...] = ()
    uses: tuple[Use, ...] = ()
    service_accounts: tuple[str, ...] = ()
    images: tuple[str, ...] = ()

    @classmethod
    def of(cls, values: Mapping[str, Any] | None) -> Exclude | None:
        """The checked values of the option `exclude`; None if it was not given."""
        if not values:
            return None
        return cls(
            names=values.get("name") or (),
            name_patterns=values.get("name_pattern") or (),
            label_selectors=values.get("label_selectors") or (),
            uses=values.get("uses") or (),
            service_accounts=values.get("service_account") or (),
            images=values.get("image") or (),
        )


def only_of(values: Mapping[str, Any] | None) -> Only | None:
    """The checked values of the option `only`; None if it was not given."""
    return Only(values["started_before"]) if values and values.get("started_before") else None


def name_pattern(value: object) -> str:
    """A pattern for names of workloads."""
    written = text(value)
    if not re.fullmatch(NAME_PATTERN, written):
        raise ScheduleError(
            f'{show(value)} is not a pattern for names: lower-case letters, digits, "-", "." and "*" for any text'
        )
    return _selective(written)


def use(value: object) -> Use:
    """A reference such as `secret/internal-ca`."""
    written = text(value)
    word, _slash, name = written.partition("/")
    kind = next((kind for kind, words in USED_KINDS.items() if word.lower() in words), None)
    if kind and (re.fullmatch(SUBDOMAIN, name) or ("*" in name and re.fullmatch(NAME_PATTERN, name))):
        return Use(kind, name)
    raise ScheduleError(
        f"{show(value)} is not a Secret or ConfigMap; write secret/NAME or configmap/NAME, "
        'with lower-case letters, digits, "-", "." and "*" for any text in NAME'
    )


def image(value: object) -> str:
    """An image reference, or a pattern for it."""
    written = text(value)
    if not re.fullmatch(IMAGE, written):
        raise ScheduleError(
            f"{show(value)} is not an image; write it as in the pod template, such as shop/web or shop/web:1.2, "
            'with "*" for any text'
        )
    return _selective(written)


def _selective(pattern: str) -> str:
    if not pattern.strip("*"):
        raise ScheduleError(f"{show(pattern)} matches everything; leave the option out")
    return pattern


def started_before(value: object) -> float | datetime.datetime:
    """An age in seconds, or an instant with its time zone. YAML reads some instants as such."""
    if isinstance(value, datetime.datetime) and value.tzinfo:
        return value
    written = value.isoformat() if isinstance(value, datetime.date) else value
    if isinstance(written, str) and re.match(r"\s*[0-9]{4}-", written):
        return _instant(written.strip())
    if isinstance(written, str):
        text(written)
    try:
        return deadline(written)
    except ScheduleError as error:
        raise ScheduleError(f"{error}, or an instant such as 2026-11-01T00:00Z") from error


def _instant(written: str) -> datetime.datetime:
    try:
        if INSTANT.fullmatch(written):
            return datetime.datetime.fromisoformat(written)
    except ValueError:
        pass  # the 30th of February
    raise ScheduleError(
        f"{show(written)} is not an instant with a time zone; write it as 2026-11-01T00:00Z or 2026-11-01T00:00+01:00"
    )
