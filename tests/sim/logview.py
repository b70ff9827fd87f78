"""What one member's log holds, told by what it wrote: terms and checksums by index."""

from __future__ import annotations

import struct
from collections.abc import Iterable

from kubeactors.store.wal.record import Entry, HardState

_HEAD = struct.Struct("<IIBQQ")


class LogView:
    """`base`, `base_term`: the entry before the first one that is known."""

    def __init__(self) -> None:
        self.base = 0
        self.base_term = 0
        self.terms: list[int] = []
        self.sums: list[int] = []
        self.hard_state = HardState(0, 0, 0)

    @property
    def last(self) -> int:
        return self.base + len(self.terms)

    def term_at(self, index: int) -> int:
        """-1 when it is not known."""
        if index > self.base:
            return self.terms[index - self.base - 1] if index <= self.last else -1
        return self.base_term if index == self.base else -1

    def sum_at(self, index: int) -> int:
        return self.sums[index - self.base - 1]

    def put(self, term: int, index: int, checksum: int) -> None:
        place = index - self.base - 1
        if place < len(self.terms):
            del self.terms[place:]
            del self.sums[place:]
        self.terms.append(term)
        self.sums.append(checksum)

    def begin_after(self, index: int, term: int) -> None:
        self.base, self.base_term = index, term
        self.terms.clear()
        self.sums.clear()

    def load(self, base: int, base_term: int, entries: Iterable[Entry], hard_state: HardState) -> None:
        self.begin_after(base, base_term)
        for entry in entries:
            term, _, checksum = entry_of(entry.record)
            self.terms.append(term)
            self.sums.append(checksum)
        self.hard_state = hard_state


def entry_of(record: bytes) -> tuple[int, int, int]:
    """(term, index, checksum) of an encoded entry; the checksum is the record's own, of everything in it."""
    _, checksum, _, term, index = _HEAD.unpack_from(record)
    return term, index, checksum
