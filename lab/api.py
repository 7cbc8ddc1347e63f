# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The few requests the lab itself sends to an API server."""

from __future__ import annotations

import json
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lab.errors import LabError

Object = dict[str, Any]  # an object of Kubernetes, or another JSON object

_TYPES = {"PATCH": "application/strategic-merge-patch+json"}


class Api:
    """One API server, spoken to with a client certificate."""

    def __init__(self, server: str, authority: Path, certificate: Path, key: Path):
        self.server = server
        self._tls = ssl.create_default_context(cafile=str(authority))
        self._tls.load_cert_chain(str(certificate), str(key))

    def request(self, method: str, path: str, body: Object | None = None, timeout: float = 30) -> Any:
        """Send one request and return the answer, parsed if it is JSON.

        Raises ApiError, with the HTTP status in `.code` (None where no answer came).
        """
        request = self._request(method, path, body)
        try:
            with urllib.request.urlopen(request, context=self._tls, timeout=timeout) as answer:
                text = answer.read()
        except urllib.error.HTTPError as error:
            raise ApiError(error.code, _message(error.read())) from None
        except OSError as error:
            raise ApiError(None, f"{self.server} does not answer: {getattr(error, 'reason', error)}.") from None
        return json.loads(text) if text.startswith(b"{") else text.decode()

    def watch(self, path: str, version: str, seconds: int) -> Iterator[Object]:
        """The events after a version of the list at `path`, until the server ends the watch after `seconds`."""
        options = f"watch=true&allowWatchBookmarks=true&resourceVersion={version}&timeoutSeconds={seconds}"
        request = self._request("GET", f"{path}{'&' if '?' in path else '?'}{options}")
        with urllib.request.urlopen(request, context=self._tls, timeout=seconds + 30) as answer:
            yield from map(json.loads, answer)

    def _request(self, method: str, path: str, body: Object | None = None) -> urllib.request.Request:
        return urllib.request.Request(
            self.server + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={
                "Content-Type": _TYPES.get(method, "application/json"),
                "User-Agent": "restartx-lab",
            },
        )


class ApiError(LabError):
    """An API server refused a request, or did not answer."""

    def __init__(self, code: int | None, message: str):
        super().__init__(message)
        self.code = code


def _message(body: bytes) -> str:
    try:
        return str(json.loads(body)["message"])
    except (ValueError, KeyError, TypeError):
        return body.decode(errors="replace").strip()
