"""The loop around a replica: snapshots on demand, turns that end, failures that end the member."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from kubeactors.pb.etcd import rpc_pb2
from kubeactors.store import storage
from kubeactors.store.disk import Disk
from kubeactors.store.errors import StoreError, StoreUnavailable
from kubeactors.store.machine.command import Kind
from kubeactors.store.node import Node, NodeConfig
from kubeactors.store.raft.message import Message
from kubeactors.store.snapshot.snapshotter import Snapshotter, describe_shortly
from kubeactors.store.transport.interface import Peer, Receiver, SnapshotRefused
from kubeactors.store.wal.writer import LogWriter

NAMES = ("a", "b", "c")
INITIAL = {name: [f"http://{name}:1"] for name in NAMES}
CONFIG = replace(NodeConfig(), tick_seconds=0.01, election_ticks=10, heartbeat_ticks=1)


class Wire:
    """A Transport to the other nodes of this process. `cut`: it delivers nothing any more."""

    def __init__(self, member: int, nodes: dict[int, Node]) -> None:
        self.member = member
        self.nodes = nodes
        self.cut = False
        self.peers: set[int] = set()
        self.snapshots = 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self, receiver: Receiver) -> None:
        pass

    async def stop(self) -> None:
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def set_peers(self, peers: Collection[Peer], removed: Collection[int], index: int) -> None:
        self.peers = {peer.id for peer in peers}

    def _other(self, to: int) -> Node | None:
        other = self.nodes.get(to)
        reachable = other is not None and not self.cut and not wire_of(other).cut
        return other if reachable else None

    def send(self, messages: Sequence[Message]) -> None:
        for message in messages:
            other = self._other(message.to)
            if other is not None:
                asyncio.get_running_loop().call_soon(other.on_messages, self.member, (message,))

    def send_forward(self, to: int, frame: bytes) -> bool:
        other = self._other(to)
        if other is not None:
            asyncio.get_running_loop().call_soon(other.on_forward, self.member, frame)
        return other is not None

    def send_snapshot(self, message: Message, path: Path) -> None:
        content = path.read_bytes()
        self.snapshots += 1

        async def carry() -> None:
            ok = False
            other = self._other(message.to)
            if other is not None:
                try:
                    sink = other.open_snapshot(self.member, message, len(content))
                    for start in range(0, len(content), 10_000):
                        await sink.write(content[start : start + 10_000])
                    await sink.finish()
                    ok = True
                except SnapshotRefused:
                    pass
            self.nodes[self.member].on_snapshot_status(message.to, ok)

        task = asyncio.create_task(carry())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def active_since(self, peer: int) -> float | None:
        return None if self._other(peer) is None else 0.0


def wire_of(node: Node) -> Wire:
    assert isinstance(node._transport, Wire)
    return node._transport


class Nodes:
    """Three nodes on real files in one loop."""

    def __init__(self, directory: Path, config: NodeConfig) -> None:
        self.directory = directory
        self.config = config
        self.nodes: dict[int, Node] = {}
        self.logs: dict[int, LogWriter] = {}
        self.snapshotters: dict[int, Snapshotter] = {}
        self.interrupted: list[int] = []

    async def start(self, name: str, disk: Disk | None = None) -> Node:
        begin = storage.new_cluster(INITIAL, "t", name)
        disk = disk or Disk()
        loaded = storage.load(disk, self.directory / name, 256 * 1024, begin)
        member = loaded.member_id
        log = self.logs[member] = LogWriter(loaded.log)
        log.start()
        newest = describe_shortly(loaded.machine) if loaded.machine.applied_index else None
        snapshotter = Snapshotter(disk, loaded.snapshot_dir, loaded.cluster_id, member, newest)
        self.snapshotters[member] = snapshotter
        node = self.nodes[member] = Node(
            loaded,
            log,
            snapshotter,
            time.monotonic,
            random.Random(),
            self.config,
            lambda first, last: None,
            lambda: self.interrupted.append(member),
            lambda: None,
            Wire(member, self.nodes),
        )
        await node.start()
        return node

    async def stop(self, *members: int) -> None:
        for member in members or list(self.nodes):
            node = self.nodes[member]
            await node.stop(grace=0.5)
            del self.nodes[member]
            await wire_of(node).stop()
            await self.snapshotters.pop(member).stop()
            await self.logs.pop(member).stop()

    async def leader(self) -> Node:
        async with asyncio.timeout(30):
            while True:
                for node in self.nodes.values():
                    if node.replica.leading:
                        return node
                await asyncio.sleep(0.01)


@pytest.fixture
async def nodes(tmp_path: Path):  # type: ignore[no-untyped-def]
    found = Nodes(tmp_path, CONFIG)
    yield found
    await found.stop()


async def put(node: Node, key: bytes) -> object:
    outcome: asyncio.Future[object] = asyncio.get_running_loop().create_future()
    node.propose(Kind.PUT, rpc_pb2.PutRequest(key=key, value=b"v" * 100), outcome.set_result)
    return await asyncio.wait_for(outcome, 30)


async def until_equal(nodes: Nodes) -> None:
    async with asyncio.timeout(30):
        while True:
            members = nodes.nodes.values()
            states = {(len(node.machine.mvcc), node.machine.mvcc.revision) for node in members}
            if len(states) == 1 and not any(node.replica.installing for node in members):
                return
            await asyncio.sleep(0.01)


async def test_three_nodes_serve_and_hand_over_when_one_stops(nodes: Nodes) -> None:
    for name in NAMES:
        await nodes.start(name)
    leader = await nodes.leader()
    follower = next(node for node in nodes.nodes.values() if node is not leader)
    assert wire_of(leader).peers == set(nodes.nodes) - {leader.member_id}
    for node in (leader, follower):
        assert isinstance(await put(node, b"k"), rpc_pb2.PutResponse)
        barrier = node.read_barrier()
        assert barrier is not None
        await asyncio.wait_for(barrier, 30)
        assert node.machine.mvcc.get(b"k") is not None
    term = follower.term
    await nodes.stop(leader.member_id)
    assert (await nodes.leader()).term == term + 1, "handed over, not fought for"
    with pytest.raises(StoreUnavailable) as caught:
        leader.propose(Kind.PUT, rpc_pb2.PutRequest(key=b"k"), lambda _: None)
    assert not caught.value.outcome_unknown


async def test_a_follower_that_was_away_gets_a_snapshot_that_is_taken_for_it(tmp_path: Path) -> None:
    nodes = Nodes(tmp_path, replace(CONFIG, tail_entries=10, catch_up_bytes=10_000, apply_entries=8))
    try:
        for name in NAMES:
            await nodes.start(name)
        leader = await nodes.leader()
        away = next(node for node in nodes.nodes.values() if node is not leader)
        wire_of(away).cut = True
        await asyncio.gather(*(put(leader, b"k%d" % n) for n in range(400)))
        assert leader.replica.first_index > 200
        wire_of(away).cut = False
        await until_equal(nodes)
        leader = await nodes.leader()
        assert sum(wire_of(node).snapshots for node in nodes.nodes.values()) >= 1
        assert nodes.interrupted.count(away.member_id) >= 1
        await put(away, b"after")
        await until_equal(nodes)
        names = [p.name for p in (tmp_path).glob("*/member/snap/*")]
        assert names and not [name for name in names if name.endswith(".tmp")]
        await nodes.stop()
        for name in NAMES:
            await nodes.start(name)
        await nodes.leader()
        await until_equal(nodes)
        assert all(len(node.machine.mvcc) == 401 for node in nodes.nodes.values())
    finally:
        await nodes.stop()


class Failing(Disk):
    broken = False

    def sync(self, fd: int) -> None:
        if self.broken:
            raise OSError(5, "Input/output error")
        super().sync(fd)


async def test_a_leader_whose_disk_fails_stops_and_the_others_go_on(nodes: Nodes) -> None:
    disks = {name: Failing() for name in NAMES}
    members = {(await nodes.start(name, disks[name])).member_id: name for name in NAMES}
    leader = await nodes.leader()
    disks[members[leader.member_id]].broken = True
    lost = await put(leader, b"k")
    assert isinstance(lost, StoreError) and lost.outcome_unknown
    assert leader.failure is not None and "Input/output error" in leader.failure
    with pytest.raises(StoreUnavailable):
        leader.read_barrier()
    failed = leader.member_id
    await nodes.stop(failed)
    assert isinstance(await put(await nodes.leader(), b"l"), rpc_pb2.PutResponse)


async def test_a_removed_member_stops_and_says_so(nodes: Nodes) -> None:
    for name in NAMES:
        await nodes.start(name)
    leader = await nodes.leader()
    gone = next(node for node in nodes.nodes.values() if node is not leader)
    done: asyncio.Future[object] = asyncio.get_running_loop().create_future()
    leader.propose(Kind.MEMBER_REMOVE, rpc_pb2.Member(ID=gone.member_id), done.set_result)
    assert isinstance(await asyncio.wait_for(done, 30), rpc_pb2.MemberRemoveResponse)
    await asyncio.wait_for(gone.failed.wait(), 30)
    assert gone.failure is not None and "removed" in gone.failure
    assert gone.member_id not in wire_of(leader).peers


async def test_long_work_leaves_turns_to_others(nodes: Nodes) -> None:
    for name in NAMES:
        await nodes.start(name)
    leader = await nodes.leader()
    answers: list[object] = []
    for n in range(5000):
        leader.propose(Kind.PUT, rpc_pb2.PutRequest(key=b"%d" % n), answers.append)
    turns = 0
    async with asyncio.timeout(20):
        while len(answers) < 5000:
            await asyncio.sleep(0)
            turns += 1
    assert turns > 10
