# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The values of a gate: what is asked, and how long it may take."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import urlsplit

from ansible_collections.restartx.core.plugins.module_utils.schedule import values
from ansible_collections.restartx.core.plugins.module_utils.schedule.errors import ScheduleError, show

# What a gate may ask, with the options that only it has.
PROVIDERS: Mapping[str, frozenset[str]] = {
    "prometheus": frozenset({"url", "max", "min", "equals", "auth"}),
    "http": frozenset({"status", "matches", "that", "max_latency", "certificate", "auth"}),
    "object": frozenset({"that"}),
    "job": frozenset(),
    "tcp": frozenset(),
}
COMMON = ("timeout", "interval", "for", "on_timeout")
ON_TIMEOUT = ("fail", "continue")
OF_ENTRY = ("id", "gate", "after", "on_failure")  # the options of an entry that is a gate

# The rows of schema.SCHEMA for one gate.
NOTHING_ACROSS = "has no effect without a gate on a job and undo_scope entry or run; leave it out"
GATE_UNDO = (
    "undo has no effect in an entry that is a gate, unless undo_scope is run; leave it out, or set undo_scope too"
)

ROWS: dict[str, dict[str, Any]] = {
    "prometheus": {"type": "text", "about": "An expression of Prometheus. It gives a number, or one for each series."},
    "url": {"type": "url", "about": "The address of Prometheus."},
    "max": {"type": "number", "about": "No series may be above this number."},
    "min": {"type": "number", "about": "No series may be below this number."},
    "equals": {"type": "number", "about": "Each series must have exactly this value."},
    "http": {"type": "url", "about": "A URL that must answer to a GET request."},
    "status": {"type": "statuses", "default": "200", "about": "The statuses of HTTP that are allowed."},
    "matches": {"type": "pattern", "about": "A regular expression that must be found in the body."},
    "that": {
        "type": "text",
        "about": "A JMESPath expression that must be true of the object, or of the JSON in the body.",
    },
    "max_latency": {"type": "deadline", "about": "How long the answer to `http` may take."},
    "certificate": {"type": "duration", "about": "How long the certificate of the server must still be valid."},
    "object": {"type": "mapping", "of": "object", "about": "An object of the cluster of which `that` must be true."},
    "job": {"type": "job", "about": "A Job that must be complete."},
    "tcp": {"type": "address", "about": "A port that must accept connections."},
    "auth": {"type": "id", "about": "The name of credentials in `restartx_gate_auth`."},
    "for": {"type": "duration", "default": "0", "about": "How long the gate must have been open without a break."},
    "timeout": {"type": "deadline", "default": "10m", "about": "How long to wait for the gate."},
    "interval": {"type": "deadline", "default": "10s", "about": "The time between two questions."},
    "on_timeout": {"type": "on_timeout", "default": "fail", "about": "What happens if the gate does not open in time."},
}
OBJECT_ROWS: dict[str, dict[str, Any]] = {
    "api_version": {"type": "text", "default": "apps/v1", "about": "Its API. Required for kinds other than the three."},
    "kind": {"type": "text", "required": True, "about": "Its kind."},
    "name": {"type": "text", "required": True, "about": "Its name."},
    "namespace": {"type": "namespace", "about": "Its namespace, if objects of its kind have one."},
}


@dataclass(frozen=True)
class Asked:
    """The names of the gates that must be open before something starts, and after it before it is done."""

    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()

    @classmethod
    def of(cls, given: Mapping[str, Any] | None) -> Asked:
        """From the checked values of the option `gates` of an entry or of the defaults."""
        return cls(**{name: tuple(names or ()) for name, names in (given or {}).items()})


NOTHING_ASKED = Asked()


