"""What IPVS, its device of service addresses and its sets should hold for a table. Pure functions."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from netplugin.proxy import iptables
from netplugin.proxy.ipset import Entry
from netplugin.proxy.ipvs_kernel import VirtualServer
from netplugin.proxy.table import ANY_LOCAL, Endpoint, Frontend, Rule

DEVICE = "device"  # the pseudo set of addresses on the dummy device


@dataclass(frozen=True)
class ServerState:
    """A virtual server: seconds of persistence, endpoints for new connections, endpoints that only finish old ones."""

    persistence: int
    endpoints: frozenset[Endpoint]
    draining: frozenset[Endpoint] = frozenset()


class Element(NamedTuple):
    """A member of a set (by suffix), or of the device's addresses."""

    set: str
    entry: Entry


@dataclass(frozen=True)
class Fragment:
    """What one rule adds."""

    servers: dict[VirtualServer, ServerState]
    elements: frozenset[Element]


def fragment(frontend: Frontend, rule: Rule, local_addresses: frozenset[str]) -> Fragment:
    """`local_addresses` are the node's own, which carry node ports."""
    endpoints = rule.endpoints
    if not endpoints and rule.internal:
        # No endpoint here: clients in the cluster may use others'. Outsiders are dropped before they come this far.
        endpoints = rule.internal
    state = ServerState(rule.affinity, frozenset(endpoints), frozenset(rule.draining))
    servers: dict[VirtualServer, ServerState] = {}
    elements: set[Element] = set()
    any_local = frontend.address == ANY_LOCAL
    for address in local_addresses if any_local else (frontend.address,):
        entry = Entry(address, frontend.protocol, frontend.port)
        elements.add(Element(iptables.FRONTENDS, entry))
        elements.update(Element(suffix, entry) for suffix in _treatment(rule))
        if address not in local_addresses:
            elements.add(Element(DEVICE, Entry(address)))
        if rule.dedicated:
            elements.add(Element(iptables.ADDRESSES, Entry(address)))
        servers[VirtualServer(address, frontend.protocol, frontend.port)] = state
    elements.update(
        Element(iptables.HAIRPIN, Entry(e.address, frontend.protocol, e.port, e.address))
        for e in endpoints
        if e.address in rule.local
    )
    return Fragment(servers, frozenset(elements))


def _treatment(rule: Rule) -> Iterable[str]:
    if rule.masquerade == "all":
        yield iptables.HIDE_ALL
    elif rule.masquerade == "outsiders":
        yield iptables.HIDE_OUTSIDERS
    if not rule.endpoints and not rule.refuse:
        yield iptables.DROP_OUTSIDERS if rule.internal else iptables.DROP


@dataclass(frozen=True)
class Weight:
    """Set an endpoint's weight on a virtual server; `present`: it is a destination already."""

    server: VirtualServer
    endpoint: Endpoint
    weight: int
    present: bool


Present = Mapping[VirtualServer, Mapping[Endpoint, int]]  # weights


def weight_changes(present: Present, wanted: Mapping[VirtualServer, ServerState]) -> tuple[list[Weight], list[Weight]]:
    """(weights to set, destinations to remove) so that new connections go where they should.

    A destination that is no longer wanted keeps its connections with weight 0 until they end (the backend looks after
    that), except UDP, which has no end: there only endpoints that are said to drain stay.
    """
    sets: list[Weight] = []
    removals: list[Weight] = []
    for server, state in wanted.items():
        have = present.get(server, {})
        for endpoint in sorted(state.endpoints - have.keys()):
            sets.append(Weight(server, endpoint, 1, present=False))
        for endpoint, weight in have.items():
            if endpoint in state.endpoints:
                if weight != 1:
                    sets.append(Weight(server, endpoint, 1, present=True))
            elif server.protocol == "UDP" and endpoint not in state.draining:
                removals.append(Weight(server, endpoint, 0, present=True))
            elif weight != 0:
                sets.append(Weight(server, endpoint, 0, present=True))
    return sets, removals
