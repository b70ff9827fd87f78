"""The caches of a custom resource: one for each version that is served, all fed with the same changes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from kubeactors.apiserver.watchcache.cache import ResourceCache
from kubeactors.apiserver.watchcache.channels import Channel


class VersionCaches:
    """Implements `feed.FedCache`."""

    def __init__(self, prefix: str, members: Sequence[ResourceCache]) -> None:
        self.prefix = prefix
        self._members = members

    def apply(self, path: str, revision: int, stored: bytes | None) -> None:
        for cache in self._members:
            cache.apply(path, revision, stored)

    def replace(self, states: Iterable[tuple[str, int, bytes]], revision: int) -> None:
        whole = list(states)
        for cache in self._members:
            cache.replace(whole, revision)

    def flush(self) -> None:
        for cache in self._members:
            cache.flush()

    def each_channel(self) -> list[Channel]:
        return [channel for cache in self._members for channel in cache.each_channel()]

    def end_watchers(self) -> None:
        for cache in self._members:
            cache.end_watchers()

    def forget(self) -> None:
        for cache in self._members:
            cache.forget()
