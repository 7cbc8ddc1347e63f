# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The table of states: one writer, no other transitions, one stream of events. To renew the table in docs/design.md:

PYTHONPATH=.collections:tests/unit .venv/bin/python tests/unit/engine/test_states.py
"""

from __future__ import annotations

import ast
import itertools
from pathlib import Path

import pytest
from simulation import RUN, FakeClock, FakeCluster, Run, deployment

from ansible_collections.restartx.core.plugins.module_utils.engine import steps
from ansible_collections.restartx.core.plugins.module_utils.engine.permission import RunOptions
from ansible_collections.restartx.core.plugins.module_utils.engine.states import (
    MEANING,
    TRANSITIONS,
    IllegalTransition,
    State,
)
from ansible_collections.restartx.core.plugins.module_utils.engine.task import Task

ROOT = Path(__file__).resolve().parents[3]
PAGE = ROOT / "docs" / "design.md"
BEGIN, END = "<!-- states: begin -->\n", "<!-- states: end -->\n"
# How a task gets into each state, from the first one on.
WAYS = {
    State.WAITING: [],
    State.ACTING: [State.ACTING],
    State.WATCHING: [State.WATCHING],
    State.SETTLING: [State.WATCHING, State.SETTLING],
    State.EXPLAINING: [State.EXPLAINING],
    State.ENDED: [State.ENDED],
}


def task_in(state):
    task = Task(("Deployment", "shop", "api"), "all", deployment("api"), steps.StatusStep())
    for after in WAYS[state]:
        task.to(after, FakeClock())
    return task


@pytest.mark.parametrize("before, after", list(itertools.product(State, State)))
def test_a_task_goes_only_where_the_table_says_and_tells_it(before, after):
    task, heard = task_in(before), []
    task.listener = heard.append
    if after in TRANSITIONS[before]:
        task.to(after, FakeClock(), message="why")
        assert task.state is after
        assert [(event.before, event.after, event.task, event.message) for event in heard] == [
            (before, after, task, "why")
        ]
    else:
        with pytest.raises(IllegalTransition):
            task.to(after, FakeClock(), message="why")
        assert (task.state, task.message, heard) == (before, "", [])


def test_an_event_cannot_be_changed_afterwards():
    task, heard = task_in(State.WAITING), []
    task.listener = heard.append
    task.to(State.ENDED, FakeClock())
    with pytest.raises(AttributeError):
        heard[0].message = "other"


def test_every_state_has_a_meaning_and_a_way_to_its_end():
    assert set(MEANING) == set(TRANSITIONS) == set(WAYS) == set(State)
    assert all(State.ENDED in after for before, after in TRANSITIONS.items() if before is not State.ENDED)


def writers(file):
    """The functions of a file that assign a `state`, and those that set one by name."""
    found = set()
    for function in ast.walk(ast.parse(file.read_text())):
        if not isinstance(function, ast.FunctionDef):
            continue
        for node in ast.walk(function):
            stored = isinstance(node, ast.Attribute) and node.attr == "state" and isinstance(node.ctx, ast.Store)
            called = isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("setattr", "delattr")
            if stored or called:
                found.add(f"{file.name}:{function.name}")
    return found


def test_only_to_writes_the_state_of_a_task():
    sources = (ROOT / "plugins" / "module_utils").rglob("*.py")
    assert set().union(*map(writers, sources)) == {"task.py:to"}


class Stream:
    """An observer that keeps what it hears."""

    required = needs_lock = False
    warnings = ()

    def __init__(self):
        self.events = []

    def see(self, event):
        self.events.append(event)

    def work(self, tasks):
        return None

    def close(self, tasks):
        pass


UNDO = RunOptions(undo_failed=steps.UndoStep(steps.Mode(), run_id=RUN))


@pytest.mark.parametrize(
    "options, more, path",
    [
        ({}, {}, "waiting acting watching ended"),
        ({}, {"settle": 5.0}, "waiting acting watching settling ended"),
        ({"breaks": {"api"}}, {}, "waiting acting watching explaining ended"),
        ({"breaks": {"api"}}, {"options": UNDO}, "waiting acting watching explaining acting watching ended"),
        ({}, {"options": RunOptions(wait=False)}, "waiting acting ended"),
        ({}, {"step": steps.StatusStep()}, "waiting watching ended"),
        ({}, {"step": steps.PauseStep(steps.Mode(), paused=False)}, "waiting ended"),
    ],
)
def test_the_events_of_a_task_are_the_whole_way_that_it_went(options, more, path):
    stream = Stream()
    run = Run(("api",), cluster=FakeCluster([deployment("api")], **options), observers=[stream], **more).carry_out()
    events = stream.events
    assert [events[0].before, *(event.after for event in events)] == path.split()
    assert all(earlier.after is later.before for earlier, later in itertools.pairwise(events))
    assert [event.at for event in events] == sorted(event.at for event in events)
    assert (events[-1].outcome, events[-1].message) == (run.outcome("api"), run.task("api").message)


def with_table(page):
    before, rest = page.split(BEGIN)
    after = rest.split(END)[1]
    rows = [
        f"| `{state}` | {MEANING[state]} | {', '.join(f'`{after}`' for after in State if after in TRANSITIONS[state])} |"
        for state in State
    ]
    table = "\n".join(["| state | the task ... | may become |", "| --- | --- | --- |", *rows])
    return f"{before}{BEGIN}\n{table}\n\n{END}{after}"


def test_the_table_in_the_design_is_fresh():
    page = PAGE.read_text(encoding="utf-8")
    assert page == with_table(page), __doc__


if __name__ == "__main__":
    PAGE.write_text(with_table(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
