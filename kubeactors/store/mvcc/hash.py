"""A checksum of the key space up to a revision, equal on members that hold the same history."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

from kubeactors.store.mvcc.codec import encode_records
from kubeactors.store.mvcc.record import Record
from kubeactors.store.mvcc.state import Mvcc

CHUNK = 1000


def steps(mvcc: Mvcc, revision: int) -> Iterator[int]:
    """Yields the checksum so far after every chunk of records; the last one is the answer. Hold the state meanwhile.

    What is hashed is the records living at the compacted revision and every later change up to `revision`, so that
    members which have freed more or less of the compacted history agree.
    """
    start = mvcc.compact_revision
    checksum = 0
    if start:
        for records in mvcc.base(start, CHUNK):
            checksum = zlib.crc32(encode_records(records), checksum)
            yield checksum
    for first in range(start + 1, revision + 1, CHUNK):
        changed: list[Record] = []
        for changes in mvcc.kept_changes(first, min(first + CHUNK - 1, revision)):
            changed.extend(record for record, _ in changes)
        checksum = zlib.crc32(encode_records(changed), checksum)
        yield checksum
