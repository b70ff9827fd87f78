"""One informer for each collection, shared by all parts of a component."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from kubeactors.client.async_client import AsyncClient
from kubeactors.client.informer import Informer
from kubeactors.client.lister import IndexFunction
from kubeactors.client.resource import Resource, ResourceLike, resolve


class InformerFactory:
    """Makes informers and starts and stops them together."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client
        self._informers: dict[tuple[Resource, str | None, str | None, str | None], Informer] = {}

    def informer(
        self,
        resource: ResourceLike,
        *,
        namespace: str | None = None,
        label_selector: str | None = None,
        field_selector: str | None = None,
        indexers: Mapping[str, IndexFunction] | None = None,
    ) -> Informer:
        """The informer of this collection: the same one for the same arguments; `indexers` are added to it."""
        key = (resolve(resource), namespace, label_selector, field_selector)
        found = self._informers.get(key)
        if found is None:
            found = self._informers[key] = Informer(
                self._client,
                resource,
                namespace=namespace,
                label_selector=label_selector,
                field_selector=field_selector,
            )
        for name, function in (indexers or {}).items():
            found.lister.add_indexer(name, function)
        return found

    async def start(self) -> None:
        """Starts every informer made so far; call again after making more."""
        for informer in self._informers.values():
            await informer.start()

    async def wait_synced(self, timeout: float = 30.0) -> None:
        """Waits for the first list of each. Raises TimeoutError that names one that has none."""
        await asyncio.gather(*(informer.wait_synced(timeout) for informer in self._informers.values()))

    async def stop(self) -> None:
        await asyncio.gather(*(informer.stop() for informer in self._informers.values()))

    async def health(self) -> dict[str, str]:
        """`informer <resource>` → "ok" or what is wrong."""
        return {
            f"informer {informer.resource.qualified_name}": informer.problem
            or ("ok" if informer.has_synced else "no list yet")
            for informer in self._informers.values()
        }
