"""The log in memory: a list of entries after a base, and how far they are written, on the disk, committed."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence

from kubeactors.store.raft.errors import InconsistentLog
from kubeactors.store.wal.record import Entry

MAX_COUNT = 4096
"""Entries in one slice, so that a follower far behind does not make each append copy all that it lacks."""


def _term(entry: Entry) -> int:
    return entry.term


class RaftLog:
    """`index`, `term`: of the entry before the first one (the snapshot's last), 0 and 0 for an empty log.

    `entries`: all of them on the disk already. Raises InconsistentLog when they do not follow each other.

    `last_index`, `stable` (on the disk), `commit` are read by everybody and written only here and by the core.
    Lists that come out of here are never changed afterwards.
    """

    __slots__ = ("_base", "_base_term", "_cut", "_cut_at", "_entries", "_taken", "commit", "last_index", "stable")

    def __init__(self, entries: Iterable[Entry] = (), index: int = 0, term: int = 0) -> None:
        self._base = index
        self._base_term = term
        self._entries = list(entries)
        _check_order(self._entries, index, term)
        self.last_index = index + len(self._entries)
        self.stable = self.last_index
        self.commit = index
        self._taken = self.last_index  # what was given to be written; never below `stable`
        self._cut: list[Entry] = []
        self._cut_at = (0, 0, 0)

    @property
    def first_index(self) -> int:
        return self._base + 1

    @property
    def base(self) -> int:
        """The entry before the first; its term is known."""
        return self._base

    @property
    def last_term(self) -> int:
        return self._entries[-1].term if self._entries else self._base_term

    def term_at(self, index: int) -> int | None:
        position = index - self._base - 1
        if 0 <= position < len(self._entries):
            return self._entries[position].term
        return self._base_term if position == -1 else None

    def between(self, first: int, last: int) -> list[Entry]:
        """Entries first..last, both included."""
        return self._entries[first - self._base - 1 : last - self._base]

    def slice(self, first: int, max_bytes: int) -> list[Entry]:
        """Entries from `first` on with at most `max_bytes` of data, one at least if there is one.

        Followers that are equally far get the very same list, so that it is encoded once.
        """
        at = (first, self.last_index, max_bytes)
        if at == self._cut_at:
            return self._cut
        start = first - self._base - 1
        found = _within(self._entries[start : start + MAX_COUNT], max_bytes)
        self._cut, self._cut_at = found, at
        return found

    # ---- growing ----

    def append(self, entry: Entry) -> None:
        """The leader's own; it follows the last one."""
        self._entries.append(entry)
        self.last_index += 1

    def append_after(self, index: int, entries: Sequence[Entry]) -> None:
        """The leader's entries after `index`, where the logs agree. What contradicts them goes, and nothing else: an
        old or repeated append must not take back what a later one brought (Raft paper, 5.3 and figure 2).

        Raises InconsistentLog when a committed entry would go.
        """
        if not entries:
            return
        if entries[0].index != index + 1 or entries[-1].index != index + len(entries):
            raise InconsistentLog(f"entries {entries[0].index} to {entries[-1].index} do not follow entry {index}")
        if index < self.last_index:
            known = min(self.last_index - index, len(entries))
            if self.term_at(index + known) != entries[known - 1].term:
                known = next(i for i, entry in enumerate(entries) if self.term_at(index + 1 + i) != entry.term)
                self._truncate(index + known)
            if known == len(entries):
                return
            entries = entries[known:]
        self._entries.extend(entries)
        self.last_index += len(entries)

    def _truncate(self, last: int) -> None:
        if last < self.commit:
            raise InconsistentLog(f"entry {last + 1} is committed and the leader has another one in its place")
        del self._entries[last - self._base :]
        self.last_index = last
        self.stable = min(self.stable, last)
        self._taken = min(self._taken, last)
        self._cut_at = (0, 0, 0)

    def commit_to(self, index: int) -> None:
        """Never goes back. Raises InconsistentLog when the log does not reach so far."""
        if index <= self.commit:
            return
        if index > self.last_index:
            raise InconsistentLog(
                f"entry {index} is committed and this member has confirmed it, but its log ends at {self.last_index}: "
                "its data were lost or put back to an older state"
            )
        self.commit = index

    # ---- comparing ----

    def up_to_date(self, index: int, term: int) -> bool:
        """A log that ends there is at least as good as this one (Raft paper, 5.4.1)."""
        own = self.last_term
        return term > own or (term == own and index >= self.last_index)

    def agreement(self, index: int, term: int) -> tuple[int, int]:
        """The last entry up to `index` whose term is `term` at the most: a log that has `term` at `index` can agree
        with this one there at the latest. (index, term); the term is 0 when the entry is dropped already.

        By this both sides skip whole terms at a time (etcd-io/raft, findConflictByTerm).
        """
        index = min(index, self.last_index)
        if index > self._base:
            count = bisect_right(self._entries, term, hi=index - self._base, key=_term)
            if count:
                return self._base + count, self._entries[count - 1].term
            index = self._base
        if index == self._base and self._base_term <= term:
            return index, self._base_term
        return max(0, min(index, self._base - 1)), 0

    # ---- writing ----

    @property
    def untaken(self) -> int:
        """Entries that were not given to be written yet."""
        return self.last_index - self._taken

    def take(self, max_bytes: int) -> list[Entry]:
        """The next entries to be written."""
        start = self._taken - self._base
        found = self._entries[start : start + 4 * MAX_COUNT]
        if len(found) > 1:
            found = _within(found, max_bytes)
        self._taken += len(found)
        return found

    def written(self, entries: Sequence[Entry]) -> None:
        """They are on the disk: those that are still in the log are stable. A leader may have replaced the others."""
        for entry in reversed(entries):
            if entry.index > self._base and self.term_at(entry.index) == entry.term:
                self.stable = max(self.stable, entry.index)
                self._taken = max(self._taken, self.stable)
                return

    # ---- forgetting ----

    def compact(self, index: int) -> None:
        """Drop entries up to `index`, which is in the log."""
        term = self.term_at(index)
        if term is None or index == self._base:
            return
        del self._entries[: index - self._base]
        self._base, self._base_term = index, term

    def restore(self, index: int, term: int) -> None:
        """Begin anew after a snapshot. It is not stable before `restored`."""
        self.stable = min(self.stable, self.commit)
        self._entries = []
        self._base, self._base_term = index, term
        self.last_index = self.commit = self._taken = index
        self._cut_at = (0, 0, 0)

    def restored(self, index: int) -> None:
        """The log on the disk begins anew after the snapshot too."""
        self.stable = max(self.stable, index)


def _within(entries: list[Entry], max_bytes: int) -> list[Entry]:
    if sum([len(entry.data) for entry in entries]) <= max_bytes:
        return entries
    size = 0
    for position, entry in enumerate(entries):
        size += len(entry.data)
        if size > max_bytes and position:
            return entries[:position]
    return entries


def _check_order(entries: Sequence[Entry], index: int, term: int) -> None:
    for entry in entries:
        if entry.index != index + 1 or entry.term < term:
            raise InconsistentLog(f"entry {entry.index} of term {entry.term} cannot follow {index} of term {term}")
        index, term = entry.index, entry.term
