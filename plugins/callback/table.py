# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Prints the results of our modules as a table, and everything else as Ansible does."""

from __future__ import annotations

DOCUMENTATION = r"""
name: table
type: stdout
version_added: 0.1.0
short_description: Show rollouts as a table
author: restartx contributors (@restartx)
description:
  - Prints the result of a module that works on rollouts as a table, with a line for each workload, as C(kubectl get) does. Below it
    are the counts by outcome and, for each workload that is not as requested, the whole cause and what to do.
  - The columns are the kind, the namespace and the name, the outcome, how many pods are of the newest revision (C(NEW)), how many are
    available of those that there should be (C(READY)), the time since the last progress of the rollout (C(AGE)), the cause and the
    risks in short. No line of the table is longer than the terminal is wide, or than 80 characters if there is no terminal. Set the
    environment variable E(COLUMNS) for another width.
  - Everything else is printed as P(ansible.builtin.default#callback) does. In ad-hoc commands, it is printed as
    P(ansible.builtin.minimal#callback) does.
  - The result itself is not changed. With C(-v), it is printed in full.
  - In a playbook, the table of a task is shown if the task does not register its result, or if it fails. A result that is registered
    is there for the playbook, which decides what to show of it.
extends_documentation_fragment:
  - default_callback
  - result_format_callback
requirements:
  - Set C(stdout_callback = restartx.core.table) in the section C([defaults]) of ansible.cfg.
  - Ad-hoc commands use it only if C(bin_ansible_callbacks = true) is set there as well.
"""

import datetime
import shutil
import typing as t

from ansible import context
from ansible.plugins.callback import default, minimal

from ansible_collections.restartx.core.plugins.module_utils.fleet import table

# Only the command `ansible` has this option. It uses the callback `minimal` unless another one is set.
_AD_HOC = "module_name" in context.CLIARGS
_Output: t.Any = minimal.CallbackModule if _AD_HOC else default.CallbackModule
UNKNOWN_SIZE = (80, 24)


class CallbackModule(_Output):
    """The output of Ansible with tables in it."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "restartx.core.table"

    def _run_is_verbose(self, result: t.Any, verbosity: int = 0) -> bool:
        """Whether the result of a task that went well is printed."""
        shown: bool = super()._run_is_verbose(result, verbosity)
        return shown or (verbosity == 0 and not result._task.register and table.is_table(result._result))

    def _dump_results(self, result: t.Mapping, *args: t.Any, **more: t.Any) -> str:
        """The text for a result."""
        if self._display.verbosity or not table.is_table(result):
            text: str = super()._dump_results(result, *args, **more)
            return text
        width = shutil.get_terminal_size(UNKNOWN_SIZE).columns
        now = datetime.datetime.now(datetime.UTC)
        return "\n".join(["", *table.lines(result, width, now, bool(context.CLIARGS.get("check")))])
