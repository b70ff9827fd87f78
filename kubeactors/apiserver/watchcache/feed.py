"""The one store watch that feeds every resource's cache.

It watches the whole key space, so every write to the store moves it on, and "the cache reflects revision R" is one
number for all resources: a read that must see R waits for that number and needs no question to the store of its own.
"""

from __future__ import annotations

import asyncio
import heapq
import logging
from collections.abc import Awaitable, Callable, Iterable
from typing import Protocol

from kubeactors.apiserver.storage.transactions import StoreApi, StoreWatch
from kubeactors.apiserver.watchcache.channels import Channel
from kubeactors.store.client.results import Event
from kubeactors.store.errors import Compacted, StoreError

logger = logging.getLogger(__name__)

ROOT = b"/registry/"
_RETRY_FIRST, _RETRY_LAST = 0.1, 5.0
# Seconds in which the feed must reach what was read for a cache that joins; after them it is read again.
_JOIN_WAIT = 10.0


class FedCache(Protocol):
    """What is fed with everything below a key prefix: a `ResourceCache`, or several as one."""

    @property
    def prefix(self) -> str: ...

    def apply(self, path: str, revision: int, stored: bytes | None) -> None: ...

    def replace(self, states: Iterable[tuple[str, int, bytes]], revision: int) -> None: ...

    def flush(self) -> None: ...

    def each_channel(self) -> list[Channel]: ...

    def end_watchers(self) -> None: ...

    def forget(self) -> None: ...


