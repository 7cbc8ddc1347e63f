# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What all modules that talk to a cluster need from the controller; meta/runtime.yml routes each of them here.

Where the module runs on the controller itself (connection local), a relative `kubeconfig` is looked for as Ansible
looks for files of a role or playbook, a vault-encrypted one is decrypted for as long as the module runs, and the module
is told which Ansible process it works for. On any other connection paths are the target's and nothing is changed.
"""

from __future__ import annotations

import os
from pathlib import Path

from ansible.errors import AnsibleActionFail, AnsibleFileNotFound
from ansible.plugins.action import ActionBase

START_TIME_FIELD = 22  # of /proc/PID/stat, see proc(5)


class ActionModule(ActionBase):
    """Runs the module of the task, with `kubeconfig` and `controller` filled in."""

    _supports_check_mode = True
    _supports_async = True

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        wrap_async = self._task.async_val and not self._connection.has_native_async
        arguments = dict(self._task.args)
        decrypted = None
        try:
            if self._connection.transport == "local":
                decrypted = self._resolve_kubeconfig(arguments)
                # An async task is meant to outlive Ansible, and a become user may not see Ansible's process.
                if not self._task.async_val and self._connection.become is None:
                    arguments.setdefault("controller", controller())
            result.update(self._execute_module(module_args=arguments, task_vars=task_vars, wrap_async=wrap_async))
        finally:
            if decrypted:
                self._loader.cleanup_tmp_file(decrypted)
            if not wrap_async:
                self._remove_tmp_path(self._connection._shell.tmpdir)
        return result

    def _resolve_kubeconfig(self, arguments):
        """Make `kubeconfig` in `arguments` the path of a readable file; returns a temporary file to remove, or None.

        What is no single path (a dict, paths joined by a colon, nothing) is the module's own affair.
        """
        wanted = arguments.get("kubeconfig")
        if not isinstance(wanted, str) or not wanted or os.pathsep in wanted:
            return None
        try:
            path = self._find_needle("files", wanted)
        except AnsibleFileNotFound as error:
            if not os.path.exists(wanted):  # the current folder is where kubectl looks for it
                searched = ", ".join([*error.paths, os.path.abspath(wanted)])
                raise AnsibleActionFail(f"There is no kubeconfig {wanted!r}; looked for it as {searched}.") from error
            path = os.path.abspath(wanted)
        arguments["kubeconfig"] = self._loader.get_real_file(path)
        if arguments["kubeconfig"] == self._loader.path_dwim(path):
            return None
        if self._task.async_val:
            self._loader.cleanup_tmp_file(arguments["kubeconfig"])
            raise AnsibleActionFail(
                f"{path} is encrypted, and an async task would need the decrypted file after it was removed; "
                "pass its content instead: kubeconfig: \"{{ lookup('ansible.builtin.file', path) | from_yaml }}\"."
            )
        return arguments["kubeconfig"]


def controller():
    """This Ansible process as `PID:START`, or None where there is no /proc.

    A task is carried out by a fork of it, so it is the parent; the start time tells a process id that is used again.
    """
    pid = os.getppid()
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    # The second field is the command in brackets and may hold blanks and brackets itself.
    return f"{pid}:{stat[stat.rindex(')') + 2 :].split()[START_TIME_FIELD - 3]}"
