"""Keeps the endpoints of default/kubernetes: every API server that is alive, and no other.

Each server holds a key under /registry/masterleases by a lease of the store, so that a server that died is forgotten;
each writes the list of all (k8s.io/kubernetes/pkg/controlplane/reconcilers, the "lease" reconciler, with its times).
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
from collections.abc import Awaitable, Callable, Sequence

import orjson

from kubeactors.api.errors import StatusError
from kubeactors.apiserver.storage.transactions import StoreApi
from kubeactors.store.client import ops
from kubeactors.store.errors import LeaseNotFound, StoreError
from kubeactors.store.keys import prefix_end

logger = logging.getLogger(__name__)

PREFIX = b"/registry/masterleases/"
LEASE_TTL = 15
"""Seconds after which a server that does not renew its lease is taken to be gone."""

INTERVAL = 10.0
_LAST_WORD = 2.0


class MasterLeases:
    """Announces the server at `address` and publishes the addresses of all through `publish`."""

    def __init__(
        self,
        store: StoreApi,
        address: str,
        publish: Callable[[Sequence[str]], Awaitable[None]],
        *,
        interval: float = INTERVAL,
        ttl: int = LEASE_TTL,
    ) -> None:
        self._store = store
        self._address = address
        self._publish = publish
        self._interval = interval
        self._ttl = ttl
        self._lease = 0
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Announce this server. Raises nothing for a store or a server that does not answer: it is tried again."""
        if ipaddress.ip_address(self._address).is_loopback:
            logger.warning(
                "advertise_address %s is a loopback address: pods cannot reach default/kubernetes", self._address
            )
            return
        await self._try()
        self._task = asyncio.create_task(self._run(), name="master-leases")

    async def stop(self) -> None:
        """Take this server off the list, if the store answers soon."""
        if self._task is None:
            return
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        self._task = None
        try:
            async with asyncio.timeout(_LAST_WORD):
                await self._store.txn([], [ops.delete(self._key)])
                await self._publish_all()
        except (StoreError, StatusError, TimeoutError) as error:
            logger.info("this API server stays an endpoint of default/kubernetes until its lease ends: %s", error)

    async def reconcile(self) -> None:
        """Renew this server's lease and publish the list. Raises StatusError, StoreError."""
        await self._announce()
        await self._publish_all()

    @property
    def _key(self) -> bytes:
        return PREFIX + self._address.encode()

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._interval)
            await self._try()

    async def _try(self) -> None:
        try:
            await self.reconcile()
        except (StoreError, StatusError) as error:  # two servers may write at once: the next round agrees
            logger.warning("cannot keep the endpoints of default/kubernetes: %s", error)
        except Exception:
            logger.exception("cannot keep the endpoints of default/kubernetes")

    async def _announce(self) -> None:
        if self._lease:
            try:
                await self._store.lease_keep_alive(self._lease)
            except LeaseNotFound:
                self._lease = 0
            else:
                found = await self._store.range(self._key)
                if found.kvs and found.kvs[0].lease == self._lease:
                    return
                self._lease = 0  # another process announces the same address, or somebody deleted the key
        self._lease = (await self._store.lease_grant(self._ttl)).id
        value = orjson.dumps({"metadata": {}, "subsets": [{"addresses": [{"ip": self._address}]}]})
        await self._store.txn([], [ops.put(self._key, value, lease=self._lease)])

    async def _publish_all(self) -> None:
        found = await self._store.range(PREFIX, prefix_end(PREFIX))
        addresses = sorted(kv.key.removeprefix(PREFIX).decode() for kv in found.kvs)
        if addresses:  # the last server leaves its entry rather than an empty list
            await self._publish(addresses)
