"""ConfigMaps and Secrets that this node's pods refer to: each watched by its name while somebody needs it.

A node never lists other namespaces' secrets; this is kubelet's watch-based manager.
"""

import asyncio
import logging
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from kubeactors.api.meta import Object
from kubeactors.client import AsyncClient, Informer

logger = logging.getLogger(__name__)

Reference = tuple[str, str, str]  # resource (configmaps or secrets), namespace, name


@dataclass
class _Watched:
    informer: Informer
    users: set[str] = field(default_factory=set)
    #: Somebody went on without it: its first state is a change.
    awaited: bool = False


class ReferencedObjects:
    """`on_change(uid)` is called for each user of an object that changed."""

    def __init__(self, client: AsyncClient, on_change: Callable[[str], None]) -> None:
        self._client = client
        self._on_change = on_change
        self._watched: dict[Reference, _Watched] = {}

    async def use(self, uid: str, references: Collection[Reference], timeout: float = 10.0) -> None:
        """Watch these objects for the pod `uid` until `release`, and wait until their state is known.

        Raises TimeoutError when the API server does not tell.
        """
        waiting = []
        for reference in references:
            watched = self._watched.get(reference)
            if watched is None:
                watched = self._watched[reference] = _Watched(self._watch(reference))
                await watched.informer.start()
            watched.users.add(uid)
            if not watched.informer.has_synced:
                waiting.append(watched.informer.wait_synced(timeout))
        try:
            if waiting:
                await asyncio.gather(*waiting)
        except TimeoutError:
            for reference in references:
                self._watched[reference].awaited = True
            raise

    def get(self, resource: str, namespace: str, name: str) -> Object | None:
        """The object as last seen; None when there is none (or `use` has not been called for it)."""
        watched = self._watched.get((resource, namespace, name))
        return watched.informer.lister.get(namespace, name) if watched else None

    async def release(self, uid: str) -> None:
        """The pod needs none of its objects any more."""
        for reference, watched in list(self._watched.items()):
            watched.users.discard(uid)
            if not watched.users and self._watched.pop(reference, None) is not None:
                await watched.informer.stop()

    async def stop(self) -> None:
        watched, self._watched = list(self._watched.values()), {}
        await asyncio.gather(*(w.informer.stop() for w in watched))

    def _watch(self, reference: Reference) -> Informer:
        resource, namespace, name = reference
        informer = Informer(self._client, resource, namespace=namespace, field_selector=f"metadata.name={name}")

        def changed(*_objects: Object) -> None:
            watched = self._watched.get(reference)
            if watched is not None and (informer.has_synced or watched.awaited):
                for uid in list(watched.users):
                    self._on_change(uid)

        informer.add_handler(changed, changed, changed)
        return informer
