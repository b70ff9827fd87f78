"""Three members of each: what clients see of a cluster, its changes, and the loss of its leader."""

from __future__ import annotations

import asyncio
import os
import queue
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import pytest

from kubeactors.pb.etcd import rpc_pb2 as rpc
from kubeactors.pb.etcd import rpc_pb2_grpc
from tests.integration.store.peers.sides import (
    HASH_FIELDS,
    SIZE_FIELDS,
    VERSION_FIELDS,
    Outcome,
    Pair,
    Side,
    id_named,
    log_lines,
    seconds,
)
from tests.support.etcd_process import EtcdCluster, open_channel
from tests.support.ports import free_port
from tests.support.store_cluster import StoreCluster

pytestmark = pytest.mark.timeout(180)


class Members:
    """The processes of one side."""

    def __init__(self, side: Side, pids: Callable[[], dict[str, int]]) -> None:
        self.side = side
        self._pids = pids

    def leader(self) -> str:
        """The name of the member that leads."""
        deadline = time.monotonic() + 20
        while True:
            names = {m["ID"]: m.get("name", "") for m in self.side.json("member", "list")["members"]}
            for status in self.side.json("endpoint", "status"):
                leader = status["Status"].get("leader", 0)
                if leader == status["Status"]["header"]["member_id"]:
                    return str(names[leader])
            assert time.monotonic() < deadline
            time.sleep(0.1)

    def followers(self) -> list[str]:
        leader = self.leader()
        return [name for name in ("m0", "m1", "m2") if name != leader]

    def url(self, name: str) -> str:
        return self.side.urls[int(name[1:])]

    def stop(self, name: str) -> None:
        os.kill(self._pids()[name], signal.SIGSTOP)

    def cont(self, name: str) -> None:
        os.kill(self._pids()[name], signal.SIGCONT)


class Clusters:
    def __init__(self, directory: Path, etcd: EtcdCluster, store: StoreCluster, runner: asyncio.Runner) -> None:
        self.etcd = etcd
        self.store = store
        self.run = runner.run
        self.pair = Pair(Side("etcd", etcd.urls, directory), Side("ours", store.endpoints, directory))
        theirs, ours = self.pair.sides
        self.members = (
            Members(theirs, lambda: {m.name: m.process.pid for m in etcd.members if m.process is not None}),
            Members(ours, lambda: {m.name: m.pid for m in store.members}),
        )

    def each(self, command: Callable[[Members], Outcome]) -> Outcome:
        """The outcome of a command that names members or endpoints of its own, which is the same on both."""
        found = []
        for members in self.members:
            outcome = command(members)
            text = [log_lines(members.side, part) for part in (outcome.out, outcome.err)]
            for number, name in members.side.names.items():
                text = [id_named(part, number, name) for part in text]
            found.append(Outcome(outcome.code, *text))
        assert found[1] == found[0]
        return found[1]


@pytest.fixture(scope="module")
def clusters(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clusters]:
    directory = tmp_path_factory.mktemp("three")
    with asyncio.Runner() as runner, EtcdCluster(directory / "etcd", 3) as etcd:
        store = StoreCluster(directory / "ours", 3, "--max-request-bytes", str(1536 * 1024))
        runner.run(store.__aenter__())
        try:
            yield Clusters(directory, etcd, store, runner)
        finally:
            runner.run(store.__aexit__(None, None, None))


def test_what_the_members_tell(clusters: Clusters) -> None:
    pair = clusters.pair
    for side in pair.sides:
        # Answers come in any order; the names and addresses tell them apart.
        assert sorted(m["name"] for m in side.json("member", "list")["members"]) == ["m0", "m1", "m2"]
    health = pair.run("endpoint", "health", "--cluster", rules=[_sorted, seconds])
    assert (health.out + health.err).count("is healthy") == 3
    statuses = pair.json("endpoint", "status", fields={*SIZE_FIELDS, *VERSION_FIELDS, "leader"})
    assert len(statuses) == 3
    for side in pair.sides:
        found = side.json("endpoint", "status")
        assert len({status["Status"]["leader"] for status in found}) == 1
        assert len({status["Status"]["raftTerm"] for status in found}) == 1
    pair.run("put", "hash", "x")
    for side in pair.sides:
        side.etcdctl("get", "hash")
        hashes = side.json("endpoint", "hashkv")
        assert len({(h["HashKV"]["hash"], h["HashKV"]["header"]["revision"]) for h in hashes}) == 1
    pair.json("endpoint", "hashkv", fields={*HASH_FIELDS})


