"""What the member's loop asks of consensus, in the shape of etcd-io/raft.

propose ─▶ core ─▶ ready(): entries and hard state to sync, messages to send, committed entries to apply
             ▲                     │
             └──────── advance(ready), once the sync is done ◀─┘
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from kubeactors.store.wal.record import Entry, HardState


class NotLeader(Exception):
    """This member does not lead; a proposal must go to the one that does. Nothing was appended."""


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
