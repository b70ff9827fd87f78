"""Records as bytes, for snapshots and checksums: a fixed head, then key and value, one record after the other."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator

from kubeactors.store.mvcc.record import Record

# key length, value length, create, mod, version, lease, sub
_HEAD = struct.Struct("<IIqqqqI")


def encode_records(records: Iterable[Record]) -> bytes:
    pack = _HEAD.pack
    parts: list[bytes] = []
    for key, value, create, mod, version, lease, sub in records:
        parts.append(pack(len(key), len(value), create, mod, version, lease, sub))
        parts.append(key)
        parts.append(value)
    return b"".join(parts)


def decode_records(data: bytes) -> Iterator[Record]:
    """Raises ValueError when the bytes end within a record."""
    unpack, head, position, end = _HEAD.unpack_from, _HEAD.size, 0, len(data)
    while position < end:
        if position + head > end:
            raise ValueError("a record is cut off")
        key_length, value_length, create, mod, version, lease, sub = unpack(data, position)
        position += head
        middle = position + key_length
        stop = middle + value_length
        if stop > end:
            raise ValueError("a record is cut off")
        yield (data[position:middle], data[middle:stop], create, mod, version, lease, sub)
        position = stop
