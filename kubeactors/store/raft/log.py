"""The log in memory: a list of entries after a base."""

from __future__ import annotations

from collections.abc import Iterable

from kubeactors.store.wal.record import Entry


class RaftLog:
    """`index`, `term`: of the entry before the first one (the snapshot's last), 0 and 0 for an empty log.

    `entries`: all of them on the disk already. Raises InconsistentLog when they do not follow each other.
    """

    def __init__(self, entries: Iterable[Entry] = (), index: int = 0, term: int = 0) -> None:
        raise NotImplementedError
