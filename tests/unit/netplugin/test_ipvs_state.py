"""What IPVS and the sets beside it should hold, and iptables' input."""

from netplugin.names import Names
from netplugin.proxy import iptables
from netplugin.proxy.backend import BackendConfig
from netplugin.proxy.ipset import Entry
from netplugin.proxy.ipvs_kernel import VirtualServer
from netplugin.proxy.ipvs_state import DEVICE, Element, ServerState, Weight, fragment, weight_changes
from netplugin.proxy.table import ANY_LOCAL, Endpoint, Frontend, Rule

CONFIG = BackendConfig(Names("test", "a"), "10.244.0.0/16")
LOCAL = frozenset(("192.0.2.1", "10.244.1.1"))
ONE, TWO, THREE = (Endpoint(f"10.244.1.{number}", 8080) for number in (2, 3, 4))
VIP = VirtualServer("10.96.0.1", "TCP", 80)
UDP = VirtualServer("10.96.0.1", "UDP", 53)


def test_cluster_ip() -> None:
    part = fragment(
        Frontend("10.96.0.1", "TCP", 80), Rule("web", (ONE, TWO), affinity=60, local=frozenset((ONE.address,))), LOCAL
    )
    assert part.servers == {VIP: ServerState(60, frozenset((ONE, TWO)))}
    entry = Entry("10.96.0.1", "TCP", 80)
    assert part.elements == {
        Element(DEVICE, Entry("10.96.0.1")),
        Element(iptables.ADDRESSES, Entry("10.96.0.1")),
        Element(iptables.FRONTENDS, entry),
        Element(iptables.HIDE_OUTSIDERS, entry),
        Element(iptables.HAIRPIN, Entry(ONE.address, "TCP", 8080, ONE.address)),
    }


def test_node_port_is_on_every_local_address_and_takes_none_over() -> None:
    rule = Rule("web", (ONE,), masquerade="all", dedicated=False)
    part = fragment(Frontend(ANY_LOCAL, "TCP", 30080), rule, LOCAL)
    assert {server.address for server in part.servers} == LOCAL
    assert {element.set for element in part.elements} == {iptables.FRONTENDS, iptables.HIDE_ALL}


def test_external_address_is_taken_over_unless_it_is_the_nodes() -> None:
    rule = Rule("web", (ONE,), masquerade="all", dedicated=False)
    foreign = fragment(Frontend("198.51.100.1", "TCP", 80), rule, LOCAL)
    assert Element(DEVICE, Entry("198.51.100.1")) in foreign.elements
    own = fragment(Frontend("192.0.2.1", "TCP", 80), rule, LOCAL)
    assert not [element for element in own.elements if element.set in (DEVICE, iptables.ADDRESSES)]


def test_drops() -> None:
    front = Frontend("10.96.0.1", "TCP", 80)
    sets = {element.set for element in fragment(front, Rule("web", (), refuse=False), LOCAL).elements}
    assert iptables.DROP in sets
    elsewhere = fragment(front, Rule("web", (), internal=(ONE,), masquerade="none", refuse=False), LOCAL)
    assert iptables.DROP_OUTSIDERS in {element.set for element in elsewhere.elements}
    assert elsewhere.servers[VIP].endpoints == {ONE}
    assert fragment(front, Rule("web", ()), LOCAL).servers == {VIP: ServerState(0, frozenset())}


def test_weights() -> None:
    present = {VIP: {ONE: 1, TWO: 0, THREE: 1}, UDP: {ONE: 1, TWO: 1, THREE: 1}}
    wanted = {
        VIP: ServerState(0, frozenset((TWO, Endpoint("10.244.1.9", 1)))),
        UDP: ServerState(0, frozenset((TWO,)), draining=frozenset((THREE,))),
    }
    sets, removals = weight_changes(present, wanted)
    assert set(sets) == {
        Weight(VIP, Endpoint("10.244.1.9", 1), 1, present=False),
        Weight(VIP, TWO, 1, present=True),  # back again before it was done
        Weight(VIP, ONE, 0, present=True),
        Weight(VIP, THREE, 0, present=True),
        Weight(UDP, THREE, 0, present=True),
    }
    assert removals == [Weight(UDP, ONE, 0, present=True)]
    assert weight_changes({VIP: {ONE: 1}}, {VIP: ServerState(0, frozenset((ONE,)))}) == ([], [])


def test_iptables_input_is_idempotent_and_undone_by_its_removal() -> None:
    prefix = CONFIG.names.chain_prefix
    empty = "*nat\n:PREROUTING ACCEPT [0:0]\nCOMMIT\n*filter\n:INPUT ACCEPT [0:0]\nCOMMIT\n"
    first = iptables.installation(CONFIG, empty)
    assert f"-I POSTROUTING -j {prefix}HIDE" in first
    assert first.count("*nat") == first.count("*filter") == 1
    saved = (
        f"*nat\n:PREROUTING ACCEPT [0:0]\n:{prefix}MARK - [0:0]\n:{prefix}HIDE - [0:0]\n:{prefix}SOURCE - [0:0]\n"
        f"-A PREROUTING -j {prefix}MARK\n-A OUTPUT -j {prefix}MARK\n-A POSTROUTING -j {prefix}HIDE\nCOMMIT\n"
        f"*filter\n:{prefix}GUARD - [0:0]\n-A INPUT -j {prefix}GUARD\n-A INPUT -j SOMEBODY-ELSE\nCOMMIT\n"
    )
    assert "-I " not in iptables.installation(CONFIG, saved)
    assert iptables.removal(CONFIG, empty) == ""
    assert iptables.removal(CONFIG, saved).splitlines() == [
        "*nat",
        f":{prefix}MARK - [0:0]",
        f":{prefix}HIDE - [0:0]",
        f":{prefix}SOURCE - [0:0]",
        f"-D PREROUTING -j {prefix}MARK",
        f"-D OUTPUT -j {prefix}MARK",
        f"-D POSTROUTING -j {prefix}HIDE",
        f"-X {prefix}MARK",
        f"-X {prefix}HIDE",
        f"-X {prefix}SOURCE",
        "COMMIT",
        "*filter",
        f":{prefix}GUARD - [0:0]",
        f"-D INPUT -j {prefix}GUARD",
        f"-X {prefix}GUARD",
        "COMMIT",
    ]
    assert all(len(word) <= 28 for word in first.split() if word.startswith(prefix)), "iptables' and ipset's limits"


def test_no_egress_masquerade_where_it_is_not_wanted() -> None:
    assert "! -o" in iptables.installation(CONFIG, "")
    assert "! -o" not in iptables.installation(BackendConfig(CONFIG.names, CONFIG.pod_cidr, masquerade=False), "")
