# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Of a log only the end is asked for and shown."""

from __future__ import annotations

import pytest

from ansible_collections.restartx.core.plugins.module_utils.rollout import log


@pytest.mark.parametrize(
    "lines, shown",
    [
        ([], ()),
        (["one"], ("one",)),
        ([str(number) for number in range(24)], tuple(str(number) for number in range(4, 24))),
        (["first"] + [letter * 299 for letter in "abcdefghijk"], tuple(letter * 299 for letter in "bcdefghijk")),
        (["panic:", "", "  at main", "   "], ("panic:", "  at main")),
        (["\x1b[31mred\x1b[0m\tand\rmore\x00"], (" [31mred [0m and more",)),
        (["x" * 301], ("x" * 300 + "...",)),
        (["x" * 300], ("x" * 300,)),
        (["Preisliste fehlt: \u20ac"], ("Preisliste fehlt: \u20ac",)),
    ],
)
def test_the_last_lines_are_short_and_plain(lines, shown):
    assert log.last_lines(lines) == shown


def test_the_server_is_asked_for_no_more_than_that():
    assert log.path("shop", "api-1") == "/api/v1/namespaces/shop/pods/api-1/log"
    query = log.query("app", previous=True)
    assert (query["container"], query["previous"], query["tailLines"]) == ("app", True, log.LINES)


def test_fewer_lines_can_be_asked_for():
    assert log.query("app", previous=False, lines=3)["tailLines"] == 3
    assert log.last_lines(list("abcd"), 3) == ("b", "c", "d")
