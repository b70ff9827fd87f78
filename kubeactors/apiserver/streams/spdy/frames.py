"""SPDY/3.1 frames: https://www.chromium.org/spdy/spdy-protocol/spdy-protocol-draft3-1. Pure.

The reader takes bytes as they come. Data frames, which may have 16 MB, are given out in the pieces in which they come,
so that no frame is ever kept whole; control frames have a limit.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

SYN_STREAM, SYN_REPLY, RST_STREAM, SETTINGS, PING, GOAWAY, HEADERS, WINDOW_UPDATE = 1, 2, 3, 4, 6, 7, 8, 9
FLAG_FIN = 1

#: RST_STREAM's reasons.
PROTOCOL_ERROR, INVALID_STREAM, REFUSED_STREAM, CANCEL = 1, 2, 3, 5

#: The longest control frame that is taken, in bytes.
MAX_CONTROL = 64 * 1024
_VERSION = 3
_HEAD = 8


class SpdyError(Exception):
    """Bytes that are no SPDY: the connection cannot go on."""


@dataclass(frozen=True, slots=True)
class Data:
    """A piece of a data frame; `fin` when its stream's sender has ended with it."""

    stream: int
    data: bytes
    fin: bool


@dataclass(frozen=True, slots=True)
class Control:
    """A control frame."""

    type: int
    flags: int
    payload: bytes


class FrameReader:
    """Frames out of a connection's bytes."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        # The data frame under way: stream, bytes that are still to come, whether it ends its stream.
        self._data: tuple[int, int, bool] | None = None

    def feed(self, data: bytes) -> list[Data | Control]:
        """The frames, or pieces of them, that these bytes complete. Raises SpdyError."""
        self._buffer += data
        found: list[Data | Control] = []
        buffer = self._buffer
        while True:
            if self._data is not None:
                stream, left, fin = self._data
                if not buffer:
                    return found
                piece = bytes(buffer[:left])
                del buffer[:left]
                left -= len(piece)
                self._data = (stream, left, fin) if left else None
                found.append(Data(stream, piece, fin and not left))
                continue
            if len(buffer) < _HEAD:
                return found
            first, second = struct.unpack_from(">II", buffer)
            length = second & 0xFFFFFF
            flags = second >> 24
            if not first >> 31:
                del buffer[:_HEAD]
                if length:
                    self._data = (first, length, bool(flags & FLAG_FIN))
                else:
                    found.append(Data(first, b"", bool(flags & FLAG_FIN)))
                continue
            if (first >> 16) & 0x7FFF != _VERSION:
                raise SpdyError(f"version {(first >> 16) & 0x7FFF} of SPDY is not served")
            if length > MAX_CONTROL:
                raise SpdyError(f"a control frame of {length} bytes is too long")
            if len(buffer) < _HEAD + length:
                return found
            found.append(Control(first & 0xFFFF, flags, bytes(buffer[_HEAD : _HEAD + length])))
            del buffer[: _HEAD + length]


@dataclass(frozen=True, slots=True)
class SynStream:
    """A stream that the peer opens; `block` are its compressed headers."""

    stream: int
    block: bytes
    fin: bool


def syn_stream(frame: Control) -> SynStream:
    """Raises SpdyError."""
    if len(frame.payload) < 10:
        raise SpdyError("a SYN_STREAM frame is too short")
    return SynStream(_stream_id(frame.payload), frame.payload[10:], bool(frame.flags & FLAG_FIN))


def stream_of(frame: Control) -> int:
    """The stream of a RST_STREAM, HEADERS or WINDOW_UPDATE frame, the number of a PING. Raises SpdyError."""
    if len(frame.payload) < 4:
        raise SpdyError(f"a control frame of type {frame.type} is too short")
    return _stream_id(frame.payload)


def _stream_id(payload: bytes) -> int:
    found: int = struct.unpack_from(">I", payload)[0]
    return found & 0x7FFFFFFF


def control(type_: int, payload: bytes, flags: int = 0) -> bytes:
    """A control frame."""
    return struct.pack(">HHI", 0x8000 | _VERSION, type_, flags << 24 | len(payload)) + payload


def data(stream: int, payload: bytes, *, fin: bool = False) -> bytes:
    """A data frame; `payload` has less than 16 MB."""
    return struct.pack(">II", stream, (FLAG_FIN << 24 if fin else 0) | len(payload)) + payload


def syn_reply(stream: int, block: bytes) -> bytes:
    return control(SYN_REPLY, struct.pack(">I", stream) + block)


def rst_stream(stream: int, reason: int) -> bytes:
    return control(RST_STREAM, struct.pack(">II", stream, reason))


def ping(number: int) -> bytes:
    return control(PING, struct.pack(">I", number))


def goaway(last_stream: int, reason: int = 0) -> bytes:
    """0 is an orderly end, 1 a protocol error."""
    return control(GOAWAY, struct.pack(">II", last_stream, reason))
