"""Runs one controller: informers put keys into a queue, workers call the function."""

from __future__ import annotations

import asyncio
import contextvars
import copy
import functools
import inspect
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import cast

from kubeactors.api import meta
from kubeactors.api.errors import Conflict
from kubeactors.client.async_client import AsyncClient
from kubeactors.client.event_recorder import EventRecorder
from kubeactors.client.informer import Informer
from kubeactors.client.informer_factory import InformerFactory
from kubeactors.client.rate_limit import ControllerRateLimiter
from kubeactors.client.resource import Resource
from kubeactors.client.results import Object
from kubeactors.client.sync_client import Client
from kubeactors.client.work_queue import WorkQueue
from kubeactors.client.workers import run_workers
from kubeactors.operators.context import BY_OWNER, AsyncContext, Context, PermanentError, Workplace
from kubeactors.operators.controller import AsyncReconcile, Controller, Mapper, Reconcile, SyncReconcile
from kubeactors.operators.metrics import Metrics
from kubeactors.operators.own_writes import OwnWrites

logger = logging.getLogger(__name__)

REASON = "ReconcileFailed"


@dataclass(frozen=True)
class Surroundings:
    """What the controllers of one operator share. `clock` is in monotonic seconds."""

    client: AsyncClient
    informers: InformerFactory
    metrics: Metrics
    namespace: str | None
    clock: Callable[[], float]
    now: Callable[[], datetime]


