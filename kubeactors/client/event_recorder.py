"""Events (core/v1) about objects, written in the background as client-go's EventRecorder and broadcaster do."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from kubeactors.api import meta
from kubeactors.api.errors import StatusError
from kubeactors.client.async_client import AsyncClient
from kubeactors.client.errors import ApiUnavailable, OutcomeUnknown
from kubeactors.client.event_correlator import EventCorrelator, Write
from kubeactors.client.results import Object

logger = logging.getLogger(__name__)

QUEUE_SIZE = 1000
MAX_TRIES = 12
RETRY_SECONDS = 10.0


class EventRecorder:
    """Says what happened to an object. `event` never waits and never raises; when too much happens, events are lost
    (and logged), never the component's time.

    Events are correlated before they are written (see `event_correlator`). `stop` writes what is queued. `now` is the
    wall clock, `clock` the monotonic one (default: the loop's).
    """

    def __init__(
        self,
        client: AsyncClient,
        component: str,
        host: str | None = None,
        *,
        queue_size: int = QUEUE_SIZE,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        clock: Callable[[], float] | None = None,
        rand: Callable[[], float] = random.random,
    ) -> None:
        self.component = component
        self.host = host or ""
        self.dropped = 0
        """Events lost because the queue was full or the API server could not be reached."""
        self._client = client
        self._now = now
        self._rand = rand
        self._clock = clock
        self._queue: asyncio.Queue[Object] = asyncio.Queue(queue_size)
        self._correlator: EventCorrelator | None = None
        self._task: asyncio.Task[None] | None = None
        self._stopped = False
        self._overflowing = False

    def event(self, obj: Object, type: str, reason: str, message: str, *, field_path: str | None = None) -> None:
        """Records that `reason` (CamelCase) happened to `obj`; `type` is Normal or Warning.

        `obj` needs kind and apiVersion, or may be an ObjectReference. `field_path` names a part:
        "spec.containers{web}".
        """
        if self._stopped:
            return
        made = make_event(obj, type, reason, message, self.component, self.host, self._now(), field_path)
        try:
            self._queue.put_nowait(made)
        except asyncio.QueueFull:
            self.dropped += 1
            if not self._overflowing:
                logger.warning("too many events of %s; losing some, first: %s: %s", self.component, reason, message)
            self._overflowing = True
            return
        self._overflowing = False
        if self._task is None:
            self._task = asyncio.create_task(self._write_all(), name=f"events of {self.component}")

    async def stop(self, timeout: float = 2.0) -> None:
        """Writes what is queued, for at most `timeout` seconds, and ends."""
        self._stopped = True
        task, self._task = self._task, None
        if task is None:
            return
        try:
            async with asyncio.timeout(timeout):
                await self._queue.join()
        except TimeoutError:
            self.dropped += self._queue.qsize()
            logger.warning("%d events of %s were not written before it stopped", self._queue.qsize(), self.component)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    async def _write_all(self) -> None:
        self._correlator = EventCorrelator(self._clock or asyncio.get_running_loop().time)
        while True:
            event = await self._queue.get()
            try:
                write = self._correlator.correlate(event)
                if write is not None:
                    await self._write(self._correlator, write)
            except Exception:
                self.dropped += 1
                logger.exception("cannot write the event %s", event)
            finally:
                self._queue.task_done()

    async def _write(self, correlator: EventCorrelator, write: Write) -> None:
        for attempt in range(MAX_TRIES):
            try:
                correlator.written(write.key, await self._send(write))
                return
            except (ApiUnavailable, OutcomeUnknown) as error:
                if attempt == 0:
                    logger.info("cannot write an event yet: %s", error)
                await asyncio.sleep(RETRY_SECONDS * (self._rand() if attempt == 0 else 1.0))
            except StatusError as error:
                correlator.forget(write.key)
                if error.reason == "AlreadyExists":
                    return  # an attempt whose answer was lost
                self.dropped += 1
                level = logging.DEBUG if "being terminated" in error.message else logging.WARNING
                logger.log(level, "the API server refused the event %s: %s", write.event["reason"], error)
                return
        self.dropped += 1
        correlator.forget(write.key)
        logger.warning("lost the event %s: %s", write.event["reason"], write.event["message"])

    async def _send(self, write: Write) -> Object:
        metadata = write.event["metadata"]
        if write.patch is not None:
            try:
                return await self._client.patch(
                    "events", metadata["name"], write.patch, metadata["namespace"], patch_type="merge"
                )
            except StatusError as error:
                if error.code != 404:
                    raise  # a 404 says that the old event has expired: write it anew
        return await self._client.create("events", write.event, metadata["namespace"])


def make_event(
    obj: Object,
    type_: str,
    reason: str,
    message: str,
    component: str,
    host: str,
    now: datetime,
    field_path: str | None = None,
) -> Object:
    """A core/v1 Event as client-go makes it."""
    reference = object_reference(obj)
    if field_path:
        reference["fieldPath"] = field_path
    namespace = reference.get("namespace") or "default"
    stamp = meta.now_rfc3339(now)
    source = {"component": component}
    if host:
        source["host"] = host
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": f"{reference['name'][:236]}.{time.time_ns():x}", "namespace": namespace},
        "involvedObject": reference,
        "type": type_,
        "reason": reason,
        "message": message[:1024],
        "source": source,
        "reportingComponent": component,
        "reportingInstance": host,
        "firstTimestamp": stamp,
        "lastTimestamp": stamp,
        "count": 1,
    }


def object_reference(obj: Object) -> dict[str, Any]:
    """An ObjectReference to `obj`, which may be one itself. Raises ValueError for an object without its kind."""
    if "metadata" not in obj:
        if not obj.get("kind") or not obj.get("name"):
            raise ValueError("an event needs an object with metadata, or an ObjectReference with kind and name")
        return dict(obj)
    if not obj.get("kind") or not obj.get("apiVersion"):
        raise ValueError(f"an event about {meta.key(obj)!r} needs its kind and apiVersion")
    metadata = obj["metadata"]
    reference = {"kind": obj["kind"], "apiVersion": obj["apiVersion"], "name": metadata["name"]}
    for field in ("namespace", "uid", "resourceVersion"):
        if metadata.get(field):
            reference[field] = metadata[field]
    return reference
