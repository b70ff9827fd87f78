"""Many watches on one stream: turns, bounds and ends, against sinks and streams that a test holds in its hand."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import orjson
import pytest

from kubeactors.api import errors
from kubeactors.apiserver.grpc.convert import WATCH_FRAMES
from kubeactors.apiserver.grpc.frames import FrameQueue, cut, split_failure
from kubeactors.apiserver.grpc.watch_many import WatchManyStream
from kubeactors.apiserver.request import WatchSink, WatchStream
from kubeactors.pb.api.v1 import api_pb2 as pb

BOUND = 100_000


def frame(*objects: bytes, type_: str = "ADDED") -> bytes:
    return WATCH_FRAMES.frame([WATCH_FRAMES.encode(type_, each) for each in objects])


class Source:
    """A watch whose events the test delivers."""

    def __init__(self) -> None:
        self.sink: WatchSink | None = None
        self.running = asyncio.Event()
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.gone = asyncio.Event()

    async def run(self, sink: WatchSink) -> None:
        self.sink = sink
        self.running.set()
        try:
            await self.ended
        finally:
            self.gone.set()

    def deliver(self, *objects: bytes, type_: str = "ADDED") -> bool:
        assert self.sink is not None
        return self.sink.deliver(frame(*objects, type_=type_))


class Stream:
    """A stream with sources by the number of their watch. Nothing is read while `reading` is clear."""

    def __init__(self) -> None:
        self.sources: dict[str, Source] = {}
        self.reading = asyncio.Event()
        self.reading.set()
        self.updates: list[pb.WatchUpdate] = []
        self.sizes: list[int] = []
        self.came = asyncio.Event()
        self._commands: asyncio.Queue[pb.WatchManyRequest | None] = asyncio.Queue()
        self.faults: list[Exception] = []
        self.stream = WatchManyStream(self._open, BOUND, self._fault)
        self.task = asyncio.create_task(self.stream.run(self._requests(), self._write))

    async def _requests(self) -> AsyncIterator[pb.WatchManyRequest]:
        while (command := await self._commands.get()) is not None:
            yield command

    async def _write(self, message: bytes) -> None:
        self.sizes.append(len(message))
        self.updates += pb.WatchManyReply.FromString(message).updates
        self.came.set()
        await self.reading.wait()

    def _fault(self, error: Exception) -> errors.StatusError:
        self.faults.append(error)
        return errors.internal("the server could not process the request")

    @contextlib.asynccontextmanager
    async def _open(self, request: pb.WatchRequest) -> AsyncIterator[tuple[WatchStream, Sequence[str]]]:
        if request.key.resource == "refused":
            raise errors.forbidden("pods", "", "no")
        yield self.sources[request.key.resource], ["careful"]

    async def start(self, number: int, window: int = 0, resource: str = "") -> Source:
        source = self.sources[resource or f"w{number}"] = Source()
        watch = pb.WatchRequest(key=pb.ObjectKey(resource=resource or f"w{number}"))
        await self._commands.put(pb.WatchManyRequest(start=pb.StartWatch(id=number, watch=watch, window=window)))
        if resource != "refused":
            async with asyncio.timeout(30):
                await source.running.wait()
        return source

    async def say(self, **command: Any) -> None:
        await self._commands.put(pb.WatchManyRequest(**command))

    async def end_of_commands(self) -> None:
        await self._commands.put(None)

    async def until(self, met: Callable[[], Any]) -> None:
        async with asyncio.timeout(30):
            while not met():
                self.came.clear()
                await self.came.wait()

    def events(self, number: int) -> list[bytes]:
        return [event.object for update in self.updates if update.id == number for event in update.events]

    def ended(self, number: int) -> pb.WatchEnded | None:
        return next((each.ended for each in self.updates if each.id == number and each.HasField("ended")), None)


@pytest.fixture
async def stream() -> AsyncIterator[Stream]:
    made = Stream()
    yield made
    made.task.cancel()
    await asyncio.gather(made.task, return_exceptions=True)


async def test_updates_bear_their_watchs_number(stream: Stream) -> None:
    first, second = await stream.start(1), await stream.start(300)
    first.deliver(b"a", b"b")
    second.deliver(b"c")
    await stream.until(lambda: stream.events(1) and stream.events(300))
    assert (stream.events(1), stream.events(300)) == ([b"a", b"b"], [b"c"])
    assert [list(each.started.warnings) for each in stream.updates if each.HasField("started")] == [["careful"]] * 2


async def test_one_with_much_to_say_lets_others_have_their_turn(stream: Stream) -> None:
    loud, quiet = await stream.start(1), await stream.start(2)
    await stream.until(lambda: len(stream.updates) == 2)
    stream.reading.clear()
    loud.deliver(b"first")
    await stream.until(lambda: stream.events(1))
    loud.deliver(*[b"x" * 1000] * 90)
    quiet.deliver(b"heard")
    before = len(stream.updates)
    stream.reading.set()
    await stream.until(lambda: len(stream.events(1)) == 91)
    turns = [update.id for update in stream.updates[before:]]
    assert turns == [1, 2, 1]  # a turn has a bound


async def test_a_slow_watch_is_closed_and_the_others_are_not(stream: Stream) -> None:
    slow, other = await stream.start(1, window=1), await stream.start(2)
    taken = [slow.deliver(b"x" * 50_000) for _ in range(6)]
    await stream.until(lambda: stream.ended(1))
    ended = stream.ended(1)
    assert ended is not None
    assert (ended.failure.code, ended.failure.reason) == (429, "TooManyRequests")
    assert taken[:2] == [True, True]
    assert not slow.deliver(b"y")
    await asyncio.wait_for(slow.gone.wait(), 30)
    other.deliver(b"z")
    await stream.until(lambda: stream.events(2) == [b"z"])


async def test_of_all_that_wait_the_furthest_behind_is_closed(stream: Stream) -> None:
    sources = [await stream.start(number) for number in range(1, 8)]
    await stream.until(lambda: len(stream.updates) == 7)
    stream.reading.clear()
    sources[0].deliver(b"stop")
    await stream.until(lambda: stream.events(1))
    for number, source in enumerate(sources):
        for _ in range(7):
            source.deliver(b"x" * (9_000 + number))
    stream.reading.set()
    await stream.until(lambda: all(len(stream.events(number)) >= 7 for number in (1, 2, 3, 4, 5, 7)))
    # The seventh brought all of them over the bound; the sixth had the most waiting then.
    assert {number for number in range(1, 8) if stream.ended(number)} == {6}
    ended = stream.ended(6)
    assert ended is not None
    assert ended.failure.code == 429


async def test_a_window_is_kept_and_acknowledged(stream: Stream) -> None:
    source = await stream.start(1, window=2)
    for number in range(4):
        source.deliver(b"%d" % number)
        if number < 2:
            await stream.until(lambda number=number: len(stream.events(1)) == number + 1)
    other = await stream.start(2)
    other.deliver(b"x")
    await stream.until(lambda: stream.events(2))
    assert stream.events(1) == [b"0", b"1"]
    await stream.say(acknowledge=pb.AcknowledgeEvents(id=1, updates=1))
    await stream.until(lambda: len(stream.events(1)) == 4)  # both that waited go in one update
    await stream.say(acknowledge=pb.AcknowledgeEvents(id=9, updates=1))


async def test_an_error_event_ends_its_watch(stream: Stream) -> None:
    source, other = await stream.start(1), await stream.start(2)
    source.deliver(b"last")
    source.deliver(orjson.dumps(errors.expired("too old").status), type_="ERROR")
    source.ended.set_result(None)
    await stream.until(lambda: stream.ended(1))
    ended = stream.ended(1)
    assert ended is not None
    assert (stream.events(1), ended.failure.code, ended.failure.reason) == ([b"last"], 410, "Expired")
    other.deliver(b"on")
    await stream.until(lambda: stream.events(2))


async def test_a_refused_watch_a_fault_and_a_stop(stream: Stream) -> None:
    await stream.start(1, resource="refused")
    faulty, stopped = await stream.start(2), await stream.start(3)
    faulty.ended.set_exception(ValueError("a fault"))
    stopped.deliver(b"x")
    await stream.say(stop=pb.StopWatch(id=3))
    await stream.say(stop=pb.StopWatch(id=9))
    await stream.until(lambda: all(stream.ended(number) for number in (1, 2, 3)))
    found = [stream.ended(number) for number in (1, 2, 3)]
    assert [each.failure.code for each in found if each is not None] == [403, 500, 0]
    assert [str(error) for error in stream.faults] == ["a fault"]
    await stream.end_of_commands()
    await asyncio.wait_for(stream.task, 30)


async def test_the_stream_ends_when_the_server_stops(stream: Stream) -> None:
    source = await stream.start(1)
    source.deliver(b"x")
    stream.stream.finish()
    await asyncio.wait_for(stream.task, 30)
    assert stream.events(1) == [b"x"]
    assert source.gone.is_set()


async def test_a_number_in_use_ends_the_stream(stream: Stream) -> None:
    await stream.start(1)
    await stream.say(start=pb.StartWatch(id=1))
    with pytest.raises(errors.StatusError, match="is under way"):
        await asyncio.wait_for(stream.task, 30)


def test_frames_are_cut_between_events() -> None:
    objects = [b"%d" % number * (number * 50) for number in range(1, 9)]
    whole = frame(*objects)
    parts = cut(whole, 500)
    assert b"".join(parts) == whole
    found = [pb.WatchFrame.FromString(part) for part in parts]
    assert [event.object for part in found for event in part.events] == objects
    assert all(len(part) <= 500 or len(parsed.events) == 1 for part, parsed in zip(parts, found, strict=True))
    waiting = FrameQueue()
    waiting.append(whole)
    waiting.append(frame(b"z"))
    taken = []
    while data := waiting.take(700):
        taken.append(data)
    assert (b"".join(taken), waiting.size) == (whole + frame(b"z"), 0)


def test_an_error_is_split_off() -> None:
    assert split_failure(frame(b'{"m":"\\n\\u0005ERROR"}')) == (frame(b'{"m":"\\n\\u0005ERROR"}'), None)
    mixed = frame(b"a") + frame(b"{}", type_="ERROR")
    assert split_failure(mixed) == (frame(b"a"), b"{}")
