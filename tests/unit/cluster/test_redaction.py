# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Secrets are taken out of a text, known ones and what looks like one."""

from __future__ import annotations

import pytest

from ansible_collections.restartx.core.plugins.module_utils.cluster.redaction import hide


@pytest.mark.parametrize(
    ("text", "secrets", "shown"),
    [
        ("token abc and abc", {"abc"}, "token ******** and ********"),
        ("one abcdef", {"abc", "abcdef"}, "one ********"),
        ("Authorization: Bearer xyz!", set(), "Authorization: Bearer ********"),
        ("bad eyJhbGci.eyJleHAi.c2ln here", set(), "bad ******** here"),
        ("access_token=xyz failed", set(), "access_token=******** failed"),
        ("client_secret: xyz", set(), "client_secret:********"),
        ("Password=xyz", set(), "Password=********"),
        ("The token has expired", set(), "The token has expired"),
        ("eyJustAWord", set(), "eyJustAWord"),
        ("", {"abc"}, ""),
        (f"{{'password': {'a%b' + chr(92)!r}}}", {"a%b\\"}, "{'password': '********'}"),
        ('{"password": "a\\"b\\u00fc"}', {'a"bü'}, '{"password": "********"}'),
        ("http://ann:p%40ss@proxy", {"p@ss"}, "http://ann:********@proxy"),
    ],
)
def test_what_is_or_looks_like_a_secret_is_hidden(text, secrets, shown):
    assert hide(text, secrets) == shown
