# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The API of one cluster as the rest of the collection sees it: the types for annotations in other packages."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from ansible_collections.restartx.core.plugins.module_utils.cluster.errors import ClusterError
from ansible_collections.restartx.core.plugins.module_utils.cluster.info import ConnectionInfo, ServerInfo
from ansible_collections.restartx.core.plugins.module_utils.cluster.retry import Retry

Permitted = Callable[[], "str | None"]
"""Whether a request may be sent now: None if it may, otherwise the reason why not."""


@dataclass(frozen=True)
class Listing:
    """The objects of a list, and the resource version from which a watch continues."""

    items: list[dict]
    resource_version: str


@dataclass(frozen=True)
class Reply:
    """What a pod has answered through the API server. It may hold secrets."""

    status: int
    body: bytes

    def json(self) -> object:
        """The body as JSON. Raises ValueError."""
        return json.loads(self.body)


class Stream(Protocol):
    """An answer in which each line is an event. Only one thread may use `lines`; any other may call `hang_up`."""

    def lines(self) -> Iterator[bytes]: ...

    def parse(self, line: bytes) -> dict: ...

    def error(self, status: Mapping) -> ClusterError: ...

    def hang_up(self) -> None: ...


class Reader(Protocol):
    """The methods that only read. All raise ClusterError. `deadline` is an instant of the cluster's clock."""

    def get(self, path: str, params: Mapping[str, object] | None = None, *, deadline: float | None = None) -> dict: ...

    def text(self, path: str, params: Mapping[str, object] | None = None, *, deadline: float | None = None) -> str: ...

    def list(
        self,
        path: str,
        params: Mapping[str, object] | None = None,
        *,
        deadline: float | None = None,
        attempts: int | None = None,
    ) -> Listing: ...

    def reply(self, path: str, *, deadline: float | None = None) -> Reply: ...

    def names(self, path: str, *, deadline: float | None = None) -> frozenset[str]: ...

    def uid(self) -> str | None: ...


class Writer(Protocol):
    """The methods that change objects.

    `permitted` is called right before a request is sent, and before each retry. If it returns a reason, the method
    raises NotPermitted and sends nothing more. See client.py for the other parameters.
    """

    def patch(
        self,
        path: str,
        body: object,
        content: str,
        *,
        field_manager: str | None = None,
        dry_run: bool = False,
        deadline: float | None = None,
        permitted: Permitted | None = None,
    ) -> dict: ...

    def create(
        self,
        path: str,
        body: dict,
        *,
        field_manager: str | None = None,
        dry_run: bool = False,
        resend: bool | None = None,
        deadline: float | None = None,
        permitted: Permitted | None = None,
    ) -> dict: ...

    def replace(
        self,
        path: str,
        body: dict,
        *,
        field_manager: str | None = None,
        dry_run: bool = False,
        deadline: float | None = None,
        permitted: Permitted | None = None,
    ) -> dict: ...

    def delete(
        self,
        path: str,
        body: dict | None = None,
        *,
        dry_run: bool = False,
        deadline: float | None = None,
        permitted: Permitted | None = None,
    ) -> dict: ...


class Cluster(Reader, Writer, Protocol):
    """One cluster: methods that read and write, and properties that need no request."""

    @property
    def host(self) -> str: ...

    @property
    def context(self) -> str | None: ...

    @property
    def requests(self) -> int: ...

    @property
    def warnings(self) -> list[str]: ...

    @property
    def secrets(self) -> set[str]: ...

    @property
    def retry(self) -> Retry: ...

    def connection_info(self) -> ConnectionInfo: ...

    def server_info(self) -> ServerInfo: ...

    def stream(self, path: str, params: Mapping[str, object], silence: float) -> Stream: ...

    def close(self) -> None: ...
