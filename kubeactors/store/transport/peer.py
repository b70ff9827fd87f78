"""Another member: the one link to it, and the calls that bring a link about."""

from __future__ import annotations

import asyncio
import logging
import random
from typing import Protocol

import grpc.aio

from kubeactors.pb.raft.v1 import raft_pb2
from kubeactors.rpc.client import CallEnded
from kubeactors.store.client.channel import TlsFiles
from kubeactors.store.transport.admission import View, judge
from kubeactors.store.transport.channel import PeerStream, open_stream
from kubeactors.store.transport.link import Link

logger = logging.getLogger(__name__)

CONNECT_SECONDS = 3.0
BACKOFF_FIRST, BACKOFF_LAST = 0.05, 1.0
CALLED_SECONDS = 1.0
"""After a link was lost the member with the smaller id lets itself be called for so long, lest both call at once; and
so long the other one does not take a call while its own is fresh."""


class Events(Protocol):
    """What the transport does with a peer's links."""

    def frame(self, link: Link, frame: raft_pb2.Frame) -> None: ...
    def connected(self, peer: int) -> None: ...
    def lost(self, peer: int) -> None: ...
    def removed(self) -> None: ...


class Refused(Exception):
    """The other member does not let this one in, or is not the one that was meant."""

    def __init__(self, refusal: raft_pb2.Refusal) -> None:
        super().__init__(refusal.text)
        self.reason = refusal.reason


class PeerConnection:
    """`urls` empty: it is not called, only listened to."""

    def __init__(self, peer: int, view: View, tls: TlsFiles | None, events: Events) -> None:
        self.id = peer
        self.urls: tuple[str, ...] = ()
        self.link: Link | None = None
        self.known_index = 0
        self._view = view
        self._tls = tls
        self._events = events
        self._alone = asyncio.Event()
        self._alone.set()
        self._had_link = False
        self._turn = 0
        self._problem = ""
        self._caller: asyncio.Task[None] | None = None

    @property
    def calls(self) -> bool:
        """Of each pair the member with the larger id is the one that calls first."""
        return self._view.member_id > self.id

    def connect(self, urls: tuple[str, ...]) -> None:
        """Call there whenever there is no link."""
        self.urls = urls
        if urls and self._caller is None:
            self._caller = asyncio.create_task(self._call_forever(), name="store-peer-call")

    async def stop(self, reason: str) -> None:
        link = self.link
        if link is not None:
            self._drop(link, reason)
        if self._caller is not None:
            self._caller.cancel()
            await asyncio.gather(self._caller, return_exceptions=True)
            self._caller = None

    def refuses_call(self, now: float) -> bool:
        """A call that crosses this member's own: the one of the member with the larger id is used."""
        link = self.link
        return link is not None and link.dialled and self.calls and now - link.since < CALLED_SECONDS

    def take(self, link: Link) -> bool:
        """A new link: it takes the place of the one there was, which the other side must have lost. False: not used."""
        old = self.link
        if old is not None:
            if (link.dialled and not self.calls) or (not link.dialled and self.refuses_call(link.since)):
                return False
            self._drop(old, "another connection takes its place")
        self.link = link
        self._had_link = True
        self._problem = ""
        self._alone.clear()
        logger.info("connected to member %x", self.id)
        self._events.connected(self.id)
        return True

    async def serve(self, link: Link) -> None:
        """Hand over what comes until the stream ends or the link is closed."""
        link.stream.listen(lambda frame: self._frame(link, frame))
        reader = asyncio.create_task(self._until_end(link), name="store-peer-read")
        closed = asyncio.create_task(link.closed.wait())
        try:
            await asyncio.wait({reader, closed}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            reader.cancel()
            closed.cancel()
            await asyncio.gather(reader, closed, return_exceptions=True)
            self._drop(link, "the stream ended")

    def _frame(self, link: Link, frame: raft_pb2.Frame) -> None:
        if link.closed.is_set():
            return
        try:
            self._events.frame(link, frame)
        except Exception as error:
            logger.exception("a frame of member %x could not be taken", self.id)
            self._drop(link, repr(error))

    async def _until_end(self, link: Link) -> None:
        try:
            await link.stream.read()
            reason = "the other side ended the stream"
        except CallEnded as error:
            reason = str(error)
        self._drop(link, reason)

    def _drop(self, link: Link, reason: str) -> None:
        link.close(reason)
        if self.link is link:
            self.link = None
            self._alone.set()
            logger.info("connection to member %x lost: %s", self.id, link.reason)
            self._events.lost(self.id)

    # ---- calling ----

    async def _call_forever(self) -> None:
        failures = 0
        while True:
            await self._alone.wait()
            if self._had_link:
                self._had_link = False
                failures = 0
                if not self.calls:
                    await asyncio.sleep(CALLED_SECONDS * random.uniform(1.0, 1.5))
                    continue
            problem = await self._call()
            failures += 1
            if problem and problem != self._problem:
                self._problem = problem
                logger.warning("member %x cannot be reached: %s", self.id, problem)
            if not self._had_link:
                delay = min(BACKOFF_LAST, BACKOFF_FIRST * 2 ** min(failures, 10))
                await asyncio.sleep(delay * random.uniform(0.5, 1.0))

    async def _call(self) -> str:
        """One call, and the life of the link if it brings one about. Returns what was in its way."""
        url = self.urls[self._turn % len(self.urls)]
        self._turn += 1
        stream: PeerStream | None = None
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                stream = await open_stream(url, self._tls)
                await stream.write(raft_pb2.Frame(hello=self._view.hello(self.id)))
                first = await stream.read()
            self._check(first)
            link = Link(self.id, stream, dialled=True, since=asyncio.get_running_loop().time())
            if self.take(link):
                await self.serve(link)
            return ""
        except Refused as error:
            if error.reason == raft_pb2.Refusal.ALREADY_CONNECTED:
                return ""
            if error.reason == raft_pb2.Refusal.REMOVED_MEMBER:
                self._events.removed()
            return f"{url}: it refuses: {error}"
        except TimeoutError:
            return f"{url}: no answer"
        except (CallEnded, OSError, ValueError) as error:
            return f"{url}: {error}"
        finally:
            if stream is not None:
                stream.close()

    def _check(self, first: raft_pb2.Frame) -> None:
        """Raises Refused."""
        if first is grpc.aio.EOF:
            raise Refused(raft_pb2.Refusal(text="the stream was ended at once"))
        if first.HasField("refusal"):
            raise Refused(first.refusal)
        refusal = judge(self._view, first.hello)
        if refusal is not None and refusal.reason != raft_pb2.Refusal.UNKNOWN_MEMBER:
            raise Refused(refusal)
        if first.hello.sender != self.id:
            raise Refused(raft_pb2.Refusal(text=f"it is member {first.hello.sender:x}"))
