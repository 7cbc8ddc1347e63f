# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""When a certificate or a token expires, for the message of a 401.

The API server returns the same "Unauthorized" for credentials that are expired, wrong or revoked. So we check the
expiry.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from datetime import UTC, datetime

_PEM = re.compile(rb"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)


def certificates_in(data: bytes) -> list[str]:
    """The PEM certificates in the content of a file. It may contain other text between them."""
    return [block.decode("ascii", "ignore") for block in _PEM.findall(data)]


def expiry_of_certificate(pem: bytes) -> datetime | None:
    """notAfter of the first certificate; None if it cannot be read."""
    blocks = certificates_in(pem)
    try:
        return expiry_of_der(base64.b64decode("".join(blocks[0].splitlines()[1:-1])))
    except (IndexError, ValueError):
        return None


def expiry_of_der(der: bytes) -> datetime | None:
    """notAfter of a certificate in binary form; None if it cannot be read."""
    try:
        return _not_after(der)
    except (IndexError, ValueError):
        return None


def expiry_of_token(token: str) -> datetime | None:
    """`exp` of a JSON web token; None if this is not one, or if it does not expire. Nothing is verified."""
    parts = token.split(".")
    if len(parts) != 3:
        return None
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
        return datetime.fromtimestamp(claims["exp"], UTC)
    except (binascii.Error, ValueError, KeyError, TypeError, OverflowError):
        return None


def _not_after(der: bytes) -> datetime:
    """Walk to Certificate.tbsCertificate.validity.notAfter (RFC 5280 section 4.1)."""
    _tag, certificate, _after = _element(der)
    _tag, body, _after = _element(certificate)
    tag, _serial, after = _element(body)
    if tag == 0xA0:  # that was the version, which is optional; this is the serial number
        _tag, _serial, after = _element(after)
    for _field in ("signature", "issuer"):
        _tag, _content, after = _element(after)
    _tag, validity, _after = _element(after)
    _tag, _not_before, after = _element(validity)
    tag, text, _after = _element(after)
    if tag == 0x17:  # UTCTime: two digits of a year from 1950 to 2049
        text = (b"19" if text >= b"50" else b"20") + text
    return datetime.strptime(text.decode("ascii"), "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)


def _element(data: bytes) -> tuple[int, bytes, bytes]:
    """The tag and the content of the first DER element, and the data after it."""
    tag, length, start = data[0], data[1], 2
    if length & 0x80:
        start = 2 + (length & 0x7F)
        length = int.from_bytes(data[2:start], "big")
    return tag, data[start : start + length], data[start + length :]
