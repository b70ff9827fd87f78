"""Raft messages as the wire's messages, and back."""

from __future__ import annotations

from collections.abc import Sequence

from kubeactors.pb.raft.v1 import raft_pb2
from kubeactors.store.raft.configuration import Configuration
from kubeactors.store.raft.message import Message, MessageType, SnapshotMeta
from kubeactors.store.wal import record as rec
from kubeactors.store.wal.record import Entry

_TYPES = {int(kind): kind for kind in MessageType}


class BadFrame(Exception):
    """Another member sent what none of this version would."""


class EntryEncoder:
    """Entries as one run of log records. What goes to several followers one after the other is joined once."""

    def __init__(self) -> None:
        self._last: tuple[Entry, Entry, int, bytes] | None = None

    def encode(self, entries: Sequence[Entry]) -> bytes:
        if not entries:
            return b""
        first, last, count = entries[0], entries[-1], len(entries)
        kept = self._last
        if kept is not None and kept[0] is first and kept[1] is last and kept[2] == count:
            return kept[3]
        encoded = b"".join([rec.encode_entry(entry) for entry in entries])
        self._last = (first, last, count, encoded)
        return encoded


def fill_message(wire: raft_pb2.Message, message: Message, entries: bytes) -> None:
    """`entries`: the message's entries, encoded."""
    wire.type = message.type
    wire.term = message.term
    wire.index = message.index
    wire.log_term = message.log_term
    wire.commit = message.commit
    wire.hint = message.hint
    wire.context = message.context
    if message.reject:
        wire.reject = True
    if entries:
        wire.entries = entries
    if message.snapshot is not None:
        meta = message.snapshot
        wire.snapshot.index = meta.index
        wire.snapshot.term = meta.term
        wire.snapshot.voters.extend(sorted(meta.configuration.voters))
        wire.snapshot.learners.extend(sorted(meta.configuration.learners))


def decode_message(wire: raft_pb2.Message, to: int, sender: int) -> Message:
    """Raises BadFrame."""
    kind = _TYPES.get(wire.type)
    if kind is None:
        raise BadFrame(f"a raft message of unknown type {wire.type}")
    snapshot = None
    if wire.HasField("snapshot"):
        meta = wire.snapshot
        configuration = Configuration(frozenset(meta.voters), frozenset(meta.learners))
        snapshot = SnapshotMeta(meta.index, meta.term, configuration)
    return Message(
        type=kind,
        to=to,
        sender=sender,
        term=wire.term,
        index=wire.index,
        log_term=wire.log_term,
        commit=wire.commit,
        entries=decode_entries(wire.entries),
        reject=wire.reject,
        hint=wire.hint,
        context=wire.context,
        snapshot=snapshot,
    )


def decode_entries(encoded: bytes) -> Sequence[Entry]:
    """Raises BadFrame when a record is damaged or is no entry."""
    if not encoded:
        return ()
    try:
        return rec.decode_entries(encoded)
    except rec.BadRecord as error:
        raise BadFrame(f"an entry arrived damaged: {error}") from error
