"""Objects that expire: Events live as long as a lease of the store."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from kubeactors.apiserver.storage.transactions import StoreApi, unavailable
from kubeactors.store.errors import StoreError

# How long a lease is given to new objects before the next one is taken, in seconds; objects live that much longer.
_SHARED_FOR = 60.0
_EXPIRING = "/registry/events/"


class EventLeases:
    """One lease for all events of a minute, as Kubernetes' lease manager does. `ttl` in seconds."""

    def __init__(self, store: StoreApi, *, ttl: int, monotonic: Callable[[], float]) -> None:
        self._store = store
        self._ttl = ttl
        self._monotonic = monotonic
        self._lease = 0
        self._granted = 0.0
        self._lock = asyncio.Lock()

    async def lease_for(self, prefix: str) -> int:
        """The lease that an object under this key prefix is to have; 0: none. Raises StatusError."""
        if prefix != _EXPIRING:
            return 0
        async with self._lock:
            now = self._monotonic()
            if not self._lease or now - self._granted > _SHARED_FOR:
                try:
                    self._lease = (await self._store.lease_grant(self._ttl + int(_SHARED_FOR))).id
                except StoreError as error:
                    raise unavailable(error) from error
                self._granted = now
            return self._lease