def all_of(data: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """All gates of a plan by name, as they were written. One that is written in an entry has the id of the entry."""
    rows = (row for row in data["workloads"] if isinstance(row.get("gate"), Mapping))
    return {**(data.get("gates") or {}), **{row["id"]: row["gate"] for row in rows}}


def entry_mistakes(given: Mapping[str, Any], path: str) -> list[str]:
    """What is wrong with the options of an entry that is a gate. It selects and restarts nothing."""
    errors = [
        f"{path}.{option}: has no effect in an entry that is a gate; leave it out"
        for option in given
        if option not in OF_ENTRY
    ]
    if given.get("on_failure") == "pause":
        errors.append(f"{path}.on_failure: a gate has nothing that could be held; write stop, continue or undo")
    return errors


def mistakes(
    data: Mapping[str, Any], asked: Sequence[Asked], more: Mapping[str, Sequence[str]], root: str
) -> list[str]:
    """What is wrong with the gates of a plan as a whole, and names that no gate has. `asked` are the names in the
    defaults and in each entry, and `more` those elsewhere, by their path."""
    named = data.get("gates") or {}
    written = {f"gates.{name}": gate for name, gate in named.items()}
    places = ["defaults", *(f"workloads[{index}]" for index in range(len(asked) - 1))]
    names = {f"{place}.gates.{when}": found for place, one in zip(places, asked) for when, found in asdict(one).items()}
    names.update(more)
    errors = []
    for place, row in zip(places[1:], data["workloads"]):
        gate = row.get("gate")
        if isinstance(gate, Mapping):
            written[f"{place}.gate"] = gate
            if row["id"] in named:
                errors.append(f'{root}.{place}.id: "{row["id"]}" is the name of a gate too; rename one of them')
        elif gate is not None:
            names[f"{place}.gate"] = (str(gate),)
    errors += _wrong(written, root)
    known = f"known are {', '.join(named)}" if named else "the plan has none"
    for path, found in names.items():
        unknown = [name for name in found if name not in named]
        errors += [f'{root}.{path}: no gate "{one}"{values.closest(one, named) or f"; {known}"}' for one in unknown]
    if errors:
        return errors
    return [
        f"{root}.gates.{name}: nothing waits for this gate; name it in gates.before, gates.after, a canary or between_pods, or leave it out"
        for name in named
        if not any(name in found for found in names.values())
    ]


def _wrong(written: Mapping[str, Mapping[str, Any]], root: str) -> list[str]:
    """What is wrong with each gate, by its path."""
    errors = []
    for path, gate in written.items():
        try:
            provider_of(gate)
        except ScheduleError as error:
            errors.append(f"{root}.{path}: {error}")
    return errors


def provider_of(given: Mapping[str, Any]) -> str:
    """The one provider of a gate. Raises ScheduleError if it has none or several, or an option of another one."""
    chosen = [name for name in PROVIDERS if name in given]
    if len(chosen) != 1:
        names = ", ".join(PROVIDERS)
        what = f"has {' and '.join(chosen)}" if chosen else "has nothing to ask"
        raise ScheduleError(f"the gate {what}; give exactly one of {names}")
    (provider,) = chosen
    for option in given:
        if option not in PROVIDERS[provider] and option not in (provider, *COMMON):
            raise ScheduleError(f"{option}: has no effect with {provider}; leave it out")
    return provider


def number(value: object) -> float:
    """A finite number. Text is accepted too, because templates and `-e` pass text."""
    try:
        read = math.nan if isinstance(value, bool) else float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        read = math.nan
    if not math.isfinite(read):
        raise ScheduleError(f"{show(value)} is not a number")
    return read


def url(value: object) -> str:
    """The address of a web server. A user name or password in it would be shown."""
    written = values.text(value)
    parts = urlsplit(written)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ScheduleError(f"{show(written)} is not a URL that begins with http:// or https://")
    if "@" in parts.netloc:
        raise ScheduleError("the URL has a user name; write it without, and give username and password in auth")
    return written


def status(value: object) -> int:
    """A status of HTTP."""
    code = values.whole(100)(value)
    if code > 599:
        raise ScheduleError(f"{code} is not a status of HTTP; write 100 to 599")
    return code


def pattern(value: object) -> re.Pattern[str]:
    """A regular expression that is searched for in a body."""
    written = values.text(value)
    try:
        return re.compile(written)
    except re.error as error:
        raise ScheduleError(f"{show(written)} is not a regular expression: {error}") from None


def address(value: object) -> tuple[str, int]:
    """The host and the port in `host:port` or `[::1]:port`."""
    written = values.text(value)
    host, separator, port = written.rpartition(":")
    plain = host.removeprefix("[").removesuffix("]")
    if not separator or not plain or (":" in plain) != host.startswith("[") or not re.fullmatch("[0-9]{1,5}", port):
        raise ScheduleError(f"{show(written)} is not an address such as db.example.com:5432 or [::1]:5432")
    if not 0 < int(port) < 65536:
        raise ScheduleError(f"{show(written)} has no valid port; write 1 to 65535")
    return plain, int(port)


def job(value: object) -> tuple[str | None, str]:
    """The namespace and the name of a Job in `namespace/name`; the namespace may be missing."""
    written = values.text(value)
    namespace, separator, name = written.rpartition("/")
    try:
        return (values.namespace(namespace) if separator else None), values.name(name)
    except ScheduleError:
        raise ScheduleError(f"{show(written)} is not a Job such as shop/migrate-0042") from None
