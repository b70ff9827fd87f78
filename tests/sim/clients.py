"""Clients that write and read a few keys, and remember what they were told."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import TYPE_CHECKING

from google.protobuf.message import Message as Response

from kubeactors.pb.etcd import rpc_pb2
from kubeactors.store.errors import StoreError, StoreUnavailable
from kubeactors.store.machine.command import Kind as Command
from kubeactors.store.mvcc.record import MOD, VALUE
from tests.linearizability.history import Kind, Operation
from tests.sim.trace import Violation

if TYPE_CHECKING:
    from tests.sim.cluster import Cluster
    from tests.sim.member import SimMember


class Call:
    """One operation at one member. `open`: neither answered nor given up."""

    __slots__ = ("asked_at", "life", "member", "op", "open")

    def __init__(self, op: Operation, member: SimMember, asked_at: int) -> None:
        self.op = op
        self.member = member
        self.life = member.life
        self.asked_at = asked_at
        self.open = True


class Client:
    def __init__(self, cluster: Cluster, number: int) -> None:
        self.cluster = cluster
        self.number = number
        self.rng = Random(cluster.rng.getrandbits(64))
        self.call: Call | None = None
        self.then: Callable[[], None] = self._next
        """What comes after a call has ended."""
        self._written = 0
        self._last_seen: dict[str, str | None] = {}
        self._lease = 0

    def begin(self) -> None:
        self.cluster.timeline.after(self.rng.random() * self.cluster.scenario.think, self._next)

    def _next(self) -> None:
        cluster, rng = self.cluster, self.rng
        if cluster.resting:
            return
        members = cluster.reachable()
        if not members:
            cluster.timeline.after(0.1, self._next)
            return
        if rng.random() < cluster.scenario.to_leaders:
            members = [member for member in members if member.view.leads] or members
        member = rng.choice(members)
        key = f"k{rng.randrange(cluster.scenario.keys)}"
        chance = rng.random()
        if chance < 0.4:
            self.put(member, key)
        elif chance < 0.7:
            self.get(member, key)
        elif chance < 0.88:
            self.cas(member, key)
        elif chance < 0.95:
            self.delete(member, key)
        else:
            self.lease(member, key)

    def _after(self) -> None:
        self.then()

    # ---- operations ----

    def get(self, member: SimMember, key: str) -> None:
        call = self._ask(member, Kind.GET, key)
        replica = member.replica
        assert replica is not None

        def done(error: StoreError | None) -> None:
            if not call.open:
                return
            if error is not None:
                self._fail(call, error)
                return
            mvcc = replica.machine.mvcc
            record = mvcc.get(key.encode())
            observed = record[VALUE].decode() if record is not None else None
            self._last_seen[key] = observed
            self._done(call, mvcc.revision, False)
            self.cluster.history.done(
                call.op,
                observed=observed,
                revision=mvcc.revision,
                mod_revision=record[MOD] if record is not None else 0,
            )

        member.ask(lambda: replica.read(done))

    def put(self, member: SimMember, key: str, lease: int = 0) -> None:
        value = self._value()
        call = self._ask(member, Kind.PUT, key, value=value)

        def answered(response: Response) -> None:
            assert isinstance(response, rpc_pb2.PutResponse)
            self._done(call, response.header.revision, True)
            observed = response.prev_kv.value.decode() if response.HasField("prev_kv") else None
            self.cluster.history.done(call.op, observed=observed, revision=response.header.revision)
            self._last_seen[key] = value

        request = rpc_pb2.PutRequest(key=key.encode(), value=value.encode(), prev_kv=True, lease=lease)
        self._propose(call, Command.PUT, request, answered)

    def cas(self, member: SimMember, key: str) -> None:
        value, expected = self._value(), self._last_seen.get(key)
        call = self._ask(member, Kind.CAS, key, value=value, expected=expected)
        name = key.encode()
        request = rpc_pb2.TxnRequest()
        compare = request.compare.add(key=name)
        if expected is None:
            compare.target, compare.result, compare.version = rpc_pb2.Compare.VERSION, rpc_pb2.Compare.EQUAL, 0
        else:
            compare.target, compare.result, compare.value = (
                rpc_pb2.Compare.VALUE,
                rpc_pb2.Compare.EQUAL,
                expected.encode(),
            )
        request.success.add().request_put.CopyFrom(rpc_pb2.PutRequest(key=name, value=value.encode()))
        request.failure.add().request_range.CopyFrom(rpc_pb2.RangeRequest(key=name))

        def answered(response: Response) -> None:
            assert isinstance(response, rpc_pb2.TxnResponse)
            revision = response.header.revision
            self._done(call, revision, response.succeeded)
            if response.succeeded:
                self._last_seen[key] = value
                self.cluster.history.done(call.op, succeeded=True, revision=revision)
            else:
                found = response.responses[0].response_range.kvs
                observed = found[0].value.decode() if found else None
                self._last_seen[key] = observed
                self.cluster.history.done(call.op, succeeded=False, observed=observed, revision=revision)

        self._propose(call, Command.TXN, request, answered)

    def delete(self, member: SimMember, key: str) -> None:
        call = self._ask(member, Kind.DELETE, key)

        def answered(response: Response) -> None:
            assert isinstance(response, rpc_pb2.DeleteRangeResponse)
            existed = response.deleted > 0
            self._done(call, response.header.revision, existed)
            observed = response.prev_kvs[0].value.decode() if existed else None
            self.cluster.history.done(call.op, succeeded=existed, observed=observed, revision=response.header.revision)
            self._last_seen[key] = None

        self._propose(call, Command.DELETE_RANGE, rpc_pb2.DeleteRangeRequest(key=key.encode(), prev_kv=True), answered)

    def lease(self, member: SimMember, key: str) -> None:
        """Grant one that outlives the run, or keep it alive; keys of their own are attached to it."""
        replica = member.replica
        assert replica is not None
        cluster = self.cluster
        if self._lease:
            request: Response = rpc_pb2.LeaseKeepAliveRequest(ID=self._lease)
            kind = Command.LEASE_KEEP_ALIVE
        else:
            self._lease = self.number + 1
            request, kind = rpc_pb2.LeaseGrantRequest(ID=self._lease, TTL=3600), Command.LEASE_GRANT

        def done(outcome: Response | StoreError) -> None:
            if (
                isinstance(outcome, StoreError)
                and not isinstance(outcome, StoreUnavailable)
                and kind == Command.LEASE_GRANT
            ):
                raise Violation(f"client {self.number} is refused its first lease: {outcome}")

        cluster.note(member, f"client {self.number} {kind.name}")

        def propose() -> None:
            try:
                replica.propose(kind, request, done)
            except StoreError:
                self._lease = 0

        member.ask(propose)
        cluster.timeline.after(self.rng.random() * cluster.scenario.think, self._next)

    # ---- the life of a call ----

    def _value(self) -> str:
        self._written += 1
        value = f"{self.number}.{self._written}"
        if self.rng.random() < self.cluster.scenario.large_values:
            value += " " + "x" * self.rng.choice((300, 1500))
        return value

    def _ask(
        self, member: SimMember, kind: Kind, key: str, value: str | None = None, expected: str | None = None
    ) -> Call:
        cluster = self.cluster
        op = cluster.history.call(self.number, kind, key, value=value, expected=expected)
        self.call = Call(op, member, cluster.invariants.acknowledged)
        if cluster.trace.verbose:
            cluster.note(member, f"client {self.number}: {op}")
        cluster.timeline.after(cluster.scenario.patience, self._give_up, self.call)
        return self.call

    def _propose(self, call: Call, kind: Command, request: Response, answered: Callable[[Response], None]) -> None:
        member = call.member

        def done(outcome: Response | StoreError) -> None:
            if not call.open:
                return
            if isinstance(outcome, StoreError):
                self._fail(call, outcome)
            else:
                answered(outcome)

        def propose() -> None:
            assert member.replica is not None
            try:
                member.replica.propose(kind, request, done)
            except StoreError as error:
                if call.open:
                    self._fail(call, error)

        member.ask(propose)

    def _done(self, call: Call, revision: int, wrote: bool) -> None:
        cluster, op = self.cluster, call.op
        cluster.trace.mix(self.number, revision)
        if cluster.trace.verbose:
            cluster.note(
                call.member, f"client {self.number}: {op.kind.value} {op.key} is answered at revision {revision}"
            )
        cluster.invariants.answered(f"{op.kind.value} {op.key} of client {op.client}", call.asked_at, revision, wrote)
        self._end(call)

    def _fail(self, call: Call, error: StoreError) -> None:
        cluster, op = self.cluster, call.op
        if cluster.trace.verbose:
            cluster.note(call.member, f"client {self.number}: {op.kind.value} {op.key} fails: {error}")
        if op.kind is Kind.GET or not getattr(error, "outcome_unknown", False):
            cluster.history.failed(op, str(error))
        else:
            cluster.history.unknown(op, str(error))
        self._end(call)

    def _give_up(self, call: Call) -> None:
        if call.open:
            self.cluster.history.unknown(call.op, "no answer")
            self._end(call)

    def member_died(self, member: SimMember) -> None:
        """The connection broke."""
        call = self.call
        if call is not None and call.open and call.member is member:
            self.cluster.history.unknown(call.op, "connection lost")
            self._end(call)

    def _end(self, call: Call) -> None:
        call.open = False
        self.cluster.timeline.after(self.rng.random() * self.cluster.scenario.think + 0.0001, self._after)
