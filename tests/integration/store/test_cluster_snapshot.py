"""Snapshots on their way to members that are behind."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from kubeactors.store.raft.configuration import Configuration
from kubeactors.store.raft.message import Message, MessageType, SnapshotMeta
from tests.support.raft_transport import End, heartbeat, running, until
from tests.support.store_cluster import StoreCluster, tail

MIB = 1024 * 1024


def peak() -> int:
    """Bytes of memory that this process has had at the most since `forget_peak`."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024


def forget_peak() -> None:
    Path("/proc/self/clear_refs").write_text("5")


async def test_a_large_snapshot_takes_no_memory_and_lets_messages_pass(tmp_path: Path) -> None:
    a, b = End(1), End(2)
    file = tmp_path / "large.snap"
    with file.open("wb") as opened:
        for number in range(200):
            opened.write(number.to_bytes(4, "big") * (MIB // 4))
    message = Message(MessageType.SNAPSHOT, 2, 1, 4, snapshot=SnapshotMeta(500, 3, Configuration(frozenset({1, 2}))))
    delays: list[float] = []
    async with running(a, b):
        forget_peak()
        before = peak()
        a.transport.send_snapshot(message, file)
        while not a.received.statuses:
            sent, count = time.monotonic(), len(b.received.messages)
            a.transport.send([heartbeat(a, b)])
            await until(lambda: len(b.received.messages) > count)  # noqa: B023
            delays.append(time.monotonic() - sent)
        assert a.received.statuses == [(2, True)]
        (sink,) = b.received.snapshots
        assert sink.finished and sink.taken == 200 * MIB
        assert peak() - before < 60 * MIB, f"{(peak() - before) / MIB:.0f} MiB for both ends"
    assert sorted(delays)[len(delays) // 2] < 0.2, "the messages beside it wait"


async def test_a_follower_that_was_stopped_catches_up_by_snapshot(tmp_path: Path) -> None:
    flags = ("--snapshot-count", "1000")
    async with StoreCluster(tmp_path, 3, *flags, tls=True) as cluster:
        store = cluster.client(timeout=20)
        behind = (await cluster.followers())[0]
        await cluster.kill(behind)
        value = b"x" * 4000

        async def write(first: int) -> None:
            for number in range(first, first + 1000):
                await store.put(b"k%d" % number, value)

        await asyncio.gather(*(write(n * 1000) for n in range(12)))
        await store.compact(await store.revision())
        await cluster.start(behind)
        assert "the leader's snapshot" in tail(behind.log, 200), "the log alone would not have sufficed"
        alone = cluster.client(behind, timeout=20)
        assert (await alone.prefix(b"k", keys_only=True)).count == 12_000
        statuses = await cluster.statuses()
        assert len({status.revision for status in statuses.values()}) == 1
        # What it took over is on its disk.
        await cluster.kill_all()
        for member in cluster.members:
            cluster.spawn(member)
        await cluster.serving()
        assert (await cluster.client(behind).prefix(b"k", keys_only=True)).count == 12_000
