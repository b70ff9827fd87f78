"""The IPVS backend: virtual servers on a device of service addresses, sets and a few iptables rules beside them.

Round robin by NAT; session affinity is IPVS persistence. Which virtual servers of the kernel are ours is written in
the kernel too: the set FRONTENDS names each before it is made and until after it is gone, so a new process adopts
what it finds.

One difference from the nftables backend: where externalTrafficPolicy is Local and this node has endpoints, clients in
the cluster get those alone too (a virtual server does not tell clients apart).
"""

import logging
import time
from collections.abc import Callable, Iterable

from netplugin import links, sysctl
from netplugin.interface import NetworkError
from netplugin.netlink import NetlinkError
from netplugin.proxy import iptables
from netplugin.proxy.backend import BackendConfig, BackendError
from netplugin.proxy.ipset import HASH_IP, HASH_IP_PORT, HASH_IP_PORT_IP, Entry, IpsetSocket
from netplugin.proxy.iptables import Iptables
from netplugin.proxy.ipvs_kernel import IpvsSocket, VirtualServer
from netplugin.proxy.ipvs_state import DEVICE, Element, Fragment, ServerState, Weight, fragment, weight_changes
from netplugin.proxy.table import ANY_LOCAL, Endpoint, Frontend, Rule, Rules

logger = logging.getLogger(__name__)

_SETS = {
    iptables.ADDRESSES: HASH_IP,
    iptables.FRONTENDS: HASH_IP_PORT,
    iptables.HIDE_OUTSIDERS: HASH_IP_PORT,
    iptables.HIDE_ALL: HASH_IP_PORT,
    iptables.DROP: HASH_IP_PORT,
    iptables.DROP_OUTSIDERS: HASH_IP_PORT,
    iptables.HAIRPIN: HASH_IP_PORT_IP,
}
_DRAIN_CHECK = 2.0  # seconds between looks at endpoints that finish their connections
_REREAD = 55.0  # seconds after which the kernel's content is read again before a write
_MTU = 1500


def available() -> bool:
    """Whether kernel and programs are there."""
    try:
        IpvsSocket().close()
        Iptables()
    except (OSError, BackendError):
        return False
    return True


