# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Readers for the values of a plan.

A reader takes one value from YAML and returns the checked one, or raises ScheduleError with a sentence that shows the
value without its path. Numbers and booleans that YAML 1.1 reads from unquoted words are never converted back to text:
`name: 0123` arrives as 83, and the original is lost.
"""

from __future__ import annotations

import datetime
import difflib
import re
from collections.abc import Callable, Iterable
from typing import TypeVar

from ansible_collections.restartx.core.plugins.module_utils.rollout import kinds
from ansible_collections.restartx.core.plugins.module_utils.schedule.duration import parse
from ansible_collections.restartx.core.plugins.module_utils.schedule.errors import ScheduleError, show

Value = TypeVar("Value")
VERSION = 1
# The kinds, and the other spellings that kubectl accepts, in any case.
KINDS = {kind.name: kind.spellings for kind in kinds.KINDS.values()}
# Names of namespaces and objects that the API server accepts: DNS-1123 labels and subdomains. It does not limit the
# length of the parts of a subdomain.
LABEL = r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
SUBDOMAIN = r"(?=.{1,253}$)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*"
NAME_PATTERN = r"[-a-z0-9.*]{1,253}"
ID = r"[A-Za-z0-9][-A-Za-z0-9._]{0,62}"
# A plan's name is a part of the names of its objects on the cluster, and a value of their labels.
PLAN_NAME = r"[a-z0-9]([-a-z0-9]{0,48}[a-z0-9])?"
SHORTEST_PART = 4  # letters: `zone` is meant for `timezone`, and `labels` for `label_selectors`


def near(word: str, known: Iterable[str], most: int = 1) -> list[str]:
    """The known words that may be meant, the nearest first; `most` at most."""
    by_lower = {name.lower(): name for name in known}
    written = word.lower()
    matches = difflib.get_close_matches(written, by_lower, n=most)
    if not matches and len(written) >= SHORTEST_PART:
        matches = [name for name in by_lower if written in name or written.removesuffix("s") in name.split("_")][:most]
    return [by_lower[match] for match in matches]


def closest(word: str, known: Iterable[str]) -> str:
    """`; did you mean "cache"?` if a known word is close, otherwise nothing."""
    matches = near(word, known)
    return f'; did you mean "{matches[0]}"?' if matches else ""


def split_terms(written: str) -> list[str]:
    """The items of a list that is written as text. Commas in parentheses do not separate: `tier in (a,b),!canary`."""
    return re.split(r",(?![^(]*\))", written)


def text(value: object) -> str:
    """Text that is not empty, without surrounding white space."""
    if isinstance(value, bool):
        raise ScheduleError(
            f"{show(value)} is a boolean, because YAML reads on, off, yes and no as booleans; put it in quotes"
        )
    if isinstance(value, (int, float)):
        raise ScheduleError(f"{show(value)} is a number; put it in quotes")
    if isinstance(value, datetime.date):
        raise ScheduleError(f"{value} is a date; put it in quotes")
    if not isinstance(value, str):
        raise ScheduleError(f"{show(value)} is not text")
    if not value.strip():
        raise ScheduleError("is empty text")
    return value.strip()


def many(one: Callable[[object], Value]) -> Callable[[object], tuple[Value, ...]]:
    """A reader of a list of values, or of a single one."""

    def read(value: object) -> tuple[Value, ...]:
        items = _listed(value)
        result = tuple(one(item) for item in items)
        for item, parsed in zip(items, result):
            if result.count(parsed) > 1:
                raise ScheduleError(f"{show(item)} is listed twice")
        return result

    return read


def _listed(value: object) -> list[object]:
    items = list(value) if isinstance(value, (list, tuple)) else [value]
    if not items:
        raise ScheduleError("is an empty list; name at least one, or leave the option out")
    return items


def label_selectors(value: object) -> tuple[str, ...]:
    """Label selectors, one term each: from a list, from text with commas, or from text that was split at its commas.

    Ansible splits the text of a list option at every comma, so `tier in (web,api)` arrives in two parts.
    """
    written = ",".join(text(item) for item in _listed(value))
    terms = tuple(term.strip() for term in split_terms(written))
    if not all(terms):
        raise ScheduleError(f"{show(written)} has an empty selector next to a comma")
    return tuple(dict.fromkeys(terms))


def matching(pattern: str, sentence: str) -> Callable[[object], str]:
    """A reader of text that matches the whole pattern; `sentence` says what it should be."""

    def read(value: object) -> str:
        if not re.fullmatch(pattern, text(value)):
            raise ScheduleError(f"{show(value)} is not {sentence}")
        return text(value)

    return read


identifier = matching(ID, 'an id: letters, digits, "-", "_" and ".", at most 63')
label = matching(LABEL, 'a name: lower-case letters, digits and "-", at most 63')
namespace = matching(LABEL, 'the name of a namespace: lower-case letters, digits and "-", at most 63')
plan_name = matching(PLAN_NAME, 'the name of a plan: lower-case letters, digits and "-", at most 50')


def name(value: object) -> str:
    """The name of an object."""
    written = text(value)
    if re.fullmatch(SUBDOMAIN, written):
        return written
    raise ScheduleError(
        f'{show(value)} is not the name of an object: lower-case letters, digits, "-" and "."{_instead(written)}'
    )


def _instead(written: str) -> str:
    """What to write instead of a text that is not a name, as the rest of a sentence."""
    before, slash, after = written.partition("/")
    known = _kind(before)
    if slash and known and re.fullmatch(SUBDOMAIN, after):
        return f"; write kind: {known} and name: {after}"
    if "*" in written and re.fullmatch(NAME_PATTERN, written):
        return f"; to select names by a pattern, use name_pattern: {written}"
    if re.fullmatch(SUBDOMAIN, written.lower()):
        return f'; did you mean "{written.lower()}"?'
    return "; for patterns, use name_pattern, in which * stands for any text"


def kind(value: object) -> str:
    """The name of a kind, such as `Deployment`. Accepts `deploy`, `deployments.apps` and so on."""
    written = text(value)
    known = _kind(written)
    if not known:
        raise ScheduleError(f"{show(value)} is not one of the kinds {', '.join(KINDS)}{closest(written, KINDS)}")
    return known


def _kind(written: str) -> str | None:
    word = written.lower().removesuffix(".apps")
    return next((known for known, spellings in KINDS.items() if word in spellings), None)


def choice(*choices: str) -> Callable[[object], str]:
    """A reader of one of a few lower-case words, in any case."""

    def read(value: object) -> str:
        word = text(value).lower()
        if word in choices:
            return word
        raise ScheduleError(f"{show(value)} is not one of {', '.join(choices)}{closest(word, choices)}")

    return read


def whole(least: int) -> Callable[[object], int]:
    """A reader of a whole number, `least` or more. Text is accepted too, because templates and `-e` pass text."""

    def read(value: object) -> int:
        number = value
        if isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,9}", value.strip(), re.ASCII):
            number = int(value)
        if isinstance(number, bool) or not isinstance(number, int) or number < least:
            raise ScheduleError(f"{show(value)} is not a whole number of at least {least}")
        return int(number)

    return read


def budget(value: object) -> int | str:
    """How many may fail: a whole number, or a percentage as `10%`. budget_of() makes a number of both."""
    if isinstance(value, str) and value.strip().endswith("%"):
        return _percentage(value, 100)
    try:
        return whole(0)(value)
    except ScheduleError:
        raise ScheduleError(
            f"{show(value)} is neither a whole number of at least 0 nor a percentage such as 10%"
        ) from None


def rate(value: object) -> str:
    """A share of restarts as a percentage. 100% would never be exceeded."""
    return _percentage(value, 99)


def _percentage(value: object, most: int) -> str:
    written = value.strip() if isinstance(value, str) else ""
    if not re.fullmatch(r"[0-9]{1,3}%", written, re.ASCII) or int(written[:-1]) > most:
        raise ScheduleError(f"{show(value)} is not a percentage; write 0% to {most}%, in whole numbers")
    return written


def budget_of(given: int | str, total: int) -> int:
    """How many of `total` may fail. A percentage is rounded down, so a small one of a few allows none."""
    return given if isinstance(given, int) else total * int(given[:-1]) // 100


def version(value: object) -> int:
    """The version of the plan's format. There is only one so far."""
    if whole(0)(value) != VERSION:
        raise ScheduleError(f"{show(value)} is not supported; this collection reads version {VERSION}")
    return VERSION


def flag(value: object) -> bool:
    """true or false. Text is accepted too, because templates and `-e` pass text."""
    if isinstance(value, bool):
        return value
    words = {"true": True, "yes": True, "false": False, "no": False}
    if isinstance(value, str) and value.strip().lower() in words:
        return words[value.strip().lower()]
    raise ScheduleError(f"{show(value)} is not true or false")


def duration(value: object) -> float:
    """Seconds, 0 or more."""
    return parse(value)


def deadline(value: object) -> float:
    """Seconds, more than 0."""
    seconds = duration(value)
    if not seconds:
        raise ScheduleError(f"{show(value)} leaves no time; write a duration of more than 0")
    return seconds
