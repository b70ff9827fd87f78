"""Proposals that wait for their outcome."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from google.protobuf.message import Message as Request

from kubeactors.store.errors import StoreError, TooManyRequests
from kubeactors.store.machine.command import Kind

Done = Callable[[Request | StoreError], None]
"""What a proposal came to: the response with its header, or why it was not carried out. Called once."""

HELD = 0
"""The term of a proposal that nobody has been given yet, or that surely was not taken."""


class Pending:
    """`term`: in which it was proposed or forwarded. `frame`: the sequence of the frame that it went in, 0 for none."""

    __slots__ = ("body", "deadline", "done", "frame", "id", "kind", "request", "term")

    def __init__(self, id: int, kind: Kind, request: Request, body: bytes, deadline: float, done: Done) -> None:
        self.id = id
        self.kind = kind
        self.request = request
        self.body = body
        self.deadline = deadline
        self.done = done
        self.term = HELD
        self.frame = 0


class PendingTable:
    """In the order in which they came, which is that of their deadlines, since all have the same time."""

    def __init__(self, max_count: int, max_bytes: int) -> None:
        self._max_count = max_count
        self._max_bytes = max_bytes
        self._all: dict[int, Pending] = {}
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._all)

    def check_room(self) -> None:
        """Raises TooManyRequests."""
        if len(self._all) >= self._max_count or self._bytes > self._max_bytes:
            raise TooManyRequests

    def add(self, pending: Pending) -> None:
        self._all[pending.id] = pending
        self._bytes += len(pending.body)

    def get(self, request_id: int) -> Pending | None:
        return self._all.get(request_id)

    def pop(self, request_id: int) -> Pending | None:
        pending = self._all.pop(request_id, None)
        if pending is not None:
            self._bytes -= len(pending.body)
        return pending

    def all(self) -> list[Pending]:
        return list(self._all.values())

    def before_term(self, term: int) -> list[Pending]:
        """Those given to a leader of an earlier term."""
        return [pending for pending in self._all.values() if HELD < pending.term < term]

    def overdue(self, now: float) -> Iterator[Pending]:
        """Taken out one by one."""
        while self._all:
            first = next(iter(self._all.values()))
            if first.deadline > now:
                return
            self.pop(first.id)
            yield first