class IpvsBackend:
    """See `netplugin.proxy.backend.Backend`. `clock` counts seconds, monotonic."""

    name = "ipvs"

    def __init__(self, config: BackendConfig, clock: Callable[[], float] = time.monotonic) -> None:
        """Raises BackendError when the kernel has no IPVS or no iptables works."""
        self._config = config
        self._clock = clock
        self._device = config.names.dummy
        self._iptables = Iptables()
        try:
            self._ipvs = IpvsSocket()
        except NetlinkError as error:
            raise BackendError(f"the kernel has no IPVS: {error}") from error
        self._ipsets = IpsetSocket()
        self._read_at: float | None = None  # when the fields below were read; None: not known
        self._servers: dict[VirtualServer, int] = {}  # persistence of those that are ours
        self._weights: dict[VirtualServer, dict[Endpoint, int]] = {}
        self._elements: set[Element] = set()
        self._draining: set[tuple[VirtualServer, Endpoint]] = set()
        self._drained_at = 0.0
        self._local: frozenset[str] = frozenset()
        self._fragments: dict[Frontend, tuple[Rule, Fragment]] = {}

    def prepare(self) -> None:
        try:
            for suffix, kind in _SETS.items():
                self._ipsets.create(self._set(suffix), kind)
            with links.open_route_socket() as sock:
                links.ensure_link(sock, self._device, "dummy", mtu=_MTU)
            # Translation by IPVS must be known to netfilter, which masquerades; connections whose endpoint was
            # removed end with the next packet; a client that stuck to an endpoint of weight 0 is led to another one.
            for name in ("conntrack", "expire_nodest_conn", "expire_quiescent_template"):
                sysctl.set_value(f"net/ipv4/vs/{name}", "1")
            self._iptables.install(self._config)
        except (OSError, NetworkError) as error:
            raise BackendError(f"IPVS cannot be set up: {error}") from error

    def pending(self) -> float | None:
        return _DRAIN_CHECK if self._draining else None

    def sync(self, rules: Rules) -> None:
        try:
            servers, elements = self._desired(rules)
            now = self._clock()
            if self._read_at is None or now - self._read_at > _REREAD:
                self._read(servers)
                self._read_at = now
            self._write(servers, elements)
            if self._draining and now - self._drained_at >= _DRAIN_CHECK:
                self._drained_at = now
                self._end_drained()
        except OSError as error:
            self._read_at = None
            raise BackendError(f"IPVS rules: {error}") from error

    def close(self) -> None:
        self._ipvs.close()
        self._ipsets.close()

    def purge(self) -> None:
        try:
            self._read({})
            self._ipvs.send([self._ipvs.delete_server(server) for server in self._servers])
            self._iptables.remove(self._config)
            for suffix in _SETS:
                self._ipsets.destroy(self._set(suffix))
            with links.open_route_socket() as sock:
                links.delete_links(sock, [self._device])
        except OSError as error:
            raise BackendError(f"IPVS rules cannot be removed: {error}") from error
        self._read_at = None

    # -- desired -----------------------------------------------------------------------------------------------------

    def _desired(self, rules: Rules) -> tuple[dict[VirtualServer, ServerState], set[Element]]:
        local = self._local_addresses()
        if local != self._local:
            self._local = local
            self._fragments.clear()
        old, self._fragments = self._fragments, {}
        for front, rule in rules.items():
            known = old.get(front)
            same = known is not None and known[0] is rule
            self._fragments[front] = known if known is not None and same else (rule, fragment(front, rule, local))
        servers: dict[VirtualServer, ServerState] = {}
        elements: set[Element] = set()
        # A frontend with an address takes it before one on every address does.
        for front in sorted(self._fragments, key=lambda front: front.address != ANY_LOCAL):
            _, part = self._fragments[front]
            servers.update(part.servers)
            elements |= part.elements
        return servers, elements

    def _local_addresses(self) -> frozenset[str]:
        """The node's own addresses, which carry node ports."""
        with links.open_route_socket() as sock:
            device = links.find_link(sock, self._device)
            index = device.index if device is not None else 0
            found = links.list_addresses(sock)
        return frozenset(a for link, a, _ in found if link != index and not a.startswith("127."))

    # -- the kernel --------------------------------------------------------------------------------------------------

    def _read(self, wanted: Iterable[VirtualServer]) -> None:
        self._elements = set()
        for suffix in _SETS:
            self._elements |= {Element(suffix, entry) for entry in self._ipsets.entries(self._set(suffix))}
        with links.open_route_socket() as sock:
            device = links.find_link(sock, self._device)
            if device is not None:
                addresses = links.list_addresses(sock, device.index)
                self._elements |= {Element(DEVICE, Entry(address)) for _, address, _ in addresses}
        ours = {VirtualServer(*element.entry[:3]) for element in self._elements if element.set == iptables.FRONTENDS}
        ours.update(wanted)
        self._servers = {server: lasting for server, lasting in self._ipvs.servers().items() if server in ours}
        self._weights = {
            server: {dest.endpoint: dest.weight for dest in self._ipvs.destinations(server)} for server in self._servers
        }

    def _write(self, servers: dict[VirtualServer, ServerState], elements: set[Element]) -> None:
        """Names and addresses come before what uses them, and go after it."""
        new, gone = elements - self._elements, self._elements - elements
        self._change_elements(new=new)
        kernel = self._ipvs
        messages = [
            kernel.set_server(server, state.persistence)
            if server in self._servers
            else kernel.new_server(server, state.persistence)
            for server, state in servers.items()
            if self._servers.get(server) != state.persistence
        ]
        sets, removals = weight_changes(self._weights, servers)
        messages += [
            kernel.set_weight(change.server, change.endpoint, change.weight)
            if change.present
            else kernel.new_destination(change.server, change.endpoint)
            for change in sets
        ]
        messages += [kernel.delete_destination(change.server, change.endpoint) for change in removals]
        messages += [kernel.delete_server(server) for server in self._servers.keys() - servers.keys()]
        kernel.send(messages)
        self._change_elements(gone=gone)
        self._elements = elements
        self._remember(servers, sets, removals)

    def _remember(self, servers: dict[VirtualServer, ServerState], sets: list[Weight], removals: list[Weight]) -> None:
        for server in self._servers.keys() - servers.keys():
            self._weights.pop(server, None)
        for change in sets:
            self._weights.setdefault(change.server, {})[change.endpoint] = change.weight
        for change in removals:
            self._weights[change.server].pop(change.endpoint, None)
        self._servers = {server: state.persistence for server, state in servers.items()}
        self._draining = {
            (server, endpoint)
            for server, weights in self._weights.items()
            for endpoint, weight in weights.items()
            if weight == 0
        }

    def _end_drained(self) -> None:
        """Remove endpoints that have finished their connections."""
        finished: list[tuple[VirtualServer, Endpoint]] = []
        for server in {server for server, _ in self._draining}:
            for dest in self._ipvs.destinations(server):
                if (server, dest.endpoint) in self._draining and dest.connections == 0:
                    finished.append((server, dest.endpoint))
        self._ipvs.send([self._ipvs.delete_destination(server, endpoint) for server, endpoint in finished])
        for server, endpoint in finished:
            self._draining.discard((server, endpoint))
            self._weights[server].pop(endpoint, None)

    def _change_elements(self, new: Iterable[Element] = (), gone: Iterable[Element] = ()) -> None:
        self._ipsets.change(
            [(self._set(element.set), element.entry) for element in gone if element.set != DEVICE],
            [(self._set(element.set), element.entry) for element in new if element.set != DEVICE],
        )
        added = sorted(element.entry.address for element in new if element.set == DEVICE)
        removed = sorted(element.entry.address for element in gone if element.set == DEVICE)
        if not added and not removed:
            return
        with links.open_route_socket() as sock:
            device = links.ensure_link(sock, self._device, "dummy", mtu=_MTU)
            sock.request(
                *(links.add_address(device.index, address, 32) for address in added),
                *(links.delete_address(device.index, address, 32) for address in removed),
            )

    def _set(self, suffix: str) -> str:
        return iptables.set_name(self._config, suffix)
