"""Faults, at times and places that the seed chooses."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

from google.protobuf.message import Message as Response

from kubeactors.pb.etcd import rpc_pb2
from kubeactors.store.errors import StoreError
from kubeactors.store.machine import membership as membership_of
from kubeactors.store.machine.command import Kind as Command

if TYPE_CHECKING:
    from tests.sim.cluster import Cluster
    from tests.sim.member import SimMember


class Nemesis:
    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.rng = Random(cluster.rng.getrandbits(64))

    def begin(self) -> None:
        if self.cluster.scenario.faults:
            self._later()

    def _later(self) -> None:
        self.cluster.timeline.after(self.rng.expovariate(1 / self.cluster.scenario.fault_every), self._next)

    def _next(self) -> None:
        cluster = self.cluster
        if cluster.resting:
            return
        fault = self.rng.choice(cluster.scenario.faults)
        cluster.trace.mix(len(fault))
        getattr(self, "_" + fault.replace(" ", "_"))()
        self._later()

    # ---- whom ----

    def _any(self) -> SimMember | None:
        running = [member for member in self.cluster.members.values() if member.up]
        return self.rng.choice(running) if running else None

    def _leader(self) -> SimMember | None:
        leaders = [member for member in self.cluster.members.values() if member.up and member.view.leads]
        return self.rng.choice(leaders) if leaders else None

    # ---- processes ----

    def _end(self, member: SimMember | None, power: bool) -> None:
        if member is not None:
            if self.rng.random() < 0.5:
                member.crash(power)
            else:
                member.crash_soon(power)

    def _kill(self) -> None:
        self._end(self._any(), power=False)

    def _power(self) -> None:
        self._end(self._any(), power=True)

    def _kill_leader(self) -> None:
        self._end(self._leader(), power=self.rng.random() < 0.5)

    def _all_die(self) -> None:
        power = self.rng.random() < 0.6
        for member in list(self.cluster.members.values()):
            self._end(member, power)

    def _strand_leader(self) -> None:
        """Nobody hears it any more; then it dies with what it has written meanwhile."""
        leader = self._leader()
        if leader is not None:
            pairs = [(leader.id, other) for other in self.cluster.members if other != leader.id]
            self.cluster.note(leader, "is not heard any more")
            self.cluster.network.cut.update(pairs)
            self.cluster.timeline.after(0.03 + 0.15 * self.rng.random(), self._end_stranded, leader, leader.life, pairs)

    def _end_stranded(self, leader: SimMember, life: int, pairs: list[tuple[int, int]]) -> None:
        if leader.life == life and not self.cluster.resting:
            leader.crash(power=self.rng.random() < 0.3)
        self._mend(pairs)

    def _kill_at_commit(self) -> None:
        """The leader dies as soon as it has committed something, which nobody else knows then."""
        commit = len(self.cluster.invariants.committed)
        power = self.rng.random() < 0.3

        def spring(member: SimMember) -> bool:
            if member.view.leads and len(self.cluster.invariants.committed) > commit:
                self.cluster.timeline.after(0.0, self._crash, member, power)
                return True
            return False

        self.cluster.trap = spring

    def _crash(self, member: SimMember, power: bool) -> None:
        if not self.cluster.resting:
            member.crash(power)

    def _power_at_change(self) -> None:
        """A member loses power as soon as it has carried out a change of the membership."""
        index = self.cluster.membership_index

        def spring(member: SimMember) -> bool:
            if member.replica is not None and member.replica.machine.membership.index > index:
                self.cluster.timeline.after(self.rng.choice((0.0, 0.002)), self._crash, member, True)
                return True
            return False

        self.cluster.trap = spring

    def _pause_leader(self) -> None:
        self._pause(self._leader())

    def _pause(self, member: SimMember | None = None) -> None:
        if member is None:
            member = self._leader() if self.rng.random() < 0.5 else self._any()
        if member is not None:
            member.pause()
            self.cluster.timeline.after(self.rng.choice((0.3, 1.0, 3.0)) * self.rng.random(), member.resume)

    # ---- the network ----

    def _cut_between(self, some: list[SimMember], both: bool) -> None:
        cluster = self.cluster
        inside = {member.id for member in some}
        pairs = []
        for a in inside:
            for b in cluster.members:
                if b not in inside:
                    pairs.append((a, b))
                    if both:
                        pairs.append((b, a))
        cluster.note(None, "cut " + ", ".join(f"{cluster.name(a)}→{cluster.name(b)}" for a, b in sorted(pairs)))
        cluster.network.cut.update(pairs)
        cluster.timeline.after(self.rng.choice((0.2, 1.0, 4.0)) * self.rng.random(), self._mend, pairs)

    def _mend(self, pairs: list[tuple[int, int]]) -> None:
        self.cluster.note(None, "mended")
        self.cluster.network.cut.difference_update(pairs)
        self.cluster.connect(pairs)

    def _cut(self) -> None:
        members = list(self.cluster.members.values())
        if len(members) > 1:
            self._cut_between(self.rng.sample(members, self.rng.randrange(1, len(members))), both=True)

    def _cut_one_way(self) -> None:
        members = list(self.cluster.members.values())
        if len(members) > 1:
            self._cut_between(self.rng.sample(members, self.rng.randrange(1, len(members))), both=False)

    def _isolate_leader(self) -> None:
        leader = self._leader()
        if leader is not None:
            self._cut_between([leader], both=self.rng.random() < 0.7)

    # ---- disks ----

    def _slow_disk(self) -> None:
        member = self._any()
        if member is not None:
            member.slow_disk = self.rng.choice((10.0, 100.0, 1000.0))
            self.cluster.note(member, f"disk is {member.slow_disk:g} times slower")
            self.cluster.timeline.after(self.rng.random() * 2, self._quicken, member)

    @staticmethod
    def _quicken(member: SimMember) -> None:
        member.slow_disk = 1.0

    def _failing_sync(self) -> None:
        member = self._any()
        if member is not None:
            self.cluster.note(member, "the next sync will fail")
            member.disk.fail_syncs = 1

    def _full_disk(self) -> None:
        member = self._any()
        if member is not None:
            self.cluster.note(member, "the disk is nearly full")
            member.disk.capacity = member.disk.used + self.rng.randrange(5000)

    # ---- what an administrator does ----

    def _transfer(self) -> None:
        leader = self._leader()
        if leader is None or leader.paused:
            return
        assert leader.replica is not None
        to = self.rng.choice(sorted(self.cluster.members))
        self.cluster.note(leader, f"is to hand over to {self.cluster.name(to)}")
        try:
            leader.replica.transfer(to)
        except StoreError as error:
            self.cluster.note(leader, f"does not hand over: {error}")
        leader.pump()

    def _snapshot(self) -> None:
        member = self._any()
        if member is not None and not member.paused:
            member.take_snapshot_soon()

    def _compact(self) -> None:
        member = self._any()
        if member is None or member.paused:
            return
        assert member.replica is not None
        revision = member.replica.machine.mvcc.revision
        self._propose(member, Command.COMPACT, rpc_pb2.CompactionRequest(revision=self.rng.randrange(1, revision + 1)))

    def _propose(self, member: SimMember, kind: Command, request: Response) -> None:
        assert member.replica is not None
        self.cluster.note(member, f"{kind.name} {str(request)!r}")
        try:
            member.replica.propose(kind, request, lambda outcome: self._told(member, kind, outcome))
        except StoreError as error:
            self._told(member, kind, error)
        member.pump()

    def _told(self, member: SimMember, kind: Command, outcome: Response | StoreError) -> None:
        if self.cluster.trace.verbose:
            self.cluster.note(member, f"{kind.name}: {outcome if isinstance(outcome, StoreError) else 'done'}")

    def _member(self) -> None:
        """Add a learner, promote it, add a voter, or remove anybody: by any member, as etcdctl would."""
        cluster, rng = self.cluster, self.rng
        at = self._leader() if rng.random() < 0.7 else self._any()
        if at is None or at.paused:
            return
        assert at.replica is not None
        membership = at.replica.machine.membership
        learners = sorted(membership.learners)
        voters = sorted(membership.voters)
        if learners and rng.random() < 0.6:
            self._propose(at, Command.MEMBER_PROMOTE, rpc_pb2.Member(ID=learners[0]))
        elif len(voters) > 2 and rng.random() < 0.45:
            self._propose(at, Command.MEMBER_REMOVE, rpc_pb2.Member(ID=rng.choice(voters + learners)))
        elif len(cluster.members) < 7:
            name = cluster.new_name()
            urls = [f"http://{name}"]
            id = membership_of.member_id(urls, "", int(cluster.timeline.now * 1000))
            request = rpc_pb2.Member(ID=id, peerURLs=urls, isLearner=rng.random() < 0.6)
            cluster.expect(id, name)
            self._propose(at, Command.MEMBER_ADD, request)
