# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The cluster as steps see it: right before a change is sent, it is checked that it may still be sent."""

from __future__ import annotations

import typing as t

from ansible_collections.restartx.core.plugins.module_utils.cluster.api import Cluster, Permitted


class _Guarded:
    """Forwards all calls to a cluster, and adds `permitted` to every change."""

    def __init__(self, cluster: Cluster, permitted: Permitted):
        self._cluster = cluster
        self._permitted = permitted

    def __getattr__(self, name: str) -> t.Any:
        return getattr(self._cluster, name)

    def patch(self, *args: t.Any, **options: t.Any) -> dict:
        return self._cluster.patch(*args, **options, permitted=self._permitted)

    def create(self, *args: t.Any, **options: t.Any) -> dict:
        return self._cluster.create(*args, **options, permitted=self._permitted)

    def replace(self, *args: t.Any, **options: t.Any) -> dict:
        return self._cluster.replace(*args, **options, permitted=self._permitted)

    def delete(self, *args: t.Any, **options: t.Any) -> dict:
        return self._cluster.delete(*args, **options, permitted=self._permitted)


def guarded(cluster: Cluster, permitted: Permitted) -> Cluster:
    """A cluster that calls `permitted` right before it sends a change, and before each retry."""
    return t.cast(Cluster, _Guarded(cluster, permitted))
