# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Turns an answer of the API server that is not 2xx into an error that names the object and what to do."""

from __future__ import annotations

import email.utils
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from ansible_collections.restartx.core.plugins.module_utils.cluster import errors
from ansible_collections.restartx.core.plugins.module_utils.cluster.request_target import Target, target_of, verb_of

_RBAC = re.compile(
    r'User "(?P<user>[^"]*)" cannot (?P<verb>\S+) (?:resource|path) "(?P<resource>[^"]*)"'
    r'(?: in API group "(?P<group>[^"]*)")?(?: in the namespace "(?P<namespace>[^"]*)")?'
)
_WEBHOOK = re.compile(r'admission webhook "[^"]*" denied the request')
_TRANSIENT = (429, 500, 502, 503, 504)
_LONGEST_TEXT = 600
_ROLES = "the roles in the collection's folder rbac hold all that is needed"


@dataclass(frozen=True)
class Answer:
    """An answer and its request. `text` is the server's message: from its Status object, or the body itself."""

    method: str
    path: str
    params: Mapping[str, object]
    status: int
    host: str
    who: str  # whose credentials were sent, in words
    text: str = ""
    reason: str | None = None
    details: dict = field(default_factory=dict)
    retry_after: float | None = None
    hint: str = ""  # what is known about the credentials, for 401

    @property
    def target(self) -> Target:
        return target_of(self.path)

    @property
    def verb(self) -> str:
        return verb_of(self.method, self.target, self.params)


def parse_status(body: bytes) -> dict:
    """The Status object in the body of an error; any other body becomes the message of one."""
    text = body.decode("utf-8", "replace")
    try:
        status = json.loads(text)
    except ValueError:
        status = None
    if isinstance(status, dict) and status.get("kind") == "Status":
        return status
    return {"message": "an HTML page, perhaps of a proxy in between" if "<html" in text.lower() else text}


def one_line(text: str) -> str:
    """A message of the server, shortened to one line."""
    text = " ".join(text.split())
    return text if len(text) <= _LONGEST_TEXT else text[: _LONGEST_TEXT - 3] + "..."


def parse_retry_after(value: str | None, details: Mapping, now: float) -> float | None:
    """Seconds to wait: from the header (seconds or an HTTP date, RFC 9110), else from the Status; None if neither.

    `now` is the time of day in seconds since 1970.
    """
    if value:
        if value.isascii() and value.strip().isdigit():
            return float(value)
        try:
            return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - now)
        except ValueError:
            pass  # neither form, so the header is ignored
    seconds = details.get("retryAfterSeconds")
    return float(seconds) if isinstance(seconds, (int, float)) and seconds > 0 else None


def error_of(answer: Answer) -> errors.ClusterError:
    """The error for an answer, by its HTTP status."""
    of_range = (errors.ServerFailed, _server_failed) if answer.status >= 500 else (errors.Invalid, _unexpected)
    kind, sentence = _SENTENCES.get(answer.status, of_range)
    budget = _budget_of(answer)
    if budget:
        told = f"{answer.host} does not {answer.verb} {answer.target} now (429 Too Many Requests): {budget}"
        return errors.OverBudget(told, status=429, reason=answer.reason, path=answer.path, refusal=budget)
    transient = answer.status in _TRANSIENT
    return kind(
        sentence(answer),
        status=answer.status,
        reason=answer.reason,
        path=answer.path,
        transient=transient,
        # The API server sends Retry-After only where it did not carry the request out; client-go relies on it too.
        ambiguous=transient and answer.status != 429 and answer.retry_after is None,
        retry_after=answer.retry_after if transient else None,
        refusal="" if _RBAC.search(answer.text) else answer.text,
    )


def _budget_of(answer: Answer) -> str:
    """What the server says of the PodDisruptionBudget that does not allow an eviction now; empty for other answers."""
    if answer.status != 429:
        return ""
    causes = answer.details.get("causes") or ()
    told = [one.get("message") for one in causes if isinstance(one, dict) and one.get("reason") == "DisruptionBudget"]
    return one_line("; ".join(str(message) for message in told if message))


