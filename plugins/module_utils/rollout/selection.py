# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Selection: conditions on workloads, checked before anything is asked of a cluster."""

from __future__ import annotations

import re
import traceback
from typing import Callable, Iterator

from ansible_collections.restartx.core.plugins.module_utils.rollout import kinds
from ansible_collections.restartx.core.plugins.module_utils.rollout.errors import RolloutError

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
    rf"\s*(!\s*{_KEY}|{_KEY}"
    rf"|{_KEY}\s*(=|==|!=)\s*{_VALUE}"
    rf"|{_KEY}\s*[<>]\s*-?[0-9]+"
    rf"|{_KEY}\s+(in|notin)\s*\(\s*{_VALUE}\s*(,\s*{_VALUE}\s*)*\))\s*"
)
_FIELD_TERM = re.compile(r"\s*(?P<field>[^=!,\s]+)\s*(=|==|!=)(([^,=\\]|\\[\\,=])*)")
_FIELDS = ("metadata.name", "metadata.namespace")


def compile_select(text: str) -> Callable[[dict], bool]:
    """A predicate on workloads from a JMESPath expression such as `metadata.labels.tier == 'web'`.

    True is what JMESPath holds for true: everything but null, false and what is empty (0 is true). A wrong expression
    raises RolloutError, with the position, here; a wrong type in one object raises it when that object is looked at.
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


def check_label_selector(text: str) -> None:
    """RolloutError when `text` is no label selector as the API knows them, such as `app=web,tier in (a,b),!canary`."""
    for term in _terms(text):
        if not _LABEL_TERM.fullmatch(term):
            raise RolloutError(
                f'label_selectors: "{text}" is no valid selector at "{term.strip()}"; '
                f"write it like app=web, tier!=db, tier in (web,api), canary or !canary"
            )


def check_field_selector(text: str) -> None:
    """RolloutError when `text` is no field selector that the API allows on workloads: it knows name and namespace."""
    for term in re.split(r"(?<!\\),", text):
        match = _FIELD_TERM.fullmatch(term)
        if not match:
            raise RolloutError(f'field_selectors: "{text}" is no valid selector; write it like metadata.name!=api')
        if match["field"] not in _FIELDS:
            raise RolloutError(
                f'field_selectors: workloads cannot be selected by "{match["field"]}", only by {" and ".join(_FIELDS)}'
                f"; use select for everything else"
            )


def _terms(text: str) -> list[str]:
    """The comma-separated parts of a label selector; commas in parentheses do not separate."""
    return re.split(r",(?![^(]*\))", text)


def _syntax(text: str, error: Exception) -> str:
    position = getattr(error, "lex_position", None)
    if not text.strip() or position is None:
        return f'select: "{text}" is no JMESPath expression'
    token = getattr(error, "token_value", None)
    if position >= len(text) or token is None:
        return f'select: "{text}" is no JMESPath expression: it ends too early (position {len(text)})'
    return f'select: "{text}" is no JMESPath expression: unexpected "{token}" at position {position}'


def _calls(node: dict) -> Iterator[dict]:
    if node.get("type") == "function_expression":
        yield node
    for child in node.get("children", ()):
        if isinstance(child, dict):
            yield from _calls(child)


def _check_call(text: str, call: dict) -> None:
    """jmespath finds unknown functions and wrong numbers of arguments only while it searches: too late for us."""
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
