"""A log entry's content: which request, when by the leader's clock, whose, and the request's own encoding.

Layout, little endian: kind (1 byte), time (8, milliseconds of cluster time), origin (8, the member that was asked),
id (8, the origin's name for the request), the request as protobuf. Kinds are never renumbered: logs written by older
versions must stay readable. An entry without any content is a new leader's first.
"""

from __future__ import annotations

import struct
from enum import IntEnum
from typing import NamedTuple

from google.protobuf.message import DecodeError, Message

from kubeactors.pb.etcd import rpc_pb2
from kubeactors.store.errors import CorruptData

_HEAD = struct.Struct("<BQQQ")


class Kind(IntEnum):
    PUT = 1
    DELETE_RANGE = 2
    TXN = 3
    COMPACT = 4
    LEASE_GRANT = 5
    LEASE_REVOKE = 6
    LEASE_KEEP_ALIVE = 7
    LEASE_EXPIRE = 8
    """The primary found a lease expired; carried out only if it still is at the entry's own time."""
    ALARM = 9
    MEMBER_ADD = 16
    MEMBER_REMOVE = 17
    MEMBER_PROMOTE = 18
    MEMBER_UPDATE = 19
    """Its peer URLs."""
    MEMBER_PUBLISH = 20
    """A member tells its name and client URLs."""


CONFIG_KINDS = frozenset((Kind.MEMBER_ADD, Kind.MEMBER_REMOVE, Kind.MEMBER_PROMOTE))
"""These change who votes, or is sent the log: they go in entries of EntryKind.CONFIG."""


_MESSAGES: dict[Kind, type[Message]] = {
    Kind.PUT: rpc_pb2.PutRequest,
    Kind.DELETE_RANGE: rpc_pb2.DeleteRangeRequest,
    Kind.TXN: rpc_pb2.TxnRequest,
    Kind.COMPACT: rpc_pb2.CompactionRequest,
    Kind.LEASE_GRANT: rpc_pb2.LeaseGrantRequest,
    Kind.LEASE_REVOKE: rpc_pb2.LeaseRevokeRequest,
    Kind.LEASE_KEEP_ALIVE: rpc_pb2.LeaseKeepAliveRequest,
    Kind.LEASE_EXPIRE: rpc_pb2.LeaseRevokeRequest,
    Kind.ALARM: rpc_pb2.AlarmRequest,
    Kind.MEMBER_ADD: rpc_pb2.Member,
    Kind.MEMBER_REMOVE: rpc_pb2.Member,
    Kind.MEMBER_PROMOTE: rpc_pb2.Member,
    Kind.MEMBER_UPDATE: rpc_pb2.Member,
    Kind.MEMBER_PUBLISH: rpc_pb2.Member,
}


class Command(NamedTuple):
    """`origin`, `id`: which member waits for the outcome, under which name; 0 when none does."""

    kind: Kind
    time: int
    request: Message
    origin: int = 0
    id: int = 0


def encode(command: Command) -> bytes:
    return pack(command.kind, command.time, command.origin, command.id, command.request.SerializeToString())


def pack(kind: int, time: int, origin: int, request_id: int, request: bytes) -> bytes:
    """`request`: encoded."""
    return _HEAD.pack(kind, time, origin, request_id) + request


def head(data: bytes) -> tuple[int, int, int, int]:
    """(kind, time, origin, id). Raises CorruptData."""
    try:
        return _HEAD.unpack_from(data)
    except struct.error as error:
        raise CorruptData(f"a log entry of {len(data)} bytes is none") from error


def decode(data: bytes) -> Command:
    """Raises CorruptData for bytes that no version up to this one writes."""
    number, time, origin, request_id = head(data)
    return Command(*decode_request(number, data[_HEAD.size :], time), origin, request_id)


def decode_request(number: int, encoded: bytes, time: int = 0) -> tuple[Kind, int, Message]:
    """(kind, time, request). Raises CorruptData."""
    try:
        kind = Kind(number)
        request = _MESSAGES[kind]()
        request.ParseFromString(encoded)
    except (ValueError, DecodeError) as error:
        raise CorruptData(f"a log entry cannot be read (written by a newer version?): {error}") from error
    return kind, time, request
