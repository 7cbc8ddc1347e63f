# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How a run over many clusters shows the findings of the preflight."""

from __future__ import annotations

import pytest

from ansible_collections.restartx.core.plugins.module_utils.fleet import findings
from ansible_collections.restartx.core.plugins.module_utils.preflight.finding import stopping as stopping_of


def finding(code="quota", severity="risk", about="a", accepted=None):
    return {
        "code": code,
        "severity": severity,
        "object": about,
        "sentence": f"{about} is in trouble",
        "advice": "help it",
        "accepted": accepted,
    }


BLOCKER = finding("paused", "blocker", "b")
RISK = finding()
NOTE = finding("one_replica", "note", "n")
ACCEPTED = finding(about="x", accepted="known")


@pytest.mark.parametrize("stop_on, stopping", [("blocker", [BLOCKER]), ("risk", [BLOCKER, RISK])])
def test_what_stops_a_run(stop_on, stopping):
    accepted = finding("on_delete", "blocker", accepted="replaced by hand")
    assert stopping_of([BLOCKER, accepted, RISK, ACCEPTED, NOTE], stop_on) == stopping


def test_each_finding_that_stops_has_a_line_with_what_to_do():
    assert findings.lines([BLOCKER, RISK]) == [
        "blocker paused: b is in trouble; help it",
        "risk quota: a is in trouble; help it",
    ]


def test_many_of_them_are_counted():
    told = findings.lines([finding(about=str(number)) for number in range(findings.SHOWN + 3)])
    assert len(told) == findings.SHOWN + 1 and told[-1] == "and 3 more"
    assert len(findings.lines([RISK] * findings.SHOWN)) == findings.SHOWN


def test_a_message_that_says_the_same_is_known():
    assert findings.is_in(BLOCKER, ["b is in trouble; resume it"])
    assert not findings.is_in(BLOCKER, ["a is in trouble"]) and not findings.is_in(BLOCKER, [])


@pytest.mark.parametrize("found", [[], [NOTE], [ACCEPTED], [NOTE, ACCEPTED]])
def test_notes_and_what_is_accepted_are_shown_in_full_only(found):
    assert findings.summary(found, in_full=False) is None
    assert (findings.summary(found, in_full=True) is None) == (not found)


def test_one_finding_is_a_sentence_and_several_of_a_code_are_their_objects():
    assert findings.summary([BLOCKER, RISK], in_full=False) == (
        "blocker paused: b is in trouble; risk quota: a is in trouble"
    )
    many = [finding(about=about) for about in "abcda"]
    assert findings.summary(many, in_full=False) == "risk quota: a, b and 2 more"
    assert findings.summary(many[:2], in_full=False) == "risk quota: a, b"


def test_in_full_each_code_has_a_line_with_the_reason_why_it_is_accepted():
    assert findings.summary([RISK, ACCEPTED, NOTE], in_full=True) == (
        "risk quota: a is in trouble\nrisk quota: x (accepted: known)\nnote one_replica: n is in trouble"
    )


def test_a_line_with_many_codes_is_cut():
    found = [finding(f"code{number}", about=str(number)) for number in range(findings.SHOWN + 2)]
    assert findings.summary(found, in_full=False).endswith("; and 2 more")
    assert findings.summary(found, in_full=True).count("\n") == findings.SHOWN + 1
