"""Two and three transports on loopback."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
import time

import pytest

from kubeactors.store.raft.message import Message
from kubeactors.store.transport import link as links
from kubeactors.store.transport.interface import Peer
from tests.support.raft_transport import CLUSTER, End, append, connected, heartbeat, running, until
from tests.support.tcp_proxy import TcpProxy


async def test_messages_both_ways_in_order_over_one_connection() -> None:
    a, b = End(1), End(2)
    async with running(a, b):
        there = [append(a, b, index=n, size=n) for n in range(300)]
        back = [heartbeat(b, a, n) for n in range(300)]
        for one, other in zip(there, back, strict=True):
            a.transport.send([one])
            b.transport.send([other])
        await until(lambda: len(b.received.messages) == len(a.received.messages) == 300)
        assert b.received.messages == there
        assert a.received.messages == back


async def test_three_members_each_hear_what_is_for_them() -> None:
    ends = [End(1), End(2), End(3)]
    async with running(*ends):
        for one in ends:
            one.transport.send([heartbeat(one, other, one.id) for other in ends if other is not one])
        await until(lambda: all(len(end.received.messages) == 2 for end in ends))
        for end in ends:
            assert {m.sender for m in end.received.messages} == {1, 2, 3} - {end.id}
            assert {m.to for m in end.received.messages} == {end.id}


async def test_what_is_handed_over_during_a_write_shares_a_frame() -> None:
    a, b = End(1), End(2)
    async with running(a, b):
        for n in range(2000):
            a.transport.send([heartbeat(a, b, n)])
        a.transport.send([append(a, b, count=3)])
        assert a.transport.send_forward(2, b"proposal")
        await until(lambda: len(b.received.messages) == 2001 and bool(b.received.forwards))
        assert b.received.frames == [1, 2000], "the first at once, all others with the next write"
        assert b.received.forwards == [(1, b"proposal")]


async def test_a_frame_leaves_in_the_turn_in_which_it_was_handed_over() -> None:
    """It is on its way when `send` has returned, though the loop gets no further turn."""
    a, b = End(2), End(1)  # the larger id calls
    async with running(a, b, mesh=False):
        with CountingProxy(b.port) as proxy:
            a.transport.set_peers([Peer(1, (f"http://127.0.0.1:{proxy.port}",))], [], 1)
            b.transport.set_peers([Peer(2, ())], [], 1)
            await until(lambda: connected(a, b) and connected(b, a))
            await asyncio.sleep(0.2)
            for one, other, count in ((a, b, proxy.there), (b, a, proxy.back)):
                before = count()
                one.transport.send([append(one, other, size=5000)])
                time.sleep(0.3)  # nobody else on this loop gets a turn
                assert count() > before + 5000
                await asyncio.sleep(0.2)
            assert len(a.received.messages) == len(b.received.messages) == 1


class CountingProxy:
    """Forwards to a port in threads of its own, and counts the bytes."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._counts = [0, 0]
        self._sockets = [socket.create_server(("127.0.0.1", 0))]
        self.port: int = self._sockets[0].getsockname()[1]

    def __enter__(self) -> CountingProxy:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        for opened in self._sockets:
            with contextlib.suppress(OSError):
                opened.shutdown(socket.SHUT_RDWR)
            opened.close()

    def there(self) -> int:
        return self._counts[0]

    def back(self) -> int:
        return self._counts[1]

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._sockets[0].accept()
                far = socket.create_connection(("127.0.0.1", self._target))
                self._sockets += [near, far]
                for number, ends in enumerate(((near, far), (far, near))):
                    threading.Thread(target=self._pump, args=(number, *ends), daemon=True).start()

    def _pump(self, number: int, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                self._counts[number] += len(data)
                sink.sendall(data)


async def test_large_entries_are_split_over_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(links, "FRAME_BYTES", 100_000)
    a, b = End(1), End(2)
    async with running(a, b):
        sent = [append(a, b, index=n, size=30_000) for n in range(20)]
        a.transport.send(sent)
        await until(lambda: len(b.received.messages) == 20)
        assert b.received.messages == sent
        assert max(b.received.frames) == 3


async def test_a_member_that_comes_back_is_connected_again() -> None:
    a, b = End(1), End(2)
    async with running(a, b):
        url = b.url
        a.received.unreachable.clear()
        await b.transport.stop()
        await until(lambda: a.received.unreachable == [2])
        assert a.transport.active_since(2) is None
        assert not a.transport.send_forward(2, b"lost")
        a.transport.send([heartbeat(a, b)] * 5)
        await until(lambda: a.received.unreachable == [2, 2])
        b2 = End(2, url=url)
        async with running(b2, mesh=False):
            b2.knows(a)
            started = time.monotonic()
            await until(lambda: connected(a, b2) and connected(b2, a))
            assert time.monotonic() - started < 15
            a.transport.send([heartbeat(a, b2)])
            await until(lambda: len(b2.received.messages) == 1)


@pytest.mark.parametrize("_", range(8))
async def test_calls_that_cross_leave_one_connection(_: int) -> None:
    a, b = End(1), End(2)
    async with running(a, b, mesh=False):
        a.knows(b)
        b.knows(a)
        await until(lambda: connected(a, b) and connected(b, a))
        await asyncio.sleep(0.05)
        a.transport.send([heartbeat(a, b)])
        b.transport.send([heartbeat(b, a)])
        await until(lambda: bool(a.received.messages and b.received.messages))
        assert len(a.received.connected) <= 2 and len(b.received.connected) <= 2
        links = [end.transport._peers[3 - end.id].link for end in (a, b)]
        assert {link.dialled for link in links if link} == {True, False}, "the two ends of one stream"


async def test_one_connection_serves_both_directions() -> None:
    a, b = End(1), End(2)
    async with running(a, b, mesh=False):
        a.transport.set_peers([Peer(2, ())], [], 1)
        b.knows(a)
        await until(lambda: connected(a, b) and connected(b, a))
        a.knows(b)
        await asyncio.sleep(0.1)
        assert a.received.connected == [2] and b.received.connected == [1]


async def test_a_silent_peer_is_noticed_and_called_again() -> None:
    a, b = End(2), End(1)
    proxy = TcpProxy(0)
    async with running(a, b, mesh=False):
        proxy = TcpProxy(b.port)
        await proxy.start()
        a.transport.set_peers([Peer(1, (f"http://127.0.0.1:{proxy.port}",))], [], 1)
        b.transport.set_peers([Peer(2, ())], [], 1)
        try:
            await until(lambda: connected(a, b))
            proxy.freeze()
            await until(lambda: a.received.unreachable == [1])
            proxy.thaw()
            await until(lambda: connected(a, b))
        finally:
            await proxy.stop()


async def test_for_a_peer_that_does_not_read_nothing_piles_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(links, "MAX_WAITING_BYTES", 1_000_000)
    a, b = End(2), End(1)
    async with running(a, b, mesh=False):
        proxy = TcpProxy(b.port)
        await proxy.start()
        a.transport.set_peers([Peer(1, (f"http://127.0.0.1:{proxy.port}",))], [], 1)
        b.transport.set_peers([Peer(2, ())], [], 1)
        try:
            await until(lambda: connected(a, b))
            proxy.freeze()
            refused = 0
            sent: list[Message] = []
            for n in range(3000):
                message = append(a, b, index=n, size=10_000)
                sent.append(message)
                a.transport.send([message])
                refused += not a.transport.send_forward(1, b"x" * 1000)
                if n % 100 == 0:
                    await asyncio.sleep(0)
            assert refused > 1000
            peer = a.transport._peers[1].link
            assert peer is not None and peer._waiting <= 1_000_000
            assert 1 in a.received.unreachable, "the core is told, so that it stops sending"
            proxy.thaw()
            a.received.unreachable.clear()
            await until(lambda: not peer._waiting or peer.closed.is_set())
            got = b.received.messages
            assert got and got == [m for m in sent if m in got], "what came is in order"
        finally:
            await proxy.stop()


async def test_another_cluster_an_unknown_member_and_a_removed_one_are_not_let_in() -> None:
    a = End(1)
    other, unknown, removed = End(2, cluster=CLUSTER + 1), End(3), End(4)
    async with running(a, other, unknown, removed, mesh=False):
        a.transport.set_peers([Peer(2, ())], [4], 5)
        for end in (other, unknown, removed):
            end.knows(a)
        await until(lambda: removed.received.removed > 0)
        await asyncio.sleep(0.3)
        assert not a.received.connected
        assert not other.received.connected and not unknown.received.connected
        assert not other.received.removed and not unknown.received.removed


async def test_a_member_that_lags_behind_lets_in_whom_it_has_yet_to_learn_of() -> None:
    """All members that it knew may have been replaced while it was away."""
    old, new = End(1), End(9)
    async with running(old, new, mesh=False):
        old.knows(index=5)
        new.knows(old, index=8)
        await until(lambda: connected(old, new) and connected(new, old))
        new.transport.send([heartbeat(new, old)])
        await until(lambda: bool(old.received.messages))
        old.transport.send([heartbeat(old, new)])
        await until(lambda: bool(new.received.messages))
        old.knows(index=8, removed=[9])
        await until(lambda: not connected(old, new))
        await until(lambda: new.received.removed > 0)


async def test_a_member_at_anothers_address_is_not_taken_for_it() -> None:
    a, b = End(1), End(2)
    async with running(a, b, mesh=False):
        a.transport.set_peers([Peer(3, (b.url,))], [], 1)
        b.knows(a)
        await until(lambda: connected(b, a) or bool(b.received.connected) or bool(a.transport._peers[3]._problem))
        assert a.transport.active_since(3) is None


async def test_a_removed_peer_is_let_go_and_told() -> None:
    a, b, c = End(1), End(2), End(3)
    async with running(a, b, c):
        for end in (a, c):
            end.transport.set_peers([e.peer for e in (a, c)], [2], 2)
        await until(lambda: b.received.removed > 0)
        assert not connected(a, b) and not connected(c, b)
        a.transport.send([heartbeat(a, c), heartbeat(a, b)])
        await until(lambda: len(c.received.messages) == 1)
        await until(lambda: 2 in a.received.unreachable)
        assert not b.received.messages


async def test_a_new_address_of_a_peer_is_used() -> None:
    a, b = End(1), End(2)
    async with running(a, b):
        await b.transport.stop()
        moved = End(2)
        async with running(moved, mesh=False):
            a.transport.set_peers([moved.peer], [], 2)
            moved.transport.set_peers([Peer(1, ())], [], 2)
            await until(lambda: connected(a, moved) and connected(moved, a))


async def test_a_receiver_that_raises_costs_the_connection_only() -> None:
    a, b = End(1), End(2)
    async with running(a, b):
        take = b.received.on_messages

        def broken(sender: int, messages: object) -> None:
            raise RuntimeError("planted")

        b.received.on_messages = broken  # type: ignore[method-assign]
        a.transport.send([heartbeat(a, b)])
        await until(lambda: b.received.unreachable == [1])
        b.received.on_messages = take  # type: ignore[method-assign]
        await until(lambda: connected(a, b) and connected(b, a))
        a.transport.send([heartbeat(a, b)])
        await until(lambda: bool(b.received.messages))


async def test_nothing_is_said_after_the_stop() -> None:
    a, b = End(1), End(2)
    async with running(a, b):
        await a.transport.stop()
        before = (len(a.received.unreachable), len(a.received.messages))
        b.transport.send([heartbeat(b, a)])
        await asyncio.sleep(0.1)
        assert (len(a.received.unreachable), len(a.received.messages)) == before
    names = {task.get_name() for task in asyncio.all_tasks()}
    assert not {name for name in names if name.startswith("store-peer")}
