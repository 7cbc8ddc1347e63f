# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The entry point of this package: makes a Client from the options of a module and the environment."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace

from ansible_collections.restartx.core.plugins.module_utils.cluster import libraries
from ansible_collections.restartx.core.plugins.module_utils.cluster.auth import resolve, secrets_of
from ansible_collections.restartx.core.plugins.module_utils.cluster.client import Client
from ansible_collections.restartx.core.plugins.module_utils.cluster.connection import Connection
from ansible_collections.restartx.core.plugins.module_utils.cluster.endpoint import POD_FOLDER, find_endpoint
from ansible_collections.restartx.core.plugins.module_utils.cluster.retry import Retry

__all__ = ["KUBERNETES_IMPORT_ERROR", "connect", "secrets_of"]

KUBERNETES_IMPORT_ERROR = libraries.IMPORT_ERROR  # a traceback; connect() must not be called unless this is None
PLUGIN_SECONDS = 60.0


def connect(
    options: Mapping,
    environ: Mapping[str, str],
    *,
    retry: Retry | None = None,
    plugin_timeout: float = PLUGIN_SECONDS,
    pod_folder: str = POD_FOLDER,
    now: Callable[[], float] = time.time,
) -> Client:
    """The cluster that options and environment select. auth.py and endpoint.find_endpoint() describe the precedence.

    `options` are the parameters of a module, with the names of kubernetes.core. Credentials are fetched and
    certificates loaded, but no request is sent. Raises ConfigError, or CredentialPlugin if a plugin returns none within
    `plugin_timeout` seconds.
    """
    endpoint = find_endpoint(resolve(options, environ), environ, plugin_timeout, pod_folder)
    endpoint = replace(endpoint, secrets=endpoint.secrets | secrets_of(options, environ))
    connection = Connection(endpoint, now)
    connection.prepare()
    return Client(connection, retry)
