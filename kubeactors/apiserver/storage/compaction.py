"""Forgetting the store's old revisions, some minutes after they were current.

Every API server runs this; they agree through one key, so that the store is compacted once per interval
(apiserver's storage/etcd3/compact.go).
"""

from __future__ import annotations

import asyncio
import logging

from kubeactors.apiserver.storage.transactions import StoreApi
from kubeactors.store.client import ops
from kubeactors.store.client.results import RangeResult
from kubeactors.store.errors import Compacted, StoreError

logger = logging.getLogger(__name__)

KEY = b"compact_rev_key"


class Compactor:
    """Every `interval` seconds: whoever moves the key on compacts to the revision that was current one interval ago."""

    def __init__(self, store: StoreApi, *, interval: float) -> None:
        self._store = store
        self._interval = interval
        self._version = 0
        self._revision = 0

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await asyncio.sleep(self._interval)
            try:
                await self.step()
            except StoreError as error:
                logger.warning("the store was not compacted: %s", error.message)
            except Exception:
                logger.exception("the store was not compacted")

    async def begin(self) -> None:
        """Take the key up before anything is served. Raises StoreError.

        Who makes the key is the store's first API server: no client holds a version from before it, so that these are
        forgotten at once, and a version that is made up is answered as one that has expired.
        """
        if await self.step():
            await self._compact(self._revision)

    async def step(self) -> bool:
        """One round; whether this server was the one that moved the key on. Raises StoreError."""
        revision = self._revision
        result = await self._store.txn(
            [ops.version(KEY, "=", self._version)], [ops.put(KEY, b"%d" % revision)], [ops.get(KEY)]
        )
        self._revision = result.revision
        if not result.succeeded:
            # Another server compacts, or this one has just begun: follow it.
            (read,) = result.responses
            assert isinstance(read, RangeResult)
            self._version = read.kvs[0].version if read.kvs else 0
            return False
        self._version += 1
        if revision:
            await self._compact(revision)
        return True

    async def _compact(self, revision: int) -> None:
        try:
            await self._store.compact(revision)
        except Compacted:
            logger.debug("revision %d was compacted already", revision)
        else:
            logger.info("compacted the store to revision %d", revision)
