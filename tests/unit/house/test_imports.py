# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Who may call whom: the rooms of the house and the doors between them."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

PLUGINS = Path(__file__).parents[3] / "plugins"
OURS = "ansible_collections.restartx.core.plugins."

# A room is a folder of module_utils, a file right in it, or a folder of plugins.
ROOMS = {"rollout", "schedule", "cluster", "run", "record"}
MAY_CALL = {
    "rollout": {"rollout"},
    "schedule": {"schedule"},
    "record": {"record"},
    "cluster": {"cluster"},
    "run": {"run", "rollout", "schedule", "cluster", "record"},
    "options": set(),
    "entry": {"run", "rollout", "schedule", "cluster", "record"},
    "modules": {"entry", "options", "run", "rollout", "schedule", "cluster", "record"},
    "action": {"schedule"},
    "inventory": {"cluster"},
    "callback": set(),
    "filter": {"run", "rollout", "schedule"},
    "doc_fragments": {"schedule"},
}
# Beside Python itself; what is not named here may use nothing.
PACKAGES = {
    "cluster": {"kubernetes", "oauthlib", "urllib3", "yaml"},
    "rollout": {"jmespath"},
    "schedule": {"tzdata"},
    "entry": {"ansible"},
    "modules": {"ansible"},
    "action": {"ansible"},
    "inventory": {"ansible"},
    "callback": {"ansible"},
    "filter": {"ansible"},
}
# No clock, no files, no network: these rooms compute.
PURE = {"rollout", "schedule", "options"}
IMPURE_MODULES = {
    "asyncio",
    "http",
    "os",
    "pathlib",
    "random",
    "socket",
    "subprocess",
    "threading",
    "time",
    "urllib.request",
}

FILES = sorted(PLUGINS.rglob("*.py"))


def room_of(dotted: str) -> str:
    """`module_utils.rollout.kinds` is in rollout, `module_utils.entry` in entry, `modules.x` in modules."""
    parts = dotted.split(".")
    return parts[1] if parts[0] == "module_utils" and len(parts) > 1 else parts[0]


def imports(file: Path) -> set[str]:
    """The dotted names of all that a file imports, wherever in it; of a name in a package both are told."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}:{node.lineno}: import by the full name; a linked module has no package"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def named(file: Path) -> str:
    return str(file.relative_to(PLUGINS))


@pytest.mark.parametrize("file", FILES, ids=named)
def test_a_room_calls_only_the_rooms_it_may(file):
    room = room_of(".".join(file.relative_to(PLUGINS).with_suffix("").parts))
    assert room in MAY_CALL or file.name == "__init__.py", f"{room} is a new room: say here whom it may call"
    for name in imports(file):
        if name.startswith(OURS):
            called = room_of(name.removeprefix(OURS))
            assert called in MAY_CALL[room], f"{room} may not call {called}"
            continue
        package = name.split(".")[0]
        if package in sys.stdlib_module_names:
            impure = {module for module in IMPURE_MODULES if f"{name}.".startswith(f"{module}.")}
            assert room not in PURE or not impure, f"{room} computes only, and may not import {name}"
        else:
            assert package in PACKAGES.get(room, set()), f"{room} may not import {package}"


def test_only_entry_and_modules_know_the_api_of_ansible_modules():
    knowing = {named(file) for file in FILES if any(name.startswith("ansible.module_utils") for name in imports(file))}
    assert {name for name in knowing if not name.startswith("modules/")} == {"module_utils/entry.py"}
