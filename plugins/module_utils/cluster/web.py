# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""GET requests to web servers that are not API servers, with the same rules for proxies and TLS."""

from __future__ import annotations

import json
import os
import time
import typing as t
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlencode, urlsplit

from ansible_collections.restartx.core.plugins.module_utils.cluster.credential import Credential
from ansible_collections.restartx.core.plugins.module_utils.cluster.endpoint import NOBODY, Endpoint
from ansible_collections.restartx.core.plugins.module_utils.cluster.errors import ConfigError, Unreachable
from ansible_collections.restartx.core.plugins.module_utils.cluster.libraries import urllib3
from ansible_collections.restartx.core.plugins.module_utils.cluster.pools import make_pools
from ansible_collections.restartx.core.plugins.module_utils.cluster.proxy import proxy_of_environment
from ansible_collections.restartx.core.plugins.module_utils.cluster.transport_errors import trouble_of
from ansible_collections.restartx.core.plugins.module_utils.cluster.url import bare

_MOST = 1 << 20  # bytes of a body


@dataclass(frozen=True)
class Site:
    """A URL, and what it takes to reach it. `authority` is the CA in PEM, None for those of the system."""

    url: str
    authority: bytes | None = None
    validate: bool = True
    authorization: str | None = field(default=None, repr=False)  # the value of the header

    @property
    def shown(self) -> str:
        """The URL without user, password and query, which may be secret."""
        return bare(self.url.split("?", 1)[0])


@dataclass(frozen=True)
class Reply:
    """An answer. `certificate` is that of the server in binary form, None without TLS."""

    status: int
    body: bytes
    seconds: float
    certificate: bytes | None = None

    def json(self) -> t.Any:
        """The body as JSON. Raises ValueError."""
        return json.loads(self.body)


def get(site: Site, seconds: float, query: Mapping[str, str] | None = None) -> Reply:
    """One request, which takes `seconds` at most. Redirects are not followed. Raises Unreachable and ConfigError."""
    parts = urlsplit(site.url)
    host = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
    found = proxy_of_environment(host, os.environ)
    where, proxy = f"the URL {site.shown}", found[1] if found else None
    endpoint = Endpoint(host, NOBODY, where, None, site.authority, site.validate, proxy=proxy)
    headers = {"Accept": "application/json, */*", "User-Agent": "restartx"}
    if site.authorization:
        headers["Authorization"] = site.authorization
    joined = "&" if parts.query else "?"
    url = site.url + (f"{joined}{urlencode(query)}" if query else "")
    began = time.monotonic()
    pools = make_pools(endpoint, Credential())
    certificates = _keep_certificates(pools)
    try:
        timeout = urllib3.Timeout(total=seconds)
        answer = pools.request(
            "GET", url, headers=headers, timeout=timeout, retries=False, redirect=False, preload_content=False
        )
        body = _body(answer, site, began + seconds)
    except (urllib3.exceptions.HTTPError, OSError) as error:
        raise trouble_of(error, bare(host), proxy, parts.path or "/") from error
    finally:
        pools.clear()
    return Reply(answer.status, body, time.monotonic() - began, certificates[-1] if certificates else None)


def _body(answer: t.Any, site: Site, until: float) -> bytes:
    """The body. The timeout of a connection counts for each read, so a slow server could take forever."""
    body = b""
    while chunk := answer.read(65536):
        body += chunk
        if len(body) > _MOST:
            raise ConfigError(f"{site.shown} answers with more than 1 MiB, which is not read; ask for less")
        if time.monotonic() > until:
            raise Unreachable(f"cannot reach {site.shown}: its answer takes too long", path=site.shown)
    return body


def _keep_certificates(pools: urllib3.PoolManager) -> list[bytes]:
    """Collects the certificates of the servers that the pools connect to: an answer may close its connection at once."""
    found: list[bytes] = []
    plain: t.Any = pools.pool_classes_by_scheme["https"]
    base: t.Any = plain.ConnectionCls

    class Connection(base):
        def connect(self) -> None:
            super().connect()
            found.append(self.sock.getpeercert(binary_form=True))

    pools.pool_classes_by_scheme = {
        **pools.pool_classes_by_scheme,
        "https": type("Pool", (plain,), {"ConnectionCls": Connection}),
    }
    return found