def test_every_member_serves_everything(clusters: Clusters) -> None:
    for number, name in enumerate(("m0", "m1", "m2")):
        clusters.each(lambda m, n=number, name=name: m.side.etcdctl("put", f"k{n}", name, endpoints=[m.url(name)]))
        for reader in ("m0", "m1", "m2"):
            read = clusters.each(
                lambda m, n=number, reader=reader: m.side.etcdctl("get", f"k{n}", endpoints=[m.url(reader)])
            )
            assert read.lines == [f"k{number}", name]
    text = 'value("k0") = "m0"\n\nput k0 changed\nget k0\n\n\n'
    for name in ("m0", "m1", "m2"):
        clusters.each(lambda m, name=name: m.side.etcdctl("txn", stdin=text, endpoints=[m.url(name)]))
    clusters.each(lambda m: m.side.etcdctl("del", "k", "--prefix", endpoints=[m.url(m.followers()[0])]))


def test_watches_on_followers(clusters: Clusters) -> None:
    for members in clusters.members:
        side, first, second = members.side, *members.followers()
        with side.running("watch", "w", "--prefix", endpoints=[members.url(first)]) as watch:
            # A watch from now on begins when it begins; a put until it has is not missed by one from a revision.
            revision = side.json("put", "w0", "x")["header"]["revision"]
            with side.running("watch", "w", "--prefix", f"--rev={revision}", endpoints=[members.url(second)]) as past:
                assert past.lines(3) == ["PUT", "w0", "x"]
                side.etcdctl("put", "w1", "y")
                assert past.lines(6)[3:] == ["PUT", "w1", "y"]
            assert watch.lines(3)[0] == "PUT"


def test_leases_on_every_member(clusters: Clusters) -> None:
    for members in clusters.members:
        side, leader, (one, other) = members.side, members.leader(), members.followers()
        granted = side.etcdctl("lease", "grant", "30", endpoints=[members.url(one)])
        lease = granted.out.split()[1]
        side.etcdctl("put", "leased", "x", f"--lease={lease}", endpoints=[members.url(other)])
        for name in (leader, one, other):
            at = [members.url(name)]
            told = side.etcdctl("lease", "timetolive", lease, "--keys", endpoints=at).out
            assert "granted with TTL(30s), remaining(" in told and "attached keys([leased])" in told
            left = int(told.split("remaining(")[1].split("s")[0])
            assert 20 <= left <= 30
            assert lease in side.etcdctl("lease", "list", endpoints=at).out
            renewed = side.etcdctl("lease", "keep-alive", "--once", lease, endpoints=at)
            assert renewed.out == f"lease {lease} keepalived with TTL(30)\n"
        assert "revoked" in side.etcdctl("lease", "revoke", lease, endpoints=[members.url(other)]).out
        assert side.etcdctl("get", "leased", endpoints=[members.url(one)]).out == ""
        gone = side.etcdctl("lease", "keep-alive", "--once", lease, endpoints=[members.url(one)])
        assert gone.code != 0 and "requested lease not found" in gone.err


def test_moving_the_leader(clusters: Clusters) -> None:
    for members in clusters.members:
        side, leader, (target, other) = members.side, members.leader(), members.followers()
        lease = side.etcdctl("lease", "grant", "60").out.split()[1]
        side.etcdctl("put", "moved", "x", f"--lease={lease}")
        refused = side.etcdctl("move-leader", side.member(target), endpoints=[members.url(other)])
        assert refused.code != 0 and "no leader endpoint given at" in refused.err
        refused = side.etcdctl("move-leader", "1234", endpoints=[members.url(leader)])
        assert refused.code != 0 and "etcdserver: bad leader transferee" in refused.err
        moved = side.etcdctl("move-leader", side.member(target), endpoints=[members.url(leader)])
        assert moved.out == f"Leadership transferred from {side.member(leader)} to {side.member(target)}\n", moved.err
        assert members.leader() == target
        # Leases have the time they were granted before them again, or less, and go on.
        told = side.etcdctl("lease", "timetolive", lease, "--keys").out
        assert 40 <= int(told.split("remaining(")[1].split("s")[0]) <= 60 and "moved" in told
        assert "keepalived" in side.etcdctl("lease", "keep-alive", "--once", lease).out
        with grpc_channel(members, leader) as channel, pytest.raises(grpc.RpcError) as caught:
            request = rpc.MoveLeaderRequest(targetID=int(side.member(target), 16))
            rpc_pb2_grpc.MaintenanceStub(channel).MoveLeader(request, timeout=30)
        assert (caught.value.code(), caught.value.details()) == (
            grpc.StatusCode.FAILED_PRECONDITION,
            "etcdserver: not leader",
        )


def test_a_lock_is_handed_over_between_members(clusters: Clusters) -> None:
    for members in clusters.members:
        side, (one, other) = members.side, members.followers()
        with side.running("lock", "turns", endpoints=[members.url(one)]) as first:
            first.lines(1)
            with side.running("lock", "turns", endpoints=[members.url(other)]) as second:
                wait_for(
                    lambda side=side: len(side.etcdctl("get", "turns/", "--prefix", "--keys-only").out.split()) == 2
                )
                first.interrupt()
                assert second.lines(1)[0].startswith("turns/")
                second.interrupt()


