"""Who belongs to the cluster: replicated like everything else, changed by log entries.

Ids are derived as etcd derives them (etcd v3.5, server/etcdserver/api/membership: member.go, cluster.go), so that the
members of a new cluster, each started with the same list, agree on all ids without having talked to each other.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from kubeactors.pb.etcd import rpc_pb2
from kubeactors.store.errors import (
    LearnerNotFound,
    MemberExists,
    MemberNotFound,
    NotEnoughStarted,
    PeerUrlExists,
    TooManyLearners,
)

MAX_LEARNERS = 1
"""As in etcd: a learner costs the leader a whole copy, and is there to be promoted."""


@dataclass(frozen=True, slots=True)
class Member:
    """A member that has not been started yet has no name. URLs are sorted."""

    id: int
    name: str
    peer_urls: tuple[str, ...]
    client_urls: tuple[str, ...] = ()
    learner: bool = False


def member_id(peer_urls: Iterable[str], token: str, time: int | None = None) -> int:
    """`time`: seconds since 1970 for a member that is added to a running cluster (where etcd leaves the token empty),
    so that a machine which comes back under its old address has a new id; None for a new cluster's first members."""
    text = "".join(sorted(peer_urls)) + token + ("" if time is None else str(time))
    return int.from_bytes(hashlib.sha1(text.encode()).digest()[:8], "big")


def cluster_id(members: Iterable[Member]) -> int:
    """Of a new cluster with these members."""
    ids = b"".join(member.to_bytes(8, "big") for member in sorted(m.id for m in members))
    return int.from_bytes(hashlib.sha1(ids).digest()[:8], "big")


def initial_members(initial: Mapping[str, Sequence[str]], token: str) -> list[Member]:
    """The members of a new cluster: `initial` gives the peer URLs of each name. By id, so alike on each of them.

    Raises ValueError when two members share a URL or a name has none.
    """
    members = [Member(member_id(urls, token), name, tuple(sorted(urls))) for name, urls in initial.items()]
    every = [url for member in members for url in member.peer_urls]
    if len(set(every)) != len(every):
        raise ValueError("--initial-cluster: two members have the same peer URL")
    if not all(member.peer_urls for member in members):
        raise ValueError("--initial-cluster: a member without a peer URL")
    return sorted(members, key=lambda member: member.id)


def to_wire(member: Member) -> rpc_pb2.Member:
    return rpc_pb2.Member(
        ID=member.id,
        name=member.name,
        peerURLs=member.peer_urls,
        clientURLs=member.client_urls,
        isLearner=member.learner,
    )


def from_wire(member: rpc_pb2.Member) -> Member:
    return Member(
        member.ID,
        member.name,
        tuple(sorted(member.peerURLs)),
        tuple(sorted(member.clientURLs)),
        member.isLearner,
    )


class Membership:
    """`index`: the log entry that changed it last. Ids of removed members are kept, since they never come back."""

    def __init__(self, members: Iterable[Member] = (), removed: Iterable[int] = (), index: int = 0) -> None:
        self._members = {member.id: member for member in members}
        self._removed = set(removed)
        self.index = index

    def __contains__(self, member: object) -> bool:
        return member in self._members

    def get(self, member: int) -> Member | None:
        return self._members.get(member)

    def all(self) -> list[Member]:
        """By id."""
        return sorted(self._members.values(), key=lambda member: member.id)

    @property
    def removed(self) -> frozenset[int]:
        return frozenset(self._removed)

    @property
    def voters(self) -> frozenset[int]:
        return frozenset(member.id for member in self._members.values() if not member.learner)

    @property
    def learners(self) -> frozenset[int]:
        return frozenset(member.id for member in self._members.values() if member.learner)

    # ---- changes. Each raises before anything has changed ----

    def check_add(self, member: Member) -> None:
        """Raises MemberExists, MemberNotFound (its id was removed), PeerUrlExists, TooManyLearners."""
        if member.id in self._removed:
            raise MemberNotFound
        if member.id in self._members:
            raise MemberExists
        self._check_urls(member)
        if member.learner and len(self.learners) >= MAX_LEARNERS:
            raise TooManyLearners

    def add(self, member: Member, index: int) -> None:
        self.check_add(member)
        self._put(member, index)

    def check_remove(self, member: int) -> None:
        """Raises MemberNotFound, NotEnoughStarted (the last voter: without it nobody could ever decide anything)."""
        if member not in self._members:
            raise MemberNotFound
        if self.voters == {member}:
            raise NotEnoughStarted

    def remove(self, member: int, index: int) -> None:
        self.check_remove(member)
        del self._members[member]
        self._removed.add(member)
        self.index = index

    def check_promote(self, member: int) -> None:
        """Raises MemberNotFound, LearnerNotFound (it is no learner)."""
        present = self._members.get(member)
        if present is None:
            raise MemberNotFound
        if not present.learner:
            raise LearnerNotFound

    def promote(self, member: int, index: int) -> None:
        self.check_promote(member)
        self._put(replace(self._members[member], learner=False), index)

    def check_update(self, member: Member) -> None:
        """Raises MemberNotFound, PeerUrlExists."""
        if member.id not in self._members:
            raise MemberNotFound
        self._check_urls(member)

    def update(self, member: Member, index: int) -> None:
        """Its peer URLs."""
        self.check_update(member)
        self._put(replace(self._members[member.id], peer_urls=member.peer_urls), index)

    def publish(self, member: Member, index: int) -> None:
        """Its name and client URLs, which it tells by itself when it starts. Raises MemberNotFound."""
        present = self._members.get(member.id)
        if present is None:
            raise MemberNotFound
        self._put(replace(present, name=member.name, client_urls=member.client_urls), index)

    def _check_urls(self, member: Member) -> None:
        wanted = set(member.peer_urls)
        if any(wanted & set(other.peer_urls) for other in self._members.values() if other.id != member.id):
            raise PeerUrlExists

    def _put(self, member: Member, index: int) -> None:
        self._members[member.id] = member
        self.index = index

    # ---- for snapshots ----

    def dump(self) -> dict[str, Any]:
        """As JSON values."""
        members = [[m.id, m.name, list(m.peer_urls), list(m.client_urls), m.learner] for m in self.all()]
        return {"members": members, "removed": sorted(self._removed), "index": self.index}

    @classmethod
    def restored(cls, dumped: Mapping[str, Any]) -> Membership:
        """Raises ValueError, KeyError, TypeError for what `dump` never gives."""
        members = [
            Member(int(id_), str(name), tuple(peer_urls), tuple(client_urls), bool(learner))
            for id_, name, peer_urls, client_urls, learner in dumped["members"]
        ]
        return cls(members, dumped["removed"], dumped["index"])
