"""What a controller has written itself, of which its informer may not have heard yet."""

from __future__ import annotations

from collections import deque

from kubeactors.api import meta
from kubeactors.client.results import Object

KEPT = 8
"""Versions of an object that are remembered as own writes; their events come soon."""


class OwnWrites:
    """Lets a controller read its own writes, and not be called for them.

    Versions of an object compare as numbers (KEP-5504); where they are none, the informer's copy is taken as it is.
    """

    def __init__(self) -> None:
        self._newest: dict[str, Object] = {}
        self._no_news: dict[str, deque[str]] = {}

    def newest(self, key: str, cached: Object | None) -> Object | None:
        """The object as it was last heard of, from the informer or as the answer to a write."""
        written = self._newest.get(key)
        if cached is None or written is None or meta.uid(written) != meta.uid(cached):
            self._newest.pop(key, None)
            return cached
        if _version(written) > _version(cached):
            return written
        del self._newest[key]
        return cached

    def wrote(self, key: str, expected: Object, answer: Object) -> None:
        """A write was answered. When the answer is just what was `expected`, its event will tell nothing new."""
        self._newest[key] = answer
        if without_bookkeeping(answer) == without_bookkeeping(expected):
            self._no_news.setdefault(key, deque(maxlen=KEPT)).append(meta.resource_version(answer))

    def is_news(self, obj: Object) -> bool:
        """Whether an object that the informer tells of holds anything that is not this controller's own write."""
        return meta.resource_version(obj) not in self._no_news.get(meta.key(obj), ())

    def forget(self, key: str) -> None:
        """The object is gone."""
        self._newest.pop(key, None)
        self._no_news.pop(key, None)


def without_bookkeeping(obj: Object) -> Object:
    """The object without what changes with every write."""
    metadata = {
        name: value for name, value in obj["metadata"].items() if name not in ("resourceVersion", "managedFields")
    }
    return {**obj, "metadata": metadata}


def _version(obj: Object) -> int:
    version = meta.resource_version(obj)
    return int(version) if version.isdigit() else -1
