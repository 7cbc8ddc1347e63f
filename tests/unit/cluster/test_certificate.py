# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Ends of certificates and tokens are read as a certificate library writes them."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.restartx.core.plugins.module_utils.cluster.certificate import (
    certificates_in,
    expiry_of_certificate,
    expiry_of_token,
)
from tests.unit.cluster.pki import certificate, key

KEY = key()
MOMENTS = st.datetimes(datetime(1960, 1, 1), datetime(2090, 1, 1)).map(
    lambda moment: moment.replace(microsecond=0, tzinfo=UTC)
)


@settings(max_examples=50, deadline=None)
@given(MOMENTS)
def test_the_end_of_a_certificate_is_read_in_either_notation(end):
    pem = certificate(KEY, start=end - timedelta(days=3650), end=end)
    assert expiry_of_certificate(b"text before\n" + pem + b"text after") == end


@pytest.mark.parametrize(
    "rubbish", [b"", b"no certificate", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"]
)
def test_where_there_is_no_certificate_there_is_no_end(rubbish):
    assert expiry_of_certificate(rubbish) is None


def test_certificates_are_found_between_other_things():
    pem = certificate(KEY)
    assert len(certificates_in(b"# comment \xff\n" + pem + b"\n-----BEGIN X-----\n" + pem)) == 2


def token(claims):
    parts = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in ({}, claims)]
    return ".".join([*parts, "signature"])


@pytest.mark.parametrize(
    ("text", "end"),
    [
        (token({"exp": 1_700_000_000}), datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)),
        (token({"exp": 10**40}), None),
        (token({"exp": "soon"}), None),
        (token({}), None),
        (token([]), None),
        ("a.b.c", None),
        ("opaque", None),
        ("", None),
    ],
)
def test_the_end_of_a_web_token_is_read_and_other_tokens_have_none(text, end):
    assert expiry_of_token(text) == end
