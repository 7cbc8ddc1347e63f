# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What can go wrong between us and an API server. The text of each error is one sentence that ends with the way out."""

from __future__ import annotations


class ClusterError(Exception):
    """Base of all errors of this room.

    `status` is the HTTP status (None when no answer came), `reason` the API's own word (`AlreadyExists`), `path` what
    was asked for. Three facts serve the retry policy: `transient` says that waiting may heal it, `ambiguous` that the
    server may have carried the request out all the same, `retry_after` how many seconds the server asks us to wait.
    """

    def __init__(
        self,
        sentence: str,
        *,
        status: int | None = None,
        reason: str | None = None,
        path: str | None = None,
        transient: bool = False,
        ambiguous: bool = False,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(sentence)
        self.status = status
        self.reason = reason
        self.path = path
        self.transient = transient
        self.ambiguous = ambiguous
        self.retry_after = retry_after


class ConfigError(ClusterError):
    """The options, the environment or the kubeconfig do not say how to reach a cluster."""


class CredentialPlugin(ClusterError):
    """The kubeconfig leaves the credentials to a program or a provider, and that one gave none."""


class Unreachable(ClusterError):
    """No answer came: name, network, TLS, or a connection that broke."""


class Unauthorized(ClusterError):
    """401: the server does not know who we are."""


class Forbidden(ClusterError):
    """403: the server knows who we are, and says no."""


class NotFound(ClusterError):
    """404: no such object, or no such API."""


class Conflict(ClusterError):
    """409: changed by someone else in between, or exists already (see `reason`)."""


class Expired(ClusterError):
    """410: the resource version is too old for the server's memory; list again."""


class Invalid(ClusterError):
    """400, 422 and the other answers that say that the request itself is wrong."""


class Throttled(ClusterError):
    """429, after the retries."""


class ServerFailed(ClusterError):
    """5xx, after the retries."""
