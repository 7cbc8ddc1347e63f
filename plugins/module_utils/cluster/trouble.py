# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Turns what urllib3 raises when no answer comes into one sentence that tells name, network and TLS apart."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from urllib.parse import urlsplit

from ansible_collections.restartx.core.plugins.module_utils.cluster.errors import Unreachable
from ansible_collections.restartx.core.plugins.module_utils.cluster.libraries import urllib3
from ansible_collections.restartx.core.plugins.module_utils.cluster.url import bare

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
# Words in OpenSSL's names of TLS alerts, which are the server's opinion of our certificate.
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
    """The error for an exception of urllib3 (or below it) that a request to `host` (a URL) ended with."""
    causes = list(_causes(error))

    def find(kind):
        return next((cause for cause in causes if isinstance(cause, kind)), None)

    at_proxy = find(urllib3.exceptions.ProxyError) is not None
    way = f"{host} through the proxy {bare(proxy)}" if at_proxy else host
    unsent = at_proxy or find(urllib3.exceptions.NewConnectionError) is not None

    def unreachable(why: str, *, transient: bool = True, ambiguous: bool = not unsent) -> Unreachable:
        return Unreachable(f"cannot reach {way}: {why}", path=path, transient=transient, ambiguous=ambiguous)

    if cause := find(ssl.SSLCertVerificationError):
        words = _CERTIFICATE.get(cause.verify_code, f"is not accepted ({cause.verify_message})")
        return unreachable(f"the server's certificate {words}", transient=False, ambiguous=False)
    if any("doesn't match" in str(cause) for cause in causes):  # urllib3 1 compares host names itself
        return unreachable(f"the server's certificate {_CERTIFICATE[62]}", transient=False, ambiguous=False)
    cause = find(ssl.SSLError)
    if cause and not isinstance(cause, (ssl.SSLEOFError, ssl.SSLZeroReturnError)):
        words = [text for word, text in _ALERTS.items() if word in (cause.reason or "")]
        return unreachable(words[0] if words else f"TLS failed ({cause.reason or cause})", transient=not words)
    if find(urllib3.exceptions.LocationValueError):
        return unreachable("that is no possible name of a host, correct it", transient=False, ambiguous=False)
    if cause := find(socket.gaierror):
        name = urlsplit(proxy if at_proxy else host).hostname
        return unreachable(f'the name "{name}" has no address ({cause.strerror}), check the name and DNS')
    if find(ConnectionRefusedError):
        return unreachable("connection refused, check the port and that something listens there")
    if find(urllib3.exceptions.ConnectTimeoutError) and not find(urllib3.exceptions.NewConnectionError):
        return unreachable("no connection in time, check the address, firewalls and proxy", ambiguous=False)
    if find(urllib3.exceptions.ReadTimeoutError):
        return unreachable("connected, but no answer in time, the API server may be overloaded: try again later")
    refusal = [str(cause) for cause in causes if isinstance(cause, OSError) and "unnel" in str(cause)]
    if refusal:  # http.client's own words, with the proxy's status
        return unreachable(f"{refusal[0]}, check proxy, proxy_headers and no_proxy", transient=False)
    cause = find(OSError)
    if cause and cause.strerror:
        return unreachable(f"{cause.strerror}, check the network in between")
    return unreachable("the connection broke, the API server or a proxy may be restarting: try again later")


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The exception and those inside it (argument, `reason`, cause, context), each once, outer before inner."""
    seen: list[BaseException] = []
    waiting: list[object] = [error]
    while waiting:
        current = waiting.pop(0)
        if isinstance(current, BaseException) and current not in seen:
            seen.append(current)
            yield current
            waiting += [*current.args, getattr(current, "reason", None), current.__cause__, current.__context__]
