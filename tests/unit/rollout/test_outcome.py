# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What each outcome means, in one table, and that an outcome is a plain string wherever it is shown."""

from __future__ import annotations

import json

import pytest

from ansible_collections.restartx.core.plugins.module_utils.rollout.outcome import (
    BAD,
    DONE,
    FINAL,
    RETRIED,
    Outcome,
    order,
    words,
)

MEANINGS = {
    "restarted": {"good", "done"},
    "already_restarted": {"good", "done"},
    "planned": {"good"},
    "rolled_out": {"good"},
    "paused": {"good"},
    "resumed": {"good"},
    "undone": {"final"},
    "failed": {"retried"},
    "unfinished": {"retried"},
    "refused": set(),
    "superseded": {"retried"},
    "in_progress": {"good"},
    "unchanged": {"good"},
    "not_started": set(),
}


def test_every_outcome_has_its_meaning_and_its_place_in_summaries():
    assert {
        outcome: {name for name in ("good", "done", "retried", "final") if getattr(outcome, name)}
        for outcome in Outcome
    } == MEANINGS
    assert sorted(sorted(MEANINGS), key=order) == list(MEANINGS)


def test_the_sets_hold_plain_strings_too():
    assert {"failed", "undone", "not_started"} < BAD and "restarted" not in BAD
    assert {"restarted", "already_restarted"} == DONE
    assert {"failed", "unfinished", "superseded"} == RETRIED
    assert {"undone"} == FINAL


@pytest.mark.parametrize("outcome", Outcome)
def test_an_outcome_is_a_plain_string_in_json_and_can_be_read_again(outcome):
    text = json.loads(json.dumps(outcome))
    assert not isinstance(text, Outcome) and Outcome.of(text) is outcome
    assert not isinstance(str(outcome), Outcome) and f"{outcome}" == text
    assert outcome.words == text.replace("_", " ")


@pytest.mark.parametrize("text", ["rebooted", "", None, 7])
def test_what_is_no_outcome_is_none(text):
    assert Outcome.of(text) is None


def test_what_is_not_known_comes_last_and_is_said_as_it_is():
    assert sorted(["rebooted_by_hand", "not_started", "failed"], key=order)[-1] == "rebooted_by_hand"
    assert words("rebooted_by_hand") == "rebooted by hand"
