"""What clients asked and were answered, with times: the input of the checkers.

    history = History()
    op = history.call(client=3, kind=Kind.PUT, key="k", value="v17")
    ... ask the store ...
    history.done(op)            # or .failed(op): surely not applied; or nothing / .unknown(op): may be applied, ever

Keys and values are strings; None stands for "the key does not exist". Values that are written should be unique in a
history: it makes the check sharper and much faster. Times come from a counter of the history's own unless given, so
they order events exactly as they were recorded.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final


class Kind(StrEnum):
    GET = "get"
    PUT = "put"
    CAS = "cas"
    DELETE = "delete"


class Outcome(StrEnum):
    OK = "ok"
    FAILED = "failed"
    UNKNOWN = "unknown"


class Unseen:
    """The operation did not tell what was there before it."""

    def __repr__(self) -> str:
        return "?"


UNSEEN: Final = Unseen()


@dataclass(slots=True)
class Operation:
    """One call.

    `value`: what PUT and CAS write. `expected`: what CAS asks for (None: that the key does not exist).
    `returned` is None until an answer came. `observed`: the value that the answer says was there before the operation;
    GET has it always, CAS when it was refused and asked, DELETE and PUT when they asked. `succeeded`: of CAS, whether
    it wrote; of DELETE, whether there was something to delete; None: not told. `revision`: the store's revision in the
    answer's header, `mod_revision`: the one of the observed value; 0: not told.
    """

    client: int
    kind: Kind
    key: str
    call: float
    value: str | None = None
    expected: str | None = None
    outcome: Outcome = Outcome.UNKNOWN
    returned: float | None = None
    observed: str | Unseen | None = UNSEEN
    succeeded: bool | None = None
    revision: int = 0
    mod_revision: int = 0
    note: str = ""

    def __str__(self) -> str:
        end = "…" if self.returned is None else f"{self.returned:g}"
        did = {
            Kind.GET: "get",
            Kind.PUT: f"put {self.value}",
            Kind.CAS: f"cas {self.expected} → {self.value}",
            Kind.DELETE: "delete",
        }[self.kind]
        said = [] if self.outcome is Outcome.OK else [self.outcome.value]
        if self.outcome is Outcome.OK:
            said += [] if self.succeeded is None else ["yes" if self.succeeded else "no"]
            said += [] if isinstance(self.observed, Unseen) else [f"saw {self.observed}"]
            said += [f"at {self.revision}"] if self.revision else []
        note = f"  [{self.note}]" if self.note else ""
        return f"{self.call:g}..{end}  client {self.client}  {self.key}: {did}  ⇒ {', '.join(said) or 'ok'}{note}"

    @property
    def wrote(self) -> bool:
        """It is known to have changed the key."""
        if self.outcome is not Outcome.OK or self.kind is Kind.GET:
            return False
        return self.kind is Kind.PUT or self.succeeded is True


class History:
    """The operations of all clients of one run, in the order in which they were called."""

    def __init__(self, clock: Callable[[], float] | None = None) -> None:
        self.operations: list[Operation] = []
        events = itertools.count(1)
        self._clock: Callable[[], float] = clock or (lambda: next(events))

    def __len__(self) -> int:
        return len(self.operations)

    def __iter__(self) -> Iterator[Operation]:
        return iter(self.operations)

    def call(
        self, client: int, kind: Kind, key: str, *, value: str | None = None, expected: str | None = None
    ) -> Operation:
        op = Operation(client, kind, key, self._clock(), value=value, expected=expected)
        self.operations.append(op)
        return op

    def done(
        self,
        op: Operation,
        *,
        observed: str | Unseen | None = UNSEEN,
        succeeded: bool | None = None,
        revision: int = 0,
        mod_revision: int = 0,
    ) -> None:
        """Answered. For a GET `observed` is its answer; for a CAS `succeeded` must be told."""
        if op.kind is Kind.GET and isinstance(observed, Unseen):
            raise ValueError("a get's answer is what it observed")
        if op.kind is Kind.CAS and succeeded is None:
            raise ValueError("a compare-and-swap's answer says whether it succeeded")
        op.outcome = Outcome.OK
        op.observed, op.succeeded = observed, succeeded
        op.revision, op.mod_revision = revision, mod_revision
        op.returned = self._clock()

    def failed(self, op: Operation, note: str = "") -> None:
        """Surely not applied and never will be."""
        op.outcome = Outcome.FAILED
        op.returned = self._clock()
        op.note = note

    def unknown(self, op: Operation, note: str = "") -> None:
        """It may have taken effect, may yet, or never will."""
        op.outcome = Outcome.UNKNOWN
        op.note = note

    def counts(self) -> dict[str, int]:
        """How many operations of each outcome, for a test to see that it tested something."""
        found = {outcome.value: 0 for outcome in Outcome}
        for op in self.operations:
            found[op.outcome.value] += 1
        return found


def save(operations: Iterable[Operation], path: Path) -> None:
    """One JSON object a line; `python -m tests.linearizability check FILE` reads it."""
    with path.open("w") as file:
        for op in operations:
            fields: dict[str, Any] = {name: getattr(op, name) for name in Operation.__slots__}
            if isinstance(op.observed, Unseen):
                del fields["observed"]
            file.write(json.dumps(fields) + "\n")


def load(path: Path) -> list[Operation]:
    """Raises OSError, ValueError, TypeError."""
    operations = []
    for line in path.read_text().splitlines():
        fields = json.loads(line)
        fields["kind"] = Kind(fields["kind"])
        fields["outcome"] = Outcome(fields["outcome"])
        operations.append(Operation(**fields))
    return operations
