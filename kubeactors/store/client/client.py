"""StoreClient: the API server's way to the store, over the session stream or plain etcd gRPC."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Literal, TypeVar, cast

import grpc.aio
from google.protobuf.message import Message

from kubeactors.pb.etcd import rpc_pb2, rpc_pb2_grpc
from kubeactors.store import errors
from kubeactors.store.client import results as r
from kubeactors.store.client import transport as t
from kubeactors.store.client.channel import TlsFiles, open_channel
from kubeactors.store.client.ops import Compare, Op
from kubeactors.store.client.session import SessionTransport
from kubeactors.store.client.unary import UnaryTransport
from kubeactors.store.client.watch import Watch
from kubeactors.store.keys import prefix_end

SortTarget = Literal["key", "version", "create", "mod", "value"]
_SORT_TARGETS = {
    "key": rpc_pb2.RangeRequest.KEY,
    "version": rpc_pb2.RangeRequest.VERSION,
    "create": rpc_pb2.RangeRequest.CREATE,
    "mod": rpc_pb2.RangeRequest.MOD,
    "value": rpc_pb2.RangeRequest.VALUE,
}
_SORT_ORDERS = {
    "none": rpc_pb2.RangeRequest.NONE,
    "ascend": rpc_pb2.RangeRequest.ASCEND,
    "descend": rpc_pb2.RangeRequest.DESCEND,
}
Answer = TypeVar("Answer")
FIRST_KEY = b"\0"
HASTY_TIMEOUT = 2.0
"""How long one member may take to answer while there are others to ask."""


class StoreClient:
    """Every call has a deadline (`timeout` seconds, the constructor's unless the call names one).

    Raises StoreError's subclasses (kubeactors.store.errors): StoreUnavailable when no answer came, whose
    `outcome_unknown` tells whether a write may have been applied; Compacted, LeaseNotFound and so on when the store
    refused. Of several endpoints one is used at a time, the first that answers; when that member dies, falls silent,
    stops or loses its leader, the next is. Reads, and writes that were not handed to a member yet or that it says it
    surely did not apply, are repeated until the deadline; a write whose connection broke is not.

    Must be made and used on one event loop. Calls made in one turn of the loop share a frame.
    """

    def __init__(
        self,
        endpoints: Sequence[str],
        tls: TlsFiles | None = None,
        *,
        timeout: float = 10.0,
        transport: Literal["session", "unary"] = "session",
    ) -> None:
        if not endpoints:
            raise ValueError("a store client needs at least one endpoint")
        self._endpoints = list(endpoints)
        self._tls = tls
        self._timeout = timeout
        kind = SessionTransport if transport == "session" else UnaryTransport
        self._transport: SessionTransport | UnaryTransport = kind(self._endpoints, tls)

    def use_endpoints(self, endpoints: Sequence[str]) -> None:
        """From the next connection on, go to these members; connections that are open stay."""
        if not endpoints:
            raise ValueError("a store client needs at least one endpoint")
        self._endpoints[:] = endpoints

    async def close(self) -> None:
        await self._transport.close()

    # ---- reads ----

    async def range(
        self,
        key: bytes,
        range_end: bytes = b"",
        *,
        limit: int = 0,
        revision: int = 0,
        sort_order: Literal["none", "ascend", "descend"] = "none",
        sort_target: SortTarget = "key",
        serializable: bool = False,
        keys_only: bool = False,
        count_only: bool = False,
        min_mod_revision: int = 0,
        max_mod_revision: int = 0,
        min_create_revision: int = 0,
        max_create_revision: int = 0,
        timeout: float | None = None,
    ) -> r.RangeResult:
        """The keys of [key, range_end) at `revision` (0: now, reflecting every acknowledged write)."""
        request = rpc_pb2.RangeRequest(
            key=key,
            range_end=range_end,
            limit=limit,
            revision=revision,
            sort_order=_SORT_ORDERS[sort_order],
            sort_target=_SORT_TARGETS[sort_target],
            serializable=serializable,
            keys_only=keys_only,
            count_only=count_only,
            min_mod_revision=min_mod_revision,
            max_mod_revision=max_mod_revision,
            min_create_revision=min_create_revision,
            max_create_revision=max_create_revision,
        )
        return r.range_result(cast(rpc_pb2.RangeResponse, await self._call(t.RANGE, request, timeout)))

    async def get(self, key: bytes, *, revision: int = 0, timeout: float | None = None) -> r.KeyValue | None:
        found = await self.range(key, revision=revision, timeout=timeout)
        return found.kvs[0] if found.kvs else None

    async def prefix(
        self, prefix: bytes, *, limit: int = 0, revision: int = 0, keys_only: bool = False, timeout: float | None = None
    ) -> r.RangeResult:
        """The keys that start with `prefix`."""
        key, end = prefix or FIRST_KEY, prefix_end(prefix)
        return await self.range(key, end, limit=limit, revision=revision, keys_only=keys_only, timeout=timeout)

    async def scan(
        self, prefix: bytes, *, page_size: int = 2000, revision: int = 0, timeout: float | None = None
    ) -> AsyncIterator[r.RangeResult]:
        """All keys that start with `prefix` at one revision, in pages. Each page's `revision` is that one.

        `timeout` is for each page. Raises Compacted when the revision is compacted away between pages.
        """
        start, end = prefix or FIRST_KEY, prefix_end(prefix)
        while True:
            page = await self.range(start, end, limit=page_size, revision=revision, timeout=timeout)
            revision = revision or page.revision
            yield r.RangeResult(page.kvs, page.count, revision, page.more)
            if not page.more:
                return
            start = page.kvs[-1].key + b"\0"

    async def revision(self, *, timeout: float | None = None) -> int:
        """The store's present revision, which no write acknowledged before this call exceeds."""
        return (await self.range(b"\0", count_only=True, timeout=timeout)).revision

    # ---- writes ----

    async def put(
        self, key: bytes, value: bytes, *, lease: int = 0, prev_kv: bool = False, timeout: float | None = None
    ) -> r.PutResult:
        request = rpc_pb2.PutRequest(key=key, value=value, lease=lease, prev_kv=prev_kv)
        return r.put_result(cast(rpc_pb2.PutResponse, await self._call(t.PUT, request, timeout)))

    async def delete_range(
        self, key: bytes, range_end: bytes = b"", *, prev_kv: bool = False, timeout: float | None = None
    ) -> r.DeleteResult:
        request = rpc_pb2.DeleteRangeRequest(key=key, range_end=range_end, prev_kv=prev_kv)
        return r.delete_result(cast(rpc_pb2.DeleteRangeResponse, await self._call(t.DELETE_RANGE, request, timeout)))

    async def txn(
        self,
        compare: Sequence[Compare],
        success: Sequence[Op],
        failure: Sequence[Op] = (),
        *,
        timeout: float | None = None,
    ) -> r.TxnResult:
        """Carry out `success` when every comparison holds, else `failure`; see kubeactors.store.client.ops."""
        request = rpc_pb2.TxnRequest(compare=compare, success=success, failure=failure)
        return r.txn_result(cast(rpc_pb2.TxnResponse, await self._call(t.TXN, request, timeout)))

    async def compact(self, revision: int, *, physical: bool = False, timeout: float | None = None) -> None:
        """Forget the history before `revision`."""
        await self._call(t.COMPACT, rpc_pb2.CompactionRequest(revision=revision, physical=physical), timeout)

    # ---- watch ----

    def watch(
        self,
        key: bytes,
        start_revision: int = 0,
        *,
        range_end: bytes | None = None,
        prev_kv: bool = False,
        puts: bool = True,
        deletes: bool = True,
        progress_notify: bool = False,
    ) -> Watch:
        """Changes from `start_revision` on (0: from now on) to the keys that start with `key`.

        `range_end` makes it [key, range_end) instead; b"" means the one key. `progress_notify` adds empty batches now
        and then that tell how far the watch has come.
        """
        filters = [] if puts else [rpc_pb2.WatchCreateRequest.NOPUT]
        filters += [] if deletes else [rpc_pb2.WatchCreateRequest.NODELETE]
        request = rpc_pb2.WatchCreateRequest(
            key=key or FIRST_KEY,
            range_end=prefix_end(key) if range_end is None else range_end,
            start_revision=start_revision,
            progress_notify=progress_notify,
            filters=filters,
            prev_kv=prev_kv,
            fragment=True,
        )
        return Watch(self._endpoints, self._tls, request)

    # ---- leases ----

    async def lease_grant(self, ttl: int, *, lease_id: int = 0, timeout: float | None = None) -> r.LeaseGranted:
        """`ttl` in seconds."""
        answer = await self._call(t.LEASE_GRANT, rpc_pb2.LeaseGrantRequest(TTL=ttl, ID=lease_id), timeout)
        granted = cast(rpc_pb2.LeaseGrantResponse, answer)
        return r.LeaseGranted(granted.ID, granted.TTL)

    async def lease_revoke(self, lease_id: int, *, timeout: float | None = None) -> None:
        """Ends the lease and deletes its keys. Raises LeaseNotFound."""
        await self._call(t.LEASE_REVOKE, rpc_pb2.LeaseRevokeRequest(ID=lease_id), timeout)

    async def lease_keep_alive(self, lease_id: int, *, timeout: float | None = None) -> int:
        """Starts the lease's TTL anew and returns it. Raises LeaseNotFound."""
        answer = await self._call(t.LEASE_KEEP_ALIVE, rpc_pb2.LeaseKeepAliveRequest(ID=lease_id), timeout)
        ttl = cast(rpc_pb2.LeaseKeepAliveResponse, answer).TTL
        if ttl <= 0:
            raise errors.LeaseNotFound
        return ttl

    async def lease_time_to_live(
        self, lease_id: int, *, keys: bool = False, timeout: float | None = None
    ) -> r.LeaseTimeToLive:
        request = rpc_pb2.LeaseTimeToLiveRequest(ID=lease_id, keys=keys)
        answer = cast(rpc_pb2.LeaseTimeToLiveResponse, await self._call(t.LEASE_TIME_TO_LIVE, request, timeout))
        return r.LeaseTimeToLive(answer.ID, answer.TTL, answer.grantedTTL, list(answer.keys))

    async def lease_leases(self, *, timeout: float | None = None) -> list[int]:
        answer = await self._call(t.LEASE_LEASES, rpc_pb2.LeaseLeasesRequest(), timeout)
        return [lease.ID for lease in cast(rpc_pb2.LeaseLeasesResponse, answer).leases]

    # ---- the members ----

    async def status(self, endpoint: str | None = None, *, timeout: float | None = None) -> r.MemberStatus:
        """What the member at `endpoint` (default: the first that answers) says of itself."""

        async def ask(channel: grpc.aio.Channel) -> rpc_pb2.StatusResponse:
            stub = rpc_pb2_grpc.MaintenanceStub(channel)
            answer: rpc_pb2.StatusResponse = await stub.Status(
                rpc_pb2.StatusRequest(), timeout=timeout or self._timeout
            )
            return answer

        s = await self._direct(endpoint, ask)
        return r.MemberStatus(
            cluster_id=s.header.cluster_id,
            member_id=s.header.member_id,
            leader_id=s.leader,
            version=s.version,
            db_size=s.dbSize,
            revision=s.header.revision,
            term=s.raftTerm,
            index=s.raftIndex,
            applied_index=s.raftAppliedIndex,
            errors=list(s.errors),
        )

    async def member_list(self, *, timeout: float | None = None) -> list[r.MemberInfo]:
        async def ask(channel: grpc.aio.Channel) -> rpc_pb2.MemberListResponse:
            stub = rpc_pb2_grpc.ClusterStub(channel)
            answer: rpc_pb2.MemberListResponse = await stub.MemberList(
                rpc_pb2.MemberListRequest(), timeout=timeout or self._timeout
            )
            return answer

        answer = await self._direct(None, ask)
        return [r.MemberInfo(m.ID, m.name, list(m.peerURLs), list(m.clientURLs), m.isLearner) for m in answer.members]

    async def _direct(self, endpoint: str | None, ask: Callable[[grpc.aio.Channel], Awaitable[Answer]]) -> Answer:
        """Asks one member, or without `endpoint` one after the other until one answers."""
        *hasty, last = [endpoint] if endpoint is not None else self._endpoints
        for one in hasty:
            try:
                async with asyncio.timeout(HASTY_TIMEOUT):
                    return await self._ask(one, ask)
            except (errors.StoreUnavailable, TimeoutError):
                continue
        return await self._ask(last, ask)

    async def _ask(self, endpoint: str, ask: Callable[[grpc.aio.Channel], Awaitable[Answer]]) -> Answer:
        channel = open_channel(endpoint, self._tls)
        try:
            return await ask(channel)
        except grpc.aio.AioRpcError as error:
            code = int(error.code().value[0])
            raise errors.from_wire(code, error.details() or "", outcome_unknown=False) from error
        finally:
            await channel.close()

    async def _call(self, method: t.Method, request: Message, timeout: float | None) -> Message:
        seconds = self._timeout if timeout is None else timeout
        try:
            return await self._transport.call(method, request, seconds)
        except t.SessionNotOffered:
            if isinstance(self._transport, SessionTransport):
                await self._transport.close()
                self._transport = UnaryTransport(self._endpoints, self._tls)
            return await self._transport.call(method, request, seconds)
