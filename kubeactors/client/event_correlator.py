"""Which events to write, and how: client-go's EventCorrelator (tools/record/events_cache.go), as plain values.

In order: a spam filter for each source and object (25 at once, then one in five minutes); more than ten different
messages of one kind within ten minutes become one "(combined from similar events)"; the same event again becomes a
higher count on the first one.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from kubeactors.client.rate_limit import TokenBucket
from kubeactors.client.results import Object

CACHE_SIZE = 4096
SPAM_BURST = 25
SPAM_RATE = 1.0 / 300.0
SIMILAR_LIMIT = 10
SIMILAR_SECONDS = 600.0
COMBINED = "(combined from similar events): "

Key = tuple[str, ...]


@dataclass(frozen=True)
class Write:
    """`event` is to be created; or, when `patch` is given, the event of its name is to be merge-patched."""

    key: Key
    event: Object
    patch: Object | None


@dataclass
class _Similar:
    messages: set[str]
    last: float


@dataclass
class _Seen:
    count: int
    first_timestamp: str
    name: str


class EventCorrelator:
    """Decides for each new event. `clock` returns seconds and is monotonic."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._spam: OrderedDict[Key, TokenBucket] = OrderedDict()
        self._similar: OrderedDict[Key, _Similar] = OrderedDict()
        self._seen: OrderedDict[Key, _Seen] = OrderedDict()

    def correlate(self, event: Object) -> Write | None:
        """What to write for `event` (with count 1), or None when it is spam."""
        if not self._passes(event):
            return None
        event, key = self._aggregate(event)
        return self._count(event, key)

    def written(self, key: Key, stored: Object) -> None:
        """Tells what the API server stored for a Write of this key, so that the next one counts on from it."""
        _remember(
            self._seen,
            key,
            _Seen(int(stored.get("count") or 1), str(stored.get("firstTimestamp") or ""), stored["metadata"]["name"]),
        )

    def forget(self, key: Key) -> None:
        """The event of this key is gone (or was never stored): the next one is created."""
        self._seen.pop(key, None)

    def _passes(self, event: Object) -> bool:
        key = _source_and_object(event)
        bucket = self._spam.get(key) or TokenBucket(SPAM_RATE, SPAM_BURST, self._clock)
        _remember(self._spam, key, bucket)
        return bucket.try_take()

    def _aggregate(self, event: Object) -> tuple[Object, Key]:
        exact = (*_source_and_object(event), event["type"], event["reason"], event["message"])
        group = (*_source_and_object(event), event["type"], event["reason"], event.get("reportingComponent", ""))
        now = self._clock()
        record = self._similar.get(group)
        if record is None or now - record.last > SIMILAR_SECONDS:
            record = _Similar(set(), now)
        record.messages.add(event["message"])
        record.last = now
        _remember(self._similar, group, record)
        if len(record.messages) < SIMILAR_LIMIT:
            return event, exact
        record.messages.pop()
        return {**event, "message": COMBINED + event["message"]}, group

    def _count(self, event: Object, key: Key) -> Write:
        seen = self._seen.get(key)
        if seen is None:
            _remember(self._seen, key, _Seen(1, event["firstTimestamp"], event["metadata"]["name"]))
            return Write(key, event, None)
        seen.count += 1
        self._seen.move_to_end(key)
        again = {
            **event,
            "metadata": {**event["metadata"], "name": seen.name},
            "count": seen.count,
            "firstTimestamp": seen.first_timestamp,
        }
        patch = {"count": seen.count, "lastTimestamp": event["lastTimestamp"], "message": event["message"]}
        return Write(key, again, patch)


def _source_and_object(event: Object) -> Key:
    source, involved = event["source"], event["involvedObject"]
    return (
        source.get("component", ""),
        source.get("host", ""),
        *(str(involved.get(f, "")) for f in ("kind", "namespace", "name", "uid", "apiVersion", "fieldPath")),
    )


def _remember(cache: OrderedDict[Key, Any], key: Key, value: object) -> None:
    """The newest of a cache of bounded size."""
    cache[key] = value
    cache.move_to_end(key)
    if len(cache) > CACHE_SIZE:
        cache.popitem(last=False)
