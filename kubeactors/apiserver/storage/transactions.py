"""Reads and conditional writes of single objects, as transactions on the modification revision."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Protocol

from kubeactors.api import errors
from kubeactors.apiserver.metrics.store import StoreMetrics
from kubeactors.store import keys
from kubeactors.store.client import ops
from kubeactors.store.client.results import KeyValue, LeaseGranted, RangeResult, TxnResult, WatchBatch
from kubeactors.store.errors import Compacted, FutureRevision, RequestTooLarge, StoreError, StoreUnavailable

logger = logging.getLogger(__name__)


class StoreWatch(Protocol):
    """Every change once, in order; iterating raises Compacted when changes that were not seen are gone."""

    async def __anext__(self) -> WatchBatch: ...

    async def close(self) -> None: ...


class StoreApi(Protocol):
    """What of `kubeactors.store.client.StoreClient` the API server uses. All methods raise StoreError."""

    async def range(self, key: bytes, range_end: bytes = b"", *, limit: int = 0, revision: int = 0) -> RangeResult: ...

    def scan(self, prefix: bytes, *, page_size: int = 2000, revision: int = 0) -> AsyncIterator[RangeResult]: ...

    async def revision(self) -> int: ...

    async def txn(
        self, compare: Sequence[ops.Compare], success: Sequence[ops.Op], failure: Sequence[ops.Op] = ()
    ) -> TxnResult: ...

    def watch(self, key: bytes, start_revision: int = 0) -> StoreWatch: ...

    async def compact(self, revision: int) -> None: ...

    async def lease_grant(self, ttl: int) -> LeaseGranted: ...

    async def lease_keep_alive(self, lease_id: int) -> int: ...


@dataclass(frozen=True, slots=True)
class Committed:
    """What a conditional write came to. `ok`: it was applied at `revision`. Otherwise nothing was, and `current` is
    what the compared key holds (None: nothing)."""

    ok: bool
    revision: int
    current: KeyValue | None = None


class Transactions:
    """The store as the registry sees it. Failures of the store come out as StatusError. `metrics` counts."""

    def __init__(self, store: StoreApi, metrics: StoreMetrics) -> None:
        self._store = store
        self._metrics = metrics

    async def get(self, key: bytes) -> KeyValue | None:
        started = perf_counter()
        try:
            result = await self._store.range(key)
        except StoreError as error:
            self._metrics.failed("get", key)
            raise unavailable(error) from error
        self._metrics.observe("get", key, perf_counter() - started)
        return result.kvs[0] if result.kvs else None

    async def page(self, start: bytes, prefix: bytes, *, limit: int = 0, revision: int = 0) -> RangeResult:
        """The keys of a prefix from `start` on. Raises Compacted and FutureRevision as the store gives them."""
        started = perf_counter()
        try:
            result = await self._store.range(start, keys.prefix_end(prefix), limit=limit, revision=revision)
        except (Compacted, FutureRevision):
            raise
        except StoreError as error:
            self._metrics.failed("list", start)
            raise unavailable(error) from error
        self._metrics.observe("list", start, perf_counter() - started)
        return result

    async def put(self, key: bytes, value: bytes, seen: int) -> Committed:
        """Write if the key's modification revision is still `seen` (0: if there is no such key)."""
        return await self.write([ops.mod_revision(key, "=", seen)], [ops.put(key, value)], key)

    async def delete(self, key: bytes, seen: int) -> Committed:
        """Delete if the key's modification revision is still `seen`."""
        return await self.write([ops.mod_revision(key, "=", seen)], [ops.delete(key)], key)

    async def write(self, compare: Sequence[ops.Compare], success: Sequence[ops.Op], key: bytes) -> Committed:
        """Apply `success` if every comparison holds, else read `key`."""
        started = perf_counter()
        operation = _operation(compare[0], success[0])
        try:
            result = await self._store.txn(compare, success, [ops.get(key)])
        except RequestTooLarge as error:
            self._metrics.failed(operation, key)
            raise errors.too_large(error.message) from error
        except StoreError as error:
            self._metrics.failed(operation, key)
            raise unavailable(error) from error
        self._metrics.observe(operation, key, perf_counter() - started)
        if result.succeeded:
            return Committed(True, result.revision)
        (read,) = result.responses
        assert isinstance(read, RangeResult)
        return Committed(False, result.revision, read.kvs[0] if read.kvs else None)


def _operation(compare: ops.Compare, operation: ops.Op) -> str:
    if operation.HasField("request_delete_range"):
        return "delete"
    return "update" if compare.mod_revision else "create"


def unavailable(error: StoreError) -> errors.StatusError:
    """The answer when the store did not do its part.

    503 when surely nothing was written: the client may repeat. 504 when the outcome is unknown: it must look first.
    """
    if error.outcome_unknown:
        return errors.timeout(f"the store did not answer, the write may have been applied: {error.message}")
    if isinstance(error, StoreUnavailable):
        return errors.service_unavailable(f"the store is not available: {error.message}")
    return errors.internal(error.message)
