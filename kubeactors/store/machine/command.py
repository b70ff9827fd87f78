"""A log entry's content: which request, when by the primary's clock, and the request's own encoding.

Layout: kind (1 byte), time (8 bytes, little endian, milliseconds of cluster time), the request as protobuf. Kinds are
never renumbered: logs written by older versions must stay readable.
"""

from __future__ import annotations

import struct
from enum import IntEnum
from typing import NamedTuple

from google.protobuf.message import DecodeError, Message

from kubeactors.pb.etcd import rpc_pb2
from kubeactors.store.errors import CorruptData

_HEAD = struct.Struct("<BQ")


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
}


class Command(NamedTuple):
    kind: Kind
    time: int
    request: Message


def encode(command: Command) -> bytes:
    return _HEAD.pack(command.kind, command.time) + command.request.SerializeToString()


def decode(data: bytes) -> Command:
    """Raises CorruptData for bytes that no version up to this one writes."""
    try:
        number, time = _HEAD.unpack_from(data)
        kind = Kind(number)
        request = _MESSAGES[kind]()
        request.ParseFromString(data[_HEAD.size :])
    except (struct.error, ValueError, DecodeError) as error:
        raise CorruptData(f"a log entry cannot be read (written by a newer version?): {error}") from error
    return Command(kind, time, request)
