"""Netlink messages: encoding, batches with acknowledgements, dumps.

Why not a library: one pod costs a handful of messages, and a service table tens of thousands. Batches written
straight to the socket take microseconds a message, and one small codec serves rtnetlink, nfnetlink (conntrack, ipset)
and generic netlink (IPVS). Formats: netlink(7), rtnetlink(7), include/uapi/linux/netlink.h.
"""

import errno
import os
import socket
import struct
from collections.abc import Iterable, Iterator, Sequence
from types import TracebackType
from typing import Self

NETLINK_ROUTE = 0
NETLINK_NETFILTER = 12
NETLINK_GENERIC = 16

NLM_F_REQUEST = 0x1
NLM_F_ACK = 0x4
NLM_F_DUMP = 0x300
NLM_F_REPLACE = 0x100
NLM_F_EXCL = 0x200
NLM_F_CREATE = 0x400
NLM_F_APPEND = 0x800

NLMSG_ERROR = 2
NLMSG_DONE = 3
_NLM_F_DUMP_INTR = 0x10

NLA_F_NESTED = 0x8000
NLA_F_NET_BYTEORDER = 0x4000
_NLA_TYPE_MASK = 0x3FFF

_SOL_NETLINK = 270
_NETLINK_EXT_ACK = 11
_NETLINK_CAP_ACK = 10
_NLMSGERR_ATTR_MSG = 1
_NLM_F_CAPPED = 0x100
_NLM_F_ACK_TLVS = 0x200

_HEADER = struct.Struct("=IHHII")
_ATTR = struct.Struct("=HH")
_I32 = struct.Struct("=i")
_PADDING = (b"", b"\0\0\0", b"\0\0", b"\0")  # by length modulo 4

BATCH_MESSAGES = 500  # should all be refused, the answers must fit the receive buffer
BATCH_BYTES = 64 * 1024
_TIMEOUT = 30.0  # seconds the kernel may take for one answer


class NetlinkError(OSError):
    """The kernel refused a message:

    `errno` and, where it gives one, its explanation. `index` is the message's place in its batch.
    """

    def __init__(self, code: int, text: str, index: int) -> None:
        super().__init__(code, f"{os.strerror(code)}{': ' + text if text else ''}")
        self.index = index


class DumpInterrupted(Exception):
    """What was being dumped changed meanwhile; ask again."""


def attr(kind: int, data: bytes) -> bytes:
    """One attribute, padded."""
    length = 4 + len(data)
    return _ATTR.pack(length, kind) + data + _PADDING[length & 3]


def nested(kind: int, *attrs: bytes) -> bytes:
    """An attribute that contains attributes."""
    return attr(kind | NLA_F_NESTED, b"".join(attrs))


def text(kind: int, value: str) -> bytes:
    return attr(kind, value.encode() + b"\0")


def u8(kind: int, value: int) -> bytes:
    return attr(kind, struct.pack("=B", value))


def u16(kind: int, value: int) -> bytes:
    return attr(kind, struct.pack("=H", value))


def u32(kind: int, value: int) -> bytes:
    return attr(kind, struct.pack("=I", value))


def be16(kind: int, value: int) -> bytes:
    """A 16 bit value in network byte order, as ports are."""
    return attr(kind, struct.pack(">H", value))


def be32(kind: int, value: int) -> bytes:
    return attr(kind, struct.pack(">I", value))


def parse_attrs(data: bytes | memoryview, offset: int = 0) -> dict[int, bytes]:
    """Attributes by type, flags taken off."""
    found: dict[int, bytes] = {}
    end = len(data)
    while offset + 4 <= end:
        length, kind = _ATTR.unpack_from(data, offset)
        if length < 4:
            break
        found[kind & _NLA_TYPE_MASK] = bytes(data[offset + 4 : offset + length])
        offset += (length + 3) & ~3
    return found


