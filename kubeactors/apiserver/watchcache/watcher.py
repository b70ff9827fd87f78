"""One watch: what it begins with, then a place in a channel until it ends."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from kubeactors.apiserver.request import WatchSink
from kubeactors.apiserver.watchcache.cache import ResourceCache
from kubeactors.apiserver.watchcache.channels import Channel, ChannelKey, View

logger = logging.getLogger(__name__)

# How many of the initial events go into a frame; between two frames the sink may say that it is full.
_FRAME_EVENTS = 200
# What may gather for a watcher while it takes its initial events, in bytes.
_MAX_BACKLOG = 32 * 1024 * 1024
# How long before its timeout a watch sends a bookmark, in seconds (the cacher's nextBookmarkTime).
_LAST_BOOKMARK = 2.0


@dataclass(frozen=True, slots=True)
class Start:
    """Encoded events to send first. `final`: nothing follows them (an ERROR)."""

    events: Iterable[bytes]
    final: bool = False


class Watcher:
    """Implements `WatchStream`.

    `begin` is called once, on the loop, when the watch starts. What it gives must be of that instant, at which the
    watcher joins its channel, so that nothing falls between.
    """

    def __init__(
        self,
        cache: ResourceCache,
        key: ChannelKey,
        view: View,
        begin: Callable[[], Start],
        *,
        timeout: float,
        bookmark: Callable[[], bytes] | None,
    ) -> None:
        self._cache = cache
        self._key = key
        self._view = view
        self._begin = begin
        self._timeout = timeout
        self._bookmark = bookmark
        self._sink: WatchSink | None = None
        self._channel: Channel | None = None
        self._backlog: list[bytes] | None = []
        self._backlog_bytes = 0
        self._ended: asyncio.Future[None] | None = None

    async def run(self, sink: WatchSink) -> None:
        """See WatchStream.run."""
        loop = asyncio.get_running_loop()
        self._sink = sink
        self._ended = loop.create_future()
        timers = [loop.call_later(self._timeout, self.end)]
        if self._bookmark is not None and self._timeout > _LAST_BOOKMARK:
            # The version from which the client's next watch can go on, even if nothing happened in this one.
            timers.append(loop.call_later(self._timeout - _LAST_BOOKMARK, self.send_bookmark))
        try:
            start = self._begin()
            if not start.final:
                self._channel = self._cache.channels.join(self._key, self._view, self)
            if await self._send_all(iter(start.events)) and not start.final and await self._catch_up():
                await self._ended
        finally:
            for timer in timers:
                timer.cancel()
            if self._channel is not None:
                self._cache.channels.leave(self._channel, self)

    async def _send_all(self, events: Iterator[bytes]) -> bool:
        assert self._sink is not None and self._ended is not None
        frame: list[bytes] = []
        for event in events:
            frame.append(event)
            if len(frame) >= _FRAME_EVENTS:
                if self._ended.done() or not self._sink.deliver(self._view.encoding.frame(frame)):
                    return False
                self._cache.channels.sent += len(frame)
                frame = []
                await self._sink.drain()
        if frame:
            self._cache.channels.sent += len(frame)
            return not self._ended.done() and self._sink.deliver(self._view.encoding.frame(frame))
        return not self._ended.done()

    async def _catch_up(self) -> bool:
        """Send what came meanwhile; from then on frames go to the sink directly."""
        assert self._sink is not None and self._ended is not None
        while self._backlog:
            frames, self._backlog, self._backlog_bytes = self._backlog, [], 0
            for frame in frames:
                if self._ended.done() or not self._sink.deliver(frame):
                    return False
                await self._sink.drain()
        self._backlog = None
        return True

    # --- what the channel calls

    def receive(self, frame: bytes) -> bool:
        """Take a frame from the channel; False when this watcher is no more."""
        assert self._sink is not None and self._ended is not None
        if self._ended.done():
            return False
        if self._backlog is not None:
            self._backlog.append(frame)
            self._backlog_bytes += len(frame)
            if self._backlog_bytes <= _MAX_BACKLOG:
                return True
            logger.info("closing a watcher that is %d bytes behind", self._backlog_bytes)
            self._cache.channels.terminated += 1
        elif self._deliver(frame):
            return True
        self.end()
        return False

    def _deliver(self, frame: bytes) -> bool:
        assert self._sink is not None
        try:
            if self._sink.deliver(frame):
                return True
            self._cache.channels.terminated += 1
            return False
        except Exception:
            # One front's fault must not keep the other watchers of this channel from their events.
            logger.exception("a watcher could not take its events")
            return False

    def send_bookmark(self) -> None:
        """Tell the version up to which this watch has seen everything, if its client wants to know."""
        if self._bookmark is not None and self._backlog is None:
            self.receive(self._view.encoding.frame([self._bookmark()]))

    def end(self) -> None:
        """End the watch, as its timeout does. Safe to call again."""
        if self._ended is not None and not self._ended.done():
            self._ended.set_result(None)

    def fail(self, error: bytes) -> None:
        """End the watch with an ERROR event (a Status document)."""
        self.receive(self._view.encoding.frame([self._view.encoding.encode("ERROR", error)]))
        self.end()
