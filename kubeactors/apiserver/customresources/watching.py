"""Watches of a version that a webhook converts to: events wait for their conversion, in order."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import orjson

from kubeactors.api.errors import StatusError
from kubeactors.api.selectors import FieldSelector
from kubeactors.apiserver.customresources.resource import CustomResource
from kubeactors.apiserver.customresources.webhook import failure
from kubeactors.apiserver.request import WatchEncoding, WatchSink, WatchStream
from kubeactors.apiserver.storage.encoding import to_item, to_typed_stored, with_revision
from kubeactors.apiserver.watchcache.matcher import NO_FIELDS

# What may wait for conversion, in bytes; a watch that is further behind ends.
_MAX_BACKLOG = 32 * 1024 * 1024

_NO_CHANGES = ("BOOKMARK", "ERROR")

# The object of an event in the form that the client asked for.
Render = Callable[[bytes], bytes]


class ConvertedWatch:
    """Implements `WatchStream` over an inner one, whose frames are JSON lines of whole objects as they are stored.

    `fields` select among the converted objects; if there are any, the inner events are of everything in scope, and each
    object comes as {"object": …, "previous": …}.
    """

    def __init__(
        self,
        inner: WatchStream,
        resource: CustomResource,
        encoding: WatchEncoding,
        render: Render,
        fields: FieldSelector = NO_FIELDS,
    ) -> None:
        self._inner = inner
        self._resource = resource
        self._fields = fields
        self._encoding = encoding
        self._render = render
        self._frames: list[bytes] = []
        self._waiting = 0
        self._arrived = asyncio.Event()
        self._over = False

    async def run(self, sink: WatchSink) -> None:
        """See WatchStream.run."""
        inner = asyncio.create_task(self._inner.run(self), name="watch-to-convert")
        inner.add_done_callback(lambda _: self._arrived.set())
        try:
            while True:
                await self._arrived.wait()
                self._arrived.clear()
                frames, self._frames, self._waiting = self._frames, [], 0
                if frames and not await self._send(b"".join(frames), sink):
                    return
                if inner.done() and not self._frames:
                    return
        finally:
            self._over = True
            inner.cancel()
            await asyncio.gather(inner, return_exceptions=True)

    # --- the sink of the inner watch

    def deliver(self, frame: bytes) -> bool:
        if self._over or self._waiting > _MAX_BACKLOG:
            return False
        self._frames.append(frame)
        self._waiting += len(frame)
        self._arrived.set()
        return True

    async def drain(self) -> None:
        await asyncio.sleep(0)

    async def _send(self, lines: bytes, sink: WatchSink) -> bool:
        """Convert events and send them; False when the watch is over."""
        events: list[dict[str, Any]] = [orjson.loads(line) for line in lines.splitlines()]
        changes = [event for event in events if event["type"] not in _NO_CHANGES]
        alive = True
        try:
            if self._fields.empty:
                await self._convert(changes)
            else:
                events = await self._select(events)
        except StatusError as error:
            events, alive = [{"type": "ERROR", "object": orjson.loads(failure(error))}], False
        encoded = [self._encoding.encode(event["type"], self._bytes(event["object"])) for event in events]
        if encoded and not sink.deliver(self._encoding.frame(encoded)):
            return False
        await sink.drain()
        return alive

    async def _convert(self, changes: list[dict[str, Any]]) -> None:
        items = await self._resource.present([_item(event["object"]) for event in changes])
        for event, item in zip(changes, items, strict=True):
            event["object"] = item

    async def _select(self, events: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """What the events are to who sees only objects that the fields select, as `Channel` says of labels."""
        pairs = [event["object"] for event in events if event["type"] not in _NO_CHANGES]
        revisions = iter([int(pair["object"]["metadata"]["resourceVersion"]) for pair in pairs])
        states = [state for pair in pairs for state in (pair["object"], pair["previous"]) if state is not None]
        converted = iter(await self._resource.present([_item(state) for state in states]))
        selected = []
        for event in events:
            if event["type"] in _NO_CHANGES:
                selected.append(event)
                continue
            item = next(converted)
            previous = next(converted) if event["object"]["previous"] is not None else None
            revision = next(revisions)
            before = previous is not None and self._matches(previous)
            if event["type"] != "DELETED" and self._matches(item):
                selected.append({"type": "MODIFIED" if before else "ADDED", "object": item})
            elif before and previous is not None:
                selected.append({"type": "DELETED", "object": with_revision(previous, revision)})
        return selected

    def _matches(self, item: bytes) -> bool:
        return self._fields.matches(self._resource.record("", 0, item).fields)

    def _bytes(self, obj: bytes | dict[str, Any]) -> bytes:
        return self._render(obj) if isinstance(obj, bytes) else orjson.dumps(obj)


def _item(obj: dict[str, Any]) -> bytes:
    revision = int(obj["metadata"].pop("resourceVersion"))
    return to_item(to_typed_stored(obj), revision)
