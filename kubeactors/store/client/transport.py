"""The seam between StoreClient and the wire: one method of the store, called with a request message."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from google.protobuf.message import Message


@dataclass(frozen=True, slots=True)
class Method:
    """`field` names the request and the response in session frames; `path` is the unary gRPC method.

    `repeatable`: sending it twice does no harm, so a client may do so by itself when a connection breaks.
    """

    field: str
    path: str
    repeatable: bool = False


RANGE = Method("range", "/etcdserverpb.KV/Range", repeatable=True)
PUT = Method("put", "/etcdserverpb.KV/Put")
DELETE_RANGE = Method("delete_range", "/etcdserverpb.KV/DeleteRange")
TXN = Method("txn", "/etcdserverpb.KV/Txn")
COMPACT = Method("compact", "/etcdserverpb.KV/Compact")
LEASE_GRANT = Method("lease_grant", "/etcdserverpb.Lease/LeaseGrant")
LEASE_REVOKE = Method("lease_revoke", "/etcdserverpb.Lease/LeaseRevoke")
LEASE_KEEP_ALIVE = Method("lease_keep_alive", "/etcdserverpb.Lease/LeaseKeepAlive", repeatable=True)
LEASE_TIME_TO_LIVE = Method("lease_time_to_live", "/etcdserverpb.Lease/LeaseTimeToLive", repeatable=True)
LEASE_LEASES = Method("lease_leases", "/etcdserverpb.Lease/LeaseLeases", repeatable=True)


class SessionNotOffered(Exception):
    """The store speaks etcd's API only, as a real etcd does."""


class Transport(Protocol):
    async def call(self, method: Method, request: Message, timeout: float) -> Message:
        """Raises StoreError; StoreUnavailable once `timeout` seconds have passed."""
        ...

    async def close(self) -> None: ...
