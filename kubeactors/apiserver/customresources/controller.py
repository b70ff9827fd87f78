"""The controllers that keep CustomResourceDefinitions' status and serve their kinds.

Every API server runs them. Each decides from its own watch cache and writes on condition that the definition (and, for
names, everything else that was granted in the group) is still as it was, so that it does not matter who is first.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterator
from datetime import datetime

import orjson

from kubeactors.api import meta
from kubeactors.api.customresources import conditions
from kubeactors.api.customresources.conditions import (
    APPROVAL,
    ESTABLISHED,
    NAMES_ACCEPTED,
    accept_names,
    condition,
    is_true,
    set_condition,
)
from kubeactors.api.customresources.definition_rules import approval, is_protected
from kubeactors.api.errors import StatusError
from kubeactors.api.meta import Object
from kubeactors.apiserver.customresources.finalizing import Finalizing
from kubeactors.apiserver.customresources.names import NameClaims
from kubeactors.apiserver.customresources.serving import Serving
from kubeactors.apiserver.registry.own_status import update_status
from kubeactors.apiserver.registry.resource import Resource
from kubeactors.apiserver.registry.versions import Freshness
from kubeactors.apiserver.registry.writes import Writer
from kubeactors.apiserver.watchcache.record import Change
from kubeactors.store.errors import StoreError

logger = logging.getLogger(__name__)

_RETRY_SECONDS = 1.0
#: Seconds that a request waits for kinds that are being made.
_SETTLE_SECONDS = 5.0


class DefinitionController:
    """`start` after the watch cache: it returns when all established kinds are served."""

    def __init__(
        self,
        definitions: Resource,
        serving: Serving,
        claims: NameClaims,
        finalizing: Finalizing,
        writer: Writer,
        freshness: Freshness,
        now: Callable[[], datetime],
    ) -> None:
        self._definitions = definitions
        self._serving = serving
        self._claims = claims
        self._finalizing = finalizing
        self._writer = writer
        self._freshness = freshness
        self._now = now
        self._queue: dict[str, None] = {}
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._noted_changes = 0
        self._task: asyncio.Task[None] | None = None
        self._retries: set[asyncio.TimerHandle] = set()
        definitions.cache.listeners.append(self._noted)

    async def start(self) -> None:
        """Raises StoreError when the objects of a definition cannot be read."""
        for crd in self._all():
            if is_true(crd, ESTABLISHED):
                await self._serve_first(crd)
        for crd in self._all():
            self._enqueue(meta.name(crd))
        self._task = asyncio.create_task(self._run(), name="custom-resource-definitions")

    async def _serve_first(self, crd: Object) -> None:
        try:
            await self._serving.serve(crd)
        except StoreError:
            raise
        except Exception:
            # One definition that makes no sense must not keep the server from the others; it is tried again.
            logger.exception("definition %s cannot be served", meta.name(crd))

    async def stop(self) -> None:
        for handle in self._retries:
            handle.cancel()
        self._retries.clear()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None
        await self._finalizing.stop()

    async def settle(self) -> None:
        """Wait until this server serves what was defined, by whichever server, before this call. Gives up in time."""
        with contextlib.suppress(TimeoutError, StatusError):
            async with asyncio.timeout(_SETTLE_SECONDS):
                while True:
                    await self._idle.wait()
                    noted = self._noted_changes
                    # What the controller has written meanwhile comes back as a change, too.
                    await self._freshness.latest()
                    if self._idle.is_set() and noted == self._noted_changes:
                        return

    # --- the queue

    def _noted(self, change: Change) -> None:
        self._noted_changes += 1
        self._enqueue(change.subject.name)

    def _enqueue(self, name: str) -> None:
        self._queue[name] = None
        self._idle.clear()
        self._wake.set()

    def _retry(self, name: str) -> None:
        handles: list[asyncio.TimerHandle] = []

        def again() -> None:
            self._retries.discard(handles[0])
            self._enqueue(name)

        handles.append(asyncio.get_running_loop().call_later(_RETRY_SECONDS, again))
        self._retries.add(handles[0])

    async def _run(self) -> None:
        while True:
            if not self._queue:
                self._idle.set()
                self._wake.clear()
                await self._wake.wait()
            name = next(iter(self._queue))
            del self._queue[name]
            try:
                await self._sync(name)
            except (StatusError, StoreError) as error:
                logger.warning("definition %s: %s; trying again", name, error)
                self._retry(name)
            except Exception:
                logger.exception("definition %s; trying again", name)
                self._retry(name)

    # --- one definition

    def _all(self) -> list[Object]:
        cache = self._definitions.cache
        return [record.decode() for record in cache.everything()]

    def _of_group(self, group: str) -> Iterator[Object]:
        """The definitions of a group, of which none is decoded before it is asked for."""
        for record in self._definitions.cache.everything():
            if record.name.partition(".")[2] == group:
                yield record.decode()

    def _get(self, name: str) -> Object | None:
        record = self._definitions.cache.get("", name)
        return None if record is None else record.decode()

    async def _sync(self, name: str) -> None:
        crd = self._get(name)
        if crd is None:
            self._serving.withdraw(name)
            self._enqueue_group(name.partition(".")[2], name)
            return
        granted = (crd.get("status") or {}).get("acceptedNames")
        if not meta.is_deleting(crd) and await self._update(name, self._with_names):
            if granted and granted.get("kind"):
                self._enqueue_group(crd["spec"]["group"], name)
            return
        if await self._update(name, self._with_approval):
            return
        if is_true(crd, NAMES_ACCEPTED) or is_true(crd, ESTABLISHED):
            await self._serving.serve(crd)
            if await self._update(name, self._established):
                return
        if meta.is_deleting(crd) and conditions.FINALIZER in meta.finalizers(crd):
            self._finalizing.begin(name)

    def _enqueue_group(self, group: str, but: str) -> None:
        """Names may have become free for the other definitions of the group."""
        for crd in self._of_group(group):
            if meta.name(crd) != but and not is_true(crd, NAMES_ACCEPTED):
                self._enqueue(meta.name(crd))

    def _with_names(self, crd: Object) -> bool:
        group = crd["spec"]["group"]
        self._claims.decide(meta.name(crd), group)
        return accept_names(crd, self._of_group(group), self._now())

    def _with_approval(self, crd: Object) -> bool:
        if not is_protected(crd["spec"]["group"]):
            return False
        state, reason = approval(crd)
        words = {
            "missing": (False, "MissingAnnotation"),
            "invalid": (False, "InvalidAnnotation"),
            "bypassed": (False, "UnapprovedAnnotation"),
            "approved": (True, "ApprovedAnnotation"),
        }
        status, short = words[state]
        return set_condition(crd, condition(APPROVAL, status, short, reason), self._now())

    def _established(self, crd: Object) -> bool:
        if not is_true(crd, NAMES_ACCEPTED) or is_true(crd, ESTABLISHED) or meta.is_deleting(crd):
            return False
        text = "the initial names have been accepted"
        return set_condition(crd, condition(ESTABLISHED, True, "InitialNamesAccepted", text), self._now())

    async def _update(self, name: str, change: Callable[[Object], bool]) -> bool:
        """Write a change of the status if there is one to be made; whether there was."""
        crd = self._get(name)
        if crd is None or not change(orjson.loads(orjson.dumps(crd))):
            return False
        await update_status(self._writer, self._definitions, name, change)
        # Who waits for this server to settle must not find it idle before it has seen what it wrote.
        await self._freshness.latest()
        return True
