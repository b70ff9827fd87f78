"""Raft with one voter: it elects itself at start, and what is on its disk is committed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from kubeactors.store.wal.record import Entry, EntryKind, HardState

BATCH_BYTES = 8 * 1024 * 1024
"""Bytes of entries that one write to the log takes, so that one sync stays short."""


@dataclass(frozen=True, slots=True)
class Ready:
    """`entries` and `hard_state` must be on the disk before `advance`; `committed` may be applied at once."""

    entries: Sequence[Entry]
    hard_state: HardState | None
    committed: Sequence[Entry]

    @property
    def must_sync(self) -> bool:
        return bool(self.entries) or self.hard_state is not None


class Core(Protocol):
    @property
    def term(self) -> int: ...

    @property
    def leader(self) -> int:
        """Member id, 0 when none is known."""
        ...

    @property
    def last_index(self) -> int: ...

    @property
    def commit(self) -> int: ...

    def propose(self, data: bytes) -> int:
        """The index that the entry will have if it is committed in the present term. Raises NotLeader."""
        ...

    def ready(self) -> Ready | None:
        """What is to be done now, None when nothing is. The one before it must have been advanced."""
        ...

    def advance(self, ready: Ready) -> None:
        """What `ready` asked for is durable, and its committed entries were handed to be applied."""
        ...


class SoloCore:
    """`entries`: what the log holds after `applied`, the index that the state already reflects."""

    def __init__(self, member_id: int, hard_state: HardState, entries: Sequence[Entry], applied: int) -> None:
        self._id = member_id
        self._term = hard_state.term + 1
        self._hard_state_changed = True
        self._last_index = entries[-1].index if entries else applied
        self._commit = self._last_index  # the log's only voter is this disk, and it has them
        self._committed: list[Entry] = list(entries)
        self._unstable: list[Entry] = []
        # A leader's first entry of its term, which Raft needs before older terms' entries count (paper, 5.4.2).
        self._append(b"")

    @property
    def term(self) -> int:
        return self._term

    @property
    def leader(self) -> int:
        return self._id

    @property
    def last_index(self) -> int:
        return self._last_index

    @property
    def commit(self) -> int:
        return self._commit

    def propose(self, data: bytes) -> int:
        return self._append(data)

    def ready(self) -> Ready | None:
        if not self._unstable and not self._committed:
            return None
        size = count = 0
        for entry in self._unstable:
            if size > BATCH_BYTES:
                break
            size += len(entry.data)
            count += 1
        entries, self._unstable = self._unstable[:count], self._unstable[count:]
        committed, self._committed = self._committed, []
        state = HardState(self._term, self._id, self._commit) if self._hard_state_changed else None
        return Ready(entries, state, committed)

    def advance(self, ready: Ready) -> None:
        if ready.hard_state is not None:
            self._hard_state_changed = False
        if ready.entries:
            self._committed.extend(ready.entries)
            self._commit = ready.entries[-1].index

    def _append(self, data: bytes) -> int:
        self._last_index += 1
        self._unstable.append(Entry(self._term, self._last_index, EntryKind.NORMAL, data))
        return self._last_index
