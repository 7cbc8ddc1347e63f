# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The errors of requests to an API server. The text of each is one sentence that ends with what to do."""

from __future__ import annotations


class ClusterError(Exception):
    """Base of all errors of this package.

    `status` is the HTTP status (None if no answer came), `reason` is the reason of the API (`AlreadyExists`), and
    `path` is the path of the request. The retry policy uses three attributes. `transient`: the same request may succeed
    later. `ambiguous`: the server may have carried out the request. `retry_after`: the seconds that the server asks to
    wait. `refusal` is the server's own message if it refused what was asked for, in admission or because it is not
    valid; it is empty if the user lacks the permission.
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
        refusal: str = "",
    ) -> None:
        super().__init__(sentence)
        self.status = status
        self.reason = reason
        self.path = path
        self.transient = transient
        self.ambiguous = ambiguous
        self.retry_after = retry_after
        self.refusal = refusal


class ConfigError(ClusterError):
    """The options, the environment or the kubeconfig do not describe how to reach a cluster."""


class CredentialPlugin(ClusterError):
    """The program or provider that the kubeconfig names returned no credentials."""


class Unreachable(ClusterError):
    """No answer came, because of DNS, the network, TLS, or a broken connection."""


class Unauthorized(ClusterError):
    """401: the server does not accept the credentials."""


class Forbidden(ClusterError):
    """403: the server accepts the credentials but does not allow the request."""


class NotFound(ClusterError):
    """404: no such object, or no such API."""


class Conflict(ClusterError):
    """409: changed by someone else in the meantime, or exists already (see `reason`)."""


class Expired(ClusterError):
    """410: the server no longer has the resource version; list again."""


class Invalid(ClusterError):
    """400, 422 and other answers to a request that is not valid."""


class Throttled(ClusterError):
    """429, after the retries."""


class OverBudget(ClusterError):
    """429 to an eviction: a PodDisruptionBudget does not allow it now. `refusal` is what the server says of the budget."""


class ServerFailed(ClusterError):
    """5xx, after the retries."""


class NotPermitted(ClusterError):
    """`permitted` of the caller returned a reason right before a request was sent, so it was not sent.

    `why` is that reason. `ambiguous` is true if an earlier copy of the same request was sent and may have been carried
    out. Read the object before you report it as unchanged.
    """

    def __init__(self, why: str, *, path: str | None = None) -> None:
        super().__init__(why, path=path)
        self.why = why

    def __str__(self) -> str:
        if not self.ambiguous:
            return self.why
        return f"{self.why}; an earlier copy of the request was sent without an answer and may have been carried out"
