# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Selectors: conditions on workloads, checked before any request is sent."""

from __future__ import annotations

import re
import traceback
from collections.abc import Callable, Iterator

from ansible_collections.restartx.core.plugins.module_utils.rollout import kinds
from ansible_collections.restartx.core.plugins.module_utils.rollout.errors import RolloutError
from ansible_collections.restartx.core.plugins.module_utils.schedule.values import split_terms

try:
    import jmespath
    from jmespath import exceptions, functions
except ImportError:
    jmespath = None
    JMESPATH_IMPORT_ERROR: str | None = traceback.format_exc()
else:
    JMESPATH_IMPORT_ERROR = None

_KEY = r"([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
_VALUE = r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?"
_LABEL_TERM = re.compile(
    rf"\s*(!\s*(?P<absent>{_KEY})"
    rf"|(?P<present>{_KEY})"
    rf"|(?P<key>{_KEY})\s*(?P<equals>=|==|!=)\s*(?P<value>{_VALUE})"
    rf"|(?P<number>{_KEY})\s*(?P<compares>[<>])\s*(?P<limit>-?[0-9]+)"
    rf"|(?P<one>{_KEY})\s+(?P<of>in|notin)\s*\(\s*(?P<values>{_VALUE}\s*(,\s*{_VALUE}\s*)*)\))\s*"
)
_FIELD_TERM = re.compile(r"\s*(?P<field>[^=!,\s]+)\s*(=|==|!=)(([^,=\\]|\\[\\,=])*)")
_FIELDS = ("metadata.name", "metadata.namespace")


def compile_select(text: str) -> Callable[[dict], bool]:
    """A predicate on workloads from a JMESPath expression such as `metadata.labels.tier == 'web'`.

    JMESPath counts everything as true except null, false and empty values (0 is true). A wrong expression raises
    RolloutError with its position here. A wrong type in an object raises it when that object is checked.
    """
    if jmespath is None:
        raise RolloutError("select needs the Python package jmespath; install it with: pip install jmespath")
    try:
        compiled = jmespath.compile(text)
    except exceptions.JMESPathError as error:
        raise RolloutError(_syntax(text, error)) from error
    for call in _calls(compiled.parsed):
        _check_call(text, call)

    def selects(workload: dict) -> bool:
        try:
            found = compiled.search(workload)
        except (exceptions.JMESPathError, TypeError) as error:
            reason = " ".join(str(error).split())
            raise RolloutError(f'select: "{text}" cannot be evaluated on {kinds.label(workload)}: {reason}') from error
        return found is not None and found is not False and found not in ("", [], {})

    return selects


def check_label_selector(text: str, option: str = "label_selectors") -> None:
    """Raises RolloutError if `text` is not a label selector of the API, such as `app=web,tier in (a,b),!canary`."""
    for term in split_terms(text):
        if not _LABEL_TERM.fullmatch(term):
            raise RolloutError(
                f'{option}: "{text}" is not a valid selector at "{term.strip()}"; '
                f"write it like app=web, tier!=db, tier in (web,api), canary or !canary"
            )


def compile_label_term(term: str) -> Callable[[dict], bool]:
    """A predicate on workloads from one term of a valid label selector, with the meaning that it has for the API server.

    `!=` and `notin` also match a workload without the label. `>` and `<` compare whole numbers.
    """
    match = _LABEL_TERM.fullmatch(term)
    if match is None:
        raise RolloutError(f'"{term}" is not a term of a label selector')
    key = match["absent"] or match["present"] or match["key"] or match["number"] or match["one"]

    def selects(workload: dict) -> bool:
        value = kinds.labels_of(workload).get(key)
        if match["absent"] or match["present"]:
            return (value is None) == bool(match["absent"])
        if match["compares"]:
            number = int(value) if value is not None and re.fullmatch(r"[+-]?[0-9]+", value, re.ASCII) else None
            limit = int(match["limit"])
            return number is not None and (number > limit if match["compares"] == ">" else number < limit)
        wanted = [one.strip() for one in match["values"].split(",")] if match["one"] else [match["value"]]
        return (value in wanted) == ((match["of"] or match["equals"]) in ("in", "=", "=="))

    return selects


def check_field_selector(text: str) -> None:
    """Raises RolloutError if `text` is not a field selector for workloads. The API allows name and namespace."""
    for term in re.split(r"(?<!\\),", text):
        match = _FIELD_TERM.fullmatch(term)
        if not match:
            raise RolloutError(f'field_selectors: "{text}" is not a valid selector; write it like metadata.name!=api')
        if match["field"] not in _FIELDS:
            raise RolloutError(
                f'field_selectors: workloads cannot be selected by "{match["field"]}", only by {" and ".join(_FIELDS)}'
                f"; use select for everything else"
            )


def _syntax(text: str, error: Exception) -> str:
    position = getattr(error, "lex_position", None)
    if not text.strip() or position is None:
        return f'select: "{text}" is not a JMESPath expression'
    token = getattr(error, "token_value", None)
    if position >= len(text) or token is None:
        return f'select: "{text}" is not a JMESPath expression: it ends too early (position {len(text)})'
    return f'select: "{text}" is not a JMESPath expression: unexpected "{token}" at position {position}'


def _calls(node: dict) -> Iterator[dict]:
    if node.get("type") == "function_expression":
        yield node
    for child in node.get("children", ()):
        if isinstance(child, dict):
            yield from _calls(child)


def _check_call(text: str, call: dict) -> None:
    """jmespath reports unknown functions and wrong numbers of arguments only during the search, which is too late."""
    name, given = call["value"], len(call["children"])
    known = functions.Functions.FUNCTION_TABLE.get(name)
    if known is None:
        raise RolloutError(f'select: "{text}" calls {name}(), which JMESPath does not have')
    signature = known["signature"]
    least = len(signature)
    variadic = bool(signature) and signature[-1].get("variadic")
    if given < least or (given > least and not variadic):
        takes = f"at least {least}" if variadic else least
        raise RolloutError(f'select: "{text}" gives {name}() {given} arguments; it takes {takes}')
