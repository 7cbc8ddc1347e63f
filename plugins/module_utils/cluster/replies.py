# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Reads what a pod has answered through the API server, as far as it is short enough."""

from __future__ import annotations

import typing as t
from collections.abc import Callable

from ansible_collections.restartx.core.plugins.module_utils.cluster.api_errors import parse_status
from ansible_collections.restartx.core.plugins.module_utils.cluster.errors import ServerFailed

MOST = 1 << 20  # bytes
TOO_MANY = b"Too many requests, please try again later."  # the API server itself says so without a Status object


def body_of(response: t.Any, path: str, now: Callable[[], float], until: float) -> bytes:
    """The body of an answer. Raises ServerFailed if it is too long or comes too slowly."""
    body = b""
    try:
        while chunk := response.read(65536, decode_content=True):
            body += chunk
            if len(body) > MOST:
                raise ServerFailed(f"{path} answers with more than 1 MiB, which is not read; ask for less", path=path)
            if now() > until:
                raise ServerFailed(f"{path} takes too long to answer", path=path)
    finally:
        response.close()
    return body


def refusal(status: int, body: bytes) -> dict | None:
    """The Status object of an API server that could not ask the pod, which may be empty; None if this is the pod's own
    answer."""
    told = parse_status(body) if status >= 400 else {}
    if told.get("kind") == "Status":
        return told
    return {} if status == 429 and TOO_MANY in body else None
