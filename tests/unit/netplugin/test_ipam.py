"""Address leases: properties over any history, and the file that keeps them."""

import ipaddress
import threading
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from netplugin.interface import NetworkError
from netplugin.ipam import AddressPool, Lease, Leases, RangeExhausted, allocate, gateway, lease_of, release

RANGE = ipaddress.IPv4Network("10.244.3.0/24")
DELAY = 60.0


@dataclass
class Clock:
    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Ledger:
    """The pure functions as the pool uses them."""

    node_range: ipaddress.IPv4Network = RANGE
    leases: Leases = field(default_factory=dict)
    now: float = 1000.0

    def give(self, uid: str) -> str:
        lease = allocate(self.leases, uid, self.node_range, self.now, DELAY)
        self.leases[lease.address] = lease
        return lease.address

    def take(self, uid: str) -> None:
        self.leases.update({lease.address: lease for lease in release(self.leases, uid, self.now)})


def test_first_addresses() -> None:
    ledger = Ledger()
    assert str(gateway(RANGE)) == "10.244.3.1"
    assert [ledger.give(uid) for uid in "abc"] == ["10.244.3.2", "10.244.3.3", "10.244.3.4"]
    assert ledger.give("b") == "10.244.3.3", "the same pod keeps its address"


def test_a_released_address_rests() -> None:
    ledger = Ledger(ipaddress.IPv4Network("10.0.0.0/29"))  # 5 for pods
    held = {uid: ledger.give(uid) for uid in "abcd"}
    ledger.take("a")
    assert ledger.give("e") == "10.0.0.6", "one that nobody had"
    ledger.now += 10
    ledger.take("c")
    assert ledger.give("f") == held["a"], "nothing else is left: the longest released"
    ledger.now += DELAY
    assert ledger.give("g") == held["c"]
    with pytest.raises(RangeExhausted, match=r"no address is free in range 10\.0\.0\.0/29: all 5 are in use"):
        ledger.give("h")


def test_a_range_without_room() -> None:
    with pytest.raises(RangeExhausted, match="too small"):
        allocate({}, "a", ipaddress.IPv4Network("10.0.0.0/31"), 0, DELAY)


def test_a_clock_that_went_back_does_not_lock_addresses() -> None:
    ledger = Ledger(ipaddress.IPv4Network("10.0.0.0/30"))
    ledger.give("a")
    ledger.take("a")
    ledger.now -= 10_000
    assert ledger.give("b") == "10.0.0.2"


class LeaseMachine(RuleBasedStateMachine):
    """Any history of pods coming and going, against a model."""

    @initialize(prefix=st.integers(26, 30))
    def start(self, prefix: int) -> None:
        self.ledger = Ledger(ipaddress.IPv4Network(f"10.9.8.0/{prefix}"))
        self.held: dict[str, str] = {}
        self.released: dict[str, float] = {}
        self.capacity = self.ledger.node_range.num_addresses - 3

    @rule(uid=st.integers(0, 70).map(str))
    def give(self, uid: str) -> None:
        if uid not in self.held and len(self.held) == self.capacity:
            with pytest.raises(RangeExhausted):
                self.ledger.give(uid)
            return
        address = self.ledger.give(uid)
        if uid in self.held:
            assert address == self.held[uid]
            return
        assert address not in self.held.values()
        free = self.capacity - len(self.held)
        resting = {a for a, at in self.released.items() if self.ledger.now - at < DELAY and a not in self.held.values()}
        if address in resting:
            assert len(resting) == free, "a resting address was given although another was free"
        self.held[uid] = address
        self.released.pop(address, None)

    @precondition(lambda self: self.held)
    @rule(data=st.data())
    def take(self, data: st.DataObject) -> None:
        uid = data.draw(st.sampled_from(sorted(self.held)))
        self.ledger.take(uid)
        self.released[self.held.pop(uid)] = self.ledger.now

    @rule(seconds=st.floats(0, 100))
    def wait(self, seconds: float) -> None:
        self.ledger.now += seconds

    @invariant()
    def every_address_is_a_pods(self) -> None:
        network = self.ledger.node_range
        for address in self.held.values():
            found = ipaddress.IPv4Address(address)
            assert found in network
            assert found not in (network.network_address, network.broadcast_address, gateway(network))
        for uid, address in self.held.items():
            lease = lease_of(self.ledger.leases, uid, network)
            assert lease is not None
            assert lease.address == address


TestLeases = LeaseMachine.TestCase
TestLeases.settings = settings(max_examples=60, stateful_step_count=60, deadline=None)


def pool(directory: Path, clock: Clock | None = None) -> AddressPool:
    return AddressPool(directory, clock or Clock(), DELAY)


def test_leases_survive_a_restart(tmp_path: Path) -> None:
    first = pool(tmp_path)
    assert first.allocate("a", [RANGE]) == ("10.244.3.2",)
    assert pool(tmp_path).allocate("a", [RANGE]) == ("10.244.3.2",)
    assert pool(tmp_path).allocate("b", [RANGE]) == ("10.244.3.3",)
    first.release("a")
    first.release("a")
    assert pool(tmp_path).holders() == {"b": ("10.244.3.3",)}
    assert pool(tmp_path).allocate("c", [RANGE]) == ("10.244.3.4",), "the released one rests, over the restart too"


def test_several_ranges_are_all_or_nothing(tmp_path: Path) -> None:
    small = ipaddress.IPv4Network("10.7.0.0/30")  # one pod
    leases = pool(tmp_path)
    assert leases.allocate("a", [RANGE, small]) == ("10.244.3.2", "10.7.0.2")
    with pytest.raises(RangeExhausted):
        leases.allocate("b", [RANGE, small])
    assert leases.holders() == {"a": ("10.244.3.2", "10.7.0.2")}


def test_a_crash_while_writing_leaves_the_old_leases(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    leases = pool(tmp_path)
    leases.allocate("a", [RANGE])

    def crash(self: Path, target: Path) -> Path:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(Path, "replace", crash)
        leases.allocate("b", [RANGE])
    assert pool(tmp_path).holders() == {"a": ("10.244.3.2",)}
    assert leases.allocate("b", [RANGE]) == ("10.244.3.3",)


def test_a_damaged_file_is_an_error_not_an_empty_pool(tmp_path: Path) -> None:
    (tmp_path / "leases.json").write_text('[{"address": "10.244')
    with pytest.raises(NetworkError, match=r"leases\.json cannot be read"):
        pool(tmp_path).allocate("a", [RANGE])


def test_concurrent_processes_share_the_file(tmp_path: Path) -> None:
    """Pools of their own, as CNI executables have; the lock is per open file, so threads stand for processes."""
    found: list[str] = []

    def take(number: int) -> None:
        own = pool(tmp_path)
        found.extend(address for step in range(5) for address in own.allocate(f"{number}-{step}", [RANGE]))

    threads = [threading.Thread(target=take, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(found)) == 40


@given(st.lists(st.sampled_from("abcdef"), max_size=30))
def test_release_is_idempotent_and_keeps_others(uids: list[str]) -> None:
    ledger = Ledger()
    for uid in uids:
        ledger.give(uid)
    before = dict(ledger.leases)
    ledger.take("a")
    once = dict(ledger.leases)
    ledger.now += 5
    ledger.take("a")
    assert ledger.leases == once
    assert {a: le for a, le in once.items() if le.uid != "a"} == {a: le for a, le in before.items() if le.uid != "a"}
    assert all(isinstance(lease, Lease) for lease in once.values())
