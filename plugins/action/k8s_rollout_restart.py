# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The action plugin of all modules. The plugins of the other modules import it.

If the module runs on the controller (connection local), a relative `kubeconfig` is looked up like other files of a role
or playbook. A file that is encrypted with Ansible Vault is decrypted while the module runs. The module gets the id of
the Ansible process that it works for. On any other connection, paths are those of the target, and nothing is changed.
"""

from __future__ import annotations

import os
import typing as t
from pathlib import Path

from ansible import constants
from ansible.errors import AnsibleActionFail, AnsibleFileNotFound
from ansible.plugins.action import ActionBase

from ansible_collections.restartx.core.plugins.plugin_utils import in_worker, vaulted

PROGRESS_FIFO = "RESTARTX_PROGRESS_FIFO"  # the variable that the callback plugin `progress` sets before workers fork
START_TIME_FIELD = 22  # of /proc/PID/stat, see proc(5)


class ActionModule(ActionBase):
    """Runs the module of the task, with `kubeconfig` and `controller` filled in."""

    _supports_check_mode = True
    _supports_async = True

    def run(self, tmp: None = None, task_vars: dict | None = None) -> dict:
        result = super().run(tmp, task_vars)
        wrap_async = self._task.async_val and not self._connection.has_native_async
        arguments = dict(self._task.args)
        kubeconfigs = None
        try:
            if self._connection.transport == "local":
                kubeconfigs = self._resolve_kubeconfig(arguments)
                # An async task may outlive Ansible, and another user may not see the process of Ansible.
                if not self._task.async_val and self._connection.become is None:
                    known = controller()
                    if known:
                        arguments.setdefault("controller", known)
                    told = progress_address(task_vars or {})
                    if told:
                        arguments.setdefault("progress", told)
            result.update(self._carry_out(arguments, task_vars or {}, wrap_async))
        finally:
            if kubeconfigs:
                kubeconfigs.remove()
            if not wrap_async:
                self._remove_tmp_path(self._connection._shell.tmpdir)
        return result

    def _carry_out(self, arguments: dict, task_vars: dict, wrap_async: bool) -> dict:
        """The result of the module, run in a fork of this worker if that makes no difference, or packed."""
        environment: dict = {}
        self._compute_environment_string(environment)
        environment = {str(name): str(value) for name, value in environment.items()}
        found = self._shared_loader_obj.module_loader.find_plugin_with_context(
            self._task.action, collection_list=self._task.collections
        )
        module = found.plugin_resolved_path or ""
        reason = in_worker.why_packed(self._situation(task_vars, environment, module))
        if reason:
            self._display.vvv(f"Packing the module, because {reason}.")
            return self._execute_module(module_args=arguments, task_vars=task_vars, wrap_async=wrap_async)
        self._display.vvv(f"Using module file {module} in a fork of the worker")
        self._update_module_args(self._task.action, arguments, task_vars)
        done = in_worker.carry_out(module, arguments, environment, self._loader.get_basedir())
        return self._parsed(done)

    def _parsed(self, done: dict) -> dict:
        """The result in what a module has printed, as _execute_module() takes it out."""
        parsed = self._parse_returned_data(done, in_worker.PROFILE)
        if not isinstance(parsed, dict):  # ansible-core after 2.19
            parsed.remove_internal_keys()
            result: dict = parsed.as_result_dict(for_round_trip=True)
            return result
        from ansible.vars.clean import remove_internal_keys

        remove_internal_keys(parsed)
        return parsed

    def _situation(self, task_vars: dict, environment: dict, module: str) -> in_worker.Situation:
        variables = task_vars
        if self._task.delegate_to:
            variables = task_vars["ansible_delegated_vars"][self._task.delegate_to]
        try:
            wanted = in_worker.is_wanted(self._templar.template(task_vars.get("restartx_in_worker", True)))
        except ValueError as error:
            raise AnsibleActionFail(str(error)) from error
        settings = {
            "keep_remote_files": constants.DEFAULT_KEEP_REMOTE_FILES,
            "python_module_rlimit_nofile": setting("PYTHON_MODULE_RLIMIT_NOFILE", variables),
        }
        interpreter = str(self._templar.template(setting("INTERPRETER_PYTHON", variables)) or "")
        return in_worker.Situation(
            wanted=wanted,
            transport=self._connection.transport,
            becomes=self._connection.become is not None,
            asynchronous=bool(self._task.async_val),
            interpreter="" if interpreter.startswith("auto") else interpreter,
            environment=environment,
            module=module,
            settings=tuple(name for name, value in settings.items() if value),
        )

    def _resolve_kubeconfig(self, arguments: dict) -> vaulted.Readable | None:
        """Make `kubeconfig` in `arguments` the path of a readable file, or of several.

        Returns the files to remove when the module has ended. The content of a kubeconfig is not changed.
        """
        wanted = arguments.get("kubeconfig")
        if not isinstance(wanted, str) or "\n" in wanted or wanted.lstrip().startswith("{"):
            return None
        names = [name for name in wanted.split(os.pathsep) if name.strip()]
        searched: list[str] = []
        found = [path for path in (self._find_kubeconfig(name, searched) for name in names) if path]
        if names and not found:  # if there are several, missing ones are skipped, as with kubectl
            raise AnsibleActionFail(f"There is no kubeconfig {wanted!r}; looked for it as {', '.join(searched)}.")
        readable = vaulted.decrypt(self._loader, found)
        if readable.encrypted and self._task.async_val:
            readable.remove()
            raise AnsibleActionFail(
                f"{' and '.join(readable.encrypted)} is encrypted, and an async task would need the decrypted file after "
                "it was removed; pass its content instead: "
                "kubeconfig: \"{{ lookup('ansible.builtin.file', path) | from_yaml }}\"."
            )
        if found:
            arguments["kubeconfig"] = os.pathsep.join(readable.paths)
        return readable

    def _find_kubeconfig(self, name: str, searched: list[str]) -> str | None:
        """The absolute path of a kubeconfig; None if there is none. Adds the places that were tried to `searched`."""
        try:
            return self._find_needle("files", name)
        except AnsibleFileNotFound as error:
            path = os.path.abspath(os.path.expanduser(name))  # kubectl looks in the current folder
            searched += [*error.paths, path]
            return path if os.path.exists(path) else None


def setting(name: str, variables: dict) -> t.Any:
    """A setting of Ansible from these variables, the environment or ansible.cfg. It may be a template."""
    return constants.config.get_config_value(name, variables=variables)


def progress_address(variables: dict) -> str | None:
    """Where the module writes its progress: the FIFO of the callback plugin `progress`, and the host that it works for;
    None if the plugin is not enabled."""
    fifo = os.environ.get(PROGRESS_FIFO)
    return f"{fifo}:{variables['inventory_hostname']}" if fifo else None


def controller() -> str | None:
    """This Ansible process as `PID:START`; None without /proc.

    A fork of it runs the task, so it is the parent. The start time distinguishes a process id that is used again.
    """
    pid = os.getppid()
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    # The second field is the command in parentheses, and may contain spaces and parentheses itself.
    return f"{pid}:{stat[stat.rindex(')') + 2 :].split()[START_TIME_FIELD - 3]}"
