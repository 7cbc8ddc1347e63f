# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which proxy leads to a server, by the rules of kubectl.

If the kubeconfig has a `proxy-url`, kubectl uses it and ignores the environment. Otherwise Go's net/http reads
HTTPS_PROXY or HTTP_PROXY and NO_PROXY: https://pkg.go.dev/golang.org/x/net/http/httpproxy.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Union
from urllib.parse import urlsplit

_PORTS = {"https": "443", "http": "80"}
Address = Union[ipaddress.IPv4Address, ipaddress.IPv6Address]  # noqa: UP007  ansible-test's pylint takes the other form for an operation


def proxy_of_environment(host: str, environ: Mapping[str, str], no_proxy: str | None = None) -> tuple[str, str] | None:
    """The variable that names the proxy for a server, and the proxy's URL; None for a direct connection.

    `host` is the URL of the server. `no_proxy` replaces the variable of that name. A loopback address is never reached
    through a proxy from the environment.
    """
    name = f"{urlsplit(host).scheme.upper()}_PROXY"
    variable = _first_set(environ, name)
    if variable is None or (name == "HTTP_PROXY" and environ.get("REQUEST_METHOD")):  # a CGI script, as in net/http
        return None
    machine = (urlsplit(host).hostname or "").lower()
    address = _address(machine)
    if machine == "localhost" or (address is not None and address.is_loopback):
        return None
    if no_proxy is None:
        excepted = _first_set(environ, "NO_PROXY")
        no_proxy = environ[excepted] if excepted else ""
    if is_excepted(host, no_proxy):
        return None
    url = environ[variable]
    return variable, url if "://" in url else f"http://{url}"


def is_excepted(host: str, no_proxy: str) -> bool:
    """Whether the list contains this server (a URL): by its address, a network, its name, a parent domain, or `*`.

    `shop.example` includes all names below it. `.shop.example` and `*.shop.example` mean only the names below it. A
    port, as in `shop.example:6443`, must be that of the server.
    """
    parts = urlsplit(host)
    name = (parts.hostname or "").lower()
    port = str(parts.port or _PORTS.get(parts.scheme, ""))
    address = _address(name)
    entries = [entry.strip().lower() for entry in no_proxy.split(",")]
    return any(_matches(entry, name, port, address) for entry in entries if entry)


def _matches(entry: str, name: str, port: str, address: Address | None) -> bool:
    if entry == "*":
        return True
    network = _network(entry)
    if network is not None:
        return address is not None and address in network
    entry, needed = _split_port(entry)
    if not entry or (needed and needed != port):
        return False
    excepted = _address(entry)
    if excepted is not None or address is not None:
        return excepted == address
    if entry.startswith("*."):
        entry = entry[1:]
    return name.endswith(entry if entry.startswith(".") else f".{entry}") or name == entry


def _first_set(environ: Mapping[str, str], name: str) -> str | None:
    """The spelling of a variable that counts: upper case before lower case. Empty variables count as not set."""
    return next((spelling for spelling in (name, name.lower()) if environ.get(spelling)), None)


def _split_port(entry: str) -> tuple[str, str]:
    """Split `name:port`, `1.2.3.4:port` and `[::1]:port`. A bare IPv6 address has no port."""
    machine, colon, port = entry.rpartition(":")
    if machine.startswith("[") and machine.endswith("]"):
        return machine[1:-1], port
    return (entry, "") if ":" in machine or not colon else (machine, port)


def _address(text: str) -> Address | None:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    mapped = getattr(address, "ipv4_mapped", None)  # ::ffff:10.0.0.1 is 10.0.0.1
    return mapped or address


def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    if "/" not in text:
        return None
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None
