"""What is easier to say in Python than in a script."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from kubeactors.store.raft.config import RaftConfig
from kubeactors.store.raft.core import RaftCore, Role
from kubeactors.store.raft.errors import InconsistentLog, NotLeader, ProposalRefused
from kubeactors.store.raft.log import RaftLog
from kubeactors.store.raft.message import Message, MessageType, SnapshotMeta
from kubeactors.store.raft.ready import Ready
from kubeactors.store.wal.record import Entry, EntryKind, HardState
from tests.support.raft_members import Cluster, log_of, voters


def cluster(*members: int, seed: int = 1) -> Cluster:
    made = Cluster(seed)
    for member in members:
        made.add(member, voters(*members))
    return made


def lone(log: RaftLog | None = None, **config: int) -> RaftCore:
    """A lone voter that leads."""
    core = RaftCore(RaftConfig(1, **config), HardState(0, 0, 0), log or RaftLog(), voters(1), 0, random.Random(1))
    while (ready := core.ready()) is not None:
        core.advance(ready)
        if ready.committed:
            core.applied_to(ready.committed[-1].index)
    assert core.role is Role.LEADER
    return core


def must(ready: Ready | None) -> Ready:
    assert ready is not None
    return ready


# ---- elections ----


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 7])
def test_a_leader_is_found(size: int) -> None:
    made = cluster(*range(1, size + 1))
    made.tick(60)
    assert {made[key].leader for key in made.members} == {made.leader.leader}
    assert [core.role for core in (made[key] for key in made.members)].count(Role.LEADER) == 1


@pytest.mark.parametrize(
    ("size", "answers", "role"),
    [
        (3, {2: True}, Role.LEADER),
        (3, {}, Role.CANDIDATE),
        (3, {2: False}, Role.CANDIDATE),
        (3, {2: False, 3: False}, Role.FOLLOWER),
        (5, {2: True, 3: True}, Role.LEADER),
        (5, {2: True, 3: False}, Role.CANDIDATE),
        (5, {2: True, 3: False, 4: False, 5: False}, Role.FOLLOWER),
    ],
)
def test_an_election_in_one_round(size: int, answers: dict[int, bool], role: Role) -> None:
    made = Cluster()
    made.add(1, voters(*range(1, size + 1)))
    core = made[1]
    core.step(Message(MessageType.TIMEOUT_NOW, 1, 2, core.term))
    made.settle()
    for sender, granted in answers.items():
        core.step(Message(MessageType.VOTE_RESPONSE, 1, sender, core.term, reject=not granted))
    assert core.role is role


def test_election_timeouts_are_spread() -> None:
    counts: Counter[int] = Counter()
    for seed in range(300):
        made = Cluster(seed)
        core = made.add(1, voters(1, 2, 3)).core
        ticks = 0
        while core.role is Role.FOLLOWER:
            core.tick()
            ticks += 1
        counts[ticks] += 1
    assert min(counts) > RaftConfig(1).election_ticks, "within the lease nobody would vote"
    assert max(counts) <= 2 * RaftConfig(1).election_ticks
    assert len(counts) >= 12 and max(counts.values()) < 50


def test_a_dead_leader_is_replaced_within_two_election_timeouts() -> None:
    needed = []
    for seed in range(60):
        made = cluster(1, 2, 3, seed=seed)
        made.tick(60)
        old = made.leader.leader
        made.tick(seed % 7)
        made.crash(old)
        ticks = 0
        while all(made[key].role is not Role.LEADER for key in made.members if key != old):
            made.tick()
            ticks += 1
        needed.append(ticks)
    assert max(needed) <= 2 * RaftConfig(1).election_ticks + 8


def test_messages_of_a_candidate_wait_for_its_disk() -> None:
    made = cluster(1, 2, 3)
    made[1].step(Message(MessageType.TIMEOUT_NOW, 1, 2, 0))
    ready = must(made[1].ready())
    assert not ready.messages and ready.hard_state == HardState(1, 1, 0)
    assert [message.type for message in ready.responses] == [MessageType.VOTE] * 2
    # Votes of all others do not make it leader as long as its own is not on the disk.
    for sender in (2, 3):
        made[1].step(Message(MessageType.VOTE_RESPONSE, 1, sender, 1))
    assert made[1].role is Role.CANDIDATE
    made[1].advance(ready)
    assert made[1].role is Role.LEADER


# ---- Ready ----


def test_proposals_are_one_write_and_one_append_for_each_follower() -> None:
    made = cluster(1, 2, 3)
    core = made.elect(1)
    made.settle()
    indices = [core.propose(b"%d" % i) for i in range(100)]
    assert indices == list(range(2, 102))
    ready = must(core.ready())
    assert [(message.to, len(message.entries)) for message in ready.messages] == [(2, 100), (3, 100)]
    assert ready.messages[0].entries is ready.messages[1].entries, "encoded once"
    assert [entry.data for entry in ready.entries] == [b"%d" % i for i in range(100)]


def test_appends_are_bounded() -> None:
    made = Cluster()
    made.add(1, voters(1, 2), config=RaftConfig(1, max_append_bytes=25))
    made.add(2, voters(1, 2))
    core = made.elect(1)
    for size in (10, 10, 10, 100, 10):
        core.propose(b"x" * size)
    ready = must(core.ready())
    assert [[len(entry.data) for entry in message.entries] for message in ready.messages] == [
        [10, 10],
        [10],
        [100],
        [10],
    ]


def test_one_write_at_a_time_and_commits_meanwhile() -> None:
    made = cluster(1, 2, 3)
    core = made.elect(1)
    made.settle()
    core.propose(b"a")
    first = must(core.ready())
    core.propose(b"b")
    second = must(core.ready())
    assert not second.must_sync and [message.entries[0].data for message in second.messages] == [b"b", b"b"]
    assert core.ready() is None
    for follower in (2, 3):
        core.step(Message(MessageType.APPEND_RESPONSE, 1, follower, core.term, index=2))
    assert core.commit == 2, "a majority has it without this member"
    told = must(core.ready())
    assert not told.committed and not told.must_sync and [message.commit for message in told.messages] == [2, 2]
    with pytest.raises(ValueError, match="being written"):
        core.advance(Ready(entries=first.entries))
    core.advance(first)
    third = must(core.ready())
    assert [entry.data for entry in third.committed] == [b"a"] and [entry.data for entry in third.entries] == [b"b"]


def test_answers_wait_for_everything_that_they_promise() -> None:
    core = RaftCore(RaftConfig(1, max_write_bytes=10), HardState(1, 0, 0), RaftLog(), voters(1, 2), 0, random.Random(1))
    entries = [Entry(1, i, EntryKind.NORMAL, b"x" * 8) for i in (1, 2, 3)]
    core.step(Message(MessageType.APPEND, 1, 2, 1, entries=entries))
    told = []
    while (ready := core.ready()) is not None:
        told.append((len(ready.entries), [message.index for message in ready.responses]))
        core.advance(ready)
    assert told == [(1, []), (1, []), (1, [3])]


def test_many_appends_get_one_answer() -> None:
    core = RaftCore(RaftConfig(1), HardState(1, 0, 0), RaftLog(), voters(1, 2), 0, random.Random(1))
    for index in range(5):
        entry = Entry(1, index + 1, EntryKind.NORMAL, b"")
        core.step(Message(MessageType.APPEND, 1, 2, 1, index, 1 if index else 0, entries=[entry]))
    assert [message.index for message in must(core.ready()).responses] == [5]


def test_what_is_applied_comes_in_bounded_pieces() -> None:
    core = lone(log_of(*[1] * 10), max_committed=4)
    assert core.applied == 11
    for _ in range(9):
        core.propose(b"")
    core.advance(must(core.ready()))
    pieces = []
    while (ready := core.ready()) is not None:
        pieces.append(len(ready.committed))
    assert pieces == [4, 4, 1]
    assert core.applied == 11, "it moves when the host says so"
    with pytest.raises(ValueError, match="was not given"):
        core.applied_to(21)


def test_compaction_stops_at_what_is_applied() -> None:
    core = lone()
    for _ in range(5):
        core.propose(b"")
    core.advance(must(core.ready()))
    core.applied_to(must(core.ready()).committed[2].index)
    core.compact(100)
    assert (core.applied, core.first_index, core.term_at(4), core.term_at(3)) == (4, 5, 1, None)


def test_nothing_is_applied_until_a_snapshot_is_installed() -> None:
    core = RaftCore(RaftConfig(1), HardState(1, 0, 0), RaftLog(), voters(1, 2), 0, random.Random(1))
    meta = SnapshotMeta(5, 1, voters(1, 2, 3))
    with pytest.raises(ValueError, match="does not say"):
        core.step(Message(MessageType.SNAPSHOT, 1, 2, 1))
    core.step(Message(MessageType.SNAPSHOT, 1, 2, 1, snapshot=meta))
    core.step(Message(MessageType.APPEND, 1, 2, 1, 5, 1, 6, [Entry(1, 6, EntryKind.NORMAL, b"")]))
    assert core.configuration == meta.configuration
    ready = must(core.ready())
    assert (ready.snapshot, len(ready.entries), ready.hard_state) == (meta, 1, None)
    core.campaign()
    assert core.role is Role.FOLLOWER
    core.advance(ready)
    core.campaign()
    assert core.role is Role.FOLLOWER
    assert core.ready() is None
    core.applied_to(5)
    assert [entry.index for entry in must(core.ready()).committed] == [6]


def test_refusals() -> None:
    made = cluster(1, 2, 3)
    with pytest.raises(NotLeader):
        made[1].propose(b"")
    with pytest.raises(NotLeader):
        made[1].propose_change(b"+4")
    with pytest.raises(NotLeader):
        made[1].transfer(2)
    core = made.elect(1)
    core.transfer(2)
    last = core.last_index
    for call in (lambda: core.propose(b""), lambda: core.propose_change(b"+4")):
        with pytest.raises(ProposalRefused):
            call()
    assert core.last_index == last and core.transferring == 2
    assert made[2].followers_lag() == {} and core.followers_lag() == {2: 0, 3: 0}


def test_confirmations_of_what_was_never_sent_stop_the_leader() -> None:
    made = cluster(1, 2, 3)
    core = made.elect(1)
    with pytest.raises(InconsistentLog, match="never sent"):
        core.step(Message(MessageType.APPEND_RESPONSE, 1, 2, core.term, index=9))


@pytest.mark.parametrize("wrong", [{"member_id": 0}, {"member_id": 1, "heartbeat_ticks": 0}])
def test_impossible_settings(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError):
        RaftConfig(**wrong)


def test_a_voter_that_stays_alone_elects_itself() -> None:
    made = cluster(1, 2)
    core = made.elect(1)
    core.propose_change(b"-1")
    made.settle()
    assert made[1].role is Role.FOLLOWER and made[2].role is Role.LEADER
    assert made[2].configuration == voters(2)
    assert made[2].propose(b"") == made[2].last_index
    made.settle()
    assert made[2].commit == made[2].last_index
