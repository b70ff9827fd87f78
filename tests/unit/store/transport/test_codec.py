"""What travels between members comes out as it went in, or is refused."""

from __future__ import annotations

import pytest

from kubeactors.pb.raft.v1 import raft_pb2
from kubeactors.store.raft.configuration import Configuration
from kubeactors.store.raft.message import Message, MessageType, SnapshotMeta
from kubeactors.store.transport.codec import BadFrame, EntryEncoder, decode_entries, decode_message, fill_message
from kubeactors.store.wal.record import Entry, EntryKind, HardState, encode_hard_state

LARGE = 2**64 - 1
ENTRIES = (
    Entry(7, 41, EntryKind.NORMAL, b""),
    Entry(7, 42, EntryKind.CONFIG, b"change"),
    Entry(LARGE, 43, EntryKind.NORMAL, bytes(range(256)) * 40),
)


def there_and_back(message: Message) -> Message:
    wire = raft_pb2.Message()
    fill_message(wire, message, EntryEncoder().encode(message.entries))
    return decode_message(raft_pb2.Message.FromString(wire.SerializeToString()), message.to, message.sender)


@pytest.mark.parametrize("kind", MessageType)
def test_every_field_of_every_type(kind: MessageType) -> None:
    configuration = Configuration(frozenset({1, LARGE}), frozenset({3}))
    message = Message(
        kind,
        to=LARGE,
        sender=2,
        term=LARGE,
        index=40,
        log_term=6,
        commit=39,
        entries=ENTRIES,
        reject=True,
        hint=17,
        context=LARGE,
        snapshot=SnapshotMeta(40, 6, configuration),
    )
    back = there_and_back(message)
    assert back._replace(entries=tuple(back.entries)) == message


def test_what_is_not_set_stays_unset() -> None:
    assert there_and_back(Message(MessageType.HEARTBEAT, 1, 2, 3)) == Message(MessageType.HEARTBEAT, 1, 2, 3)


def test_entries_for_several_followers_are_encoded_once() -> None:
    encoder = EntryEncoder()
    first = encoder.encode(ENTRIES)
    assert encoder.encode(list(ENTRIES)) is first
    assert tuple(decode_entries(encoder.encode(ENTRIES[1:]))) == ENTRIES[1:]
    assert tuple(decode_entries(encoder.encode(ENTRIES[:2]))) == ENTRIES[:2]
    same_place = (ENTRIES[0], Entry(8, 42, EntryKind.NORMAL, b"other"), Entry(8, 43, EntryKind.NORMAL, b""))
    assert tuple(decode_entries(encoder.encode(same_place))) == same_place


def test_a_changed_byte_is_found() -> None:
    encoded = bytearray(EntryEncoder().encode(ENTRIES))
    for position in range(0, len(encoded), 97):
        damaged = bytearray(encoded)
        damaged[position] ^= 0x10
        with pytest.raises(BadFrame):
            decode_entries(bytes(damaged))
    with pytest.raises(BadFrame):
        decode_entries(bytes(encoded[:-1]))
    with pytest.raises(BadFrame):
        decode_entries(encode_hard_state(HardState(1, 2, 3)))


def test_an_unknown_type_is_refused() -> None:
    with pytest.raises(BadFrame):
        decode_message(raft_pb2.Message(type=99), 1, 2)
