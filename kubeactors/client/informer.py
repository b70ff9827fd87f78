"""Informers: a collection kept in memory by one list and an endless watch, with handlers for what changes.

The semantics of client-go's reflector and shared informer: resume from the last seen version, list again when the
server no longer has it, and then report what changed in between, deletions too.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Mapping, Sequence
from contextlib import aclosing
from typing import NamedTuple

from kubeactors.api import meta
from kubeactors.api.errors import StatusError
from kubeactors.client.async_client import AsyncClient
from kubeactors.client.backoff import Backoff
from kubeactors.client.lister import IndexFunction, Lister
from kubeactors.client.resource import Resource, ResourceLike, resolve
from kubeactors.client.results import Object, WatchEvent
from kubeactors.client.transport import ConnectionLost

logger = logging.getLogger(__name__)

PAGE = 500
OnAdd = Callable[[Object], None]
OnUpdate = Callable[[Object, Object], None]
OnDelete = Callable[[Object], None]


class _Handler(NamedTuple):
    on_add: OnAdd | None
    on_update: OnUpdate | None
    on_delete: OnDelete | None


class Informer:
    """Keeps the objects that the selectors match in `lister`, and tells handlers of every change.

    Handlers are plain functions, called one after the other on the event loop: they put a key into a work queue and
    return. An exception in one is logged and stops nothing. `rand` (in [0, 1)) spreads the watches' durations.
    """

    def __init__(
        self,
        client: AsyncClient,
        resource: ResourceLike,
        *,
        namespace: str | None = None,
        label_selector: str | None = None,
        field_selector: str | None = None,
        indexers: Mapping[str, IndexFunction] | None = None,
        rand: Callable[[], float] = random.random,
    ) -> None:
        self.resource: Resource = resolve(resource)
        self.lister = Lister(indexers)
        self._client = client
        self._namespace = namespace
        self._label_selector = label_selector
        self._field_selector = field_selector
        self._rand = rand
        self._handlers: list[_Handler] = []
        self._version: str | None = None
        self._synced = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._problem = "not started"

    @property
    def has_synced(self) -> bool:
        """True once the first list is in `lister` and handlers have been told."""
        return self._synced.is_set()

    @property
    def problem(self) -> str | None:
        """Why the copy may be stale now (the last failure to list or watch), or None."""
        return self._problem or None

    def add_handler(
        self, on_add: OnAdd | None = None, on_update: OnUpdate | None = None, on_delete: OnDelete | None = None
    ) -> None:
        """Calls `on_add(new)`, `on_update(old, new)` and `on_delete(last)` from now on, and `on_add` for each present
        object at once.

        After a time without a watch, `last` is the object as this informer last knew it, and one update may stand for
        many. An object deleted and created anew under its name comes as a deletion and an addition.
        """
        handler = _Handler(on_add, on_update, on_delete)
        self._handlers.append(handler)
        if on_add is not None:
            for obj in self.lister.list():
                self._call(on_add, obj)

    async def start(self) -> None:
        """Starts to list and watch; returns at once. See `wait_synced`."""
        if self._task is None:
            self._problem = "the first list is under way"
            self._task = asyncio.create_task(self._run(), name=f"informer {self.resource.qualified_name}")

    async def wait_synced(self, timeout: float = 30.0) -> None:
        """Waits for the first list. Raises TimeoutError that says what is in the way."""
        try:
            async with asyncio.timeout(timeout):
                await self._synced.wait()
        except TimeoutError:
            raise TimeoutError(
                f"the informer of {self.resource.qualified_name} has no list after {timeout:g} s: {self._problem}"
            ) from None

    async def stop(self) -> None:
        """Ends the watch. The lister keeps what it has."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            self._problem = "stopped"

    # -- list and watch ----------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        backoff = Backoff(0.1, 30.0, jitter=1.0, rand=self._rand)
        now = asyncio.get_running_loop().time
        while True:
            started = now()
            try:
                if self._version is None:
                    await self._list()
                    backoff.reset()
                await self._watch(self._version or "0")
                self._problem = ""
                if now() - started > 1.0:
                    backoff.reset()
                    continue
            except StatusError as error:
                self._problem = error.message
                if error.code == 410:
                    logger.info("%s: list again, the watch's version is gone: %s", self.resource.qualified_name, error)
                    self._version = None
                else:
                    logger.warning("cannot list and watch %s: %s", self.resource.qualified_name, error)
            except ConnectionLost as error:
                self._problem = error.message
                logger.info("watch of %s broke off: %s", self.resource.qualified_name, error)
                if now() - started > 5.0:
                    backoff.reset()
            except Exception as error:
                self._problem = repr(error)
                logger.exception("cannot list and watch %s", self.resource.qualified_name)
            await asyncio.sleep(backoff.next())

    async def _list(self) -> None:
        items: list[Object] = []
        token: str | None = None
        while True:
            page = await self._client.list(
                self.resource,
                self._namespace,
                label_selector=self._label_selector,
                field_selector=self._field_selector,
                limit=PAGE,
                continue_=token,
            )
            items.extend(page.items)
            if not page.continue_:
                break
            token = page.continue_
        self._replace(items)
        self._version = page.resource_version
        self._problem = ""
        self._synced.set()

    async def _watch(self, version: str) -> None:
        stream = self._client.watch_batches(
            self.resource,
            self._namespace,
            label_selector=self._label_selector,
            field_selector=self._field_selector,
            resource_version=version,
            timeout_seconds=int(300 * (1.0 + self._rand())),
        )
        async with aclosing(stream):
            async for batch in stream:
                self._problem = ""
                self._apply(batch)

    # -- changes -----------------------------------------------------------------------------------------------------

    def _apply(self, batch: Sequence[WatchEvent]) -> None:
        for type_, obj in batch:
            if type_ == "DELETED":
                self._delete(meta.key(obj), obj)
            elif type_ != "BOOKMARK":
                self._put(meta.key(obj), obj)
            self._version = obj["metadata"]["resourceVersion"]

    def _replace(self, items: Sequence[Object]) -> None:
        keys = {meta.key(obj) for obj in items}
        for key in self.lister.keys():  # noqa: SIM118 - a copy, as deleting changes the lister
            if key not in keys:
                self._delete(key, None)
        for obj in items:
            self._put(meta.key(obj), obj)

    def _put(self, key: str, obj: Object) -> None:
        old = self.lister.get_by_key(key)
        if old is not None and meta.uid(old) != meta.uid(obj):
            self._delete(key, None)
            old = None
        if old is not None and meta.resource_version(old) == meta.resource_version(obj):
            return
        self.lister.put(key, obj)
        for handler in self._handlers:
            if old is None:
                if handler.on_add is not None:
                    self._call(handler.on_add, obj)
            elif handler.on_update is not None:
                self._call(handler.on_update, old, obj)

    def _delete(self, key: str, last: Object | None) -> None:
        old = self.lister.remove(key)
        if old is None:
            return
        for handler in self._handlers:
            if handler.on_delete is not None:
                self._call(handler.on_delete, last or old)

    def _call(self, function: Callable[..., None], *arguments: Object) -> None:
        try:
            function(*arguments)
        except Exception:
            logger.exception("a handler of %s failed", self.resource.qualified_name)
