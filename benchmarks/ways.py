# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The ways to restart all Deployments of some beds: each is a command line, as a person types it or nearly so."""

from __future__ import annotations

import datetime
import json
import re
import shlex
import sys
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml
from house import MODULES, USER_AGENT, environment

from benchmarks import ROOT, floor
from benchmarks.bed import NAMESPACE, SELECTOR, Bed
from lab.binary import build
from tools.peers import collections

_PROGRAMS = Path(sys.executable).parent
_MODULE = "restartx.core.k8s_rollout_restart"


@dataclass(frozen=True)
class Way:
    """A command and its surroundings.

    `stdin` is what it is given to read, `agent` what its user agent contains, and `own` finds in what it printed the
    seconds that it says it worked.
    """

    command: Sequence[str | Path]
    env: dict[str, str]
    agent: str
    stdin: str = ""
    own: Callable[[str], float] | None = None


def kubectl(beds: Sequence[Bed]) -> Way:
    """`kubectl rollout restart`, then `kubectl rollout status`; one cluster after the other."""
    lines = []
    for bed in beds:
        cache = bed.cluster.directory / "kubectl"
        program: list[str | Path] = [build(), "kubectl", f"--kubeconfig={bed.kubeconfig}", f"--cache-dir={cache}"]
        for verb in ("restart", "status"):
            words = [*program, "rollout", verb, "deployment", f"--namespace={NAMESPACE}", f"--selector={SELECTOR}"]
            lines.append(shlex.join(map(str, words)))
    return Way(["/bin/sh", "-ec", "\n".join(lines)], environment(beds[0].kubeconfig), "kubectl/")


def kubernetes_core(bed: Bed, sample: int, folder: Path) -> Way:
    """A playbook that patches the first `sample` Deployments, one after the other, and waits for each."""
    at = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    options = {
        "state": "patched",
        "api_version": "apps/v1",
        "kind": "Deployment",
        "namespace": NAMESPACE,
        "name": "{{ item }}",
        "definition": {"spec": {"template": {"metadata": {"annotations": {"kubectl.kubernetes.io/restartedAt": at}}}}},
        "wait": True,
        "wait_sleep": 1,  # seconds; its default of 5 would make it slower still
    }
    task = {"name": "Restart", "kubernetes.core.k8s": options, "loop": bed.names[:sample]}
    command = _playbook(folder / "kubernetes_core.yml", task, "localhost")
    found = str(collections())
    return Way(command, environment(bed.kubeconfig, ANSIBLE_COLLECTIONS_PATH=found), "OpenAPI-Generator/")


def ad_hoc(bed: Bed, progress: bool = True) -> Way:
    """restartx, as the README says it is typed; in a checkout it shows its progress."""
    options = f"namespace={NAMESPACE} label_selectors={SELECTOR}"
    command: list[str | Path] = [
        _PROGRAMS / "ansible",
        "localhost",
        "-m",
        "restartx.k8s_rollout_restart",
        "-a",
        options,
    ]
    # The table has no duration; minimal prints the whole result.
    plugins = {"ANSIBLE_LOAD_CALLBACK_PLUGINS": str(progress), "ANSIBLE_STDOUT_CALLBACK": "minimal"}
    env = environment(bed.kubeconfig, **plugins)
    return Way(command, env, USER_AGENT, own=_duration)


def ping(bed: Bed) -> Way:
    """What every ad-hoc command of Ansible takes at least: a module that does nothing."""
    return Way([_PROGRAMS / "ansible", "localhost", "-m", "ping"], environment(bed.kubeconfig), USER_AGENT)


def one(bed: Bed) -> Way:
    """restartx on a single Deployment, as it is typed when it is urgent. Its own account is that of the rollout."""
    options = f"namespace={NAMESPACE} name={bed.names[0]}"
    command: list[str | Path] = [
        _PROGRAMS / "ansible",
        "localhost",
        "-m",
        "restartx.k8s_rollout_restart",
        "-a",
        options,
    ]
    # The table has no duration; minimal prints the whole result.
    return Way(command, environment(bed.kubeconfig, ANSIBLE_STDOUT_CALLBACK="minimal"), USER_AGENT, own=_rollout)


def module(bed: Bed) -> Way:
    """The module of restartx alone, without Ansible around it."""
    arguments = {"ANSIBLE_MODULE_ARGS": {"namespace": [NAMESPACE], "label_selectors": [SELECTOR]}}
    command: list[str | Path] = [sys.executable, MODULES / "k8s_rollout_restart.py"]
    return Way(command, environment(bed.kubeconfig), USER_AGENT, json.dumps(arguments), _duration)


