"""The locks and elections that the store does on its side, against etcd's: the same answers in the same order."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pytest
from google.protobuf import json_format

from kubeactors.pb.etcd import election_pb2, election_pb2_grpc, lock_pb2, lock_pb2_grpc, rpc_pb2, rpc_pb2_grpc
from tests.integration.store.peers.sides import Pair, Side

pytestmark = pytest.mark.timeout(120)

ONE, TWO = 0xA1, 0xA2
"""Leases."""


class Caller:
    def __init__(self, side: Side, channel: grpc.Channel) -> None:
        self.side = side
        self.lock = lock_pb2_grpc.LockStub(channel)
        self.election = election_pb2_grpc.ElectionStub(channel)
        self.kv = rpc_pb2_grpc.KVStub(channel)
        lease = rpc_pb2_grpc.LeaseStub(channel)
        self.lease = lease
        for number in (ONE, TWO):
            lease.LeaseGrant(rpc_pb2.LeaseGrantRequest(ID=number, TTL=60), timeout=30)

    def close(self) -> None:
        for number in (ONE, TWO):
            self.lease.LeaseRevoke(rpc_pb2.LeaseRevokeRequest(ID=number), timeout=30)


def plain(response: Any) -> Any:
    """Without what differs: ids and terms."""
    content = json_format.MessageToDict(response)
    content["header"] = content["header"].get("revision")
    return content


def failure(call: Any, request: Any) -> tuple[str, str]:
    with pytest.raises(grpc.RpcError) as caught:
        call(request, timeout=30)
    return caught.value.code().name, caught.value.details()  # type: ignore[attr-defined]


def both(pair: Pair, play: Any) -> Any:
    """What came of `play(caller, pool)`, which is the same on both."""
    outcomes = []
    for side in pair.sides:
        with side.channel() as channel, ThreadPoolExecutor(4) as pool:
            caller = Caller(side, channel)
            try:
                outcomes.append(play(caller, pool))
            finally:
                caller.close()
    assert outcomes[1] == outcomes[0]
    return outcomes[1]


def keys(caller: Caller, prefix: bytes, count: int) -> None:
    """Until there are so many."""
    request = rpc_pb2.RangeRequest(key=prefix, range_end=prefix[:-1] + bytes((prefix[-1] + 1,)), count_only=True)
    deadline = time.monotonic() + 30
    while (found := caller.kv.Range(request, timeout=30).count) != count:
        assert time.monotonic() < deadline, f"{caller.side.name}: {found} keys, not {count}"
        time.sleep(0.01)


def test_a_lock(pair: Pair) -> None:
    def play(caller: Caller, pool: ThreadPoolExecutor) -> list[Any]:
        request = lock_pb2.LockRequest(name=b"lock", lease=ONE)
        first = caller.lock.Lock(request, timeout=30)
        again = caller.lock.Lock(request, timeout=30)
        waiting = pool.submit(caller.lock.Lock, lock_pb2.LockRequest(name=b"lock", lease=TWO), timeout=20)
        keys(caller, b"lock/", 2)
        assert not waiting.done()
        unlocked = caller.lock.Unlock(lock_pb2.UnlockRequest(key=first.key), timeout=30)
        second = waiting.result(20)
        caller.lock.Unlock(lock_pb2.UnlockRequest(key=second.key), timeout=30)
        keys(caller, b"lock/", 0)
        return [first.key, plain(again), plain(unlocked), second.key]

    assert both(pair, play)[0] == b"lock/a1"


def test_who_gives_up_waiting_leaves_no_key(pair: Pair) -> None:
    def play(caller: Caller, pool: ThreadPoolExecutor) -> list[Any]:
        held = caller.lock.Lock(lock_pb2.LockRequest(name=b"given-up", lease=ONE), timeout=30)
        with pytest.raises(grpc.RpcError) as caught:
            caller.lock.Lock(lock_pb2.LockRequest(name=b"given-up", lease=TWO), timeout=1)
        keys(caller, b"given-up/", 1)
        caller.lock.Unlock(lock_pb2.UnlockRequest(key=held.key), timeout=30)
        # The server may say it first, in words, when the client's own time is up.
        assert caught.value.code() in (grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.UNKNOWN)  # type: ignore[attr-defined]
        return []

    both(pair, play)


def test_a_lock_ends_with_its_lease(pair: Pair) -> None:
    def play(caller: Caller, pool: ThreadPoolExecutor) -> list[Any]:
        lease = caller.lease.LeaseGrant(rpc_pb2.LeaseGrantRequest(ID=0xA3, TTL=60), timeout=30).ID
        caller.lock.Lock(lock_pb2.LockRequest(name=b"leased", lease=lease), timeout=30)
        waiting = pool.submit(caller.lock.Lock, lock_pb2.LockRequest(name=b"leased", lease=TWO), timeout=20)
        keys(caller, b"leased/", 2)
        caller.lease.LeaseRevoke(rpc_pb2.LeaseRevokeRequest(ID=lease), timeout=30)
        # Passing the store's errors on, etcd loses their codes; here they keep them.
        _, words = failure(caller.lock.Lock, lock_pb2.LockRequest(name=b"x", lease=0xFFFF))
        return [waiting.result(20).key, words]

    both(pair, play)


def test_a_lock_without_a_lease_gets_one(pair: Pair) -> None:
    def play(caller: Caller, pool: ThreadPoolExecutor) -> list[Any]:
        key = caller.lock.Lock(lock_pb2.LockRequest(name=b"bare"), timeout=30).key
        (kv,) = caller.kv.Range(rpc_pb2.RangeRequest(key=key), timeout=30).kvs
        assert key == b"bare/%x" % kv.lease
        told = caller.lease.LeaseTimeToLive(rpc_pb2.LeaseTimeToLiveRequest(ID=kv.lease), timeout=30)
        caller.lease.LeaseRevoke(rpc_pb2.LeaseRevokeRequest(ID=kv.lease), timeout=30)
        return [told.grantedTTL]

    both(pair, play)


def test_an_election(pair: Pair) -> None:
    def play(caller: Caller, pool: ThreadPoolExecutor) -> list[Any]:
        election, request = caller.election, election_pb2.LeaderRequest(name=b"post")
        found: list[Any] = [failure(election.Leader, request)]
        seen = election.Observe(request, timeout=30)
        first = election.Campaign(election_pb2.CampaignRequest(name=b"post", lease=ONE, value=b"one"), timeout=30)
        found += [plain(first), plain(election.Leader(request, timeout=30)), plain(next(seen))]
        campaign = election_pb2.CampaignRequest(name=b"post", lease=TWO, value=b"two")
        waiting = pool.submit(election.Campaign, campaign, timeout=20)
        keys(caller, b"post/", 2)
        proclaimed = election.Proclaim(election_pb2.ProclaimRequest(leader=first.leader, value=b"uno"), timeout=30)
        found += [plain(proclaimed), plain(next(seen))]
        found += [plain(election.Resign(election_pb2.ResignRequest(leader=first.leader), timeout=30))]
        second = waiting.result(20)
        found += [plain(second), plain(next(seen)), plain(election.Leader(request, timeout=30))]
        stale = election_pb2.ProclaimRequest(leader=first.leader, value=b"stale")
        found += [failure(election.Proclaim, stale)]
        found += [plain(election.Resign(election_pb2.ResignRequest(leader=first.leader), timeout=30))]
        found += [failure(election.Proclaim, election_pb2.ProclaimRequest(value=b"x"))]
        found += [failure(election.Resign, election_pb2.ResignRequest())]
        again = election_pb2.CampaignRequest(name=b"post", lease=TWO, value=b"again")
        found += [plain(election.Campaign(again, timeout=30)), plain(next(seen))]
        seen.cancel()
        return found

    both(pair, play)
