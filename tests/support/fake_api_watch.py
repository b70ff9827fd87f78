"""Watches of the in-memory API: who is told of which change."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import orjson

from kubeactors.api.kinds import Kind
from kubeactors.client.calls import RawEvent

Object = dict[str, Any]
Match = Callable[[Object], bool]


@dataclass(frozen=True)
class Change:
    version: int
    kind: Kind
    old: Object | None
    new: Object | None


@dataclass(eq=False)
class Watcher:
    kind: Kind
    match: Match
    bookmarks: bool
    queue: asyncio.Queue[RawEvent | Exception | None] = field(default_factory=asyncio.Queue)


def tell(watcher: Watcher, change: Change) -> None:
    if watcher.kind is not change.kind:
        return
    before = change.old is not None and watcher.match(change.old)
    after = change.new is not None and watcher.match(change.new)
    if after:
        watcher.queue.put_nowait(RawEvent("MODIFIED" if before else "ADDED", orjson.dumps(change.new)))
    elif before and change.old is not None:
        last = {**change.old, "metadata": {**change.old["metadata"], "resourceVersion": str(change.version)}}
        watcher.queue.put_nowait(RawEvent("DELETED", orjson.dumps(last)))
