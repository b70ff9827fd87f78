"""What members say to each other about the log.

The fields are etcd-io/raft's (raftpb.Message); which of them a type uses stands at the type. `term` is the sender's,
except that PRE_VOTE and the PRE_VOTE_RESPONSE that grants it carry the term that the candidate would campaign in.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

from kubeactors.store.raft.configuration import Configuration
from kubeactors.store.wal.record import Entry


class MessageType(IntEnum):
    """The numbers are the wire's: never give one a new meaning."""

    PRE_VOTE = 1
    """Would you vote for me? `index`, `log_term`: of the candidate's last entry. `commit`, `hint`: index and term of
    the last entry that it knows as committed."""
    PRE_VOTE_RESPONSE = 2
    """`reject`; `commit`, `hint` as above."""
    VOTE = 3
    """As PRE_VOTE, in earnest; `context` is TRANSFER when the old leader asked for it."""
    VOTE_RESPONSE = 4
    """As PRE_VOTE_RESPONSE."""
    APPEND = 5
    """`entries` follow the entry (`index`, `log_term`); `commit`: what the leader knows as committed. `context` is
    NEWS when it brings nothing else: where it fits it is not answered."""
    APPEND_RESPONSE = 6
    """Everything up to `index` is on the follower's disk as the leader has it. With `reject`: the follower has no entry
    (`index`, `log_term` of the APPEND); the two logs can agree at (`hint`, `log_term`) at the latest."""
    HEARTBEAT = 7
    """`commit`: never beyond what this follower has confirmed; `context`: the newest read round, 0 for none."""
    HEARTBEAT_RESPONSE = 8
    """`context`: as in the HEARTBEAT."""
    SNAPSHOT = 9
    """`snapshot`: the state that the follower's host has put in place of its log. None on the leader's side, until its
    host has chosen the file."""
    TIMEOUT_NOW = 10
    """Campaign at once: leadership is handed to you."""
    READ_INDEX = 11
    """A follower asks for a read index; `context` is its own."""
    READ_INDEX_RESPONSE = 12
    """`index`: what must be applied before the read; `context`: of the READ_INDEX."""


TRANSFER = 1
"""`context` of a VOTE by which leadership changes hands: asked by the leader itself, so its lease does not hold."""


NEWS = 1
"""`context` of an APPEND that only says what is committed. If it is lost the next heartbeat says it."""


@dataclass(frozen=True, slots=True)
class SnapshotMeta:
    """The last entry that a snapshot reflects, and who was a member then."""

    index: int
    term: int
    configuration: Configuration


class Message(NamedTuple):
    """Immutable, `entries` included: the same list may be in several messages and in the log's writer at once.

    `dataclasses.replace` is spelled `message._replace(snapshot=meta)` here.
    """

    type: MessageType
    to: int
    sender: int
    term: int
    index: int = 0  # type: ignore[assignment]  # not tuple's method
    log_term: int = 0
    commit: int = 0
    entries: Sequence[Entry] = ()
    reject: bool = False
    hint: int = 0
    context: int = 0
    snapshot: SnapshotMeta | None = None
