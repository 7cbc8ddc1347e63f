# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How a server is reached, with which credentials, and what its answer shows: for people, without secrets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime

from ansible_collections.restartx.core.plugins.module_utils.cluster.certificate import (
    expiry_of_certificate,
    expiry_of_der,
)
from ansible_collections.restartx.core.plugins.module_utils.cluster.credential import Credential
from ansible_collections.restartx.core.plugins.module_utils.cluster.endpoint import Endpoint
from ansible_collections.restartx.core.plugins.module_utils.cluster.libraries import urllib3
from ansible_collections.restartx.core.plugins.module_utils.cluster.url import bare


@dataclass(frozen=True)
class ConnectionInfo:
    """What is known of a connection before any request."""

    proxy: str | None  # without its user
    validate: bool  # whether the certificate of the server is checked
    credentials: str  # in words
    renewed: bool  # another program renews the token or the certificate
    token_expires: datetime | None  # None without a token, and for one whose end is not known
    certificate_expires: datetime | None  # of the client
    token_file: bool = False  # the token is in a file, which another program may renew


@dataclass(frozen=True)
class ServerInfo:
    """What an answer shows of the server."""

    version: str | None
    certificate_expires: datetime | None  # None without TLS
    clock_ahead: float | None  # seconds by which its clock is ahead of ours; precise to a second


def connection_info(endpoint: Endpoint, credential: Credential) -> ConnectionInfo:
    """What is known of this connection."""
    from_plugin = credential.expires is not None
    renewed_token = endpoint.source.renewed and credential.authorization and not credential.certificate
    return ConnectionInfo(
        proxy=bare(endpoint.proxy) if endpoint.proxy else None,
        validate=endpoint.validate,
        credentials=endpoint.source.words,
        renewed=from_plugin or bool(renewed_token),
        token_expires=credential.token_expires,
        certificate_expires=expiry_of_certificate(credential.certificate) if credential.certificate else None,
        token_file=endpoint.source.token_file,
    )


def certificate_of(response: urllib3.response.BaseHTTPResponse) -> bytes | None:
    """The certificate (DER) of the server that sent this response; None without TLS. The body must be unread."""
    socket = getattr(getattr(response, "connection", None), "sock", None)
    read = getattr(socket, "getpeercert", None)
    certificate: bytes | None = read(binary_form=True) if read else None
    return certificate


def server_info(version: Mapping, certificate: bytes | None, date: str | None, now: float) -> ServerInfo:
    """From the answer of /version and its header Date. `now` is when it came, in seconds since 1970."""
    return ServerInfo(
        version=version.get("gitVersion"),
        certificate_expires=expiry_of_der(certificate) if certificate else None,
        clock_ahead=_ahead(date, now),
    )


def _ahead(date: str | None, now: float) -> float | None:
    """The header has whole seconds, so a difference of less than one is none."""
    try:
        seconds = parsedate_to_datetime(date or "").timestamp()
    except (TypeError, ValueError, OverflowError):
        return None
    return float(round(seconds - now) if seconds > now else min(0, round(seconds + 1 - now)))
