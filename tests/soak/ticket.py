# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One ticket from the first start of the playbook to the last, and what must be so in the end."""

from __future__ import annotations

import contextlib
import itertools
import random
import time
from collections import Counter

from house import now
from shops import KIND, NAME

from lab.poll import wait_until

ALL_DONE = "all was done"


class Ticket:
    """A restart that is disturbed at a moment which the seed decides."""

    def __init__(self, shop, kind, seed):
        self.shop = shop
        self.name = f"{kind}-{seed}"
        self.random = random.Random(self.name)
        self.before = shop.revisions()
        self.began = now()

    def start(self, within=()):
        """Begin the command."""
        return self.shop.start(self.name, within)

    def wait_for_progress(self):
        """Wait until a random number of workloads are restarted on a random cluster: (cluster, number)."""
        context = self.random.choice(list(self.shop.clusters))
        number = self.random.randint(1, len(KIND) - 5)
        wait_until(lambda: len(self._restarted(context)) >= number, f"restart {number} on {context}", 120, interval=0.5)
        return context, number

    def _restarted(self, context):
        journal = self.shop.journals()[context]
        begun = journal and journal["ticket"] == self.name
        return self.shop.carrying(context, journal["run"]) if begun else []

    def complete(self):
        """The same command again, to its end; returns how it took up what it found, in a few words."""
        journals = [one for one in self.shop.journals().values() if one and one["ticket"] == self.name]
        untouched = self.shop.revisions() == self.before
        over = [one["state"] for one in journals] == ["finished"] * len(self.shop.clusters)
        with self.start() as again:
            code, said = again.result()
        if over:  # all was done, and only the playbook's last words were cut off
            assert code != 0 and f"ticket {self.name} was carried out already" in said, said
            return ALL_DONE
        assert code == 0, said
        if journals:
            assert f"resuming run {journals[0]['run']} of plan {NAME}, ticket {self.name}" in said, said
            return said.partition(": ")[2] and _between(said, "begun ", " done")
        # Nothing is touched before the journal is written, so without one there is nothing to resume.
        assert untouched
        assert "new run" in said, said
        return "new run"

    def assert_done(self):
        """Each workload has exactly one new revision, in order; the journals are closed and the lock is free."""
        assert self.shop.revisions() == {key: number + 1 for key, number in self.before.items()}
        rows = self.shop.stamps()
        for earlier, later in itertools.pairwise(rows):
            assert max(earlier) <= min(later), rows
        journals = self.shop.journals().values()
        assert {(one["state"], one["ticket"]) for one in journals} == {("finished", self.name)}
        assert len({one["run"] for one in journals}) == 1

    def assert_unlocked(self):
        """Nobody holds the plan's lock."""
        assert set(self.shop.lock_holders().values()) == {None}

    def assert_patched_once(self):
        """What the servers carried out: one patch for each workload, over all starts."""
        assert self._patched() == Counter(self.before.keys())

    def assert_never_patched_twice(self):
        """The same where a killed server may have kept no record of one."""
        assert set(self._patched().values()) == {1}

    def _patched(self):
        return Counter((context, name) for context, name, _came in self.shop.patches(self.began))


def _between(text, first, last):
    return text.partition(first)[2].partition(last)[0] + last


@contextlib.contextmanager
def started_until(shop, kind, seed, moment):
    """The command at a random moment: (its ticket, what was started, seconds since then).

    `moment(random, span)` chooses one, and returns a function that tells of what was started whether it has come. A run
    that is over before that is not counted: another one is begun, and taken to be as short.
    """
    for turn in itertools.count():
        ticket = Ticket(shop, kind, f"{seed}-{turn}")
        has_come = moment(ticket.random, shop.span)
        with ticket.start() as started:
            began = time.monotonic()
            wait_until(lambda has_come=has_come, started=started: started.ended or has_come(started), "the moment", 300)
            if not started.ended:
                yield ticket, started, time.monotonic() - began
                return
            code, said = started.result()
            assert code == 0, said
            shop.span = shop.span.shortened(time.monotonic() - began)