def _unauthorized(answer: Answer) -> str:
    hint = answer.hint or "they may be wrong, expired or revoked: log in again, or give valid credentials"
    return f"{answer.host} does not accept the credentials of {answer.who} (401 Unauthorized): {hint}"


def _forbidden(answer: Answer) -> str:
    target, verb, user = answer.target, answer.verb, f"The owner of these credentials ({answer.who})"
    rbac = _RBAC.search(answer.text)
    if rbac:
        user = f'User "{rbac["user"]}"'
        if rbac["verb"] != verb:  # not about our request but about something that it implies, such as impersonation
            verb = rbac["verb"]
            resource = ".".join(part for part in (rbac["resource"], rbac["group"]) if part)
            target = Target(resource, rbac["namespace"])
        if rbac["user"] == "system:anonymous":
            return (
                f"{answer.host} got no credentials and does not let anonymous users {verb} {target}: give credentials"
            )
    sentence = f"{user} may not {verb} {target}"
    if answer.text and not rbac:  # from an admission webhook, a quota or a proxy, with a message of their own
        return f"{sentence} (403 Forbidden): {answer.text}"
    return f"{sentence} (403 Forbidden): grant {verb} on {target.resource}{target.scope}; {_ROLES}"


def _not_found(answer: Answer) -> str:
    if answer.details.get("name"):
        missing = answer.text if answer.details["name"] != answer.target.name else f"{answer.target} does not exist"
        return f"{missing} (404 Not Found): check name, namespace and cluster ({answer.host})"
    return (
        f"{answer.host} does not know {answer.path} (404 Not Found): "
        "check that the host is the address of a Kubernetes API server and that this version of it serves the resource"
    )


def _conflict(answer: Answer) -> str:
    target, other = answer.target, answer.details.get("name")
    if answer.reason == "AlreadyExists":
        what = replace(target, name=target.name or other)
        return f"{what} exists already (409 Conflict): choose another name, or change the existing one"
    if other not in (None, target.name):  # such as a quota that counts the object
        return f"{answer.host} could not {answer.verb} {target} (409 Conflict), try again: {answer.text}"
    return f"{target} was changed by someone else in between (409 Conflict): read it again, then {answer.verb} it"


def _expired(answer: Answer) -> str:
    return f"{answer.host} no longer remembers the requested state of {answer.target} (410 Gone): list it again"


def _invalid(answer: Answer) -> str:
    if "HTTP request to an HTTPS server" in answer.text:
        return f"{answer.host} expects TLS: write the host with https://"
    if _WEBHOOK.search(answer.text):
        return f"cannot {answer.verb} {answer.target} ({answer.status}): {answer.text}"
    words = answer.text or "no reason given"
    return f"{answer.host} refuses to {answer.verb} {answer.target} ({answer.status}), correct the request: {words}"


def _throttled(answer: Answer) -> str:
    words = f": {answer.text}" if answer.text else ""
    return f"{answer.host} is too busy to {answer.verb} {answer.target} (429 Too Many Requests), try again later{words}"


def _server_failed(answer: Answer) -> str:
    words = answer.text or "no reason given"
    return (
        f"{answer.host} failed to {answer.verb} {answer.target} ({answer.status}), "
        f"look at the API server or what stands before it: {words}"
    )


def _unexpected(answer: Answer) -> str:
    if 300 <= answer.status < 400:
        return f"{answer.host} redirects {answer.path} elsewhere ({answer.status}): give the API server's own address"
    return _invalid(answer)


_SENTENCES: dict[int, tuple[type[errors.ClusterError], Callable[[Answer], str]]] = {
    400: (errors.Invalid, _invalid),
    401: (errors.Unauthorized, _unauthorized),
    403: (errors.Forbidden, _forbidden),
    404: (errors.NotFound, _not_found),
    409: (errors.Conflict, _conflict),
    410: (errors.Expired, _expired),
    422: (errors.Invalid, _invalid),
    429: (errors.Throttled, _throttled),
}