def parse_list(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Attributes in order, for nests that repeat a type."""
    offset = 0
    while offset + 4 <= len(data):
        length, kind = _ATTR.unpack_from(data, offset)
        if length < 4:
            return
        yield kind & _NLA_TYPE_MASK, data[offset + 4 : offset + length]
        offset += (length + 3) & ~3


class Message:
    """A request: type, flags beyond REQUEST, payload."""

    __slots__ = ("flags", "kind", "payload")

    def __init__(self, kind: int, flags: int, payload: bytes) -> None:
        self.kind = kind
        self.flags = flags
        self.payload = payload


class NetlinkSocket:
    """A netlink socket.

    It stays bound to the network namespace of the thread that opened it. Blocking: use it in worker threads.
    """

    def __init__(self, protocol: int) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, protocol)
        self._socket.bind((0, 0))
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self._socket.setsockopt(_SOL_NETLINK, _NETLINK_EXT_ACK, 1)
        self._socket.setsockopt(_SOL_NETLINK, _NETLINK_CAP_ACK, 1)
        self._socket.settimeout(_TIMEOUT)
        self._sequence = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._socket.close()

    def request(self, *messages: Message) -> None:
        """Send messages in as few system calls as possible; the kernel handles them in order.

        Raises NetlinkError for the first one that the kernel refuses; later ones of the same batch may have been
        applied.
        """
        failures = self.send(messages)
        if failures:
            raise failures[0]

    def send(self, messages: Sequence[Message]) -> list[NetlinkError]:
        """Send messages in batches; returns the refusals in order.

        The kernel answers refusals always, and success only where it is asked for: once a batch, by its last message.
        """
        failures: list[NetlinkError] = []
        start = 0
        while start < len(messages):
            frames: list[bytes] = []
            size = 0
            first = self._sequence + 1
            for message in messages[start : start + BATCH_MESSAGES]:
                frames.append(self._encode(message, NLM_F_REQUEST | message.flags))
                size += len(frames[-1])
                if size >= BATCH_BYTES:
                    break
            last = messages[start + len(frames) - 1]
            self._sequence -= 1
            frames[-1] = self._encode(last, NLM_F_REQUEST | NLM_F_ACK | last.flags)
            self._socket.send(b"".join(frames))
            failures += self._collect_failures(first, self._sequence, start)
            start += len(frames)
        return failures

    def dump(self, kind: int, payload: bytes) -> list[tuple[int, bytes]]:
        """Everything of a kind as (message type, payload). Raises DumpInterrupted when it changed under the dump."""
        return self._ask(Message(kind, NLM_F_DUMP, payload), NLM_F_DUMP)

    def get(self, kind: int, payload: bytes) -> list[tuple[int, bytes]]:
        """One request whose answer ends with an acknowledgement."""
        return self._ask(Message(kind, 0, payload), NLM_F_ACK)

    def _ask(self, message: Message, flags: int) -> list[tuple[int, bytes]]:
        self._socket.send(self._encode(message, NLM_F_REQUEST | flags))
        wanted = self._sequence
        found: list[tuple[int, bytes]] = []
        interrupted = False
        while True:
            for kind, answer_flags, sequence, payload in self._receive():
                if sequence != wanted:
                    continue
                interrupted |= bool(answer_flags & _NLM_F_DUMP_INTR)
                if kind == NLMSG_ERROR:
                    failure = _error(payload, answer_flags, 0)
                    if failure is not None:
                        raise failure
                    return found
                if kind == NLMSG_DONE:
                    code = _I32.unpack_from(payload)[0] if len(payload) >= 4 else 0
                    if code < 0:
                        raise NetlinkError(-code, "", 0)
                    if interrupted:
                        raise DumpInterrupted
                    return found
                found.append((kind, payload))

    def _encode(self, message: Message, flags: int) -> bytes:
        self._sequence += 1
        length = 16 + len(message.payload)
        return _HEADER.pack(length, message.kind, flags, self._sequence, 0) + message.payload + _PADDING[length & 3]

    def _collect_failures(self, first: int, last: int, start: int) -> list[NetlinkError]:
        """Refusals of a batch (sequence numbers `first` to `last`) until its last message is answered."""
        failures: list[NetlinkError] = []
        while True:
            for kind, flags, sequence, payload in self._receive():
                if kind != NLMSG_ERROR or not first <= sequence <= last:
                    continue
                failure = _error(payload, flags, start + sequence - first)
                if failure is not None:
                    failures.append(failure)
                if sequence == last:
                    return failures

    def _receive(self) -> Iterator[tuple[int, int, int, bytes]]:
        data = self._socket.recv(1 << 18)
        offset = 0
        while offset + 16 <= len(data):
            length, kind, flags, sequence, _ = _HEADER.unpack_from(data, offset)
            if length < 16:
                return
            yield kind, flags, sequence, data[offset + 16 : offset + length]
            offset += (length + 3) & ~3


def _error(payload: bytes, flags: int, index: int) -> NetlinkError | None:
    code = -_I32.unpack_from(payload)[0]
    if code == 0:
        return None
    explanation = ""
    if flags & _NLM_F_ACK_TLVS:
        # After the error code comes the refused message: its header alone when capped, else the whole of it.
        length = 16 if flags & _NLM_F_CAPPED else struct.unpack_from("=I", payload, 4)[0]
        explanation = parse_attrs(payload, 4 + ((length + 3) & ~3)).get(_NLMSGERR_ATTR_MSG, b"").rstrip(b"\0").decode()
    return NetlinkError(code, explanation, index)


def ignore(failures: Iterable[NetlinkError], *codes: int) -> None:
    """Raise the first failure whose code is not among `codes`."""
    for failure in failures:
        if failure.errno not in codes:
            raise failure


EEXIST = errno.EEXIST
ENOENT = errno.ENOENT
ENODEV = errno.ENODEV
ESRCH = errno.ESRCH