def test_alarms_are_the_whole_cluster_s(clusters: Clusters) -> None:
    for members in clusters.members:
        side, leader, (one, _) = members.side, members.leader(), members.followers()
        with grpc_channel(members, one) as channel:
            number = int(side.member(leader), 16)
            raised = rpc.AlarmRequest(action=rpc.AlarmRequest.ACTIVATE, memberID=number, alarm=rpc.NOSPACE)
            rpc_pb2_grpc.MaintenanceStub(channel).Alarm(raised, timeout=30)
    listed = clusters.each(lambda m: renamed(m, m.side.etcdctl("alarm", "list")))
    assert listed.out == "memberID:<leader> alarm:NOSPACE \n"
    for name in ("m0", "m1", "m2"):
        clusters.each(lambda m, name=name: m.side.etcdctl("put", "full", "x", endpoints=[m.url(name)]))
    clusters.each(lambda m: renamed(m, m.side.etcdctl("alarm", "disarm")))
    assert clusters.each(lambda m: m.side.etcdctl("alarm", "list")).out == ""
    clusters.each(lambda m: m.side.etcdctl("put", "full", "x"))


def test_members_come_and_go(clusters: Clusters) -> None:
    """A learner is added, started, promoted, and removed again; what makes no sense is refused alike."""
    new_url = [f"http://127.0.0.1:{free_port()}" for _ in clusters.members]
    peer_url = dict(zip(("etcd", "ours"), new_url, strict=True))

    def each(*arguments: str) -> Outcome:
        """URL stands for the new member's, NEW for its id, OTHER for a member that was there."""

        def command(members: Members) -> Outcome:
            side = members.side
            known = {m["peerURLs"][0]: m["ID"] for m in side.json("member", "list")["members"]}
            new = known.get(peer_url[side.name], 0)
            other = min(m["ID"] for m in side.json("member", "list")["members"] if m["ID"] != new)
            url = next(url for url, number in known.items() if number == other)
            words = {"TAKEN": url, "URL": peer_url[side.name], "NEW": f"{new:x}", "OTHER": f"{other:x}"}
            filled = []
            for argument in arguments:
                for word, value in words.items():
                    argument = argument.replace(word, value)
                filled.append(argument)
            outcome = side.etcdctl(*filled)
            cluster = f"{side.json('member', 'list')['header']['cluster_id']:x}"
            text = id_named(outcome.out.split("ETCD_NAME")[0], cluster, "<cluster>")
            answer = [text.replace(peer_url[side.name], "<url>"), log_lines(side, outcome.err)]
            number = {m["peerURLs"][0]: m["ID"] for m in side.json("member", "list")["members"]}.get(
                peer_url[side.name], new
            )
            for value, word in {number: "<new>", other: "<other>"}.items():
                answer = [id_named(part, f"{value:x}", word) if value else part for part in answer]
            return Outcome(outcome.code, *answer)

        return clusters.each(command)

    def refused(words: str, *arguments: str) -> None:
        outcome = each(*arguments)
        assert outcome.code != 0 and words in outcome.err

    time.sleep(5.5)  # both let a voter be added only after all have been connected for 5 s
    refused("Peer URLs already exists", "member", "add", "again", "--peer-urls=TAKEN")
    assert "<new> added to cluster" in each("member", "add", "m3", "--learner", "--peer-urls=URL").out
    refused("too many learner members in cluster", "member", "add", "m4", "--learner", "--peer-urls=http://127.0.0.1:1")
    refused("learner member which is in sync with leader", "member", "promote", "NEW")
    refused("can only promote a learner member", "member", "promote", "OTHER")
    refused("Peer URLs already exists", "member", "update", "NEW", "--peer-urls=TAKEN")
    refused("member not found", "member", "promote", "1234")
    refused("member not found", "member", "remove", "1234")
    for side in clusters.pair.sides:
        learner = next(m for m in side.json("member", "list")["members"] if m["peerURLs"] == [peer_url[side.name]])
        assert learner["isLearner"] and "name" not in learner
    assert "<new> removed" in each("member", "remove", "NEW").out
    refused("member not found", "member", "remove", "NEW")
    for side in clusters.pair.sides:
        assert len(side.json("member", "list")["members"]) == 3


