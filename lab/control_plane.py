# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The processes and files of one cluster: how it starts, stops and restarts."""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, TypedDict

from lab import components, nodes
from lab.api import Api, ApiError
from lab.binary import build
from lab.certificates import Authority
from lab.errors import LabError
from lab.lock import locked
from lab.node import COMPONENTS as NODE
from lab.node import Node
from lab.poll import wait_until
from lab.ports import held_ports
from lab.process import Process

_COMPONENTS = (*components.CONTROL_PLANE, *components.CONTROLLERS)


class _State(TypedDict):
    """What was decided when the cluster was founded."""

    controllers: bool
    ports: dict[str, int]


class ControlPlane:
    """The components of a cluster; one folder holds all they need and write."""

    def __init__(self, name: str, directory: str | Path, lock: Path, kubeconfig_path: Path):
        self.name = self.context = name
        self.directory = Path(directory)
        self.kubeconfig = kubeconfig_path
        self.audit_log = self.directory / "audit.log"
        self._lock = lock
        self._state_path = self.directory / "state.json"

    @property
    def exists(self) -> bool:
        """Whether it was started and not taken down since."""
        return self._state_path.exists()

    @property
    def _state(self) -> _State:
        try:
            state: _State = json.loads(self._state_path.read_text())
        except FileNotFoundError:
            raise LabError(f'There is no cluster "{self.name}" here; start it with `python -m lab up`.') from None
        return state

    @property
    def controllers(self) -> bool:
        """Whether it has controllers, scheduler and nodes."""
        return self._state["controllers"]

    @property
    def ports(self) -> dict[str, int]:
        """The loopback port of each listener, fixed for the cluster's life."""
        return self._state["ports"]

    @property
    def server(self) -> str:
        """The URL of its API server."""
        return f"https://127.0.0.1:{self.ports['kube-apiserver']}"

    @property
    def authority(self) -> Authority:
        """The authority that signs its certificates."""
        return Authority(self.directory / "pki")

    @property
    def _api(self) -> Api:
        server = self.server  # first, because it says so if there is no such cluster
        pki = self.authority.directory
        return Api(server, self.authority.certificate_path, pki / "lab.crt", pki / "lab.key")

    @property
    def node(self) -> Node:
        """The Node that runs real containers, started or not."""
        return Node(self)

    def up(self, node_count: int, zones: Sequence[str], controllers: bool) -> None:
        """Start what does not run yet, and return when pods can be scheduled."""
        with locked(self._lock) as lock, contextlib.ExitStack() as until_ready:
            if not self.exists:
                self._found(controllers, until_ready.enter_context(held_ports(components.PORTS)))
            if self.controllers != controllers:
                raise LabError(
                    f'Cluster "{self.name}" runs {"with" if self.controllers else "without"} '
                    "controllers; take it down first to start it otherwise."
                )
            for component in components.CONTROL_PLANE:
                self._start(component, lock)
            self.wait_for(self._serves, "its API server to be ready", components.CONTROL_PLANE)
            if controllers:
                for component in components.CONTROLLERS:
                    self._start(component, lock)
                missing = node_count - len(nodes.node_names(self._api))
                nodes.add_nodes(self._api, max(missing, 0), zones)
                self.wait_for(self._schedules, "its nodes and controllers to be ready", _COMPONENTS)

    def down(self) -> None:
        """End its processes and remove its folder."""
        with locked(self._lock):
            try:
                self.node.remove()
            finally:
                # At once, because nobody will read what they could still write.
                processes = map(self.process, _COMPONENTS)
                with ThreadPoolExecutor() as pool:
                    list(pool.map(lambda process: process.stop(max_wait=0), processes))
            shutil.rmtree(self.directory, ignore_errors=True)

    def stop(self, component: str) -> None:
        """Stop one component, and return when its process has ended."""
        with locked(self._lock):
            self._check(component).stop(components.MAX_WAIT)

    def start(self, component: str) -> None:
        """Start one component again; returns when an API server is ready to serve."""
        with locked(self._lock) as lock:
            self._check(component)
            if component in NODE:
                self.node.start_component(component, lock)
            else:
                self._start(component, lock)
            if component == "kube-apiserver":
                self.wait_for(self._serves, "its API server to be ready", components.CONTROL_PLANE)

    def processes(self) -> dict[str, Process]:
        """The components this cluster consists of, as a dict from name to Process."""
        extra = components.CONTROLLERS if self.controllers else ()
        real = NODE if self.node.exists else ()
        return {name: self.process(name) for name in (*components.CONTROL_PLANE, *extra, *real)}

    def process(self, component: str) -> Process:
        """The Process of one component."""
        return Process(self.directory / "run" / component, self.directory / "logs" / f"{component}.log")

    def _found(self, controllers: bool, ports: Mapping[str, int]) -> None:
        shutil.rmtree(self.directory, ignore_errors=True)  # what a killed `up` left
        self.directory.mkdir(parents=True)
        server = f"https://127.0.0.1:{ports['kube-apiserver']}"
        components.prepare(self.directory, self.authority, self.context, server)
        # Last, for from here on the cluster exists.
        draft = self._state_path.with_suffix(".new")
        draft.write_text(json.dumps({"controllers": controllers, "ports": ports}))
        draft.rename(self._state_path)

    def _start(self, component: str, lock: IO[str]) -> None:
        command: list[str | Path] = [build(), *components.arguments(component, self)]
        self.process(component).start(command, lock)

    def _check(self, component: str) -> Process:
        known = self.processes()
        if component not in known:
            raise LabError(f'Cluster "{self.name}" has no component "{component}"; it has {", ".join(known)}.')
        return known[component]

    def wait_for(self, condition: Callable[[], bool], what: str, needed: Iterable[str]) -> None:
        """Wait for `condition`, for as long as the components `needed` live."""

        def still_possible() -> bool:
            for name in needed:
                process = self.process(name)
                if not process.pid:
                    raise LabError(
                        f'{name} of cluster "{self.name}" has ended; its log {process.log} ends with:\n{process.tail()}'
                    )
            return condition()

        wait_until(still_possible, f'cluster "{self.name}": {what}', timeout=120)

    def start_node(self, name: str = "real") -> str:
        """Start the machine's one real node, a kubelet with containers, as a node of this cluster.

        Returns its name when pods can run there. Raises LabError with what this machine lacks (see
        node.missing), or that another lab has it.
        """
        with locked(self._lock) as lock:
            if not self.controllers:
                raise LabError(f'Cluster "{self.name}" runs without controllers, so nothing would come to a node.')
            self.node.start(name, lock)
        return name

    def stop_node(self) -> None:
        """End the real node with all that runs on it; does nothing where there is none."""
        with locked(self._lock):
            name = self.node.name if self.node.exists else None
            self.node.remove()
            if name and self._serves():
                nodes.forget(self._api, name)

    def node_is_ready(self, name: str) -> bool:
        """Whether pods can be scheduled onto this node."""
        return nodes.is_ready(self._api, name)

    def _serves(self) -> bool:
        try:
            return bool(self._api.request("GET", "/readyz", timeout=2) == "ok")
        except ApiError:
            return False

    def _schedules(self) -> bool:
        try:
            self._api.request("GET", "/api/v1/namespaces/default/serviceaccounts/default")
        except ApiError as error:
            if error.code == 404:
                return False
            raise
        return nodes.all_ready(self._api)
