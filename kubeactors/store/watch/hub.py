"""From applied revisions to watch streams."""

from __future__ import annotations

from typing import Protocol

from kubeactors.store.errors import StoreError
from kubeactors.store.mvcc.record import Change
from kubeactors.store.mvcc.state import Mvcc
from kubeactors.store.watch.group import Batch, Interest, InterestIndex
from kubeactors.store.watch.watcher import Watcher


class Stream(Protocol):
    def interrupt(self, error: StoreError) -> None: ...


class WatchHub:
    """Knows every watcher that is up to date; the others read the history by themselves until they are."""

    def __init__(self, mvcc: Mvcc) -> None:
        self.mvcc = mvcc
        self._index = InterestIndex()
        self._watchers: dict[Interest, dict[Watcher, None]] = {}
        self._streams: set[Stream] = set()

    def open(self, stream: Stream) -> None:
        self._streams.add(stream)

    def close(self, stream: Stream) -> None:
        self._streams.discard(stream)

    def interrupt(self, error: StoreError) -> None:
        """End every stream: its watches cannot go on here. Clients resume them elsewhere, where they were."""
        for stream in list(self._streams):
            stream.interrupt(error)

    def __len__(self) -> int:
        return sum(map(len, self._watchers.values()))

    def add(self, watcher: Watcher) -> None:
        """From now on the watcher gets every batch; it must have seen everything up to the present revision."""
        same = self._watchers.setdefault(watcher.interest, {})
        if watcher not in same:
            same[watcher] = None
            self._index.add(watcher.interest)

    def remove(self, watcher: Watcher) -> None:
        same = self._watchers.get(watcher.interest)
        if same is not None and watcher in same:
            del same[watcher]
            self._index.remove(watcher.interest)
            if not same:
                del self._watchers[watcher.interest]

    def publish(self, first: int, last: int) -> None:
        """The revisions `first` to `last` were applied."""
        if not self._watchers:
            return
        found: dict[Interest, list[Change]] = {}
        concerned = self._index.concerned
        for changes in self.mvcc.kept_changes(first, last):
            for change in changes:
                for interest in concerned(change[0][0]):
                    if interest.wants(change[0]):
                        found.setdefault(interest, []).append(change)
        for interest, wanted in found.items():
            batch = Batch(interest, wanted, first, last)
            for watcher in list(self._watchers[interest]):
                watcher.push(batch)
