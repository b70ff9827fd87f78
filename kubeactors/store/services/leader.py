"""What clients hear of a member that knows no leader (etcd v3.5, server/etcdserver/api/v3rpc/interceptor.go).

Who sends the metadata `hasleader` wants to be turned away by such a member, so that it asks another: a call at once, a
stream once the member has been without a leader for three election timeouts.
"""

from __future__ import annotations

import asyncio

import grpc.aio

from kubeactors.store.errors import NoLeader
from kubeactors.store.node import Node

KEY = "hasleader"
LOST_ELECTIONS = 3


def asks(context: grpc.aio.ServicerContext) -> bool:
    """Whether this call is one of those that want a member with a leader."""
    return any(name == KEY and value == "true" for name, value in context.invocation_metadata() or ())


def check(has_leader: bool, context: grpc.aio.ServicerContext) -> None:
    """Raises NoLeader when the caller wants a leader and there is none."""
    if not has_leader and asks(context):
        raise NoLeader


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
