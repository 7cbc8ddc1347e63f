# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Turns exceptions of urllib3 into one sentence that distinguishes problems of DNS, network and TLS."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from typing import TypeVar
from urllib.parse import urlsplit

from ansible_collections.restartx.core.plugins.module_utils.cluster.errors import Unreachable
from ansible_collections.restartx.core.plugins.module_utils.cluster.libraries import IS_URLLIB3_1, urllib3
from ansible_collections.restartx.core.plugins.module_utils.cluster.url import bare

E = TypeVar("E", bound=BaseException)

# Numbers of OpenSSL's X509_V_ERR_*, and what to do about each.
_CERTIFICATE = {
    9: "is not valid yet: check the clocks of both sides",
    10: "has expired: the expired certificate must be renewed on the server's side",
    18: "is signed by itself and not trusted: give its CA as ca_cert",
    19: "is signed by an unknown CA: give that CA's certificate as ca_cert",
    20: "is signed by an unknown CA: give that CA's certificate as ca_cert",
    21: "is signed by an unknown CA: give that CA's certificate as ca_cert",
    62: "is for another host name: use a name the certificate holds, or set tls-server-name in the kubeconfig",
    64: "is for another address: use a name the certificate holds, or set tls-server-name in the kubeconfig",
}
# Parts of OpenSSL's names of TLS alerts, which say what the server thinks of our certificate.
_ALERTS = {
    "CERTIFICATE_EXPIRED": "the client certificate has expired: renew the expired certificate",
    "CERTIFICATE_REQUIRED": "a client certificate is required: give client_cert and client_key",
    "HANDSHAKE_FAILURE": "the TLS handshake failed: the server may want a client certificate (client_cert, client_key)",
    "UNKNOWN_CA": "the server does not trust the client certificate's CA: use a certificate made for this cluster",
    "BAD_CERTIFICATE": "the server refuses the client certificate: use a certificate made for this cluster",
    "CERTIFICATE_UNKNOWN": "the server refuses the client certificate: use a certificate made for this cluster",
    "WRONG_VERSION_NUMBER": "the server does not speak TLS on this port: check the port, or give the host with http://",
    "HTTP_REQUEST": "the server does not speak TLS on this port: check the port, or give the host with http://",
}


def trouble_of(error: Exception, host: str, proxy: str | None, path: str) -> Unreachable:
    """The error for an exception of urllib3, or below it, that ended a request to `host` (a URL)."""
    causes = list(_causes(error))

    def find(kind: type[E] | tuple[type[E], ...]) -> E | None:
        return next((cause for cause in causes if isinstance(cause, kind)), None)

    at_proxy = find(urllib3.exceptions.ProxyError) is not None
    way = f"{host} through the proxy {bare(proxy)}" if at_proxy else host
    no_connection = (urllib3.exceptions.NewConnectionError, socket.gaierror, ConnectionRefusedError)
    # urllib3 1 reports every failure of a connection through a proxy as a proxy error, even after it sent the request.
    unsent = find(no_connection) is not None or (at_proxy and not IS_URLLIB3_1)

    def unreachable(why: str, *, transient: bool = True, ambiguous: bool = not unsent) -> Unreachable:
        return Unreachable(f"cannot reach {way}: {why}", path=path, transient=transient, ambiguous=ambiguous)

    if refused := find(ssl.SSLCertVerificationError):
        words = _CERTIFICATE.get(refused.verify_code, f"is not accepted ({refused.verify_message})")
        return unreachable(f"the server's certificate {words}", transient=False, ambiguous=False)
    if any("doesn't match" in str(cause) for cause in causes):  # urllib3 1 compares host names itself
        return unreachable(f"the server's certificate {_CERTIFICATE[62]}", transient=False, ambiguous=False)
    failed = find(ssl.SSLError)
    if failed and not isinstance(failed, (ssl.SSLEOFError, ssl.SSLZeroReturnError)):
        alert = next((text for word, text in _ALERTS.items() if word in (failed.reason or "")), None)
        if alert:
            return unreachable(alert, transient=False, ambiguous=False)
        return unreachable(f"TLS failed ({failed.reason or failed})")
    if find(urllib3.exceptions.LocationValueError):
        return unreachable("that is not a valid host name, correct it", transient=False, ambiguous=False)
    if unknown := find(socket.gaierror):
        name = urlsplit((at_proxy and proxy) or host).hostname
        return unreachable(f'the name "{name}" has no address ({unknown.strerror}), check the name and DNS')
    if find(ConnectionRefusedError):
        return unreachable("connection refused, check the port and that something listens there")
    if find(urllib3.exceptions.ConnectTimeoutError) and not find(urllib3.exceptions.NewConnectionError):
        return unreachable("no connection in time, check the address, firewalls and proxy", ambiguous=False)
    if find(urllib3.exceptions.ReadTimeoutError):
        return unreachable("connected, but no answer in time, the API server may be overloaded: try again later")
    refusal = [str(cause) for cause in causes if isinstance(cause, OSError) and "unnel" in str(cause)]
    if refusal:  # http.client's own words, with the proxy's status
        sentence = f"{refusal[0]}, check proxy, proxy_headers and no_proxy"
        return unreachable(sentence, transient=False, ambiguous=False)
    broken = find(OSError)
    if broken and broken.strerror:
        return unreachable(f"{broken.strerror}, check the network in between")
    return unreachable("the connection broke, the API server or a proxy may be restarting: try again later")


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The exception and those in its arguments, `reason`, cause and context, each once, from outer to inner."""
    seen: list[BaseException] = []
    waiting: list[object] = [error]
    while waiting:
        current = waiting.pop(0)
        if isinstance(current, BaseException) and current not in seen:
            seen.append(current)
            yield current
            waiting += [*current.args, getattr(current, "reason", None), current.__cause__, current.__context__]
