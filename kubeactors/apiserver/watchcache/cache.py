"""All objects of one resource in memory: an index, a window of recent changes, and the channels that watch."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from sortedcontainers import SortedDict

from kubeactors.apiserver.storage.encoding import to_item
from kubeactors.apiserver.watchcache.channels import Channel, Channels
from kubeactors.apiserver.watchcache.matcher import Matcher
from kubeactors.apiserver.watchcache.record import Change, FieldsOf, Record

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class WindowLimits:
    """How many changes a cache remembers for watchers that come back.

    Never fewer than `least`, never more than `most`; between the two, those younger than `seconds`.
    """

    least: int = 100
    most: int = 10_000
    seconds: float = 75.0


class WindowExceeded(Exception):
    """A version older than the remembered changes; `oldest` is the first version that can be resumed from."""

    def __init__(self, oldest: int) -> None:
        super().__init__(f"changes before {oldest} are forgotten")
        self.oldest = oldest


class ResourceCache:
    """Not thread-safe: used on the event loop only. Readers never await between two looks at it, so each reader sees
    one state."""

    def __init__(
        self,
        prefix: str,
        namespaced: bool,
        fields_of: FieldsOf,
        *,
        indexed_field: str = "",
        now: Callable[[], float],
        limits: WindowLimits = WindowLimits(),
        load: Callable[[bytes, int], bytes] = to_item,
    ) -> None:
        """`load` makes an item of what is stored and its revision; it raises ValueError for what is no object."""
        self.prefix = prefix
        self.namespaced = namespaced
        self.channels = Channels(indexed_field)
        self._fields_of = fields_of
        self._now = now
        self._limits = limits
        self._load = load
        # Told of every change, before the watchers are.
        self.listeners: list[Callable[[Change], None]] = []
        # namespace → name → record; cluster-scoped objects lie under "".
        self._namespaces: dict[str, SortedDict] = {}
        # Value of the indexed field → (namespace, name) → record.
        self._indexed_field = indexed_field
        self._by_value: dict[str, dict[tuple[str, str], Record]] = {}
        self._count = 0
        #: How many changes have come in.
        self.received = 0
        self._window: deque[tuple[float, Change]] = deque()
        # Every change after this revision is in the window.
        self._window_start = 0

    def __len__(self) -> int:
        return self._count

    @property
    def window_capacity(self) -> int:
        """How many changes it remembers at most."""
        return self._limits.most

    def get(self, namespace: str, name: str) -> Record | None:
        names = self._namespaces.get(namespace)
        return None if names is None else names.get(name)

    def select(self, matcher: Matcher) -> Iterator[Record]:
        """The records that match, in the order of their keys."""
        for record in self._in_scope(matcher):
            if not matcher.selects or matcher.selected(record):
                yield record

    def in_scope(self, matcher: Matcher) -> Iterator[Record]:
        """The records among which the matcher selects, in the order of their keys."""
        return iter(self._in_scope(matcher))

    def everything(self) -> list[Record]:
        """All records, in no order."""
        return [record for names in self._namespaces.values() for record in names.values()]

    def count(self, namespace: str) -> int:
        """How many objects there are, in one namespace or (empty) in all."""
        if not namespace:
            return self._count
        names = self._namespaces.get(namespace)
        return 0 if names is None else len(names)

    def _in_scope(self, matcher: Matcher) -> Iterable[Record]:
        if matcher.name and (matcher.namespace or not self.namespaced):
            record = self.get(matcher.namespace, matcher.name)
            return () if record is None else (record,)
        if self._indexed_field:
            value = matcher.fields.required_value(self._indexed_field)
            if value:
                return self._with_value(value, matcher.namespace)
        if not self.namespaced:
            names = self._namespaces.get("")
            return () if names is None or matcher.namespace else names.values()
        if matcher.namespace:
            names = self._namespaces.get(matcher.namespace)
            return () if names is None else names.values()
        return self._everywhere(matcher)

    def _with_value(self, value: str, namespace: str) -> list[Record]:
        found = self._by_value.get(value, {})
        records = [record for record in found.values() if not namespace or record.namespace == namespace]
        return sorted(records, key=lambda record: (record.namespace + "/", record.name))

    def _everywhere(self, matcher: Matcher) -> Iterator[Record]:
        # The store orders by whole keys, in which a slash follows the namespace.
        for namespace in sorted(self._namespaces, key=lambda ns: ns + "/"):
            names = self._namespaces[namespace]
            if not matcher.name:
                yield from names.values()
            elif matcher.name in names:
                yield names[matcher.name]

    # --- changes

    def apply(self, path: str, revision: int, stored: bytes | None) -> None:
        """Take a change from the store: `path` is the key below the prefix, `stored` None for a deletion.

        Changes come in the order of their revisions; the channels see them when `channels.flush` is called.
        """
        namespace, _, name = path.rpartition("/")
        previous = self.get(namespace, name)
        record: Record | None = None
        if stored is not None:
            try:
                item = self._load(stored, revision)
            except ValueError:
                logger.error("ignoring %s%s at revision %d: not an object", self.prefix, path, revision)
                return
            record = Record(namespace, name, revision, item, self._fields_of)
            self._put(record, previous)
        elif previous is None:
            return
        else:
            self._remove(previous)
        self.received += 1
        change = Change(revision, record, previous)
        self._remember(change)
        for listener in self.listeners:
            listener(change)
        self.channels.offer(change)

    def flush(self) -> None:
        """Let the watchers have the changes that were taken."""
        self.channels.flush()

    def _put(self, record: Record, previous: Record | None) -> None:
        names = self._namespaces.get(record.namespace)
        if names is None:
            names = self._namespaces[record.namespace] = SortedDict()
        names[record.name] = record
        if previous is None:
            self._count += 1
        if self._indexed_field:
            self._index(record, previous)

    def _remove(self, record: Record) -> None:
        names = self._namespaces[record.namespace]
        del names[record.name]
        self._count -= 1
        if not names:
            del self._namespaces[record.namespace]
        if self._indexed_field:
            self._index(None, record)

    def _index(self, record: Record | None, previous: Record | None) -> None:
        """Note under which value of the indexed field an object is now. The empty value is not noted."""
        field = self._indexed_field
        old = previous.field(field) if previous is not None else ""
        new = record.field(field) if record is not None else ""
        if old and old != new:
            assert previous is not None
            found = self._by_value[old]
            del found[(previous.namespace, previous.name)]
            if not found:
                del self._by_value[old]
        if new:
            assert record is not None
            self._by_value.setdefault(new, {})[(record.namespace, record.name)] = record

    def replace(self, states: Iterable[tuple[str, int, bytes]], revision: int) -> None:
        """Come to a state that was read as a whole at `revision`, as (path, modification revision, stored) of each
        object. Watchers are told the differences; no one can resume from before it."""
        found: set[str] = set()
        changed: list[tuple[int, str, bytes | None]] = []
        for path, modified, stored in states:
            found.add(path)
            namespace, _, name = path.rpartition("/")
            known = self.get(namespace, name)
            if known is None or known.revision != modified:
                changed.append((modified, path, stored))
        for namespace, names in self._namespaces.items():
            for name in names:
                path = f"{namespace}/{name}" if namespace else name
                if path not in found:
                    changed.append((revision, path, None))
        changed.sort(key=lambda each: each[0])
        for modified, path, stored_or_none in changed:
            self.apply(path, modified, stored_or_none)
        self._window.clear()
        self._window_start = revision

    def each_channel(self) -> list[Channel]:
        """Every channel that has watchers."""
        return self.channels.each()

    def end_watchers(self) -> None:
        """End every watch of this resource, as a timeout does."""
        for channel in self.channels.each():
            for receiver in list(channel.receivers):
                receiver.end()

    def forget(self) -> None:
        """Drop everything, watches too, because the versions seen so far are void."""
        self.end_watchers()
        self._namespaces.clear()
        self._by_value.clear()
        self._count = 0
        self._window.clear()

    def _remember(self, change: Change) -> None:
        now = self._now()
        window = self._window
        window.append((now, change))
        limits = self._limits
        while len(window) > limits.least and (len(window) > limits.most or window[0][0] < now - limits.seconds):
            self._window_start = window.popleft()[1].revision

    def changes_after(self, revision: int) -> list[Change]:
        """The remembered changes after a revision, in order. Raises WindowExceeded."""
        if revision < self._window_start:
            raise WindowExceeded(self._window_start)
        window = self._window
        later: list[Change] = []
        for _, change in reversed(window):
            if change.revision <= revision:
                break
            later.append(change)
        later.reverse()
        return later
