"""Who is a member: etcd's ids, changes one at a time, learners, removal, and members that come and go."""

from __future__ import annotations

import pytest

from kubeactors.pb.etcd import rpc_pb2
from kubeactors.store import storage
from kubeactors.store.disk import Disk
from kubeactors.store.errors import (
    CorruptData,
    LearnerNotFound,
    LearnerNotReady,
    MemberExists,
    MemberNotFound,
    NotEnoughStarted,
    PeerUrlExists,
    StoreError,
    TooManyLearners,
)
from kubeactors.store.machine import membership
from kubeactors.store.machine.command import Kind
from kubeactors.store.machine.membership import Member, Membership, initial_members
from tests.support.replicas import DATA, SEGMENT, Answer, Cluster, Host


def test_ids_are_etcds() -> None:
    (alone,) = initial_members({"default": ["http://localhost:2380"]}, "etcd-cluster")
    assert f"{alone.id:x}" == "8e9e05c52164694d"
    assert f"{membership.cluster_id([alone]):x}" == "cdf818194e3a8c32"


def test_ids_do_not_depend_on_the_order_in_which_urls_are_given() -> None:
    one = initial_members({"a": ["http://a:1", "http://a:2"], "b": ["http://b:1"]}, "t")
    other = initial_members({"b": ["http://b:1"], "a": ["http://a:2", "http://a:1"]}, "t")
    assert one == other
    assert membership.member_id(["http://a:1"], "", 1) != membership.member_id(["http://a:1"], "", 2)


def test_a_url_is_one_members() -> None:
    with pytest.raises(ValueError, match="same peer URL"):
        initial_members({"a": ["http://a:1"], "b": ["http://a:1"]}, "t")
    with pytest.raises(ValueError, match="without a peer URL"):
        initial_members({"a": []}, "t")


def test_what_may_not_be_changed() -> None:
    a, b = initial_members({"a": ["http://a:1"], "b": ["http://b:1"]}, "t")
    members = Membership([a, b])
    learner = Member(9, "", ("http://c:1",), learner=True)
    members.add(learner, 5)
    before = members.dump()
    refused: list[tuple[type[StoreError], object]] = [
        (MemberExists, lambda: members.add(a, 6)),
        (PeerUrlExists, lambda: members.add(Member(10, "", ("http://a:1",)), 6)),
        (TooManyLearners, lambda: members.add(Member(10, "", ("http://d:1",), learner=True), 6)),
        (MemberNotFound, lambda: members.remove(10, 6)),
        (MemberNotFound, lambda: members.promote(10, 6)),
        (LearnerNotFound, lambda: members.promote(a.id, 6)),
        (MemberNotFound, lambda: members.update(Member(10, "", ("http://d:1",)), 6)),
        (PeerUrlExists, lambda: members.update(Member(a.id, "", ("http://b:1",)), 6)),
        (MemberNotFound, lambda: members.publish(Member(10, "x", ()), 6)),
    ]
    for error, change in refused:
        with pytest.raises(error):
            change()  # type: ignore[operator]
    assert members.dump() == before
    members.remove(b.id, 6)
    with pytest.raises(MemberNotFound):
        members.add(b, 7)  # who was removed never comes back
    members.promote(9, 8)
    assert members.voters == {a.id, 9} and members.removed == {b.id} and members.index == 8
    again = Membership.restored(members.dump())
    assert again.dump() == members.dump()


# ---- in a cluster ----


def add(host: Host, number: int, *, learner: bool = False) -> Answer:
    member = rpc_pb2.Member(ID=number, peerURLs=[f"http://n{number}:2380"], isLearner=learner)
    return host.propose(Kind.MEMBER_ADD, member)


def change(host: Host, kind: Kind, member: int) -> Answer:
    return host.propose(kind, rpc_pb2.Member(ID=member))


