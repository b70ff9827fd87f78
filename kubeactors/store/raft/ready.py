"""What the core wants done."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from kubeactors.store.raft.message import Message, SnapshotMeta
from kubeactors.store.wal.record import Entry, HardState


@dataclass(slots=True)
class Ready:
    """One turn of work for the host.

    `messages` may leave at once, also before what is below them is on the disk.
    `hard_state`, `entries`, `snapshot` are to be written, in one append to the log. Entries replace what the log holds
    from the first one's index on. A snapshot takes the place of the whole log; entries beside it follow it.
    `responses` may leave only when these, and those of every earlier Ready, are on the disk.
    `committed` are to be applied, in order: they are on this member's disk. Tell `applied_to` how far that has come.
    `reads`: (context, index): the read may be made when the entries up to `index` are applied.
    """

    messages: Sequence[Message] = ()
    hard_state: HardState | None = None
    entries: Sequence[Entry] = ()
    snapshot: SnapshotMeta | None = None
    responses: Sequence[Message] = ()
    committed: Sequence[Entry] = ()
    reads: Sequence[tuple[int, int]] = ()

    @property
    def must_sync(self) -> bool:
        """There is something to write; `advance` must be called when it is on the disk."""
        return bool(self.entries) or self.hard_state is not None or self.snapshot is not None
