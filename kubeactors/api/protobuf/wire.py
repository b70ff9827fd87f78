"""The protobuf wire format: fields as (number, wire type, value). See https://protobuf.dev/programming-guides/encoding/."""

from __future__ import annotations

from collections.abc import Iterator

VARINT, FIXED64, LENGTH, FIXED32 = 0, 1, 2, 5
_FIXED = {FIXED64: 8, FIXED32: 4}


class ProtobufError(ValueError):
    """Bytes that are not a message, or not one of the expected kind."""


def fields(data: bytes) -> Iterator[tuple[int, int, int | bytes]]:
    """Number, wire type and value of each field, in order. Varints are unsigned. Raises ProtobufError."""
    position, end = 0, len(data)
    while position < end:
        tag, position = varint(data, position)
        number, wire = tag >> 3, tag & 7
        if number == 0:
            raise ProtobufError("a field has the number 0")
        if wire == VARINT:
            value, position = varint(data, position)
            yield number, wire, value
            continue
        if wire == LENGTH:
            length, position = varint(data, position)
        elif wire in _FIXED:
            length = _FIXED[wire]
        else:
            raise ProtobufError(f"wire type {wire} is not known")
        if position + length > end:
            raise ProtobufError("a field is cut off")
        yield number, wire, data[position : position + length]
        position += length


def varint(data: bytes, position: int) -> tuple[int, int]:
    """A varint and the position after it. Raises ProtobufError."""
    result = shift = 0
    while True:
        if position >= len(data) or shift > 63:
            raise ProtobufError("a varint is cut off or too long")
        byte = data[position]
        position += 1
        result |= (byte & 0x7F) << shift
        if byte < 0x80:
            return result & 0xFFFFFFFFFFFFFFFF, position
        shift += 7


def signed(value: int) -> int:
    """An unsigned 64-bit varint as the two's complement that int32 and int64 fields hold."""
    return value - (1 << 64) if value >> 63 else value
