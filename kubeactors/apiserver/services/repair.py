"""Claims and Services made to agree again, where something other than an API server has changed the store."""

from __future__ import annotations

import asyncio
import logging

import orjson

from kubeactors.api.errors import StatusError
from kubeactors.api.meta import Object
from kubeactors.apiserver.registry import forms
from kubeactors.apiserver.services.claims import (
    ADDRESS_PREFIX,
    PORT_PREFIX,
    ServiceClaims,
    claim_keys,
    claim_value,
    needs_of,
)
from kubeactors.apiserver.storage.transactions import Transactions
from kubeactors.apiserver.watchcache.cache import ResourceCache
from kubeactors.apiserver.watchcache.matcher import Matcher

logger = logging.getLogger(__name__)

_EVERYTHING = Matcher()


class Repair:
    """Every `interval` seconds: claims what Services have unclaimed, frees what no Service has.

    Nothing is freed on its first sight, and what is freed is compared in the store: the caches may lag.
    """

    def __init__(
        self,
        services: ResourceCache,
        claims: ServiceClaims,
        transactions: Transactions,
        clock: forms.Clock,
        interval: float,
    ) -> None:
        self._services = services
        self._claims = claims
        self._transactions = transactions
        self._clock = clock
        self._interval = interval
        self._suspects: set[bytes] = set()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                await self.step()
            except StatusError as error:
                logger.warning("the claims of services were not checked: %s", error.message)
            except Exception:
                logger.exception("the claims of services were not checked")
            await asyncio.sleep(self._interval)

    async def step(self) -> None:
        """One round. Raises StatusError."""
        wanted: dict[bytes, tuple[str, Object]] = {}
        for record in self._services.select(_EVERYTHING):
            service = record.decode()
            for key, name in claim_keys(needs_of(service)).items():
                if key in wanted:
                    logger.error("%s is used by two services, one of them %s", name, service["metadata"]["name"])
                wanted[key] = (name, service)
        held = {key: revision for key, revision in self._held()}
        for key, (name, service) in wanted.items():
            if key not in held:
                await self._claim(key, name, service)
        suspects = held.keys() - wanted.keys()
        for key in suspects & self._suspects:
            await self._free(key, held[key])
        self._suspects = set(suspects)

    def _held(self) -> list[tuple[bytes, int]]:
        found = [(f"{ADDRESS_PREFIX}{r.name}".encode(), r.revision) for r in self._claims.addresses.select(_EVERYTHING)]
        return found + [(f"{PORT_PREFIX}{r.name}".encode(), r.revision) for r in self._claims.ports.select(_EVERYTHING)]

    async def _claim(self, key: bytes, name: str, service: Object) -> None:
        committed = await self._transactions.put(key, claim_value(key, name, service, self._clock()), 0)
        if committed.ok:
            logger.warning("claimed %s for service %s", name, service["metadata"]["name"])

    async def _free(self, key: bytes, revision: int) -> None:
        kv = await self._transactions.get(key)
        if kv is None or kv.mod_revision != revision:
            return
        parent = (orjson.loads(kv.value).get("spec") or {}).get("parentRef") or {}
        if parent.get("resource") != "services":
            return
        path = f"{self._services.prefix}{parent.get('namespace', '')}/{parent.get('name', '')}"
        owner = await self._transactions.get(path.encode())
        if owner is not None and key in claim_keys(needs_of(orjson.loads(owner.value))):
            return
        if (await self._transactions.delete(key, revision)).ok:
            logger.warning("freed %s, which no service has", key.decode().rpartition("/")[2])