def planned(bed: Bed, **options: Any) -> Way:
    """The module alone with a plan of one entry and its journal, as restart_prod calls it; `options` are those of the entry."""
    entry = {"id": "all", "label_selectors": [SELECTOR], **options}
    plan = {"version": 1, "name": "bench", "defaults": {"namespace": NAMESPACE}, "workloads": [entry]}
    given = {"plan": plan, "run_id": str(uuid.uuid4()), "journal": {"clusters": [bed.cluster.name]}}
    return replace(module(bed), stdin=json.dumps({"ANSIBLE_MODULE_ARGS": given}))


def fleet(beds: Sequence[Bed], folder: Path) -> Way:
    """The module of restartx on all clusters at once, by one task of a playbook."""
    hosts = {bed.cluster.name: {"kubeconfig": str(bed.kubeconfig)} for bed in beds}
    (folder / "fleet.json").write_text(json.dumps({"all": {"hosts": hosts}}))
    options = {"kubeconfig": "{{ kubeconfig }}", "namespace": NAMESPACE, "label_selectors": SELECTOR}
    command = _playbook(folder / "fleet.yml", {"name": "Restart", _MODULE: options}, "all")
    command += ["--inventory", folder / "fleet.json", "--forks", str(len(beds))]
    return Way(command, environment(folder / "none"), USER_AGENT)


def prod(beds: Sequence[Bed], folder: Path) -> Way:
    """restart_prod on all clusters at once: a plan, its journal and lock, a check of all clusters and a summary."""
    hosts = {bed.cluster.name: {"restartx_kubeconfig": str(bed.kubeconfig), "restartx_context": ""} for bed in beds}
    entry = {"id": "all", "label_selectors": [SELECTOR]}
    plan = {"version": 1, "name": "bench", "defaults": {"namespace": NAMESPACE}, "workloads": [entry]}
    groups = {"clusters": {"hosts": hosts, "vars": {"restart_plan": plan}}}
    (folder / "prod.yml").write_text(yaml.safe_dump(groups))
    command: list[str | Path] = [_PROGRAMS / "ansible-playbook", "restart_prod.yml", "--inventory", folder / "prod.yml"]
    command += ["--forks", str(len(beds)), "-e", f"ticket=BENCH-{uuid.uuid4()}", "-e", "reason=benchmark"]
    return Way(command, environment(folder / "none"), USER_AGENT)


def check(kubeconfig: Path, clusters: Sequence[str], folder: Path) -> Way:
    """restart_prod --check with the sample plan, on clusters with the shop of the demo. The contexts have their names."""
    settings = yaml.safe_load((ROOT / "inventory" / "group_vars" / "clusters.yml").read_text())
    hosts = {name: {"restartx_kubeconfig": str(kubeconfig)} for name in clusters}
    (folder / "check.yml").write_text(yaml.safe_dump({"clusters": {"hosts": hosts, "vars": settings}}))
    command: list[str | Path] = [_PROGRAMS / "ansible-playbook", "restart_prod.yml", "--check"]
    return Way([*command, "--inventory", folder / "check.yml"], environment(folder / "none"), USER_AGENT)


def floors(beds: Sequence[Bed]) -> Way:
    """The least that it takes, on all clusters at once."""
    program = shlex.join([sys.executable, str(ROOT / "benchmarks" / "floor.py")])
    lines = [f"{program} <<'END' &\n{json.dumps(bed.access)}\nEND\nall=\"$all $!\"" for bed in beds]
    script = "\n".join([*lines, "for one in $all; do wait $one; done"])
    own = _seconds if len(beds) == 1 else None
    return Way(["/bin/sh", "-ec", script], environment(beds[0].kubeconfig), floor.USER_AGENT, own=own)


def _playbook(path: Path, task: dict, hosts: str) -> list[str | Path]:
    interpreter = {"ansible_python_interpreter": "{{ ansible_playbook_python }}"}
    play = {"hosts": hosts, "connection": "local", "gather_facts": False, "vars": interpreter, "tasks": [task]}
    path.write_text(yaml.safe_dump([play]))
    return [_PROGRAMS / "ansible-playbook", path]


def _duration(printed: str) -> float:
    """The module's own duration: in YAML as ad-hoc commands print it, or in the JSON of the module alone."""
    if printed.lstrip().startswith("{"):
        return float(json.loads(printed)["duration"])
    return float(next(re.finditer(r"^    duration: ([0-9.]+)$", printed, re.MULTILINE))[1])


def _rollout(printed: str) -> float:
    """The duration of the only rollout in the results, in YAML as ad-hoc commands print it."""
    return float(next(re.finditer(r"^        duration: ([0-9.]+)$", printed, re.MULTILINE))[1])


def _seconds(printed: str) -> float:
    return float(printed)