class Feed:
    """Keeps the caches at the store's state. `revision`: everything up to it is in them."""

    def __init__(self, store: StoreApi, *, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        self._store = store
        self._sleep = sleep
        self._caches: dict[bytes, FedCache] = {}
        # Prefixes that a cache is being filled for, with the changes below them meanwhile.
        self._joining: dict[bytes, list[Event]] = {}
        # How often everything was read.
        self._readings = 0
        self.revision = 0
        self.synced = False
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []
        self._sequence = 0
        self._task: asyncio.Task[None] | None = None
        self._follower: asyncio.Task[None] | None = None
        self._failure = "not synced yet"

    # --- life

    async def start(self) -> None:
        """Read everything once; raises StoreError when the store cannot be read."""
        await self._read_all()
        self._task = asyncio.create_task(self._run(), name="watch-cache-feed")

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None
        for _, _, future in self._waiting:
            if not future.done():
                future.cancel()
        self._waiting.clear()
        for cache in self._caches.values():
            cache.end_watchers()

    def health(self) -> str:
        return "ok" if self.synced else self._failure

    # --- caches

    def add(self, cache: FedCache) -> None:
        """Feed this cache too. Before `start` only."""
        self._caches[cache.prefix.encode()] = cache

    async def join(self, cache: FedCache) -> None:
        """Feed this cache too, in place of the one with its prefix, from the moment when it is filled.

        One at a time for a prefix. Raises StoreError when the store cannot be read.
        """
        prefix = cache.prefix.encode()
        later: list[Event] = []
        try:
            while True:
                later = self._joining[prefix] = []
                reading = self._readings
                states: list[tuple[str, int, bytes]] = []
                revision = 0
                async for page in self._store.scan(prefix):
                    revision = page.revision
                    states += [(kv.key[len(prefix) :].decode(), kv.mod_revision, kv.value) for kv in page.kvs]
                reached = await self.wait_for(revision, _JOIN_WAIT)
                if reached and reading == self._readings:
                    break
        finally:
            self._joining.pop(prefix, None)
        cache.replace(states, revision)
        for event in later:
            if event.kv.mod_revision > revision:
                path = event.kv.key[len(prefix) :].decode()
                cache.apply(path, event.kv.mod_revision, None if event.deleted else event.kv.value)
        before = self._caches.get(prefix)
        self._caches[prefix] = cache
        if before is not None:
            before.end_watchers()

    def leave(self, cache: FedCache) -> None:
        """Feed this cache no more; its watchers end."""
        if self._caches.get(cache.prefix.encode()) is cache:
            del self._caches[cache.prefix.encode()]
        cache.end_watchers()

    def caches(self) -> list[FedCache]:
        return list(self._caches.values())

    def _cache_of(self, key: bytes) -> tuple[FedCache | None, str]:
        """The cache that a key belongs to, and the key's path below its prefix."""
        cut = key.find(b"/", len(ROOT)) + 1
        while cut > 0:
            cache = self._caches.get(key[:cut])
            if cache is not None:
                return cache, key[cut:].decode()
            cut = key.find(b"/", cut) + 1
        return None, ""

    # --- waiting

    async def wait_for(self, revision: int, timeout: float) -> bool:
        """Wait until `revision` is in the caches; False when the time (seconds) is over before."""
        if self.revision >= revision:
            return True
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._sequence += 1
        heapq.heappush(self._waiting, (revision, self._sequence, future))
        try:
            async with asyncio.timeout(timeout):
                await future
        except TimeoutError:
            return self.revision >= revision
        return True

    def _advance(self, revision: int) -> None:
        self.revision = max(self.revision, revision)
        while self._waiting and self._waiting[0][0] <= self.revision:
            future = heapq.heappop(self._waiting)[2]
            if not future.done():
                future.set_result(None)

    # --- following the store

    def resync(self) -> None:
        """Read everything anew, because the store no longer is where this feed left it."""
        if self._follower is not None:
            self._follower.cancel()

    async def _run(self) -> None:
        delay = _RETRY_FIRST
        while True:
            watch = self._store.watch(b"", self.revision + 1)
            self._follower = asyncio.create_task(self._follow(watch), name="watch-cache-follower")
            try:
                await asyncio.wait({self._follower})
                self._tell_end(self._follower)
            finally:
                self._follower.cancel()
                await asyncio.gather(self._follower, return_exceptions=True)
                await watch.close()
            self.synced, self._failure = False, "the store's changes are not being followed"
            while not self.synced:
                try:
                    await self._read_all()
                    delay = _RETRY_FIRST
                    continue
                except StoreError as error:
                    self._failure = f"the store cannot be read: {error.message}"
                    logger.warning("%s", self._failure)
                except Exception as error:
                    self._failure = f"the store's content cannot be taken in: {error}"
                    logger.exception("%s", self._failure)
                await self._sleep(delay)
                delay = min(delay * 2, _RETRY_LAST)

    def _tell_end(self, follower: asyncio.Task[None]) -> None:
        if follower.cancelled():
            logger.warning("reading the store anew")
            return
        error = follower.exception()
        if isinstance(error, Compacted):
            logger.warning("the store forgot changes before %d were seen; reading it anew", error.compact_revision)
        elif isinstance(error, StoreError):
            logger.warning("the watch of the store failed, reading it anew: %s", error)
        else:
            # A fault of ours: some watcher may have missed an event, so all begin again.
            logger.error("the watch cache failed, reading the store anew", exc_info=error)
            for cache in self._caches.values():
                cache.end_watchers()

    async def _follow(self, watch: StoreWatch) -> None:
        while True:
            batch = await watch.__anext__()
            if batch.events:
                self._apply(batch.events)
            self._advance(batch.revision)

    def _apply(self, events: list[Event]) -> None:
        touched: dict[FedCache, None] = {}
        for event in events:
            kv = event.kv
            cache, path = self._cache_of(kv.key)
            if cache is not None:
                cache.apply(path, kv.mod_revision, None if event.deleted else kv.value)
                touched[cache] = None
            if self._joining:
                for prefix, later in self._joining.items():
                    if kv.key.startswith(prefix):
                        later.append(event)
        for cache in touched:
            cache.flush()

    async def _read_all(self) -> None:
        found: dict[FedCache, list[tuple[str, int, bytes]]] = {cache: [] for cache in self._caches.values()}
        revision = 0
        async for page in self._store.scan(ROOT):
            revision = page.revision
            for kv in page.kvs:
                cache, path = self._cache_of(kv.key)
                if cache is not None:
                    found[cache].append((path, kv.mod_revision, kv.value))
        if revision < self.revision:
            # The store has less than we saw: it was restored from an older copy. No version that a client holds
            # means anything any more.
            logger.error("the store is at revision %d after %d was seen; all watches end", revision, self.revision)
            for cache in self._caches.values():
                cache.forget()
            self.revision = 0
        for cache, states in found.items():
            cache.replace(states, revision)
            cache.flush()
        self._readings += 1
        self._advance(revision)
        self.synced = True
