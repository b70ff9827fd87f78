"""The nftables ruleset as text, and the differences between two tables."""

from collections.abc import Mapping

from hypothesis import given
from hypothesis import strategies as st

from netplugin.names import Names
from netplugin.proxy import nftables_rules as ruleset
from netplugin.proxy.backend import BackendConfig
from netplugin.proxy.nftables_rules import ServiceChain, arrange, chain_rules, render, required_chains
from netplugin.proxy.table import ANY_LOCAL, Endpoint, Frontend, Rule

CONFIG = BackendConfig(Names("test", "a"), "10.244.0.0/16")
FRONT = Frontend("10.96.0.1", "TCP", 80)
KEY = "10.96.0.1 . 6 . 80"
NODE_PORT = Frontend(ANY_LOCAL, "UDP", 30053)


def endpoints(*numbers: int) -> tuple[Endpoint, ...]:
    return tuple(Endpoint(f"10.244.0.{number}", 8080) for number in numbers)


def test_rule_with_endpoints() -> None:
    assert render(FRONT, Rule("web", endpoints(2, 3)), {}) == {
        "service": {KEY: "goto service/2/outsiders/0"},
        "service/endpoint/0": {KEY: "10.244.0.2 . 8080"},
        "service/endpoint/1": {KEY: "10.244.0.3 . 8080"},
    }


def test_rule_without_endpoints() -> None:
    assert render(FRONT, Rule("web", ()), {}) == {"service_refused": {KEY: "goto refuse"}}
    assert render(FRONT, Rule("web", (), refuse=False), {}) == {"service_refused": {KEY: "drop"}}


def test_rule_with_affinity() -> None:
    elements = render(FRONT, Rule("web", endpoints(2), affinity=60), {})
    assert elements["service"] == {KEY: "goto service/1/outsiders/60"}
    assert elements["service_learners"] == {KEY: "goto learn/60"}


def test_local_policy_with_endpoints_elsewhere_only() -> None:
    rule = Rule("web", (), internal=endpoints(9), masquerade="none", refuse=False)
    assert render(NODE_PORT, rule, {}) == {
        "nodeport_refused": {"17 . 30053": "goto drop_outsiders"},
        "nodeport_internal": {"17 . 30053": "goto nodeport_internal/1/all/0"},
        "nodeport_internal/endpoint/0": {"17 . 30053": "10.244.0.9 . 8080"},
    }


def test_endpoints_that_stay_keep_their_places() -> None:
    before = render(FRONT, Rule("web", endpoints(2, 3, 4, 5)), {})
    after = render(FRONT, Rule("web", endpoints(3, 4, 5)), before)
    changed = {name for name in before if before[name] != after.get(name)}
    assert changed == {"service", "service/endpoint/0", "service/endpoint/3"}


@given(st.lists(st.integers(0, 20), unique=True), st.lists(st.integers(0, 20), unique=True))
def test_arrange_is_a_permutation_that_moves_little(present: list[int], wanted: list[int]) -> None:
    have, want = [str(item) for item in present], [str(item) for item in wanted]
    order = arrange(have, want)
    assert sorted(order) == sorted(want)
    for index, item in enumerate(have[: len(want)]):
        if item in want:
            assert order[index] == item


def test_chain_names_say_all() -> None:
    chain = ServiceChain("nodeport_internal", 12, "all", 3600)
    assert ServiceChain.parse(chain.name) == chain
    for name in ("pick/service/0", "learn/60", "refuse", "postrouting"):
        assert ServiceChain.parse(name) is None


def test_required_chains_come_after_what_they_lead_to() -> None:
    present: Mapping[str, Mapping[str, str]] = {
        "service": {"a": "goto service/2/outsiders/0", "b": "goto service/1/outsiders/0"},
        "nodeport": {"c": "goto nodeport/1/all/60"},
        "service_refused": {"d": "goto refuse", "e": "drop", "f": "goto drop_outsiders"},
        "nodeport_learners": {"c": "goto learn/60"},
    }
    assert required_chains(present) == [
        "pick/nodeport/0",
        "pick/service/0",
        "pick/service/1",
        "learn/60",
        "nodeport/1/all/60",
        "service/1/outsiders/0",
        "service/2/outsiders/0",
    ]
    assert required_chains({}) == []


def test_chain_rules() -> None:
    assert chain_rules("service/2/outsiders/60", CONFIG) == [
        "ip saddr != 10.244.0.0/16 meta mark set meta mark | 0x4000",
        "dnat ip to ip saddr . ip daddr . meta l4proto . th dport map @affinity",
        "numgen random mod 2 vmap { 0 : goto pick/service/0, 1 : goto pick/service/1 }",
    ]
    assert chain_rules("nodeport/1/none/0", CONFIG) == ["goto pick/nodeport/0"]
    assert chain_rules("pick/service/1", CONFIG)[1:] == [
        "dnat ip to ip daddr . meta l4proto . th dport map @service/endpoint/0",
        "drop",
    ]


def test_layout_names_version_and_configuration() -> None:
    same = BackendConfig(Names("test", "a"), "10.244.0.0/16")
    assert ruleset.layout(CONFIG) == ruleset.layout(same)
    assert ruleset.layout(CONFIG) != ruleset.layout(BackendConfig(CONFIG.names, "10.245.0.0/16"))
    assert ruleset.layout(CONFIG) != ruleset.layout(BackendConfig(CONFIG.names, "10.244.0.0/16", masquerade=False))


def test_commands_delete_before_they_add() -> None:
    assert ruleset.element_commands("t", {"m": ["k"], "none": []}, {"m": {"k": "v", "l": "w"}, "s": {"x": ""}}) == [
        "delete element ip t m { k }",
        "add element ip t m { k : v, l : w }",
        "add element ip t s { x }",
    ]
