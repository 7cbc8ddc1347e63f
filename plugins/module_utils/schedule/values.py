# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Readers for the values of a plan: each turns what YAML made of a person's line into a value, or says what is wrong.

A reader takes one value and returns the checked one, or raises ScheduleError with a sentence that shows the value and
does not know its path. Numbers and booleans that YAML 1.1 made out of unquoted words are never turned back into text:
`name: 0123` arrives as 83, and no one can tell.
"""

from __future__ import annotations

import datetime
import difflib
import re
from collections.abc import Callable, Iterable

from ansible_collections.restartx.core.plugins.module_utils.schedule.duration import parse as duration
from ansible_collections.restartx.core.plugins.module_utils.schedule.errors import ScheduleError, show

VERSION = 1
# The kinds, and what kubectl takes for them as well, in any case.
KINDS = {
    "Deployment": ("deployment", "deployments", "deploy"),
    "DaemonSet": ("daemonset", "daemonsets", "ds"),
    "StatefulSet": ("statefulset", "statefulsets", "sts"),
}
# The names of namespaces and of objects as the API server takes them: what it calls a DNS-1123 label and subdomain, of
# whose parts it does not limit the length.
LABEL = r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
SUBDOMAIN = r"(?=.{1,253}$)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*"
ID = r"[A-Za-z0-9][-A-Za-z0-9._]{0,62}"


def closest(word: str, known: Iterable[str]) -> str:
    """`; did you mean "cache"?` when a known word is close, else nothing."""
    by_lower = {name.lower(): name for name in known}
    matches = difflib.get_close_matches(word.lower(), by_lower, n=1)
    return f'; did you mean "{by_lower[matches[0]]}"?' if matches else ""


def text(value: object) -> str:
    """Text that is not empty, without the white space around it."""
    if isinstance(value, bool):
        raise ScheduleError(f"{show(value)} is a boolean, which YAML makes of on, off, yes and no; put it in quotes")
    if isinstance(value, (int, float)):
        raise ScheduleError(f"{show(value)} is a number; put it in quotes")
    if isinstance(value, datetime.date):
        raise ScheduleError(f"{value} is a date; put it in quotes")
    if not isinstance(value, str):
        raise ScheduleError(f"{show(value)} is not text")
    if not value.strip():
        raise ScheduleError("is empty text")
    return value.strip()


def many(one: Callable, empty: bool = False) -> Callable[[object], tuple]:
    """A reader of a list of values, or of a single one; `empty` says whether an empty list has a harmless meaning."""

    def read(value: object) -> tuple:
        items = list(value) if isinstance(value, (list, tuple)) else [value]
        if not items and not empty:
            raise ScheduleError("is an empty list; name at least one, or leave the option out")
        result = tuple(one(item) for item in items)
        for item, parsed in zip(items, result):
            if result.count(parsed) > 1:
                raise ScheduleError(f"{show(item)} is listed twice")
        return result

    return read


def matching(pattern: str, sentence: str) -> Callable[[object], str]:
    """A reader of text that matches the pattern as a whole; `sentence` says what it should be."""

    def read(value: object) -> str:
        if not re.fullmatch(pattern, text(value)):
            raise ScheduleError(f"{show(value)} is not {sentence}")
        return text(value)

    return read


identifier = matching(ID, 'an id: letters, digits, "-", "_" and ".", at most 63')
label = matching(LABEL, 'a name: lower-case letters, digits and "-", at most 63')
namespace = matching(LABEL, 'the name of a namespace: lower-case letters, digits and "-", at most 63')
name = matching(
    SUBDOMAIN, 'the name of an object: lower-case letters, digits, "-" and "."; for patterns there is select'
)


def kind(value: object) -> str:
    """A kind by its name, as `Deployment`; for `deploy`, `deployments` and the like as well."""
    for known, spellings in KINDS.items():
        if text(value).lower() in spellings:
            return known
    raise ScheduleError(f"{show(value)} is not one of the kinds {', '.join(KINDS)}")


def choice(*choices: str) -> Callable[[object], str]:
    """A reader of one of a few lower-case words, in any case."""

    def read(value: object) -> str:
        if text(value).lower() in choices:
            return text(value).lower()
        raise ScheduleError(f"{show(value)} is not one of {', '.join(choices)}")

    return read


def whole(least: int) -> Callable[[object], int]:
    """A reader of a whole number, `least` or more; its text is taken too, as templates and `-e` give text."""

    def read(value: object) -> int:
        number = value
        if isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,9}", value.strip(), re.ASCII):
            number = int(value)
        if isinstance(number, bool) or not isinstance(number, int) or number < least:
            raise ScheduleError(f"{show(value)} is not a whole number of at least {least}")
        return int(number)

    return read


def version(value: object) -> int:
    """The version of the plan's format; there is one so far."""
    if whole(0)(value) != VERSION:
        raise ScheduleError(f"{show(value)} is not known here; this collection reads version {VERSION}")
    return VERSION


def flag(value: object) -> bool:
    """true or false; also as text, as templates and `-e` give text."""
    if isinstance(value, bool):
        return value
    words = {"true": True, "yes": True, "false": False, "no": False}
    if isinstance(value, str) and value.strip().lower() in words:
        return words[value.strip().lower()]
    raise ScheduleError(f"{show(value)} is not true or false")


def deadline(value: object) -> float:
    """Seconds, more than 0."""
    seconds = duration(value)
    if not seconds:
        raise ScheduleError(f"{show(value)} leaves no time; write a duration of more than 0")
    return seconds
