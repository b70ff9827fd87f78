"""What a member's node asks of the transport, and what the transport tells the node.

Everything runs on one event loop. The transport may lose messages and whole frames, as Raft expects, and never delivers
one twice; what one connection delivers arrives in the order in which it was handed over.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from kubeactors.store.machine.membership import Member
from kubeactors.store.raft.message import Message


@dataclass(frozen=True, slots=True)
class Peer:
    """Another member and where it listens for its peers (https://host:port or http://host:port)."""

    id: int
    urls: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ClusterRecord:
    """The cluster as one member knows it: what a member that joins asks for before it has any data."""

    cluster_id: int
    members: tuple[Member, ...]
    removed: tuple[int, ...] = ()


class SnapshotRefused(Exception):
    """This snapshot is not wanted: it is older than what is here, or another one is on its way."""


class SnapshotSink(Protocol):
    """Where a snapshot goes that comes from another member. After `finish` or `abandon` nothing more is called."""

    async def write(self, chunk: bytes) -> None:
        """Chunks come in order, without gaps, one at a time. Raises OSError."""
        ...

    async def finish(self) -> None:
        """All of it has come. Verify it, put it in place, step the message. Raises OSError, CorruptData: the sender is
        told that it failed."""
        ...

    async def abandon(self) -> None:
        """It will not be completed: remove what was written."""
        ...


class Receiver(Protocol):
    """The node's side. The transport never calls these from within one of its own methods, so they may do anything.

    They must not raise; what they raise is logged and ends the connection to that peer.
    """

    def on_messages(self, sender: int, messages: Sequence[Message]) -> None:
        """One frame's messages. `sender` is the member at the other end; no message names another one as sender."""
        ...

    def on_forward(self, sender: int, frame: bytes) -> None:
        """What the other member's node gave to `send_forward`."""
        ...

    def on_unreachable(self, peer: int) -> None:
        """A connection has ended, or messages for this peer were dropped: what was sent last may not have arrived."""
        ...

    def on_connected(self, peer: int) -> None:
        """A connection is there. Nothing that was handed over before it is on its way any more."""
        ...

    def open_snapshot(self, sender: int, message: Message, size: int) -> SnapshotSink:
        """A snapshot of `size` bytes is about to come; `message` is the SNAPSHOT message that `send_snapshot` was
        given, with its `snapshot` set. Raises SnapshotRefused."""
        ...

    def on_snapshot_status(self, peer: int, ok: bool) -> None:
        """The snapshot that `send_snapshot` was to bring to this peer is in place there, or did not get there."""
        ...

    def on_removed(self) -> None:
        """Another member says that this one was removed from the cluster. It may come more than once."""
        ...

    def cluster(self) -> ClusterRecord:
        """The cluster as this member knows it now."""
        ...


class Transport(Protocol):
    """Methods that are not coroutines return at once and never raise for a peer's sake."""

    async def start(self, receiver: Receiver) -> None:
        """Listen, and connect to the peers. The member does this before it starts the node, and stops it after.
        Raises OSError, ValueError (an address or certificate that cannot be)."""
        ...

    async def stop(self) -> None:
        """What was handed over before may be lost. Nothing of the Receiver is called afterwards."""
        ...

    def set_peers(self, peers: Collection[Peer], removed: Collection[int], index: int) -> None:
        """Exactly these members are connected to from now on (this member itself among them is passed over).

        `removed`: ids that once were members and never will be again; they are told so when they call.
        `index`: the log index of the membership change that this follows from. A caller that is in no list is let in
        when it knows of a later one than this member does, since this member then has to learn of it from somebody.
        """
        ...

    def send(self, messages: Sequence[Message]) -> None:
        """Each to its `to`, in this turn of the loop where nothing is being written to that peer; what is handed over
        during a write shares the next frame. Messages for a peer that is not connected or does not read are dropped,
        and `on_unreachable` tells of it. Not for SNAPSHOT messages.

        Entries travel as kubeactors.store.wal.record.encode_entry encodes them.
        """
        ...

    def send_forward(self, to: int, frame: bytes) -> bool:
        """False: not taken, surely never delivered (not connected, or too much is waiting). True: on its way; it may
        still be lost when the connection ends, which `on_unreachable` tells of."""
        ...

    def send_snapshot(self, message: Message, path: Path) -> None:
        """Send the file at `path` to `message.to`, in chunks over a connection of its own, beside the raft messages.

        The file may be removed once this has returned: it is opened at once. One at a time to each peer; another one
        for the same peer while one is on its way is passed over. `on_snapshot_status` tells how it ended.
        """
        ...

    def active_since(self, peer: int) -> float | None:
        """Since when (the loop's time, seconds) this peer is connected; None when it is not."""
        ...
