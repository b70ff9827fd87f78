"""What clients hear of a member that knows no leader or does not vote (etcd v3.5, api/v3rpc/interceptor.go).

Who sends the metadata `hasleader` wants to be turned away by such a member, so that it asks another: a call at once, a
stream once the member has been without a leader for three election timeouts. A learner, which may be far behind,
answers only what asks for no more than its own state: serializable reads and its status.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import grpc.aio

from kubeactors.store.errors import NoLeader, NotForLearners, StoreError
from kubeactors.store.node import Node

KEY = "hasleader"
LOST_ELECTIONS = 3


def asks(context: grpc.aio.ServicerContext) -> bool:
    """Whether this call is one of those that want a member with a leader."""
    return any(name == KEY and value == "true" for name, value in context.invocation_metadata() or ())


def refusal(node: Node, metadata: Iterable[tuple[str, str | bytes]] | None, *, by_learner: bool) -> StoreError | None:
    """Why a call with this metadata is not answered here. `by_learner`: whether a learner may answer it, too."""
    if not by_learner:
        member = node.machine.membership.get(node.member_id)
        if member is not None and member.learner:
            return NotForLearners()
    if not node.leader and (KEY, "true") in (metadata or ()):
        return NoLeader()
    return None


def check(node: Node, context: grpc.aio.ServicerContext, *, by_learner: bool = False) -> None:
    """Raises what `refusal` returns."""
    error = refusal(node, context.invocation_metadata(), by_learner=by_learner)
    if error is not None:
        raise error


class LeaderMonitor:
    """`patience`: seconds without a leader after which it counts as lost."""

    def __init__(self, node: Node, patience: float) -> None:
        self._node = node
        self.patience = patience

    @property
    def lost(self) -> bool:
        return self._node.without_leader >= self.patience

    async def wait_lost(self) -> None:
        """Until the leader has been lost for so long; at once while that is so. As rough as it may be: looking now and
        then costs less than to wake all streams at each election."""
        while not self.lost:  # noqa: ASYNC110
            await asyncio.sleep(self.patience / LOST_ELECTIONS)
