"""The APIServices of custom group versions, which come and go with them (kube-apiserver's crdregistration and
autoregister controllers).

One that somebody made without the label of those that are kept is left alone: it may name another server.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from typing import Final

import orjson

from kubeactors.api import meta
from kubeactors.api.errors import StatusError
from kubeactors.api.kinds import KindRegistry
from kubeactors.api.meta import Object
from kubeactors.apiserver.aggregation.remote import GroupVersion
from kubeactors.apiserver.bootstrap import LOOPBACK_USER
from kubeactors.apiserver.local_apis import AUTOMANAGED, api_service
from kubeactors.apiserver.registry.resource import Resource
from kubeactors.apiserver.request import ApiHandler, Request, Verb
from kubeactors.apiserver.watchcache.record import Change
from kubeactors.store.errors import StoreError

logger = logging.getLogger(__name__)

#: The label's value for what is kept as long as the server runs.
KEPT: Final = "true"
_RETRY_SECONDS: Final = 1.0


def to_write(present: Object | None, wanted: Object | None) -> tuple[Verb, Object] | None:
    """What makes an APIService what it has to be; None: nothing. Pure."""
    if present is None:
        return None if wanted is None else ("create", wanted)
    if (present["metadata"].get("labels") or {}).get(AUTOMANAGED) != KEPT or meta.is_deleting(present):
        return None
    if wanted is None:
        return "delete", present
    if {key: value for key, value in present["spec"].items() if value is not None} == wanted["spec"]:
        return None
    return "update", {**present, "spec": wanted["spec"]}


class Registration:
    """Every API server does this; each writes on condition that the APIService is still as it saw it."""

    def __init__(self, api_services: Resource, registry: KindRegistry, handler: Callable[[], ApiHandler]) -> None:
        self._api_services = api_services
        self._registry = registry
        self._handler = handler
        self._served: set[GroupVersion] = set()
        self._queue: dict[str, None] = {}
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        api_services.cache.listeners.append(self._noted)

    def start(self) -> None:
        """Register what is served, and forget what was served by a server before."""
        for record in self._api_services.cache.everything():
            if record.labels.get(AUTOMANAGED) == KEPT:
                self._look(record.name)
        self.kinds_changed()
        self._task = asyncio.create_task(self._run(), name="custom-api-services")

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    def kinds_changed(self) -> None:
        """Custom group versions came or went."""
        served = {(kind.group, kind.version) for kind in self._registry.all() if kind.custom}
        changed, self._served = served ^ self._served, served
        self._look_at(changed)

    def _noted(self, change: Change) -> None:
        if self._task is not None and change.subject.labels.get(AUTOMANAGED) == KEPT:
            self._look(change.subject.name)

    def _look_at(self, versions: Iterable[GroupVersion]) -> None:
        for group, version in sorted(versions):
            self._look(f"{version}.{group}")

    def _look(self, name: str) -> None:
        self._queue[name] = None
        self._wake.set()

    async def _run(self) -> None:
        while True:
            while not self._queue:
                self._wake.clear()
                await self._wake.wait()
            name = next(iter(self._queue))
            del self._queue[name]
            try:
                await self._sync(name)
            except (StatusError, StoreError) as error:
                if isinstance(error, StatusError) and error.reason in ("AlreadyExists", "NotFound", "Conflict"):
                    continue  # another server was first; its change is looked at
                logger.warning("APIService %s: %s; trying again", name, error)
            except Exception:
                logger.exception("APIService %s; trying again", name)
            else:
                continue
            await asyncio.sleep(_RETRY_SECONDS)
            self._look(name)

    async def _sync(self, name: str) -> None:
        version, _, group = name.partition(".")
        kind = self._api_services.kind
        record = self._api_services.cache.get("", name)
        present = record.decode() if record is not None else None
        wanted = api_service(group, version, KEPT) if (group, version) in self._served else None
        found = to_write(present, wanted)
        if found is None:
            return
        verb, document = found
        body = {**document, "apiVersion": kind.api_version, "kind": kind.kind}
        if verb == "delete":
            uid = {"uid": document["metadata"]["uid"]}
            body = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": uid}
        request = Request(
            verb=verb,
            kind=kind,
            user=LOOPBACK_USER,
            name="" if verb == "create" else name,
            body=orjson.dumps(body),
            user_agent="kube-apiserver",
        )
        await self._handler().handle(request)
