# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A ConfigMap that only one start of a run writes. Each write is based on the version that it wrote last."""

from __future__ import annotations

import typing as t

from ansible_collections.restartx.core.plugins.module_utils.cluster.errors import ClusterError, Conflict, NotFound
from ansible_collections.restartx.core.plugins.module_utils.record import journal
from ansible_collections.restartx.core.plugins.module_utils.rollout.errors import RolloutError

TIMEOUT = 30.0  # seconds after which a write is given up; the next one contains the same and more


class TakenOver(ClusterError):
    """Another start writes the ConfigMap now."""


class Document:
    """A ConfigMap of a journal. `held` is the one on the cluster, None if it must be created."""

    def __init__(
        self, cluster: t.Any, clock: t.Any, namespace: str, name: str, labels: t.Mapping[str, str], held: dict | None
    ) -> None:
        self.name = name
        self._cluster = cluster
        self._clock = clock
        self._namespace = namespace
        self._labels = labels
        self._version = held["metadata"]["resourceVersion"] if held else None
        self._ours: list[str] = []  # our texts that the server may have: the last one that it accepted, and later ones

    @property
    def text(self) -> str | None:
        """The text that was written last; None before the first write."""
        return self._ours[0] if self._ours else None

    def write(self, text: str, rest: t.Mapping[str, str] | None = None) -> None:
        """Replaces the last text, with `rest` as further data. Runs in a worker.

        Raises ClusterError (TakenOver is one), and RolloutError if the namespace is missing.
        """
        if self._version is None:
            self._create(text, rest or {})
            return
        deadline = self._clock.monotonic() + TIMEOUT
        self._ours.append(text)
        try:
            answer = self._patch(text, rest or {}, deadline)
        except Conflict:
            # Somebody added a label, or an earlier write, whose answer was lost, was carried out.
            held = self._cluster.get(self._path, deadline=deadline)
            there = (held.get("data") or {}).get(journal.KEY)
            if there not in self._ours:
                raise TakenOver("another start of the plan now writes it; this one continues without it") from None
            self._version = held["metadata"]["resourceVersion"]
            answer = held if there == text else self._patch(text, rest or {}, deadline)
        self._took(text, answer)

    @property
    def _path(self) -> str:
        return journal.path(self._namespace, self.name)

    def _create(self, text: str, rest: t.Mapping[str, str]) -> None:
        body = journal.config_map(self._namespace, self.name, self._labels, {journal.KEY: text, **rest})
        try:
            self._took(text, self._cluster.create(journal.path(self._namespace), body))
        except NotFound as error:
            raise RolloutError(journal.no_namespace(self._namespace)) from error

    def _patch(self, text: str, rest: t.Mapping[str, str], deadline: float) -> dict:
        metadata = {"resourceVersion": self._version, "labels": {**journal.MANAGED, **self._labels}}
        body = {"metadata": metadata, "data": {journal.KEY: text, **rest}}
        return self._cluster.patch(self._path, body, "merge", deadline=deadline)

    def _took(self, text: str, answer: dict) -> None:
        self._version = answer["metadata"]["resourceVersion"]
        self._ours = [text]
