"""One version of one key.

Plain tuples: the garbage collector forgets a tuple of bytes and integers after the first look, so a state of hundreds
of thousands of records adds nothing to its pauses; and making one costs a tenth of making an object.
"""

from __future__ import annotations

from typing import Final

# key, value, create_revision, mod_revision, version, lease, sub
Record = tuple[bytes, bytes, int, int, int, int, int]
KEY: Final = 0
VALUE: Final = 1
CREATE: Final = 2
MOD: Final = 3
VERSION: Final = 4
LEASE: Final = 5
SUB: Final = 6

# (what was written, what it replaced). A tombstone is a record of version 0.
Change = tuple[Record, Record | None]

RECORD_OVERHEAD = 200
"""Bytes that one record takes beside its key and value, measured on CPython 3.11 with its share of the indexes."""


def tombstone(key: bytes, main: int, sub: int) -> Record:
    return (key, b"", 0, main, 0, 0, sub)


def size(record: Record) -> int:
    return len(record[0]) + len(record[1]) + RECORD_OVERHEAD
