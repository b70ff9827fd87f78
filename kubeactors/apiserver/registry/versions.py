"""How fresh a read must be, by its resourceVersion, and the wait for it."""

from __future__ import annotations

import logging

from kubeactors.api.errors import StatusError, status_failure
from kubeactors.apiserver.storage.transactions import unavailable
from kubeactors.apiserver.watchcache.barrier import ReadBarrier
from kubeactors.apiserver.watchcache.feed import Feed
from kubeactors.store.errors import StoreError

logger = logging.getLogger(__name__)

# How long a read waits for the cache, in seconds (blockTimeout of Kubernetes' cacher).
WAIT = 3.0


class Freshness:
    """Brings the caches to what a read asks for."""

    def __init__(self, feed: Feed, barrier: ReadBarrier) -> None:
        self._feed = feed
        self._barrier = barrier

    async def latest(self) -> int:
        """Wait until the caches reflect every write acknowledged before this call; 0 when they do.

        Otherwise the caches lag, and the revision is given which the caller must read from the store.
        """
        seen = self._feed.revision
        try:
            revision = await self._barrier.revision()
        except StoreError as error:
            raise unavailable(error) from error
        if revision < seen:
            # The store was asked after we saw that revision: it has gone back to an older copy of its data.
            self._feed.resync()
            return revision
        if await self._feed.wait_for(revision, WAIT):
            return 0
        logger.warning("the watch cache lags: it is at revision %d, the store at %d", self._feed.revision, revision)
        return revision

    async def at_least(self, version: int) -> None:
        """Wait until the caches reflect a version. Raises StatusError (504) for one that does not come in time."""
        if not await self._feed.wait_for(version, WAIT):
            raise too_large_version(version, self._feed.revision)


def too_large_version(version: int, current: int) -> StatusError:
    return StatusError(
        status_failure(
            504,
            "Timeout",
            f"Timeout: Too large resource version: {version}, current: {current}",
            {
                "causes": [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}],
                "retryAfterSeconds": 1,
            },
        )
    )
