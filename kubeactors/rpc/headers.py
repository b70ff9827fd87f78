"""Header blocks (HPACK, RFC 7541): those of requests are decoded, those of answers are built without any state."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from urllib.parse import quote

import hpack

from kubeactors.rpc.frames import Code, ConnectionBroken

Metadata = tuple[tuple[str, str | bytes], ...]
Value = str | bytes

MAX_KNOWN = 64
"""Blocks of one connection that are remembered."""
MAX_LIST_BYTES = 64 * 1024
MAX_MESSAGE = 2048
"""Characters of an error's text that a client gets to read: the trailers must fit into one frame."""

_MESSAGE_SAFE = "".join(chr(c) for c in range(0x20, 0x7F) if c != ord("%"))


class RequestHeaders:
    """Decodes the header blocks of one connection, in their order.

    A client's calls mostly have the very same block, made of references into a table that has filled up with the
    first; as long as no block changes that table, the same bytes mean the same headers.
    """

    def __init__(self) -> None:
        self._decoder = hpack.Decoder(max_header_list_size=MAX_LIST_BYTES)
        self._known: dict[bytes, list[tuple[bytes, bytes]]] = {}

    def decode(self, block: bytes) -> list[tuple[bytes, bytes]]:
        """Raises ConnectionBroken: nothing on this connection can be understood any more."""
        known = self._known.get(block)
        if known is not None:
            return known
        entries = self._decoder.header_table.dynamic_entries
        newest = entries[0] if entries else None
        try:
            found = [(field[0], field[1]) for field in self._decoder.decode(block, raw=True)]
        except hpack.HPACKError as error:
            raise ConnectionBroken(Code.COMPRESSION_ERROR, f"headers cannot be decoded: {error}") from error
        entries = self._decoder.header_table.dynamic_entries
        resized = bool(block) and block[0] & 0xE0 == 0x20
        if resized or (entries[0] if entries else None) is not newest:
            self._known.clear()
        elif len(self._known) < MAX_KNOWN:
            self._known[block] = found
        return found


def _literal(name: bytes, value: bytes) -> bytes:
    """A field without indexing (section 6.2.2)."""
    return b"\0" + _string(name) + _string(value)


def _string(data: bytes) -> bytes:
    if len(data) < 127:
        return bytes((len(data),)) + data
    rest, head = len(data) - 127, bytearray((127,))
    while rest >= 128:
        head.append(rest % 128 + 128)
        rest //= 128
    head.append(rest)
    return bytes(head) + data


ANSWER = b"\x88" + _literal(b"content-type", b"application/grpc")
"""The block before an answer's first message: status 200."""

OK = _literal(b"grpc-status", b"0")
"""The block after its last one."""

NO_GRPC = b"\x08\x03415" + _literal(b"content-type", b"text/plain")
"""Status 415: what came was no gRPC."""


def call(path: str, authority: str, scheme: str, metadata: Iterable[tuple[str, Value]] = ()) -> bytes:
    """The block that opens a call."""
    return (
        b"\x83"  # :method POST
        + (b"\x87" if scheme == "https" else b"\x86")
        + b"\x04"
        + _string(path.encode())
        + b"\x01"
        + _string(authority.encode())
        + _literal(b"te", b"trailers")
        + _literal(b"content-type", b"application/grpc")
        + fields(metadata)
    )


def trailers(code: int, message: str, metadata: Iterable[tuple[str, Value]] = ()) -> bytes:
    block = _literal(b"grpc-status", str(code).encode())
    if message:
        block += _literal(b"grpc-message", quote(message[:MAX_MESSAGE], safe=_MESSAGE_SAFE).encode())
    return block + fields(metadata)


def fields(metadata: Iterable[tuple[str, Value]]) -> bytes:
    """Values of names that end in "-bin" are bytes, and travel in base64."""
    block = b""
    for name, value in metadata:
        data = value if isinstance(value, bytes) else value.encode()
        if name.endswith("-bin"):
            data = base64.b64encode(data).rstrip(b"=")
        block += _literal(name.encode(), data)
    return block


def metadata(found: Sequence[tuple[bytes, bytes]]) -> Metadata:
    """What a service sees of a request's headers: the ones that the caller added, and its user agent."""
    own = []
    for name, value in found:
        if not name.startswith((b":", b"grpc-")) and name not in (b"te", b"content-type"):
            own.append((name.decode("ascii", "replace"), value.decode("utf-8", "surrogateescape")))
    return tuple(own)


_UNITS = {b"H": 3600.0, b"M": 60.0, b"S": 1.0, b"m": 1e-3, b"u": 1e-6, b"n": 1e-9}


def timeout(value: bytes) -> float | None:
    """Seconds, of a grpc-timeout header; None when it is none."""
    unit = _UNITS.get(value[-1:])
    return int(value[:-1]) * unit if unit is not None and value[:-1].isdigit() else None
