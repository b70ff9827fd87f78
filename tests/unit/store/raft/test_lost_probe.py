"""Found by simulation: a member whose first, empty probe was lost was never probed again while nobody wrote."""

from __future__ import annotations

import random

from kubeactors.store.raft.configuration import Configuration
from kubeactors.store.raft.core import RaftConfig, RaftCore
from kubeactors.store.raft.log import RaftLog
from kubeactors.store.raft.message import Message, MessageType
from kubeactors.store.wal.record import HardState


def turn(core: RaftCore) -> list[Message]:
    """Everything is synced and applied at once; returns what is sent."""
    sent: list[Message] = []
    while (ready := core.ready()) is not None:
        sent += [*ready.messages, *ready.responses]
        if ready.must_sync:
            core.advance(ready)
        if ready.committed:
            core.applied_to(ready.committed[-1].index)
    return sent


def test_a_probe_that_was_lost_is_sent_again() -> None:
    core = RaftCore(
        RaftConfig(member_id=1), HardState(0, 0, 0), RaftLog(), Configuration(frozenset({1})), 0, random.Random(1)
    )
    turn(core)
    core.propose_change(b"add 2")
    turn(core)
    core.apply_configuration(Configuration(frozenset({1}), frozenset({2})))
    probes = [m for m in turn(core) if m.type == MessageType.APPEND]  # lost, as are any that follow by themselves
    for _ in range(2):
        core.step(Message(MessageType.HEARTBEAT_RESPONSE, to=1, sender=2, term=core.term))
        probes = [m for m in turn(core) if m.type == MessageType.APPEND]
        assert len(probes) == 1
        assert probes[0].to == 2
