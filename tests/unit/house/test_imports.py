# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Who may call whom: the packages and the edges between them."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

PLUGINS = Path(__file__).parents[3] / "plugins"
OURS = "ansible_collections.restartx.core.plugins."

# A package is a folder of module_utils, a file right in it, or a folder of plugins. These are exactly the edges that exist:
# one that is missing here may not be made, and one that no import needs any longer must go.
CALLS = {
    "rollout": set(),
    "schedule": {"rollout"},
    "cluster": set(),
    "options": set(),
    "selection": {"rollout", "schedule"},
    "gates": {"cluster", "rollout", "schedule"},
    "preflight": {"rollout", "selection"},
    "pulling": {"preflight", "rollout"},
    "engine": {"cluster", "gates", "rollout", "schedule", "selection"},
    "record": {"cluster", "engine", "rollout", "schedule"},
    "fleet": {"preflight", "record", "rollout", "schedule"},
    "verbs": {"cluster", "engine", "gates", "preflight", "pulling", "record", "rollout", "schedule", "selection"},
    "entry": {"cluster", "engine", "record", "rollout", "schedule", "selection", "verbs"},
    "modules": {"entry", "options", "verbs"},
    "action": {"plugin_utils"},
    "plugin_utils": {"cluster", "entry", "fleet", "modules"},
    "inventory": {"cluster", "plugin_utils", "schedule"},
    "filter": {"fleet"},
    "callback": {"fleet", "plugin_utils"},
    "doc_fragments": set(),
}
# Beside Python itself; what is not named here may use nothing.
PACKAGES = {
    "cluster": {"kubernetes", "oauthlib", "urllib3", "yaml"},
    "selection": {"jmespath"},
    "gates": {"jmespath"},
    "schedule": {"tzdata"},
    "entry": {"ansible"},
    "modules": {"ansible"},
    "action": {"ansible"},
    "plugin_utils": {"ansible", "rich"},
    "inventory": {"ansible"},
    "filter": {"ansible"},
    "callback": {"ansible"},
}
# No clock, no files, no network: these packages compute.
PURE = {"rollout", "schedule", "selection", "preflight", "pulling", "fleet", "options"}
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

# Inside engine/ a file imports only from the layers above its own in this list.
ENGINE_LAYERS = (
    {"budget_reads", "clock", "controller", "guarded", "pod_course", "requests", "sightings", "states"},
    {"diagnose", "executor", "step"},
    {"give_back", "hold_requests", "turnout"},
    {"protocols", "steps"},
    {"canary_steps", "pod_steps", "task"},
    {"budget_starts", "daemon_steps", "holds", "observer", "partition_steps", "permission", "timers"},
    {"budgets", "gate_series", "gating", "pods", "rollout_holds", "settling", "snapshots", "undo_scope"},
    {"pod_gates", "trials"},
    {"pod_by_pod"},
    {"judges"},
    {"watching"},
    {"lifecycle"},
    {"loop"},
)

FILES = sorted(path for path in PLUGINS.rglob("*.py") if not path.is_symlink())


def package_of(dotted: str) -> str:
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


def package_of_file(file: Path) -> str:
    return package_of(".".join(file.relative_to(PLUGINS).with_suffix("").parts))


def named(file: Path) -> str:
    return str(file.relative_to(PLUGINS))


def calls_of(package: str) -> set[str]:
    """The packages of ours that the files of one import, itself aside."""
    names = {name for file in FILES if package_of_file(file) == package for name in imports(file)}
    return {package_of(name.removeprefix(OURS)) for name in names if name.startswith(OURS)} - {package}


def test_the_edges_between_packages_are_exactly_those_that_are_allowed():
    packages = {package_of_file(file) for file in FILES if file.stat().st_size}
    assert {package: calls_of(package) for package in packages} == CALLS


def test_every_file_of_the_engine_has_a_layer_and_imports_only_from_those_before_it():
    layer_of = {name: number for number, layer in enumerate(ENGINE_LAYERS) for name in layer}
    engine = {file.stem: file for file in FILES if package_of_file(file) == "engine" and file.stem != "__init__"}
    assert set(engine) == set(layer_of)
    prefix = f"{OURS}module_utils.engine."
    for name, file in engine.items():
        ours = {other.removeprefix(prefix).split(".")[0] for other in imports(file) if other.startswith(prefix)}
        later = {other for other in ours if layer_of[other] >= layer_of[name]}
        assert not later, f"engine/{name}.py imports {sorted(later)}, which are not in a layer before its own"


@pytest.mark.parametrize("file", FILES, ids=named)
def test_a_file_imports_only_what_its_package_may(file):
    package = package_of_file(file)
    for name in imports(file):
        library = name.split(".")[0]
        if name.startswith(OURS):
            continue
        if library in sys.stdlib_module_names:
            impure = {module for module in IMPURE_MODULES if f"{name}.".startswith(f"{module}.")}
            assert package not in PURE or not impure, f"{package} computes only, and may not import {name}"
        else:
            assert library in PACKAGES.get(package, set()), f"{package} may not import {library}"


def test_only_entry_modules_and_what_starts_them_know_the_api_of_ansible_modules():
    knowing = {named(file) for file in FILES if any(name.startswith("ansible.module_utils") for name in imports(file))}
    assert {name for name in knowing if not name.startswith("modules/")} == {
        "module_utils/entry.py",
        "plugin_utils/in_worker.py",
    }


@pytest.mark.parametrize("file", [file for file in FILES if package_of_file(file) == "filter"], ids=named)
def test_a_filter_imports_the_collection_only_when_it_is_called(file):
    # Each worker of Ansible loads all filters of a collection when it needs one.
    early = [node.module for node in ast.parse(file.read_text()).body if isinstance(node, ast.ImportFrom)]
    assert not [name for name in early if name and name.startswith(OURS)]
