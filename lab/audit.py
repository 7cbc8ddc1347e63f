# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What an API server was asked, from its audit log."""

from __future__ import annotations

import datetime
import json
from pathlib import Path

from lab.api import Object

LAB_USER = "restartx-lab:lab"  # as whom the lab's Python asks; never counted


def requests(path: Path, user_agent: str | None = None, since: datetime.datetime | None = None) -> list[Object]:
    """The requests in the audit log `path`, oldest first, one event (a dict) each.

    A watch counts from its first answer, everything else when it has been answered.
    Each has an `objectRef`: that of a path which is no resource (/version) names no
    resource, "".
    `user_agent`: only requests whose user agent contains this text. `since`: only
    requests received at or after this aware datetime.
    """
    try:
        lines = path.read_text().splitlines()
    except FileNotFoundError:
        return []
    # A long log is mostly of others: only lines that hold the text somewhere are worth parsing.
    part = json.dumps(user_agent)[1:-1] if user_agent else ""
    events = (json.loads(line) for line in lines if part in line and line.endswith("}"))
    return [
        {"objectRef": {"resource": ""}, **event}
        for event in events
        if event["stage"] == ("ResponseStarted" if event["verb"] == "watch" else "ResponseComplete")
        and event["user"].get("username") != LAB_USER
        and (user_agent is None or user_agent in event.get("userAgent", ""))
        and (since is None or event["requestReceivedTimestamp"] >= _stamp(since))
    ]


def contains(path: Path, uri: str) -> bool:
    """Whether the audit log `path` holds an answered request for exactly `uri`."""
    needle = f'"requestURI":"{uri}"'
    return path.exists() and needle in path.read_text()


def _stamp(moment: datetime.datetime) -> str:
    utc = moment.astimezone(datetime.UTC)
    return utc.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
