# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Why an image cannot be pulled, in the words of container runtimes and registries."""

from __future__ import annotations

import re

# In this order, because a message may hold words of several: a registry that denies access often adds "not found".
_REASONS = tuple(
    (code, re.compile(pattern, re.IGNORECASE))
    for code, pattern in (
        ("image_rate_limit", r"toomanyrequests|too many requests|rate limit|\b429\b"),
        (
            "image_unreachable",
            r"\bdial (?:tcp|udp)\b|i/o timeout|connection (?:refused|reset|timed out)|no route to host|no such host|"
            r"network is unreachable|x509:|tls: |TLS handshake|proxyconnect|deadline exceeded|Client\.Timeout|"
            r"server gave HTTP response to HTTPS client|\b50[0234] (?:Internal|Bad|Service|Gateway)|: EOF\b",
        ),
        (
            "image_denied",
            r"unauthorized|authorization failed|authentication required|no basic auth|access denied|"
            r"\bdenied\b|\bforbidden\b|\b40[13]\b|insufficient_scope",
        ),
        (
            "image_not_found",
            r"not found|manifest unknown|name unknown|does not exist|\b404\b|no match for platform|not_found",
        ),
    )
)
_OF_REASON = {"RegistryUnavailable": "image_unreachable"}
_BACK_OFF = re.compile(r"""^Back-off pulling image "[^"]*"(?:: \w+: )?""")


def code_of(reason: str, message: str, image: str | None) -> str:
    """The code for a reason and a message of the kubelet. The name of the image itself does not count."""
    if reason in ("InvalidImageName", "ErrImageNeverPull"):
        return "image_pull"
    text = message.replace(image, "IMAGE") if image else message
    return next((code for code, pattern in _REASONS if pattern.search(text)), _OF_REASON.get(reason, "image_pull"))


def reason_in(message: str | None) -> str:
    """What the message says about the image itself. Empty if it only says that the kubelet waits before it tries again."""
    return _BACK_OFF.sub("", message or "").strip()
