"""Snapshots over a connection of their own."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from kubeactors.store.errors import CorruptData
from kubeactors.store.raft.configuration import Configuration
from kubeactors.store.raft.message import Message, MessageType, SnapshotMeta
from kubeactors.store.transport import snapshot
from tests.support.raft_transport import End, MemorySink, heartbeat, running, until
from tests.support.tcp_proxy import TcpProxy

META = SnapshotMeta(500, 3, Configuration(frozenset({1, 2})))


def message(sender: End, to: End) -> Message:
    return Message(MessageType.SNAPSHOT, to.id, sender.id, 4, snapshot=META)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "0-1f4.snap"
    path.write_bytes(random.Random(7).randbytes(3 * 1024 * 1024 + 17))
    return path


async def test_it_arrives_whole_with_its_message(file: Path) -> None:
    a, b = End(1), End(2)
    content: list[bytes] = []

    def keep(sink: MemorySink) -> None:
        write = sink.write

        async def both(chunk: bytes) -> None:
            content.append(chunk)
            await write(chunk)

        sink.write = both  # type: ignore[method-assign]

    b.received.prepare_sink = keep
    async with running(a, b):
        a.transport.send_snapshot(message(a, b), file)
        expected = file.read_bytes()
        file.unlink()
        await until(lambda: a.received.statuses == [(2, True)])
        (sink,) = b.received.snapshots
        assert sink.finished and not sink.abandoned
        assert sink.message == message(a, b)
        assert b"".join(content) == expected
        assert sink.size == len(expected)


async def test_an_empty_file(tmp_path: Path) -> None:
    a, b = End(1), End(2)
    path = tmp_path / "empty"
    path.touch()
    async with running(a, b):
        a.transport.send_snapshot(message(a, b), path)
        await until(lambda: a.received.statuses == [(2, True)])


async def test_raft_messages_pass_while_one_is_held_up(file: Path) -> None:
    a, b = End(1), End(2)
    async with running(a, b):
        b.received.prepare_sink = lambda sink: sink.gate.clear()
        a.transport.send_snapshot(message(a, b), file)
        await until(lambda: bool(b.received.snapshots))
        a.transport.send_snapshot(message(a, b), file)  # passed over: one at a time
        a.transport.send([heartbeat(a, b)])
        await until(lambda: bool(b.received.messages))
        assert not a.received.statuses
        b.received.snapshots[0].gate.set()
        await until(lambda: a.received.statuses == [(2, True)])
        assert len(b.received.snapshots) == 1
        b.received.prepare_sink = lambda sink: None
        a.transport.send_snapshot(message(a, b), file)
        await until(lambda: len(a.received.statuses) == 2)


async def test_a_refused_and_a_damaged_one_are_reported(file: Path) -> None:
    a, b = End(1), End(2)
    async with running(a, b):
        b.received.refuses_snapshots = True
        a.transport.send_snapshot(message(a, b), file)
        await until(lambda: a.received.statuses == [(2, False)])
        b.received.refuses_snapshots = False
        b.received.prepare_sink = lambda sink: setattr(sink, "fails", CorruptData("a block does not fit"))
        a.transport.send_snapshot(message(a, b), file)
        await until(lambda: len(a.received.statuses) == 2)
        assert a.received.statuses[1] == (2, False)
        assert b.received.snapshots[0].abandoned


async def test_a_file_that_is_not_there_and_a_member_that_is_not(tmp_path: Path, file: Path) -> None:
    a, b = End(1), End(2)
    async with running(a, b):
        a.transport.send_snapshot(message(a, b), tmp_path / "missing")
        await until(lambda: a.received.statuses == [(2, False)])
        a.transport.send_snapshot(message(a, End(7)), file)
        await until(lambda: a.received.statuses[1:] == [(7, False)])
        await b.transport.stop()
        a.transport.send_snapshot(message(a, b), file)
        await until(lambda: a.received.statuses[2:] == [(2, False)])


async def test_one_that_shrinks_under_way(file: Path) -> None:
    a, b = End(1), End(2)
    async with running(a, b):
        b.received.prepare_sink = lambda sink: sink.gate.clear()
        a.transport.send_snapshot(message(a, b), file)
        await until(lambda: bool(b.received.snapshots))
        with file.open("r+b") as opened:
            opened.truncate(10)
        b.received.snapshots[0].gate.set()
        await until(lambda: a.received.statuses == [(2, False)] or a.received.statuses == [(2, True)])
        sink = b.received.snapshots[0]
        assert a.received.statuses == [(2, sink.finished)]
        await until(lambda: sink.finished or sink.abandoned)


async def test_a_sender_that_stops_half_way_leaves_nothing(file: Path) -> None:
    a, b = End(1), End(2)
    async with running(a, b):
        b.received.prepare_sink = lambda sink: sink.gate.clear()
        a.transport.send_snapshot(message(a, b), file)
        await until(lambda: bool(b.received.snapshots))
        await a.transport.stop()
        b.received.snapshots[0].gate.set()
        await until(lambda: b.received.snapshots[0].abandoned)
        assert not b.received.snapshots[0].finished


async def test_one_that_stands_still_is_given_up(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshot, "PART_SECONDS", 0.3)
    monkeypatch.setattr(snapshot, "ANSWER_SECONDS", 0.5)
    a, b = End(1), End(2)
    async with running(a, b):
        proxy = TcpProxy(b.port)
        await proxy.start()
        monkeypatch.setattr(a.transport, "_snapshot_url", lambda peer: f"http://127.0.0.1:{proxy.port}")
        monkeypatch.setattr(snapshot, "CHUNK", 4096)

        def freeze_half_way(sink: MemorySink) -> None:
            write = sink.write

            async def both(chunk: bytes) -> None:
                await write(chunk)
                if sink.taken > 100_000:
                    proxy.freeze()

            sink.write = both  # type: ignore[method-assign]

        b.received.prepare_sink = freeze_half_way
        try:
            a.transport.send_snapshot(message(a, b), file)
            await until(lambda: a.received.statuses == [(2, False)])
            await until(lambda: b.received.snapshots[0].abandoned)
        finally:
            await proxy.stop()
