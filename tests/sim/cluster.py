"""One simulated cluster from its first start to rest, with everything that happens to it in between."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from kubeactors.store import storage
from kubeactors.store.machine.machine import StateMachine
from kubeactors.store.machine.membership import Membership
from kubeactors.store.mvcc import hash as hashes
from kubeactors.store.raft.message import Message
from tests.linearizability import checker
from tests.linearizability.history import History, Outcome
from tests.sim import scenario as scenarios
from tests.sim.clients import Client
from tests.sim.invariants import Invariants
from tests.sim.member import SimMember
from tests.sim.nemesis import Nemesis
from tests.sim.network import Network
from tests.sim.scenario import Scenario
from tests.sim.timeline import Timeline
from tests.sim.trace import Trace, Violation


class Cluster:
    """`resting`: the faults are over and the clients ask nothing more."""

    def __init__(self, seed: int, trace: Trace, scenario: Scenario | None = None, long: bool = False) -> None:
        self.rng = Random(seed)
        self.trace = trace
        self.scenario = scenario if scenario is not None else scenarios.draw(self.rng, long)
        self.timeline = Timeline(trace)
        self.network = Network(self.timeline, Random(self.rng.getrandbits(64)))
        self.network.weather = self.scenario.weather
        self.invariants = Invariants()
        self.history = History(lambda: self.timeline.now)
        self.resting = False
        self.trap: Callable[[SimMember], bool] | None = None
        """Asked of each member that has done something; True: it has sprung."""
        self.members: dict[int, SimMember] = {}
        self._names: dict[int, str] = {0: "nobody"}
        self._clients: list[Client] = []
        self.cluster_id = 0
        self.membership_index = 0
        self._next_look = 0.0
        self._waiting = 0
        trace.note(f"seed {seed}: {self.scenario}")

    # ---- the run ----

    def run(self) -> None:
        """Raises Violation, and whatever the product raises."""
        scenario = self.scenario
        names = "abcdefghi"[: scenario.members]
        initial = {name: [f"http://{name}"] for name in names}
        for name in names:
            start = storage.new_cluster(initial, "sim", name)
            self.cluster_id = start.cluster_id
            self.add(start.member_id, name, start)
        for sim in self.members.values():
            self.timeline.after(self.rng.random() * 0.2, sim.boot)
        self._clients = [Client(self, number) for number in range(scenario.clients)]
        for client in self._clients:
            client.begin()
        Nemesis(self).begin()
        self.timeline.run(scenario.duration)
        self._rest()
        self._check_history()

    def add(self, id: int, name: str, start: storage.Bootstrap) -> SimMember:
        self._names[id] = name
        member = self.members[id] = SimMember(self, id, name, start)
        member.drift = 1.0 + self.scenario.drift * (self.rng.random() - 0.5)
        return member

    def _rest(self) -> None:
        """All faults end; then the cluster must come to rest by itself, and every member reach the same state."""
        self.note(None, "all faults end")
        self.resting = True
        self.trap = None
        self.network.heal()
        for member in self.members.values():
            member.slow_disk = 1.0
            member.disk.fail_syncs = 0
            member.disk.crash_at = -1
            member.disk.capacity = 1 << 40
            if member.paused:
                member.resume()
            if not member.up:
                member.boot()
        self._wait("at rest", self._at_rest)
        self._final_calls()
        self._wait("answering", lambda: self._waiting == 0)
        self._wait("at rest again", self._at_rest)
        sums = {name: _checksum(machine) for name, machine in self._machines().items()}
        if len(set(sums.values())) > 1:
            raise Violation(f"members at the same entry hold different states: {sums}")
        for values in sums.values():
            self.trace.mix(*values)

    def _wait(self, what: str, done: Callable[[], bool]) -> None:
        if not self.timeline.run(self.timeline.now + self.scenario.quiet, done):
            raise Violation(
                f"after {self.scenario.quiet:g} s without faults the cluster is not {what}: {self._state()}"
            )

    def _at_rest(self) -> bool:
        """One leader; every member follows it and has applied all it has; who was removed has heard of it."""
        if self.timeline.now < self._next_look:
            return False
        self._next_look = self.timeline.now + 0.05
        leader = next((m.replica for m in self.members.values() if m.replica is not None and m.view.leads), None)
        if leader is None or any(client.call is not None and client.call.open for client in self._clients):
            return False
        last = leader.core.last_index
        if leader.machine.applied_index != last:
            return False
        for record in leader.machine.membership.all():
            member = self.members[record.id]
            replica = member.replica
            if replica is None or replica.machine.applied_index != last or replica.core.term != leader.core.term:
                return False
        for id in leader.machine.membership.removed:
            if id in self.members:
                self.members[id].told_removed()  # by the transport, when it calls
        return True

    def _final_calls(self) -> None:
        """By every member a write, and then a read of every key."""
        for number, member in enumerate(m for m in self.members.values() if m.replica is not None):
            client = Client(self, 1000 + number)
            self._waiting += 1
            self._final_call(client, member, 0)

    def _final_call(self, client: Client, member: SimMember, step: int) -> None:
        keys = self.scenario.keys
        call = client.call
        if call is not None and call.op.outcome is not Outcome.OK:
            step -= 1  # once more
        if member.removed or step > keys:
            self._waiting -= 1
            return
        if member.replica is None:  # it stopped because of what went wrong before
            self.timeline.after(0.1, self._final_call, client, member, step)
            return
        client.then = lambda: self._final_call(client, member, step + 1)
        if step == 0:
            client.put(member, "k0")
        else:
            client.get(member, f"k{step - 1}")

    def _machines(self) -> dict[str, StateMachine]:
        return {m.name: m.replica.machine for m in self.members.values() if m.replica is not None}

    def _state(self) -> str:
        parts = []
        for member in self.members.values():
            if member.replica is None:
                parts.append(f"{member.name} is down")
            else:
                core = member.replica.core
                parts.append(
                    f"{member.name} {core.role.name} term {core.term} leader {self.name(core.leader)} "
                    f"commit {core.commit} of {core.last_index} applied {member.replica.machine.applied_index}"
                )
        return "; ".join(parts)

    def _check_history(self) -> None:
        failures = checker.check(self.history)
        if failures:
            raise Violation("\n\n".join(["not linearizable", *map(str, failures)]))

    # ---- what members and clients ask ----

    def note(self, member: SimMember | None, text: str) -> None:
        if self.trace.verbose:
            self.trace.note(f"{member.name if member is not None else '-'}: {text}")

    def name(self, id: int) -> str:
        return self._names.get(id, f"{id:x}")

    def reachable(self) -> list[SimMember]:
        return [member for member in self.members.values() if member.up]

    def disk_delay(self, member: SimMember) -> float:
        return self.scenario.disk_latency * member.slow_disk * (0.2 + member.rng.random())

    def send(self, sender: SimMember, message: Message) -> None:
        self.invariants.sent(sender.view, message)
        to = self.members.get(message.to)
        if to is not None:
            carried = self.network.send(sender.id, message.to, to.receive, message)
            if not carried:
                if self.trace.verbose:
                    self.note(sender, f"⇏ {to.name}: lost {message.type.name}")
                if self.rng.random() < 0.1:
                    self.timeline.after(0.02, sender.told_unreachable, message.to)

    def connect(self, pairs: list[tuple[int, int]]) -> None:
        """Connections come back between these, where both are up."""
        for one, other in pairs:
            if (one, other) not in self.network.cut and (other, one) not in self.network.cut:
                delay = self.network.delay()
                self.timeline.after(delay, self.members[one].told_connected, other)
                self.timeline.after(delay, self.members[other].told_connected, one)

    def forward(self, sender: SimMember, to: int, frame: bytes) -> bool:
        """False: surely not delivered. A frame that is lost on its way is taken all the same."""
        member = self.members.get(to)
        if member is None or not member.up or (sender.id, to) in self.network.cut:
            return self.rng.random() < 0.5
        self.network.send(sender.id, to, member.receive_forward, sender.id, frame)
        return True

    def send_snapshot(self, sender: SimMember, message: Message, content: bytes) -> None:
        life = sender.life
        told = False

        def status(ok: bool) -> None:
            nonlocal told
            if not told and sender.life == life:
                told = True
                sender.snapshot_sent(message.to, ok)

        self.note(sender, f"sends a snapshot of {len(content)} bytes to {self.name(message.to)}")
        to = self.members.get(message.to)
        if to is not None:
            self.network.send(sender.id, message.to, to.receive_snapshot, message, content, status)
        self.timeline.after(2.0, status, False)

    def died(self, member: SimMember) -> None:
        for client in self._clients:
            client.member_died(member)
        self.timeline.after(0.02 + self.scenario.restart * self.rng.random() ** 2, member.boot)

    # ---- who belongs to it ----

    def new_name(self) -> str:
        return "abcdefghijklmnopqrstuvwxyz"[len(self._names) - 1]

    def expect(self, id: int, name: str) -> None:
        """It will be started when some member has applied that it belongs to the cluster."""
        self._names[id] = name

    def membership_changed(self, membership: Membership) -> None:
        if membership.index <= self.membership_index:
            return
        self.membership_index = membership.index
        for record in membership.all():
            if record.id not in self.members:
                start = storage.Bootstrap(self.cluster_id, record.id)
                self.timeline.after(0.05, self.add(record.id, self.name(record.id), start).boot)


def _checksum(machine: StateMachine) -> tuple[int, ...]:
    steps = list(hashes.steps(machine.mvcc, machine.mvcc.revision))
    leases = [number for lease in machine.leases.all() for number in (lease.id, lease.ttl, lease.expiry)]
    return (machine.applied_index, machine.time, steps[-1] if steps else 0, *leases)