class ControllerRunner:
    """One controller at work. `open` before the informers are started, `run` when they have synced."""

    def __init__(self, declared: Controller, around: Surroundings) -> None:
        self.declared = declared
        self.queue: WorkQueue[str] = WorkQueue(
            declared.name, rate_limiter=ControllerRateLimiter(around.clock, cap=declared.max_delay)
        )
        self._around = around
        self._writes = OwnWrites()
        self._recorder = EventRecorder(around.client, declared.name, now=around.now)
        self._loop = asyncio.get_running_loop()
        self._threads: ThreadPoolExecutor | None = None
        self._client = Client.over(around.client, self._loop)
        self._busy: set[str] = set()
        self._place: Workplace
        self._informer: Informer
        self._finalizer = ""

    async def open(self) -> None:
        """Looks the kinds up and asks for their informers. Raises UnknownKindError, or ValueError for misuse."""
        declared, client = self.declared, self._around.client
        resource = await client.resource(declared.kind)
        self._finalizer = declared.finalizer or f"{resource.group or 'kubeactors'}/{declared.name}"
        if declared.namespace and not resource.namespaced:
            raise ValueError(f"{declared.name}: {resource.qualified_name} have no namespaces")
        self._informer = self._watch(resource, declared.label_selector, declared.field_selector)
        self._informer.add_handler(self._changed, self._updated, self._changed)
        informers, names, owned = {resource: self._informer}, {resource.plural: resource}, []
        for each in declared.owns:
            kind = await client.resource(each)
            informer = self._watch(kind)
            informer.lister.add_indexer(BY_OWNER, by_owner)
            informer.add_handler(self._of_owner, self._owned_updated, self._of_owner)
            informers[kind] = informer  # also where the kind owns its like: this one has the index
            names.update(_names(each, kind))
            owned.append(kind)
        for reference, mapper in declared.watches.items():
            kind = await client.resource(reference)
            informer = self._watch(kind)
            enqueue = functools.partial(self._mapped, mapper)
            informer.add_handler(enqueue, functools.partial(_each, enqueue), enqueue)
            informers.setdefault(kind, informer)
            names.update(_names(reference, kind))
        names.update(_names(declared.kind, resource))
        self._place = Workplace(
            client, resource, declared.name, informers, names, owned, self._recorder, self._writes, self._around.now
        )
        if not all(map(inspect.iscoroutinefunction, filter(None, (declared.reconcile, declared.delete)))):
            self._threads = ThreadPoolExecutor(declared.workers, thread_name_prefix=declared.name)

    async def run(self) -> None:
        """Calls the function for what is queued, until `stop`."""
        await run_workers(self.queue, self._measured, workers=self.declared.workers)

    def stop(self) -> None:
        """Takes up nothing more; `run` returns when the calls under way have ended."""
        self.queue.shut_down()

    async def close(self) -> None:
        """Writes outstanding events and lets go of everything. Threads that still run cannot use the cluster then."""
        self.queue.shut_down()
        self._client.close()
        if self._threads is not None:
            self._threads.shutdown(wait=False, cancel_futures=True)
        await self._recorder.stop()

    @property
    def busy(self) -> list[str]:
        """The keys whose calls are under way."""
        return sorted(self._busy)

    # -- what puts keys into the queue -------------------------------------------------------------------------------

    def _watch(
        self, resource: Resource, label_selector: str | None = None, field_selector: str | None = None
    ) -> Informer:
        namespace = (self.declared.namespace or self._around.namespace) if resource.namespaced else None
        return self._around.informers.informer(
            resource, namespace=namespace, label_selector=label_selector, field_selector=field_selector
        )

    def _changed(self, obj: Object) -> None:
        self.queue.add(meta.key(obj))

    def _updated(self, old: Object, new: Object) -> None:
        if self._writes.is_news(new):
            self.queue.add(meta.key(new))

    def _of_owner(self, child: Object) -> None:
        key = owner_key(child, self._place.resource)
        if key is not None:
            self.queue.add(key)

    def _owned_updated(self, old: Object, new: Object) -> None:
        self._of_owner(new)
        if meta.controller_of(old) != meta.controller_of(new):
            self._of_owner(old)

    def _mapped(self, mapper: Mapper, changed: Object) -> None:
        for found in mapper(changed, self._informer.lister):
            self.queue.add(found if isinstance(found, str) else meta.key(found))

    # -- a call ------------------------------------------------------------------------------------------------------

    async def _measured(self, key: str) -> float | None:
        started, result = self._around.clock(), "error"
        self._busy.add(key)
        try:
            again = await self._reconcile(key)
            result = "success" if again is None else "requeue_after"
            return again
        finally:
            self._busy.discard(key)
            self._around.metrics.reconciled(self.declared.name, result, self._around.clock() - started, len(self.queue))

    async def _reconcile(self, key: str) -> float | None:
        known = self._writes.newest(key, self._informer.lister.get_by_key(key))
        if known is None:
            self._writes.forget(key)
            return None
        obj = copy.deepcopy(known)
        obj.setdefault("apiVersion", self._place.resource.api_version)
        obj.setdefault("kind", self._place.resource.kind)
        context = AsyncContext(self._place, obj, self.queue.num_requeues(key))
        try:
            return await self._handle(obj, context)
        except PermanentError as error:
            logger.warning("%s: %s waits for a change: %s", self.declared.name, key, error)
            context.event(REASON, str(error), warning=True)
            return None
        except Conflict:
            raise  # somebody was faster: everyday, and soon repeated
        except Exception as error:
            context.event(REASON, f"{type(error).__name__}: {error}"[:1024], warning=True)
            raise

    async def _handle(self, obj: Object, context: AsyncContext) -> float | None:
        declared, bound = self.declared, self._finalizer in meta.finalizers(obj)
        if meta.is_deleting(obj):
            if not bound:
                return None
            if declared.delete is not None:
                again = await self._call(declared.delete, obj, context)
                if again is not None:
                    return again
            await context.set_finalizer(self._finalizer, False)
            return None
        if bound != (declared.delete is not None):
            await context.set_finalizer(self._finalizer, not bound)
        again = await self._call(declared.reconcile, obj, context)
        return declared.every if again is None else again

    async def _call(self, function: Reconcile, obj: Object, context: AsyncContext) -> float | None:
        if inspect.iscoroutinefunction(function):
            return await cast(AsyncReconcile, function)(obj, context)
        plain, twin = cast(SyncReconcile, function), Context(context, self._client)
        inside = functools.partial(contextvars.copy_context().run, plain, obj, twin)
        return await self._loop.run_in_executor(self._threads, inside)


def by_owner(obj: Object) -> tuple[str, ...]:
    """The uid of the object's controller, for an index."""
    reference = meta.controller_of(obj)
    return () if reference is None else (str(reference.get("uid", "")),)


def owner_key(child: Object, owner: Resource) -> str | None:
    """The key of the object of this resource that controls `child`, whatever version the reference names."""
    reference = meta.controller_of(child)
    if reference is None or reference.get("kind") != owner.kind:
        return None
    group, slash, _ = str(reference.get("apiVersion", "")).partition("/")
    if (group if slash else "") != owner.group:
        return None
    return f"{meta.namespace(child)}/{reference['name']}" if owner.namespaced else str(reference["name"])


def _names(reference: str | Resource, resource: Resource) -> dict[str, Resource]:
    """What the function may call the resource: as it was declared, and its own names."""
    names = {resource.plural, resource.qualified_name, resource.kind.lower()}
    if isinstance(reference, str):
        names.add(reference.lower())
    return {name: resource for name in names}


def _each(handle: Callable[[Object], None], old: Object, new: Object) -> None:
    """A change concerns those whom the object named before, too."""
    handle(old)
    handle(new)
