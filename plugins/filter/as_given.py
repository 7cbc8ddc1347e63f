# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""An extra variable with all its words."""

from __future__ import annotations

DOCUMENTATION = r"""
name: as_given
version_added: 0.1.0
short_description: The value of an extra variable with all the words that were given on the command line
author: restartx contributors (@restartx)
description:
  - Of C(-e reason="certificates renewed") Ansible only sees C(reason=certificates renewed), takes the first word for the value, and puts the
    others aside. This filter returns all of them.
  - Words end where another variable begins. A value from anywhere else is returned as it is.
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

from ansible import context

ASSIGNMENT = re.compile(r"\s+\w+=")


def as_given(value, name):
    """The value of the extra variable `name`, with the words that Ansible cut off."""
    return whole(value, name, context.CLIARGS.get("extra_vars") or ())


def whole(value, name, arguments):
    """The same from the arguments of -e: the last one that gives `name` counts, as it does for Ansible."""
    for argument in reversed(arguments):
        begin, found, rest = argument.partition(f"{name}=")
        if found and not begin:
            words = ASSIGNMENT.split(rest, maxsplit=1)[0].strip()
            return words if words.split() and words.split()[0] == str(value) else value
    return value


class FilterModule:
    """What Ansible loads."""

    def filters(self):
        return {"as_given": as_given}
