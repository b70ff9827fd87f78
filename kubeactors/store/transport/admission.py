"""Who may connect: a pure decision over the caller's hello and what this member knows of its cluster."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from kubeactors.pb.raft.v1 import raft_pb2
from kubeactors.pb.raft.v1.raft_pb2 import Refusal
from kubeactors.store.transport.interface import Peer

VERSION = 1
"""Of the protocol in raft.proto. Members of different versions refuse each other until a later one knows both."""


@dataclass(slots=True)
class View:
    """What this member knows of its cluster. `index`: log index of the membership change that this follows from."""

    cluster_id: int
    member_id: int
    peers: Mapping[int, Peer] = field(default_factory=dict)
    removed: Collection[int] = frozenset()
    index: int = 0

    def hello(self, to: int) -> raft_pb2.Hello:
        return raft_pb2.Hello(
            version=VERSION, cluster_id=self.cluster_id, sender=self.member_id, to=to, membership_index=self.index
        )


def judge(view: View, hello: raft_pb2.Hello) -> Refusal | None:
    """Why the sender of this hello is not let in, None when it is."""
    if hello.version != VERSION:
        return _refusal(Refusal.VERSION, f"protocol version {hello.version}, this member speaks {VERSION}")
    if hello.cluster_id != view.cluster_id:
        text = f"cluster ID mismatch: this is cluster {view.cluster_id:x}, not {hello.cluster_id:x}"
        return _refusal(Refusal.OTHER_CLUSTER, text)
    if hello.sender in view.removed:
        text = f"the member {hello.sender:x} has been permanently removed from the cluster"
        return _refusal(Refusal.REMOVED_MEMBER, text)
    if hello.to != view.member_id or hello.sender == view.member_id:
        text = f"this is member {view.member_id:x}, not {hello.to:x}"
        return _refusal(Refusal.OTHER_MEMBER, text)
    if hello.sender not in view.peers and hello.membership_index <= view.index:
        # One that knows of a later change may be new here: this member lags behind and has to hear it from somebody.
        return _refusal(Refusal.UNKNOWN_MEMBER, f"no member {hello.sender:x} is known here")
    return None


def _refusal(reason: Refusal.Reason.ValueType, text: str) -> Refusal:
    return Refusal(reason=reason, text=text)
