# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Conditions on JSON values, as JMESPath expressions."""

from __future__ import annotations

import json
import typing as t

from ansible_collections.restartx.core.plugins.module_utils.gates.provider import GateError

try:
    import jmespath
    from jmespath import exceptions
except ImportError:
    jmespath = None

LONGEST = 100  # characters of a value in a sentence


class Expression:
    """A condition. As in JMESPath, everything is true except null, false and empty values. 0 is true."""

    def __init__(self, text: str):
        """Raises GateError if the expression is wrong."""
        if jmespath is None:
            raise GateError("needs the Python package jmespath; install it with: pip install jmespath")
        self.text = text
        try:
            self._compiled = jmespath.compile(text)
        except exceptions.JMESPathError as error:
            raise GateError(f'"{text}" is not a JMESPath expression: {" ".join(str(error).split())}') from error

    def value(self, value: t.Any) -> t.Any:
        """What it gives for a value. Raises GateError if it cannot be evaluated."""
        try:
            return self._compiled.search(value)
        except (exceptions.JMESPathError, TypeError) as error:
            raise GateError(f'"{self.text}" cannot be evaluated: {" ".join(str(error).split())}') from error

    def holds(self, value: t.Any) -> tuple[bool, str]:
        """Whether it is true of a value, and what it gave. Raises GateError if it cannot be evaluated."""
        found = self.value(value)
        shown = json.dumps(found, default=str)
        shown = shown if len(shown) <= LONGEST else f"{shown[: LONGEST - 3]}..."
        return found is not None and found is not False and found not in ("", [], {}), shown