def test_every_member_of_a_new_cluster_begins_with_the_same_entries() -> None:
    cluster = Cluster(3)
    lists = []
    for host in cluster.hosts.values():
        assert [entry.index for entry in host.loaded.entries] == [1, 2, 3]
        lists.append(list(host.loaded.entries))
        host.pump()
        members = host.up.machine.membership
        assert members.voters == set(cluster.hosts)
        assert members.index == 3
    assert lists[0] == lists[1] == lists[2]


def test_a_voter_is_added_catches_up_and_counts() -> None:
    cluster = Cluster(1)
    leader = cluster.elect()
    for n in range(10):
        leader.put(b"k%d" % n)
    cluster.settle()
    answer = add(leader, 77)
    cluster.settle()
    assert answer.applied
    assert [m.ID for m in answer.outcome.members] == sorted([leader.id, 77])  # type: ignore[union-attr]
    waits = leader.put(b"needs two")
    cluster.tick()
    assert waits.outcome is None, "two voters now: one disk is no majority"
    new = cluster.join(77)
    cluster.tick(30)
    assert waits.applied
    assert new.up.machine.membership.voters == {leader.id, 77}
    assert cluster.states()[0] == cluster.states()[1]


def test_a_learner_counts_for_nothing_until_it_is_promoted() -> None:
    cluster = Cluster(3)
    leader = cluster.elect()
    follower = cluster.followers()[0]
    add(leader, 77, learner=True)
    cluster.tick()
    for n in range(30):
        leader.put(b"k%d" % n)
    cluster.tick()
    for host in (leader, follower):  # whoever is asked: the leader knows
        early = change(host, Kind.MEMBER_PROMOTE, 77)
        cluster.tick(2)
        assert isinstance(early.error, LearnerNotReady)
    learner = cluster.join(77)
    cluster.tick(20)
    assert learner.up.machine.membership.learners == {77}
    assert learner.up.machine.mvcc.get(b"k29") is not None
    read = learner.read(b"k29")
    promoted = change(follower, Kind.MEMBER_PROMOTE, 77)
    cluster.tick(3)
    assert read.outcome == b""
    assert promoted.applied
    assert all(host.up.core.configuration.voters == {*cluster.hosts} for host in cluster.hosts.values())
    again = change(leader, Kind.MEMBER_PROMOTE, 77)
    cluster.tick(2)
    assert isinstance(again.error, LearnerNotFound)


def test_changes_come_one_at_a_time() -> None:
    cluster = Cluster(3)
    leader = cluster.elect()
    answers = [add(leader, 77), add(cluster.followers()[0], 78)]
    cluster.tick(5)
    assert all(answer.applied for answer in answers), "the second one waited for the first"
    assert len(leader.up.core.configuration.voters) == 5


def test_a_change_that_comes_to_nothing_is_told_and_does_not_block_the_next() -> None:
    cluster = Cluster(3)
    leader = cluster.elect()
    answers = [change(leader, Kind.MEMBER_REMOVE, 99), add(leader, 77)]
    cluster.tick(5)
    assert isinstance(answers[0].error, MemberNotFound)
    assert answers[1].applied


def test_a_removed_follower_knows_it_and_the_others_go_on() -> None:
    cluster = Cluster(3)
    leader = cluster.elect()
    gone = cluster.followers()[0]
    answer = change(leader, Kind.MEMBER_REMOVE, gone.id)
    cluster.tick(3)
    assert answer.applied
    assert gone.up.removed
    gone.kill()
    write = leader.put(b"k")
    cluster.tick(2)
    assert write.applied
    assert gone.id not in leader.up.machine.membership and gone.id in leader.up.machine.membership.removed


def test_a_leader_that_is_removed_leaves_another_one() -> None:
    cluster = Cluster(3)
    leader = cluster.elect()
    answer = change(leader, Kind.MEMBER_REMOVE, leader.id)
    cluster.tick(5)
    assert answer.applied
    assert leader.up.removed and not leader.up.leading
    new = cluster.elect(besides=leader)
    write = new.put(b"k")
    cluster.tick(3)
    assert write.applied


