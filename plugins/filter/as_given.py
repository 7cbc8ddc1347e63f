# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Returns an extra variable with all its words."""

from __future__ import annotations

DOCUMENTATION = r"""
name: as_given
version_added: 0.1.0
short_description: Return an extra variable with all the words from the command line
author: restartx contributors (@restartx)
description:
  - The shell passes C(-e reason="certificates renewed") to Ansible as C(reason=certificates renewed). Ansible takes only the first
    word as the value. This filter returns all words.
  - The value ends where another variable begins. A value that does not come from the command line is returned unchanged.
positional: _input, name
options:
  _input:
    description: The value of the variable.
    type: str
    required: true
  name:
    description: The name of the variable.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Show the reason, as of -e reason="certificates renewed"
  ansible.builtin.debug:
    msg: "{{ reason | restartx.core.as_given('reason') }}"
"""

RETURN = r"""
_value:
  description: The whole value.
  type: str
"""

import re
import typing as t

from ansible import context

ASSIGNMENT = re.compile(r"\s+\w+=")


def as_given(value: t.Any, name: str) -> t.Any:
    """The value of the extra variable `name`, with the words that Ansible cut off."""
    return whole(value, name, context.CLIARGS.get("extra_vars") or ())


def whole(value: t.Any, name: str, arguments: t.Sequence[str]) -> t.Any:
    """As as_given(), from the arguments of -e: the last one that sets `name` counts, as it does for Ansible."""
    for argument in reversed(arguments):
        given = [*re.finditer(rf"(?:^|\s){re.escape(name)}=", argument)]
        if given:
            words = ASSIGNMENT.split(argument[given[-1].end() :], maxsplit=1)[0].strip()
            return words if words.split() and words.split()[0] == str(value) else value
    return value


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"as_given": as_given}
