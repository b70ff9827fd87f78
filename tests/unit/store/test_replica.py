"""Several replicas together: who answers what, when, and what becomes of it when leaders change."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kubeactors.pb.etcd import rpc_pb2
from kubeactors.store import forward
from kubeactors.store.errors import LeaseNotFound, RequestTooLarge, StoreUnavailable, TooManyRequests
from kubeactors.store.machine.command import Kind
from kubeactors.store.raft.message import MessageType
from kubeactors.store.replica import ReplicaConfig
from tests.support.replicas import Answer, Cluster, Host

QUICK = replace(ReplicaConfig(), election_ticks=10, heartbeat_ticks=1)


def test_a_lone_voter_leads_at_once_and_answers() -> None:
    cluster = Cluster(1)
    cluster.settle()
    only = cluster[0]
    assert only.up.leading
    answer = only.put(b"k", b"v")
    assert answer.outcome is None
    cluster.settle()
    assert answer.applied
    assert only.read(b"k").outcome == b"v"  # before anything else happens


def test_three_elect_a_leader_and_all_apply() -> None:
    cluster = Cluster(3)
    leader = cluster.elect()
    answers = [leader.put(b"k%d" % n, b"v") for n in range(10)]
    cluster.tick(3)
    assert all(answer.applied for answer in answers)
    assert len(cluster.states()[0]) == 10  # type: ignore[arg-type]
    assert cluster.states()[0] == cluster.states()[1] == cluster.states()[2]


# ---- when a write is answered ----


def test_a_write_is_answered_after_a_majority_has_synced_it() -> None:
    cluster = Cluster(3)
    leader = cluster.elect()
    followers = cluster.followers()
    for host in followers:
        host.hold_syncs = True
    answer = leader.put(b"k", b"v")
    cluster.settle()
    assert answer.outcome is None
    followers[0].sync()
    cluster.settle()
    assert answer.applied


def test_the_leader_counts_itself_only_after_its_own_sync() -> None:
    cluster = Cluster(3)
    leader = cluster.elect()
    _, other = cluster.followers()
    leader.hold_syncs = other.hold_syncs = True
    answer = leader.put(b"k", b"v")
    cluster.settle()
    assert answer.outcome is None, "only one disk has it"
    other.sync()
    cluster.settle()
    assert leader.up.core.commit > leader.up.machine.applied_index
    assert answer.outcome is None, "it is committed, but not on the disk of the member that would answer"
    leader.sync()
    cluster.settle()
    assert answer.applied


def test_a_lone_voters_write_waits_for_the_sync() -> None:
    cluster = Cluster(1)
    cluster.settle()
    only = cluster[0]
    only.hold_syncs = True
    first, second = only.put(b"a"), Answer()
    cluster.settle()
    only.up.propose(Kind.PUT, rpc_pb2.PutRequest(key=b"b"), second)
    cluster.settle()
    assert first.outcome is None and second.outcome is None
    only.sync()
    cluster.settle()
    assert first.applied and second.outcome is None, "what came during the sync is in the next one"
    only.sync()
    cluster.settle()
    assert second.applied


def test_votes_and_confirmations_leave_after_the_sync() -> None:
    cluster = Cluster(3)
    leader = cluster.elect()
    follower = cluster.followers()[0]
    said: list[MessageType] = []

    def listen(to: int, message: object) -> bool:
        said.append(message.type)  # type: ignore[attr-defined]
        return False

    follower.hold_syncs = True
    leader.put(b"k")
    cluster.drop = lambda to, message: listen(to, message) if message.sender == follower.id else False
    cluster.settle()
    assert MessageType.APPEND_RESPONSE not in said
    follower.sync()
    cluster.settle()
    assert MessageType.APPEND_RESPONSE in said


# ---- forwarding ----


def test_a_follower_forwards_and_answers_from_its_own_state() -> None:
    cluster = Cluster(3)
    cluster.elect()
    follower = cluster.followers()[0]
    answer = follower.put(b"k", b"v")
    cluster.tick(3)
    assert answer.applied
    assert answer.outcome.header.member_id == follower.id  # type: ignore[union-attr]
    assert follower.up.machine.mvcc.get(b"k")[1] == b"v"  # type: ignore[index]


def test_many_proposals_share_a_frame() -> None:
    cluster = Cluster(3)
    cluster.elect()
    follower = cluster.followers()[0]
    frames: list[bytes] = []
    cluster.drop_forward = lambda to, frame: bool(frames.append(frame))  # type: ignore[func-returns-value]
    answers = [follower.put(b"k%d" % n) for n in range(50)]
    cluster.tick(3)
    assert len(frames) == 1
    assert all(answer.applied for answer in answers)


def test_a_frame_that_arrives_twice_is_taken_once() -> None:
    cluster = Cluster(3)
    leader = cluster.elect()
    follower = cluster.followers()[0]
    frames: list[bytes] = []
    cluster.drop_forward = lambda to, frame: bool(frames.append(frame))  # type: ignore[func-returns-value]
    follower.put(b"k", b"v")
    cluster.tick(2)
    for _ in range(3):
        leader.up.forwarded(follower.id, frames[0])
        cluster.tick()
    assert leader.up.machine.mvcc.get(b"k")[4] == 1, "its version"  # type: ignore[index]


def test_a_frame_is_for_the_leader_of_its_term_only() -> None:
    cluster = Cluster(3)
    old = cluster.elect()
    follower = cluster.followers()[0]
    frames: list[bytes] = []
    cluster.drop_forward = lambda to, frame: not frames.append(frame)  # type: ignore[func-returns-value]
    answer = follower.put(b"k", b"v")
    cluster.settle()
    cluster.isolate(old)
    new = cluster.elect(besides=old)
    cluster.tick(2)
    assert answer.error.message == "etcdserver: leader changed" and not answer.error.outcome_unknown
    for host in (new, follower):
        host.up.forwarded(follower.id, frames[0])
    cluster.cut.clear()
    cluster.tick(30)
    assert all(state == [] for state in cluster.states()), "what was called surely not applied must not appear"


def test_what_is_lost_on_a_connection_is_sent_again_over_the_next() -> None:
    cluster = Cluster(3)
    leader = cluster.elect()
    follower = cluster.followers()[0]
    cluster.drop_forward = lambda to, frame: True
    answers = [follower.put(b"k"), follower.put(b"l")]
    cluster.settle()
    cluster.drop_forward = lambda to, frame: False
    for _ in range(3):
        follower.up.connected(leader.id)
        cluster.tick()
    assert all(answer.applied for answer in answers)
    assert leader.up.machine.mvcc.revision == 3


def test_a_frame_that_the_transport_does_not_take_is_held_for_the_next_leader() -> None:
    cluster = Cluster(3)
    old = cluster.elect()
    follower = cluster.followers()[0]
    cluster.isolate(old)
    answer = follower.put(b"k", b"v")
    cluster.settle()
    assert answer.outcome is None
    cluster.elect(besides=old)
    cluster.tick(3)
    assert answer.applied


def test_a_frame_that_is_not_taken_the_second_time_may_have_arrived_the_first_time() -> None:
    cluster = Cluster(3)
    leader = cluster.elect()
    follower = cluster.followers()[0]
    frames: list[bytes] = []
    cluster.drop_forward = lambda to, frame: not frames.append(frame)  # type: ignore[func-returns-value]
    follower.put(b"k", b"v")
    cluster.settle()
    follower.up.connected(leader.id)
    work = follower.up.work()
    assert work is not None
    [(to, frame)] = work.forwards
    follower.up.forward_failed(to, frame)
    leader.up.forwarded(follower.id, frames[0])
    cluster.drop_forward = lambda to, frame: False
    cluster.tick(5)
    assert leader.up.machine.mvcc.get(b"k")[4] == 1, "its version"  # type: ignore[index]


def test_refusals_come_back_as_the_errors_that_they_are() -> None:
    cluster = Cluster(3)
    leader = cluster.elect()
    follower = cluster.followers()[0]
    cluster.config = replace(cluster.config, max_request_bytes=50)
    leader.kill()
    leader.boot()  # with the smaller limit
    cluster.tick(60)
    if not leader.up.leading:
        cluster.elect().up.transfer(leader.id)
        cluster.tick(5)
    assert leader.up.leading
    answer = follower.put(b"k", b"x" * 100)
    cluster.tick(2)
    assert isinstance(answer.error, RequestTooLarge)
    answer = follower.propose(Kind.LEASE_REVOKE, rpc_pb2.LeaseRevokeRequest(ID=5))
    cluster.tick(2)
    assert isinstance(answer.error, LeaseNotFound)


def test_garbage_in_a_frame_is_passed_over() -> None:
    cluster = Cluster(3)
    leader = cluster.elect()
    whole = forward.encode_proposals(leader.up.core.term, 7, 1, [forward.Proposed(1, Kind.PUT, b"abc")])
    for frame in (b"", b"\x07" * 40, whole[:-1], whole[:30]):
        leader.up.forwarded(12345, frame)
    cluster.tick(2)
    assert cluster.states()[0] == []


# ---- changes of the leader ----


def test_what_an_old_leader_could_not_commit_is_surely_not_applied() -> None:
    cluster = Cluster(3)
    old = cluster.elect()
    cluster.isolate(old)
    lost = [old.put(b"k%d" % n) for n in range(5)]
    cluster.tick()
    new = cluster.elect(besides=old)
    kept = new.put(b"kept")
    cluster.tick(30)
    assert kept.applied
    assert all(answer.outcome is None for answer in lost)
    cluster.cut.clear()
    cluster.tick(5)
    for answer in lost:
        assert answer.error.message == "etcdserver: leader changed" and not answer.error.outcome_unknown
    assert [[key for key, *_ in state] for state in cluster.states()] == [[b"kept"]] * 3  # type: ignore[attr-defined]


def test_what_a_majority_has_is_applied_and_answered_under_the_next_leader() -> None:
    cluster = Cluster(3)
    old = cluster.elect()
    follower, other = cluster.followers()
    cluster.drop = lambda to, message: message.type == MessageType.APPEND_RESPONSE  # it never learns of the commit
    answer = follower.put(b"k", b"v")
    cluster.settle()
    assert answer.outcome is None
    cluster.drop = lambda to, message: False
    old.kill()
    cluster.elect()
    cluster.tick(3)
    assert answer.applied, "its request id is known to the member that was asked"
    assert other.up.machine.mvcc.get(b"k") is not None


def test_without_a_leader_proposals_are_held_until_there_is_one() -> None:
    cluster = Cluster(3)
    old = cluster.elect()
    one, other = cluster.followers()
    old.kill()
    other.kill()
    cluster.tick(30)
    assert one.up.leader == 0
    answer = one.put(b"k")
    cluster.tick(5)
    assert answer.outcome is None
    other.boot()
    cluster.elect()
    cluster.tick(3)
    assert answer.applied


def test_what_was_held_all_the_time_was_surely_not_applied() -> None:
    cluster = Cluster(3)
    old = cluster.elect()
    one, other = cluster.followers()
    forwarded = one.put(b"a")
    cluster.drop_forward = lambda to, frame: True
    cluster.settle()
    old.kill()
    other.kill()
    cluster.tick(30)
    held = one.put(b"b")
    cluster.tick(150)
    assert held.error.message == forwarded.error.message == "etcdserver: request timed out"
    assert not held.error.outcome_unknown
    assert forwarded.error.outcome_unknown
    other.boot()
    cluster.elect()
    cluster.tick(5)
    assert one.up.machine.mvcc.get(b"b") is None, "it was answered and is not proposed any more"


def test_leadership_changes_hands_and_no_proposal_is_lost() -> None:
    cluster = Cluster(3)
    old = cluster.elect()
    to = cluster.followers()[0]
    old.up.transfer(to.id)
    answers = [host.put(b"k%d" % n) for n, host in enumerate([old, to, *cluster.followers()])]
    cluster.tick(5)
    assert to.up.leading and not old.up.leading
    assert all(answer.applied for answer in answers)


def test_a_stop_tells_sure_from_unsure() -> None:
    cluster = Cluster(3)
    leader = cluster.elect()
    leader.hold_syncs = True
    proposed = leader.put(b"a")
    leader.pump()
    held = leader.put(b"b")
    read = leader.read(b"a")
    leader.up.stop("server stopped")
    assert proposed.error.outcome_unknown and not held.error.outcome_unknown
    assert isinstance(read.error, StoreUnavailable) and not read.error.outcome_unknown


def test_proposals_that_wait_are_bounded() -> None:
    cluster = Cluster(1, replace(QUICK, max_pending=5, max_request_bytes=100))
    only = cluster[0]
    for _ in range(5):
        only.put(b"k")
    with pytest.raises(TooManyRequests):
        only.put(b"k")
    cluster.settle()
    with pytest.raises(RequestTooLarge):
        only.put(b"k", b"x" * 200)
    assert only.put(b"k").outcome is None


# ---- reads ----


def test_every_member_serves_linearizable_reads() -> None:
    cluster = Cluster(3)
    leader = cluster.elect()
    for number in range(5):
        leader.put(b"k", b"%d" % number)
        cluster.settle()
        reads = [host.read(b"k") for host in cluster.hosts.values()]
        cluster.tick(2)
        assert [read.outcome for read in reads] == [b"%d" % number] * 3


def test_reads_that_come_together_share_a_round() -> None:
    cluster = Cluster(3)
    cluster.elect()
    follower = cluster.followers()[0]
    asked: list[int] = []
    cluster.drop = lambda to, message: (
        bool(asked.append(message.context)) if message.type == MessageType.READ_INDEX else False  # type: ignore[func-returns-value]
    )
    reads = [follower.read(b"k") for _ in range(20)]
    follower.pump()
    reads += [follower.read(b"k") for _ in range(20)]
    cluster.tick(2)
    assert all(read.outcome == b"" for read in reads)
    assert len(asked) == len(set(asked)) == 2


def test_a_leader_without_a_majority_answers_no_read() -> None:
    cluster = Cluster(3)
    old = cluster.elect()
    old.put(b"k", b"old")
    cluster.tick()
    cluster.isolate(old)
    stale = old.read(b"k")
    cluster.elect(besides=old).put(b"k", b"new")
    cluster.tick(3)
    assert stale.outcome is None
    cluster.cut.clear()
    cluster.tick(20)
    assert stale.outcome == b"new", "it was asked again of the new leader"


def test_a_read_waits_until_what_it_must_see_is_applied_here() -> None:
    cluster = Cluster(3)
    leader = cluster.elect()
    follower = cluster.followers()[0]
    follower.hold_syncs = True
    leader.put(b"k", b"v")
    cluster.settle()
    read = follower.read(b"k")
    cluster.tick(2)
    assert read.outcome is None, "the entry is not on this member's disk yet"
    follower.hold_syncs = False
    follower.sync()
    cluster.tick(2)
    assert read.outcome == b"v"


def test_a_read_that_nobody_confirms_times_out() -> None:
    cluster = Cluster(3)
    leader = cluster.elect()
    follower = cluster.followers()[0]
    for other in cluster.hosts.values():
        if other is not follower:
            other.kill()
    read = follower.read(b"k")
    cluster.tick(150)
    assert read.error.message == "etcdserver: request timed out" and not read.error.outcome_unknown
    assert not leader.replica


# ---- restarts ----


@pytest.mark.parametrize("power", [False, True])
def test_all_are_killed_at_once_and_everything_acknowledged_is_there(power: bool) -> None:
    cluster = Cluster(3)
    for round_ in range(4):
        leader = cluster.elect()
        answers = [leader.put(b"%d %d" % (round_, n)) for n in range(20)]
        cluster.settle()
        assert all(answer.applied for answer in answers)
        if round_ == 2:
            leader.take_snapshot()
        for host in cluster.hosts.values():
            host.kill(power)
        for host in cluster.hosts.values():
            host.boot()
    cluster.elect()
    cluster.tick(3)
    assert cluster.states()[0] == cluster.states()[1] == cluster.states()[2]
    assert len(cluster.states()[0]) == 80  # type: ignore[arg-type]


def test_a_restarted_members_request_ids_are_new() -> None:
    cluster = Cluster(1)
    cluster.settle()
    only = cluster[0]
    only.put(b"a")
    cluster.settle()
    only.kill()
    only.boot()
    answers = [only.put(b"b%d" % n) for n in range(3)]
    cluster.settle()
    assert all(answer.applied for answer in answers)
    assert only.up.machine.mvcc.revision == 5


# ---- leases ----


def grant(host: Host, lease: int, ttl: int) -> Answer:
    return host.propose(Kind.LEASE_GRANT, rpc_pb2.LeaseGrantRequest(ID=lease, TTL=ttl))


def test_leases_run_out_by_the_leaders_clock_and_survive_its_death() -> None:
    cluster = Cluster(3)
    leader = cluster.elect()
    grant(leader, 7, 3)
    cluster.tick(2)
    leader.propose(Kind.PUT, rpc_pb2.PutRequest(key=b"k", lease=7))
    cluster.tick(30)  # 1.5 s
    leader.put(b"mark")
    cluster.tick()
    leader.kill()
    new = cluster.elect()
    assert 7 in new.up.machine.leases, "what passed without a leader does not count"
    cluster.tick(24)  # 1.2 s
    assert 7 in new.up.machine.leases
    cluster.tick(12)
    assert 7 not in new.up.machine.leases
    assert [[key for key, *_ in state] for state in cluster.states()] == [[b"mark"]] * 2  # type: ignore[attr-defined]


def test_a_lease_kept_alive_lives() -> None:
    cluster = Cluster(3)
    leader = cluster.elect()
    follower = cluster.followers()[0]
    grant(follower, 7, 2)
    cluster.tick(2)
    for _ in range(5):
        cluster.tick(20)
        kept = follower.propose(Kind.LEASE_KEEP_ALIVE, rpc_pb2.LeaseKeepAliveRequest(ID=7))
        cluster.tick(2)
        assert kept.applied
    assert 7 in leader.up.machine.leases
    cluster.tick(50)
    assert all(7 not in host.up.machine.leases for host in cluster.hosts.values())


# ---- alarms ----


def test_an_alarm_holds_on_every_member_and_over_restarts() -> None:
    cluster = Cluster(3)
    leader = cluster.elect()
    follower = cluster.followers()[0]
    alarm = rpc_pb2.AlarmRequest(action=rpc_pb2.AlarmRequest.ACTIVATE, memberID=follower.id, alarm=rpc_pb2.NOSPACE)
    assert not follower.propose(Kind.ALARM, alarm).count
    cluster.tick(2)
    for host in cluster.hosts.values():
        refused = host.put(b"k")
        cluster.tick(2)
        assert refused.error.message == "etcdserver: mvcc: database space exceeded"
    leader.take_snapshot()
    for host in cluster.hosts.values():
        host.kill()
    for host in cluster.hosts.values():
        host.boot()
    cluster.elect()
    refused = leader.put(b"k")
    cluster.tick(3)
    assert refused.error.message == "etcdserver: mvcc: database space exceeded"
    alarm.action = rpc_pb2.AlarmRequest.DEACTIVATE
    leader.propose(Kind.ALARM, alarm)
    cluster.tick(2)
    accepted = follower.put(b"k")
    cluster.tick(2)
    assert accepted.applied