def test_names_and_urls_are_known_everywhere_and_after_a_restart() -> None:
    cluster = Cluster(3)
    leader = cluster.elect()
    follower = cluster.followers()[0]
    own = rpc_pb2.Member(ID=follower.id, name="new name", clientURLs=["http://c:2", "http://c:1"])
    follower.propose(Kind.MEMBER_PUBLISH, own)
    cluster.tick(3)
    follower.propose(Kind.MEMBER_UPDATE, rpc_pb2.Member(ID=follower.id, peerURLs=["http://moved:2380"]))
    cluster.tick(3)
    leader.take_snapshot()
    leader.kill()
    leader.boot()
    cluster.tick(3)
    for host in cluster.hosts.values():
        member = host.up.machine.membership.get(follower.id)
        assert member == Member(
            follower.id, "new name", ("http://moved:2380",), ("http://c:1", "http://c:2"), learner=False
        )


def test_the_configuration_comes_back_from_snapshot_and_log() -> None:
    cluster = Cluster(3)
    leader = cluster.elect()
    add(leader, 77, learner=True)
    cluster.tick(2)
    leader.take_snapshot()
    gone = cluster.followers()[0]
    change(leader, Kind.MEMBER_REMOVE, gone.id)
    cluster.tick(3)
    voters = leader.up.core.configuration.voters
    for host in cluster.hosts.values():
        host.kill()
    leader.boot()
    next(host for host in cluster.hosts.values() if host.id in voters and host is not leader).boot()
    cluster.elect()
    cluster.tick(2)
    assert leader.up.core.configuration.voters == voters == leader.up.machine.membership.voters
    assert leader.up.core.configuration.learners == {77}
    assert leader.up.machine.membership.removed == {gone.id}


def test_a_member_goes_on_alone_with_everything_it_has() -> None:
    cluster = Cluster(3)
    leader = cluster.elect()
    add(leader, 77, learner=True)
    cluster.tick(2)
    answers = [leader.put(b"k%d" % n) for n in range(20)]
    cluster.tick(2)
    assert all(answer.applied for answer in answers)
    survivor = cluster.followers()[0]
    for host in cluster.hosts.values():
        host.kill(power=True)
    loaded = storage.load(survivor.disk, DATA, SEGMENT, force_new_cluster=True)
    loaded.log.close()
    survivor.boot()
    cluster.settle()
    assert survivor.up.leading
    assert survivor.up.machine.membership.voters == {survivor.id}
    assert not survivor.up.machine.membership.learners
    assert len(survivor.up.machine.mvcc) == 20
    write = survivor.put(b"alone")
    cluster.settle()
    assert write.applied


def test_data_of_another_cluster_are_refused(tmp_path) -> None:  # type: ignore[no-untyped-def]
    disk = Disk()
    one = storage.new_cluster({"a": ["http://a:1"]}, "one", "a")
    storage.load(disk, tmp_path / "one", SEGMENT, one).log.close()
    other = storage.new_cluster({"a": ["http://a:1"]}, "other", "a")
    storage.load(disk, tmp_path / "other", SEGMENT, other).log.close()
    with pytest.raises(ValueError, match="no member 'b'"):
        storage.new_cluster({"a": ["http://a:1"]}, "one", "b")
    cluster = Cluster(1)
    cluster.settle()
    cluster[0].put(b"k")
    cluster.settle()
    file = cluster[0].take_snapshot()
    content = cluster[0].disk.read(file.path)
    (tmp_path / "one" / "member" / "snap" / file.path.name).write_bytes(content)
    with pytest.raises(CorruptData, match="another cluster"):
        storage.load(disk, tmp_path / "one", SEGMENT, one)


def test_the_last_voter_cannot_be_removed_though_learners_are_left() -> None:
    members = Membership([Member(1, "a", ("http://a:1",)), Member(2, "b", ("http://b:1",), learner=True)])
    with pytest.raises(NotEnoughStarted):
        members.remove(1, 5)
    members.promote(2, 6)
    members.remove(1, 7)
    with pytest.raises(NotEnoughStarted):
        members.remove(2, 8)
