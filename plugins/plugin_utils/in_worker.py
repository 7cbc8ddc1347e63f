# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Runs a module in a fork of Ansible's worker, instead of packing it and starting a new Python for it.

Packing a module, starting Python and importing the libraries takes 2 seconds of CPU for each task and host. The action
plugin is loaded in Ansible's main process before workers are forked from it. So this file imports the libraries of the
modules there once, and all workers share them.

The fork is a process of its own, like a packed module: it gets the same signals in the same situations, has its own
environment, working directory, locale and threads, and its end does not affect the worker. ansible-core's own runner
runs the module in it, so arguments, results, warnings and errors pass through the same code.
"""

from __future__ import annotations

import contextlib
import gc
import io
import json
import os
import re
import signal
import sys
import time
import traceback
import typing as t
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ansible.module_utils.parsing.convert_bool import boolean
from ansible.utils.multiprocessing import context as multiprocessing

MODULES = "ansible_collections.restartx.core.plugins.modules"
UNAVAILABLE: str | None = None  # why no module can run here
try:
    from ansible.module_utils import _internal as internal
    from ansible.module_utils._internal import _traceback as tracebacks
    from ansible.module_utils._internal._ansiballz._loader import run_module
    from ansible.module_utils.common.json import Direction, get_module_encoder
except ImportError:
    UNAVAILABLE = "this version of ansible-core cannot carry a module out in its worker"
try:
    # This module imports everything that modules use. If a library is broken, the packed module reports it.
    from ansible_collections.restartx.core.plugins.module_utils import entry
    from ansible_collections.restartx.core.plugins.modules import k8s_rollout_restart as sample
except Exception as error:
    UNAVAILABLE = f"Ansible's own process cannot import what modules need: {type(error).__name__}: {error}"
else:
    if missing := entry.missing_libraries():
        UNAVAILABLE = f"Ansible's own Python lacks {', '.join(missing)}"

# What is loaded by now stays loaded. The garbage collector need not look at it any more, neither here nor in the forks:
# there, it would write to shared memory and so copy all of it.
gc.freeze()

PROFILE = "legacy"  # how ansible-core serializes arguments and results of modules by default
STOP_SECONDS = 10.0  # a module that must stop is killed after this time
# Variables that Python, the loader, the C library or OpenSSL read only when a process starts: too late in a fork.
_READ_AT_START = re.compile(r"PYTHON|LD_|GLIBC_|MALLOC_|OPENSSL_")
_SHELL_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


@dataclass(frozen=True)
class Situation:
    """The facts that decide how a module runs.

    `wanted` is the variable restartx_in_worker. `interpreter` is a path (empty: Ansible must look for one).
    `environment` is that of the task. `module` is the path of the file that Ansible found. `settings` are the names of
    settings of Ansible that are on and require the packed module.
    """

    wanted: bool
    transport: str
    becomes: bool
    asynchronous: bool
    interpreter: str
    environment: Mapping[str, str]
    module: str
    settings: tuple[str, ...] = ()


def is_wanted(value: t.Any) -> bool:
    """The value of the variable restartx_in_worker. Raises ValueError if it is not a boolean."""
    try:
        return boolean(value)
    except TypeError:
        raise ValueError(f"The variable restartx_in_worker is {value!r}; set it to true or false.") from None


def why_packed(task: Situation, python: str = sys.executable, unavailable: str | None = UNAVAILABLE) -> str | None:
    """Why the task needs the packed module, as the end of a sentence; None if a fork of the worker does the same."""
    if not task.wanted:
        return "restartx_in_worker is false"
    if task.transport != "local":
        return f"the connection is {task.transport}, not local"
    if task.becomes:
        return "the task becomes another user"
    if task.asynchronous:
        return "an async task outlives its worker"
    if not task.interpreter:
        return "no ansible_python_interpreter is set, so Ansible has to look for one"
    if not _same_program(task.interpreter, python):
        return f"ansible_python_interpreter is {task.interpreter}, and Ansible itself runs with {python}"
    for name in task.environment:
        if _READ_AT_START.match(name) or not _SHELL_NAME.fullmatch(name):
            return f"{name} in the task's environment has to be there when a process starts"
    if task.settings:
        return f"{task.settings[0]} is set, which is about packed modules"
    if unavailable:
        return unavailable
    if not _is_ours(task.module):
        return f"the module is {task.module}, not the one beside this plugin"
    return None


def _same_program(path: str, python: str) -> bool:
    """Whether these are two names of one program in one folder, such as python and python3.

    The resolved path is not enough: the Pythons of two virtual environments may be links to the same program.
    """
    if path == python:
        return True
    try:
        return os.path.samefile(os.path.dirname(path), os.path.dirname(python)) and os.path.samefile(path, python)
    except OSError:
        return False


def _is_ours(path: str) -> bool:
    return os.path.realpath(path) in map(os.path.realpath, Path(sample.__file__).parent.glob("*.py"))


def carry_out(module: str, arguments: dict, environment: Mapping[str, str], folder: str) -> dict[str, t.Any]:
    """Run the module at that path as a connection's exec_command would; returns rc, stdout and stderr.

    `arguments` are those of the module, including ansible-core's own. `folder` is the working directory. If this is
    interrupted (by the timeout of the task), the module is stopped.
    """
    encoder = get_module_encoder(PROFILE, Direction.CONTROLLER_TO_MODULE)
    params = json.dumps({"ANSIBLE_MODULE_ARGS": arguments}, cls=encoder)
    name = Path(os.path.realpath(module)).stem
    reader, writer = multiprocessing.Pipe(duplex=False)
    fork = multiprocessing.Process(target=_in_fork, args=(name, params, environment, folder, writer), daemon=True)
    # Until it has its own handlers, the fork has those of the worker, which would signal the whole process group.
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    try:
        fork.start()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    writer.close()
    try:
        with contextlib.suppress(EOFError):  # killed before it could send anything
            stdout, stderr = "", ""
            stdout, stderr = reader.recv()
        fork.join()
    finally:
        reader.close()
        if fork.is_alive():
            fork.terminate()
            fork.join(STOP_SECONDS)
            fork.kill()
            fork.join()
    code = fork.exitcode or 0
    return {"rc": code if code >= 0 else 128 - code, "stdout": stdout, "stderr": stderr}


def _in_fork(name: str, params: str, environment: Mapping[str, str], folder: str, writer: t.Any) -> None:
    """Runs in the fork, and ends it with its exit code."""
    _become_a_target()
    with contextlib.suppress(OSError):  # the name that ps shows; only with /proc
        Path("/proc/self/comm").write_text(name.removeprefix("k8s_"))
    os.chdir(folder)
    os.environ.update(environment)
    time.tzset()
    sys.stdout, sys.stderr = out, errors = io.StringIO(), io.StringIO()
    code: t.Any = 1
    try:
        run_module(
            json_params=params.encode(),
            profile=PROFILE,
            module_fqn=f"{MODULES}.{name}",
            modlib_path="",
            extensions={},
        )
    except SystemExit as end:
        code = end.code
    except BaseException:
        traceback.print_exc(file=errors)
    writer.send((out.getvalue(), errors.getvalue()))
    writer.close()
    sys.exit(code)


def _become_a_target() -> None:
    """Undo what makes this process a worker of Ansible: its signal handlers, and its handling of warnings."""
    gc.freeze()  # also what the worker has made
    for number in _SIGNALS:
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
    internal.is_controller = False
    tracebacks._is_traceback_enabled = tracebacks._is_module_traceback_enabled
