"""Frames in which members hand proposals to the leader, and in which the leader refuses some.

    PROPOSALS  type (1) · term (8) · life (8) · sequence (8) · { id (8) · kind (1) · length (4) · request }
    REFUSALS   type (1) · term (8) · life (8) · sequence (8) · { id (8) · code (4) · length (4) · message }

All integers little endian. A frame is for the leader of its term and for no other: once an entry of a later term is
applied, what came in it and was not applied before never will be. `life` tells a restarted member's frames from those
of its life before; `sequence` counts the frames of one life, so that a frame which arrives twice is taken once, and a
refusal of a frame is not taken for one of a later frame that the same proposal went in.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

PROPOSALS = 1
REFUSALS = 2

_HEAD = struct.Struct("<BQQQ")
_PROPOSAL = struct.Struct("<QBI")
_REFUSAL = struct.Struct("<QII")


class BadForward(Exception):
    """A frame of a form that this version does not know."""


class Proposed(NamedTuple):
    """`request`: the request's own encoding. `kind`: a machine.command.Kind."""

    id: int
    kind: int
    request: bytes


class Refused(NamedTuple):
    """`code`, `message`: a StoreError's. What is refused surely was not and will not be proposed."""

    id: int
    code: int
    message: str


class Frame(NamedTuple):
    type: int
    term: int
    life: int
    sequence: int
    content: memoryview


def encode_proposals(term: int, life: int, sequence: int, proposals: Iterable[Proposed]) -> bytes:
    parts = [_HEAD.pack(PROPOSALS, term, life, sequence)]
    pack = _PROPOSAL.pack
    for request_id, kind, request in proposals:
        parts.append(pack(request_id, kind, len(request)))
        parts.append(request)
    return b"".join(parts)


def encode_refusals(term: int, life: int, sequence: int, refusals: Iterable[Refused]) -> bytes:
    parts = [_HEAD.pack(REFUSALS, term, life, sequence)]
    for request_id, code, message in refusals:
        text = message.encode()
        parts.append(_REFUSAL.pack(request_id, code, len(text)))
        parts.append(text)
    return b"".join(parts)


def decode(data: bytes) -> Frame:
    """Raises BadForward."""
    try:
        kind, term, life, sequence = _HEAD.unpack_from(data)
    except struct.error as error:
        raise BadForward(f"{len(data)} bytes are no frame") from error
    if kind not in (PROPOSALS, REFUSALS):
        raise BadForward(f"a frame of type {kind}")
    return Frame(kind, term, life, sequence, memoryview(data)[_HEAD.size :])


def proposals(frame: Frame) -> Sequence[Proposed]:
    """Raises BadForward."""
    return [Proposed(a, b, bytes(body)) for a, b, body in _items(frame.content, _PROPOSAL)]


def refusals(frame: Frame) -> Sequence[Refused]:
    """Raises BadForward."""
    try:
        return [Refused(a, b, str(body, "utf-8")) for a, b, body in _items(frame.content, _REFUSAL)]
    except UnicodeDecodeError as error:
        raise BadForward("a refusal that is no text") from error


def _items(content: memoryview, head: struct.Struct) -> Iterator[tuple[int, int, memoryview]]:
    position = 0
    while position < len(content):
        try:
            first, second, length = head.unpack_from(content, position)
        except struct.error as error:
            raise BadForward("a frame that ends within a head") from error
        position += head.size
        body = content[position : position + length]
        if len(body) != length:
            raise BadForward("a frame that ends within a request")
        yield first, second, body
        position += length


class Seen:
    """Which frames were taken. Exact: a frame too old to be remembered counts as taken."""

    WINDOW = 4096

    def __init__(self) -> None:
        self._lives: dict[tuple[int, int], _Life] = {}

    def clear(self) -> None:
        """A new term begins: frames of earlier ones are not taken anyway."""
        self._lives.clear()

    def take(self, sender: int, life: int, sequence: int) -> bool:
        """True the first time."""
        seen = self._lives.setdefault((sender, life), _Life())
        if sequence in seen.sequences or sequence + self.WINDOW <= seen.highest:
            return False
        seen.sequences.add(sequence)
        seen.highest = max(seen.highest, sequence)
        if len(seen.sequences) > 2 * self.WINDOW:
            seen.sequences.intersection_update(range(seen.highest - self.WINDOW + 1, seen.highest + 1))
        return True


class _Life:
    __slots__ = ("highest", "sequences")

    def __init__(self) -> None:
        self.highest = 0
        self.sequences: set[int] = set()