def test_a_learner_is_started_and_promoted(clusters: Clusters) -> None:
    store, etcd = clusters.store, clusters.etcd
    ours = clusters.run(store.add(learner=True))
    theirs = etcd.add_learner()
    urls = {"etcd": theirs.url, "ours": ours.client_url}
    try:

        def at_learner(*arguments: str) -> Outcome:
            return clusters.each(lambda m: m.side.etcdctl(*arguments, endpoints=[urls[m.side.name]]))

        clusters.each(lambda m: m.side.etcdctl("put", "learned", "x"))
        wait_for(
            lambda: all(
                side.etcdctl("get", "learned", "--consistency=s", endpoints=[urls[side.name]]).out == "learned\nx\n"
                for side in clusters.pair.sides
            )
        )
        for arguments in (("get", "learned"), ("put", "learned", "y"), ("lease", "grant", "5"), ("del", "learned")):
            outcome = at_learner(*arguments)
            assert outcome.code != 0 and "rpc not supported for learner" in outcome.err
        for side in clusters.pair.sides:
            (status,) = side.json("endpoint", "status", endpoints=[urls[side.name]])
            assert status["Status"]["isLearner"] is True
            promoted = side.etcdctl("member", "promote", side.member("m3"))
            assert "promoted in cluster" in promoted.out, promoted.err
            assert not any(m.get("isLearner") for m in side.json("member", "list")["members"])
        assert at_learner("get", "learned").lines == ["learned", "x"]
    finally:
        for side in clusters.pair.sides:
            wait_for(lambda side=side: "removed" in side.etcdctl("member", "remove", side.member("m3")).out)
        store.members.remove(ours)
        ours.end()
        etcd.forget(theirs)


def test_without_a_quorum(clusters: Clusters) -> None:
    """Two of three members are stopped: who asked for a leader is told that there is none, others wait."""

    def play(members: Members) -> None:
        side, leader, (alive, other) = members.side, members.leader(), members.followers()
        side.etcdctl("put", "kept", "x")
        side.etcdctl("get", "kept", endpoints=[members.url(alive)])
        with side.running("watch", "kept", endpoints=[members.url(alive)]) as watch:
            with grpc_channel(members, alive) as channel:
                requests: queue.SimpleQueue[rpc.WatchRequest | None] = queue.SimpleQueue()
                requests.put(rpc.WatchRequest(create_request=rpc.WatchCreateRequest(key=b"kept")))
                stream = rpc_pb2_grpc.WatchStub(channel).Watch(
                    iter(requests.get, None), metadata=[("hasleader", "true")], timeout=60
                )
                assert next(stream).created
                members.stop(leader)
                members.stop(other)
                try:
                    with pytest.raises(grpc.RpcError) as ended:
                        next(stream)
                    assert no_leader(ended.value)
                    kv = rpc_pb2_grpc.KVStub(channel)
                    serializable = rpc.RangeRequest(key=b"kept", serializable=True)
                    assert kv.Range(serializable, timeout=30).kvs[0].value == b"x"
                    with pytest.raises(grpc.RpcError) as told:
                        kv.Range(serializable, metadata=[("hasleader", "true")], timeout=30)
                    assert no_leader(told.value)
                    with pytest.raises(grpc.RpcError) as waited:
                        kv.Put(rpc.PutRequest(key=b"kept", value=b"y"), timeout=30)
                    # etcd 3.5 gives a put that it could not hand to a leader no code of its own.
                    assert (waited.value.code(), waited.value.details()) == (
                        (grpc.StatusCode.UNKNOWN, "context deadline exceeded")
                        if side.name == "etcd"
                        else (grpc.StatusCode.UNAVAILABLE, "etcdserver: request timed out")
                    )
                    with pytest.raises(grpc.RpcError) as waited:
                        kv.Range(rpc.RangeRequest(key=b"kept"), timeout=30)
                    assert waited.value.code() is grpc.StatusCode.UNAVAILABLE
                    assert waited.value.details() == "etcdserver: request timed out"
                finally:
                    requests.put(None)
                    members.cont(leader)
                    members.cont(other)
            members.leader()
            side.etcdctl("put", "kept", "z")
            # etcdctl's watch asks for a leader too.
            assert "etcdserver: no leader" in "\n".join(watch.lines(5))

    with ThreadPoolExecutor() as pool:  # most of it is waiting
        list(pool.map(play, clusters.members))


def no_leader(error: grpc.RpcError) -> bool:
    return (error.code(), error.details()) == (grpc.StatusCode.UNAVAILABLE, "etcdserver: no leader")


def grpc_channel(members: Members, name: str) -> grpc.Channel:
    return open_channel(members.url(name), None)


def renamed(members: Members, outcome: Outcome) -> Outcome:
    """With the leader's id called so, in decimals as etcdctl writes it in places."""
    number = str(int(members.side.member(members.leader()), 16))
    return Outcome(outcome.code, outcome.out.replace(number, "<leader>"), outcome.err)


def _sorted(side: Side, text: str) -> str:
    return "\n".join(sorted(text.split("\n")))


def wait_for(condition: Callable[[], bool], timeout: float = 20) -> None:
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)
