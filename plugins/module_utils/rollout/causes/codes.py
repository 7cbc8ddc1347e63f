# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A cause: its object, its sentence and its advice."""

from __future__ import annotations

import typing as t
from collections.abc import Sequence
from dataclasses import dataclass

from ansible_collections.restartx.core.plugins.module_utils.rollout import kinds
from ansible_collections.restartx.core.plugins.module_utils.rollout.causes import masking
from ansible_collections.restartx.core.plugins.module_utils.rollout.causes.commands import Commands
from ansible_collections.restartx.core.plugins.module_utils.rollout.causes.known import CODES
from ansible_collections.restartx.core.plugins.module_utils.rollout.kinds.fields import Object

LONGEST_MESSAGE = 300  # characters
LONGEST_FURTHER = 200  # characters of the sentence of a further cause

# Which log explains a container: its own, or that of its previous instance.
CURRENT = "current"
PREVIOUS = "previous"

_WORST_FIRST = list(CODES)


class Further(t.NamedTuple):
    """A milder cause of the same rollout, without its advice."""

    code: str
    sentence: str


@dataclass(frozen=True)
class Cause:
    """Why a rollout makes no progress. `permanent` means that it cannot recover, so the wait ends at once.

    `pod`, `container` and `reason` (the term of Kubernetes) are None if the cause has none. `log_source` says which log
    to read, None if there is none. `log` is empty until the last lines were read. `ends` counts how often the container
    is known to have ended, and `running` says that it runs now. `exit_code` is that of its last end. `pods` says how many
    of the new pods show the cause, and where they are. `also` has further causes, the worst first.
    """

    code: str
    object: str
    sentence: str
    advice: str
    permanent: bool = False
    pod: str | None = None
    container: str | None = None
    reason: str | None = None
    log_source: str | None = None
    log: tuple[str, ...] = ()
    ends: int = 0
    running: bool = False
    exit_code: int | None = None
    pods: str | None = None
    also: tuple[Further, ...] = ()

    @property
    def broken(self) -> bool:
        """Whether something is wrong with the containers themselves, so that a resumed run restarts the workload
        again."""
        return CODES[self.code].broken or self._loops

    @property
    def recoverable(self) -> bool:
        """Whether it may recover within the grace, for example when a node is added or a database comes up."""
        return not self.permanent and (CODES[self.code].recoverable or self._loops)

    @property
    def family(self) -> str:
        """What the grace is counted for: a pod may show now one code of a family and now another."""
        return CODES[self.code].family or self.code

    @property
    def _loops(self) -> bool:
        """Whether a probe that only delays other rollouts ends the container again and again."""
        return self.code == "startup_probe" and self.exit_code is not None


@dataclass(frozen=True)
class Subject:
    """The object of a cause, and the container in it if there is one. `context` is used in commands."""

    thing: dict
    kind: str
    container: str | None = None
    context: str | None = None
    role: str = "container"  # the word for the container in messages

    @property
    def label(self) -> str:
        """The name for messages, as `pod "api-1" in namespace "shop"`. Items of a list have no kind."""
        return kinds.label({**self.thing, "kind": self.kind})

    @property
    def words(self) -> str:
        """The same, with the container first if there is one."""
        return f'{self.role} "{self.container}" of {self.label}' if self.container else self.label


def pod_subject(
    pod: Object, context: str | None = None, container: str | None = None, role: str = "container"
) -> Subject:
    """A pod, or one of its containers."""
    return Subject(pod, "pod", container, context, role)


def make(
    code: str,
    subject: Subject,
    details: Sequence[str | None] = (),
    message: str | None = None,
    *,
    says: str | None = None,
    advice: str | None = None,
    **more: t.Any,
) -> Cause:
    """A cause with its sentence and advice. `more` are fields of Cause; `says` and `advice` replace the code's own."""
    known = masking.mask(", ".join(detail for detail in details if detail))  # the path of a probe may hold a token
    text = short(message)
    sentence = f"{subject.words} {says or CODES[code].says}" + (f" ({known})" if known else "")
    is_pod = subject.kind == "pod"
    previous = more.get("log_source") == PREVIOUS
    fields = {"pod": subject.thing["metadata"]["name"] if is_pod else None, "container": subject.container}
    return Cause(
        code,
        subject.label,
        sentence + (f": {text}" if text else ""),
        (advice or CODES[code].advice).format_map(
            Commands(subject.thing, subject.kind, subject.container, subject.context, previous)
        ),
        **{**fields, **more},
    )


def short(message: str | None) -> str:
    """A message as one line that is not too long, without secrets."""
    return _cut(" ".join(masking.mask(message or "").split()), LONGEST_MESSAGE)


def _cut(text: str, longest: int) -> str:
    """The beginning and the end. A container runtime names the reason last, after all that it tried."""
    if len(text) <= longest:
        return text
    end = longest // 3
    return f"{text[: longest - end]} ... {text[-end:]}"


def further(cause: Cause) -> Further:
    """A cause that is shown besides a worse one: its first words are enough."""
    return Further(cause.code, _cut(cause.sentence, LONGEST_FURTHER))


def worst(causes: Sequence[Cause]) -> Cause | None:
    """The worst cause, and the first of equal ones. Permanent causes come before others."""
    return min(causes, key=weight, default=None)


def weight(cause: Cause) -> tuple[bool, int]:
    """A key that sorts causes from worst to mildest."""
    return not cause.permanent, _WORST_FIRST.index(cause.code)
