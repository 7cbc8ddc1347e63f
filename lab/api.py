# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The few requests the lab itself sends to an API server."""

import json
import ssl
import urllib.error
import urllib.request

from lab.errors import LabError

_TYPES = {"PATCH": "application/strategic-merge-patch+json"}


class Api:
    """One API server, spoken to with a client certificate."""

    def __init__(self, server, authority, certificate, key):
        self.server = server
        self._tls = ssl.create_default_context(cafile=str(authority))
        self._tls.load_cert_chain(str(certificate), str(key))

    def request(self, method, path, body=None, timeout=30):
        """Send one request and return the answer, parsed if it is JSON.

        Raises ApiError, with the HTTP status in `.code` (None where no answer came).
        """
        request = urllib.request.Request(
            self.server + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={
                "Content-Type": _TYPES.get(method, "application/json"),
                "User-Agent": "restartx-lab",
            },
        )
        try:
            with urllib.request.urlopen(request, context=self._tls, timeout=timeout) as answer:
                text = answer.read()
        except urllib.error.HTTPError as error:
            raise ApiError(error.code, _message(error.read())) from None
        except OSError as error:
            raise ApiError(None, f"{self.server} does not answer: {getattr(error, 'reason', error)}.") from None
        return json.loads(text) if text.startswith(b"{") else text.decode()


class ApiError(LabError):
    """An API server refused a request, or did not answer."""

    def __init__(self, code, message):
        super().__init__(message)
        self.code = code


def _message(body):
    try:
        return json.loads(body)["message"]
    except (ValueError, KeyError, TypeError):
        return body.decode(errors="replace").strip()
