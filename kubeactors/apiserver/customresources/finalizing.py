"""The end of a definition: all objects of its kind are deleted, and when they are gone it may go too."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import datetime

from kubeactors.api import meta
from kubeactors.api.customresources.conditions import ESTABLISHED, FINALIZER, TERMINATING, condition, is_true
from kubeactors.api.customresources.conditions import set_condition as set_
from kubeactors.api.errors import StatusError
from kubeactors.api.meta import Object
from kubeactors.apiserver.bootstrap import LOOPBACK_USER
from kubeactors.apiserver.customresources.serving import Serving
from kubeactors.apiserver.options import DeleteOptions
from kubeactors.apiserver.registry.deletes import Deleter
from kubeactors.apiserver.registry.resource import Resource
from kubeactors.apiserver.registry.versions import Freshness
from kubeactors.apiserver.request import Request
from kubeactors.apiserver.watchcache.record import Change
from kubeactors.store.errors import StoreError

logger = logging.getLogger(__name__)

#: Seconds after which the status says that objects remain; also between attempts to delete what is left.
_PATIENCE = 60.0
_RETRY_SECONDS = 1.0
_WORKERS = 16

# Changes a definition in the store: (name, change that tells whether it changed anything).
Update = Callable[[str, Callable[[Object], bool]], Awaitable[None]]


class Finalizing:
    """One task for each definition that ends. All servers do this at once; each step may be done twice."""

    def __init__(
        self,
        definitions: Resource,
        serving: Serving,
        deleter: Deleter,
        freshness: Freshness,
        update: Update,
        now: Callable[[], datetime],
    ) -> None:
        self._definitions = definitions
        self._serving = serving
        self._deleter = deleter
        self._freshness = freshness
        self._update = update
        self._now = now
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def begin(self, name: str) -> None:
        """Bring a definition to its end, if that is not under way."""
        if name not in self._tasks:
            task = asyncio.create_task(self._run(name), name=f"end-of-{name}")
            self._tasks[name] = task
            task.add_done_callback(lambda _: self._tasks.pop(name, None))

    async def stop(self) -> None:
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(self, name: str) -> None:
        while True:
            try:
                await self._finalize(name)
                return
            except (StatusError, StoreError) as error:
                logger.warning("deleting the objects of %s: %s; trying again", name, error)
                await asyncio.sleep(_RETRY_SECONDS)
            except Exception:
                logger.exception("deleting the objects of %s; trying again", name)
                await asyncio.sleep(_RETRY_SECONDS)

    async def _finalize(self, name: str) -> None:
        record = self._definitions.cache.get("", name)
        if record is None:
            return
        crd = record.decode()
        if not meta.is_deleting(crd) or FINALIZER not in meta.finalizers(crd):
            return
        await self._tell(name, True, "InstanceDeletionInProgress", "CustomResource deletion is in progress")
        resource = self._serving.storage_resource(name)
        if not is_true(crd, ESTABLISHED) or resource is None:
            await self._release(name, "NeverEstablished", "resource was never established")
            return
        while not await self._delete_all(resource):
            text = "could not confirm zero CustomResources remaining: timed out waiting for the condition"
            await self._tell(name, True, "InstanceDeletionCheck", text)
        await self._release(name, "InstanceDeletionCompleted", "removed all instances")

    async def _delete_all(self, resource: Resource) -> bool:
        """Delete every object and wait until there is none; False when some are left after a while."""
        cache = resource.cache
        emptied = asyncio.Event()

        def noted(change: Change) -> None:
            if not len(cache):
                emptied.set()

        cache.listeners.append(noted)
        try:
            await self._freshness.latest()
            limit = asyncio.Semaphore(_WORKERS)
            await asyncio.gather(
                *(self._delete(resource, each.namespace, each.name, limit) for each in cache.everything())
            )
            if len(cache):
                async with asyncio.timeout(_PATIENCE):
                    await emptied.wait()
            await self._freshness.latest()
            return not len(cache)
        except TimeoutError:
            return False
        finally:
            cache.listeners.remove(noted)

    async def _delete(self, resource: Resource, namespace: str, name: str, limit: asyncio.Semaphore) -> None:
        request = Request(
            verb="delete",
            kind=resource.kind,
            user=LOOPBACK_USER,
            namespace=namespace,
            name=name,
            user_agent="kube-apiserver",
        )
        async with limit:
            try:
                await self._deleter.delete_object(resource, request, namespace, name, DeleteOptions())
            except StatusError as error:
                if error.reason != "NotFound":
                    raise

    async def _tell(self, name: str, status: bool, reason: str, text: str) -> None:
        new = condition(TERMINATING, status, reason, text)
        await self._update(name, lambda crd: set_(crd, new, self._now()))

    async def _release(self, name: str, reason: str, text: str) -> None:
        new = condition(TERMINATING, False, reason, text)

        def change(crd: Object) -> bool:
            finalizers = [each for each in meta.finalizers(crd) if each != FINALIZER]
            changed = len(finalizers) != len(meta.finalizers(crd))
            crd["metadata"]["finalizers"] = finalizers
            if not finalizers:
                del crd["metadata"]["finalizers"]
            return set_(crd, new, self._now()) or changed

        await self._update(name, change)
