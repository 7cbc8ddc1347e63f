# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a log says about the network: a name that is not resolved, or an address that does not answer."""

from __future__ import annotations

import re
import typing as t
from collections.abc import Sequence

# The words of libraries and programs in many languages.
_NO_NAME = re.compile(
    r"no such host|temporary failure in name resolution|name or service not known|nodename nor servname|"
    r"name does not resolve|EAI_AGAIN|\bENOTFOUND\b|could(?:n't| not) resolve (?:host|name)|UnknownHostException|"
    r"server misbehaving|getaddrinfo failed|could not translate host name|failed to lookup address|"
    r"\bNXDOMAIN\b|\bSERVFAIL\b|\bwget: bad address|\blookup \S+(?: on \S+)?: .*(?:timeout|timed out|refused)",
    re.IGNORECASE,
)
_NO_ANSWER = re.compile(r"time(?:d )?out|ETIMEDOUT|no route to host|EHOSTUNREACH|network is unreachable", re.IGNORECASE)
_ADDRESS = re.compile(
    r"""(?:(?<![\w.:])(?P<ip>\d{1,3}(?:\.\d{1,3}){3})|\[(?P<v6>[0-9a-f:]+)\]|(?<![\w./-])(?P<name>[a-z][\w.-]*))"""
    r""":(?P<port>\d{2,5})\b|server at "(?P<at>[^"]+)"[^"]*, port (?P<of>\d+)""",
    re.IGNORECASE,
)


class Address(t.NamedTuple):
    """A host, as a name or an IP address, and a port."""

    host: str
    port: int


class Complaint(t.NamedTuple):
    """The last line about it. The address is None if a name was not resolved."""

    line: str
    address: Address | None


def unresolved(lines: Sequence[str]) -> Complaint | None:
    """The last line that says that a name is not resolved; None if there is none."""
    line = next((line for line in reversed(lines) if _NO_NAME.search(line)), None)
    return Complaint(line, None) if line else None


def unanswered(lines: Sequence[str]) -> Complaint | None:
    """The last line that says that an address does not answer; None if there is none."""
    for line in reversed(lines):
        found = None if _NO_NAME.search(line) or not _NO_ANSWER.search(line) else _ADDRESS.search(line)
        if found:
            host = found["ip"] or found["v6"] or found["name"] or found["at"]
            return Complaint(line, Address(host, int(found["port"] or found["of"])))
    return None
