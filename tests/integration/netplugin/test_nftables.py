"""The nftables backend against the kernel: only differences are written, whatever came before."""

import random
import subprocess
from collections.abc import Callable, Iterator
from typing import TypeVar

import pytest

from netplugin import netns
from netplugin.names import Names
from netplugin.proxy import nftables_rules as ruleset
from netplugin.proxy.backend import BackendConfig, BackendError
from netplugin.proxy.nftables import NftablesBackend
from netplugin.proxy.table import ANY_LOCAL, Endpoint, Frontend, Rule, Rules
from tests.support.netlab import NetLab

T = TypeVar("T")
CONFIG = BackendConfig(Names("nft-test", "a"), "10.244.0.0/16")
TABLE = CONFIG.names.table
FRONT = Frontend("10.96.0.1", "TCP", 80)


def endpoints(*numbers: int) -> tuple[Endpoint, ...]:
    return tuple(Endpoint(f"10.244.1.{number}", 8080) for number in numbers)


class Bench:
    """Backends in one namespace, with a record of what they wrote."""

    def __init__(self, namespace: str) -> None:
        self.namespace = namespace
        self.written: list[str] = []
        self.backend = self.fresh()

    def run(self, work: Callable[[], T]) -> T:
        return netns.run(self.namespace, work)

    def fresh(self, config: BackendConfig = CONFIG) -> NftablesBackend:
        """A new process's backend."""

        def make() -> NftablesBackend:
            backend = NftablesBackend(config)
            backend.prepare()
            commit = backend._nftables.run

            def record(commands: str) -> None:
                self.written.append(commands)
                commit(commands)

            backend._nftables.run = record  # type: ignore[method-assign]
            return backend

        return self.run(make)

    def sync(self, rules: Rules, backend: NftablesBackend | None = None) -> list[str]:
        """What was written, command by command."""
        self.written.clear()
        self.run(lambda: (backend or self.backend).sync(rules))
        return [line for commands in self.written for line in commands.splitlines() if line]

    def nft(self, command: str) -> str:
        done = subprocess.run(["nsenter", f"--net={self.namespace}", "nft", command], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def listing(self) -> list[str]:
        """The table as nft shows it, in an order of its own."""
        return sorted(line.strip().rstrip(",") for line in self.nft(f"list table ip {TABLE}").splitlines())


@pytest.fixture
def bench(lab: NetLab) -> Iterator[Bench]:
    yield Bench(lab.machine("a", "192.0.2.1").namespace)


def test_one_change_is_a_few_elements(bench: Bench) -> None:
    rules: Rules = {
        Frontend(f"10.96.0.{number}", "TCP", 80): Rule(f"s{number}", endpoints(*range(2, 7))) for number in range(1, 50)
    }
    assert bench.sync(rules)
    assert bench.sync(rules) == []
    assert bench.sync(dict(rules)) == []
    rules[FRONT] = Rule("s1", endpoints(2, 3, 4, 5, 9))
    assert bench.sync(rules) == [
        f"delete element ip {TABLE} service/endpoint/4 {{ 10.96.0.1 . 6 . 80 }}",
        f"add element ip {TABLE} service/endpoint/4 {{ 10.96.0.1 . 6 . 80 : 10.244.1.9 . 8080 }}",
    ]


def test_a_new_process_adopts_without_a_write(bench: Bench) -> None:
    rules: Rules = {
        FRONT: Rule("web", endpoints(2, 3), affinity=60, local=frozenset(("10.244.1.2",))),
        Frontend(ANY_LOCAL, "UDP", 30053): Rule("dns", (), internal=endpoints(4), refuse=False),
        Frontend("10.96.0.9", "SCTP", 9): Rule("none", ()),
    }
    bench.sync(rules)
    before = bench.listing()
    assert bench.sync(rules, bench.fresh()) == []
    assert bench.listing() == before
    # What changed while nobody looked, and nothing else.
    rules[FRONT] = Rule("web", endpoints(3), affinity=60)
    written = bench.sync(rules, bench.fresh())
    assert f"delete element ip {TABLE} service/endpoint/1 {{ 10.96.0.1 . 6 . 80 }}" in written
    assert not [
        command for command in written if "element" in command and ("nodeport" in command or "refused" in command)
    ]
    assert f"delete element ip {TABLE} hairpin {{ 10.244.1.2 . 10.244.1.2 }}" in written


def test_foreign_changes_are_noticed_and_repaired(bench: Bench) -> None:
    rules: Rules = {FRONT: Rule("web", endpoints(2, 3)), Frontend("10.96.0.2", "TCP", 80): Rule("empty", ())}
    bench.sync(rules)
    right = bench.listing()
    bench.nft(f"delete element ip {TABLE} service {{ 10.96.0.1 . tcp . 80 }}")
    bench.nft(f"add element ip {TABLE} service_refused {{ 10.96.7.7 . tcp . 80 : drop }}")
    assert bench.listing() != right
    bench.sync(rules)
    assert bench.listing() == right
    bench.nft("flush ruleset")
    bench.sync(rules)
    assert bench.listing() == right
    bench.nft("add table ip somebody_else")
    assert bench.sync(rules) == [], "another's table is none of ours"


def test_another_layout_is_replaced_in_one_transaction(bench: Bench) -> None:
    rules: Rules = {FRONT: Rule("web", endpoints(2, 3))}
    bench.sync(rules)
    other = BackendConfig(CONFIG.names, "10.250.0.0/16")
    backend = bench.fresh(other)
    assert "10.250.0.0/16" not in bench.nft(f"list table ip {TABLE}"), "the old rules stay until the new table is known"
    bench.sync(rules, backend)
    assert len(bench.written) == 1
    listed = bench.nft(f"list table ip {TABLE}")
    assert "10.250.0.0/16" in listed
    assert "10.244.0.0/16" not in listed
    assert "10.244.1.3" in listed


def test_a_refused_transaction_changes_nothing_and_is_made_good(bench: Bench) -> None:
    rules: Rules = {FRONT: Rule("web", endpoints(2))}
    bench.sync(rules)
    before = bench.listing()
    broken: Rules = {**rules, Frontend("10.96.0.2", "TCP", 80): Rule("bad", (Endpoint("not an address", 1),))}
    with pytest.raises(BackendError, match=f"nftables table {TABLE}"):
        bench.sync(broken)
    assert bench.listing() == before
    assert bench.sync(rules) == []
    fixed: Rules = {**rules, Frontend("10.96.0.2", "TCP", 80): Rule("good", endpoints(3))}
    assert bench.sync(fixed)


@pytest.mark.parametrize("seed", range(3))
def test_any_history_ends_in_the_same_table(bench: Bench, seed: int) -> None:
    """A walk through random tables by differences gives what one write of the last table gives."""
    rand = random.Random(seed)

    def rule() -> Rule:
        chosen = endpoints(*sorted(rand.sample(range(2, 9), rand.randrange(0, 5))))
        return Rule(
            f"s{rand.randrange(9)}",
            chosen,
            internal=endpoints(*range(2, 2 + rand.randrange(1, 4))) if rand.random() < 0.2 else None,
            affinity=rand.choice((0, 0, 0, 60, 120)),
            masquerade=rand.choice(("all", "outsiders", "none")),
            refuse=rand.random() < 0.7,
            local=frozenset(endpoint.address for endpoint in chosen if rand.random() < 0.3),
        )

    fronts = [Frontend(f"10.96.0.{number}", rand.choice(("TCP", "UDP")), 80) for number in range(1, 7)]
    fronts += [Frontend(ANY_LOCAL, "TCP", 30000 + number) for number in range(3)]
    rules: Rules = {}
    for _ in range(30):
        for front in rand.sample(fronts, rand.randrange(1, 4)):
            if front in rules and rand.random() < 0.3:
                del rules[front]
            else:
                rules[front] = rule()
        bench.sync(rules)
        assert all("delete table" not in commands for commands in bench.written)
    present = bench.backend._present
    rendered: dict[str, dict[str, str]] = {"hairpin": {}}
    for front, found in rules.items():
        for name, elements in ruleset.render(front, found, present).items():
            rendered.setdefault(name, {}).update(elements)
        rendered["hairpin"].update({f"{address} . {address}": "" for address in found.local})
    fresh = bench.fresh()
    bench.run(fresh._read)
    kernel = {name: elements for name, elements in fresh._present.items() if elements}
    assert kernel == {name: elements for name, elements in rendered.items() if elements}
    assert fresh._chains == set(ruleset.required_chains(rendered))
    bench.sync({})
    last = bench.fresh()
    bench.run(last._read)
    assert not last._chains
    assert not any(last._present.values())


def test_purge_leaves_other_tables(bench: Bench) -> None:
    bench.nft("add table ip somebody_else")
    bench.sync({FRONT: Rule("web", endpoints(2))})
    bench.run(bench.backend.purge)
    bench.run(bench.backend.purge)
    assert bench.nft("list tables").split() == ["table", "ip", "somebody_else"]
