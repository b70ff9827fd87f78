"""The service table that a node should have: a pure function of Services and EndpointSlices.

A rule says where connections to one address and port go. Both backends (nftables, IPVS) realise the same rules.

Sources: Kubernetes' "Virtual IPs and Service Proxies" page; KEP-2086 and KEP-2433 (traffic policies), KEP-1669
(proxying to terminating endpoints), KEP-1860 (load balancer ipMode).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any, NamedTuple

from kubeactors.api import meta
from kubeactors.api.meta import Object
from netplugin.interface import HostPort

SERVICE_NAME_LABEL = "kubernetes.io/service-name"
PROXY_NAME_LABEL = "service.kubernetes.io/service-proxy-name"  # another proxy serves this Service
_DEFAULT_AFFINITY_SECONDS = 10800
ANY_LOCAL = ""  # a frontend on every address of the node


class Frontend(NamedTuple):
    """What clients connect to. `address` ANY_LOCAL is every local address of the node (but the loopback range)."""

    address: str
    protocol: str  # TCP, UDP or SCTP
    port: int


class Endpoint(NamedTuple):
    """A pod's address and port."""

    address: str
    port: int


@dataclass(frozen=True, slots=True)
class Rule:
    """Where connections to a frontend go."""

    service: str  # namespace/name:port, for people
    endpoints: tuple[Endpoint, ...]  # sorted
    # For clients in the cluster (pods, this node), where they differ: a Service with externalTrafficPolicy Local
    # answers outsiders from this node's pods alone, but clients in the cluster from all.
    internal: tuple[Endpoint, ...] | None = None
    affinity: int = 0  # seconds that a client's address sticks to an endpoint; 0: no affinity
    # Whose connections get the node's address as source: "all", "outsiders" (all but pods), "none".
    masquerade: str = "outsiders"
    refuse: bool = True  # without endpoints: refuse at once (else drop, so that a load balancer goes elsewhere)
    draining: tuple[Endpoint, ...] = ()  # get no new connections, but may finish those that they have
    local: frozenset[str] = frozenset()  # addresses of endpoints on this node: they may reach themselves
    dedicated: bool = True  # the address exists for services alone (a cluster IP): a proxy may take it as its own


Rules = dict[Frontend, Rule]


@dataclass(frozen=True, slots=True)
class _Candidate:
    endpoint: Endpoint
    ready: bool
    terminating: bool  # and still serving
    local: bool


def service_rules(service: Object, slices: Iterable[Object], node_name: str) -> Rules:
    """The rules of one Service on one node."""
    spec = service.get("spec") or {}
    if spec.get("type") == "ExternalName" or PROXY_NAME_LABEL in meta.labels(service):
        return {}
    cluster_ips = _ipv4(spec.get("clusterIPs") or [spec.get("clusterIP") or ""])
    if not cluster_ips:
        return {}  # headless, or no address yet
    slices = list(slices)
    external_ips = _external_ips(service)
    rules: Rules = {}
    for port in spec.get("ports") or ():
        protocol, number = port.get("protocol") or "TCP", port["port"]
        candidates = list(_candidates(slices, port.get("name") or "", protocol, node_name))
        policy = _PortPolicy(service, port, candidates)
        for address in cluster_ips:
            rules[Frontend(address, protocol, number)] = policy.internal_rule()
        outside = [Frontend(address, protocol, number) for address in external_ips]
        if port.get("nodePort"):
            outside.append(Frontend(ANY_LOCAL, protocol, port["nodePort"]))
        for frontend in outside:
            rules.setdefault(frontend, policy.external_rule(dedicated=False))
    return rules


class _PortPolicy:
    """How one port of a Service chooses among its endpoints."""

    def __init__(self, service: Object, port: Mapping[str, Any], candidates: list[_Candidate]) -> None:
        spec = service["spec"]
        self.name = f"{meta.key(service)}:{port.get('name') or port['port']}"
        self.internal_local = spec.get("internalTrafficPolicy") == "Local"
        self.external_local = spec.get("externalTrafficPolicy") == "Local"
        self.affinity = _affinity(spec)
        self.all = _usable(candidates)
        self.on_node = _usable([candidate for candidate in candidates if candidate.local])
        self.draining = tuple(sorted({c.endpoint for c in candidates if c.terminating}.difference(self.all)))
        self.local = frozenset(candidate.endpoint.address for candidate in candidates if candidate.local)

    def internal_rule(self) -> Rule:
        endpoints = self.on_node if self.internal_local else self.all
        # Dropping, not refusing, when only other nodes have endpoints: as kube-proxy does for policy Local.
        return Rule(
            self.name,
            endpoints,
            affinity=self.affinity,
            draining=self.draining,
            refuse=not (self.internal_local and self.all),
            local=self._reachable(endpoints),
        )

    def external_rule(self, *, dedicated: bool) -> Rule:
        if not self.external_local:
            return Rule(
                self.name,
                self.all,
                affinity=self.affinity,
                masquerade="all",
                draining=self.draining,
                local=self._reachable(self.all),
                dedicated=dedicated,
            )
        # The client's address is kept, so only this node's endpoints may answer. Clients in the cluster reach all.
        return Rule(
            self.name,
            self.on_node,
            internal=self.all,
            affinity=self.affinity,
            masquerade="none",
            draining=self.draining,
            refuse=not self.all,
            local=self._reachable(self.all),
            dedicated=dedicated,
        )

    def _reachable(self, endpoints: tuple[Endpoint, ...]) -> frozenset[str]:
        return self.local.intersection(endpoint.address for endpoint in endpoints) if self.local else frozenset()


def host_port_rules(pod: str, addresses: Iterable[str], host_ports: Iterable[HostPort]) -> Rules:
    """The rules of one pod's hostPorts (the pod runs on this node). `pod` is namespace/name."""
    rules: Rules = {}
    address = next(iter(_ipv4(addresses)), None)
    if address is None:
        return rules
    for port in host_ports:
        listen = ANY_LOCAL if port.host_ip in ("", "0.0.0.0") else port.host_ip
        rules[Frontend(listen, port.protocol, port.host_port)] = Rule(
            f"{pod} hostPort {port.host_port}",
            (Endpoint(address, port.container_port),),
            masquerade="none",
            local=frozenset((address,)),
            dedicated=False,
        )
    return rules


def merge(tables: Iterable[tuple[str, Rules]]) -> tuple[Rules, list[str]]:
    """All owners' rules as one table, and what could not be had:

    a frontend belongs to the first owner that names it.
    """
    merged: Rules = {}
    conflicts: list[str] = []
    for owner, rules in tables:
        for frontend, rule in rules.items():
            taken = merged.setdefault(frontend, rule)
            if taken is not rule:
                where = f"{frontend.address or 'node port'}:{frontend.port}/{frontend.protocol}"
                conflicts.append(f"{where} of {owner} is taken by {taken.service}")
    return merged, conflicts


def _usable(candidates: Iterable[_Candidate]) -> tuple[Endpoint, ...]:
    """Ready endpoints; while there is none, those that terminate and still serve (KEP-1669)."""
    pool = list(candidates)
    chosen = {candidate.endpoint for candidate in pool if candidate.ready}
    chosen = chosen or {candidate.endpoint for candidate in pool if candidate.terminating}
    return tuple(sorted(chosen))


def _candidates(slices: Iterable[Object], port_name: str, protocol: str, node_name: str) -> Iterable[_Candidate]:
    for part in slices:
        if part.get("addressType", "IPv4") != "IPv4":
            continue
        for port in part.get("ports") or ():
            if (
                (port.get("name") or "") != port_name
                or (port.get("protocol") or "TCP") != protocol
                or not port.get("port")
            ):
                continue
            for endpoint in part.get("endpoints") or ():
                conditions = endpoint.get("conditions") or {}
                # Absent conditions mean: ready, serving as ready is, not terminating (the API's own reading).
                ready = conditions.get("ready") is not False
                serving = ready if conditions.get("serving") is None else conditions["serving"]
                terminating = bool(conditions.get("terminating"))
                local = endpoint.get("nodeName") == node_name
                # One endpoint has one pod, whose addresses of a slice are fungible: consumers take the first.
                for address in (endpoint.get("addresses") or ())[:1]:
                    yield _Candidate(
                        Endpoint(address, port["port"]),
                        ready=ready,
                        terminating=serving and terminating,
                        local=local,
                    )


def _affinity(spec: Mapping[str, Any]) -> int:
    if spec.get("sessionAffinity") != "ClientIP":
        return 0
    client = (spec.get("sessionAffinityConfig") or {}).get("clientIP") or {}
    return int(client.get("timeoutSeconds") or _DEFAULT_AFFINITY_SECONDS)


def _external_ips(service: Object) -> list[str]:
    ingress = ((service.get("status") or {}).get("loadBalancer") or {}).get("ingress") or ()
    # ipMode Proxy: the load balancer wants the traffic to pass through it even from inside.
    balancers = [entry["ip"] for entry in ingress if entry.get("ip") and entry.get("ipMode", "VIP") == "VIP"]
    return _ipv4([*(service["spec"].get("externalIPs") or ()), *balancers])


def _ipv4(addresses: Iterable[str]) -> list[str]:
    found: list[str] = []
    for address in addresses:
        try:
            if ip_address(address).version == 4:
                found.append(address)
        except ValueError:
            continue  # "None", ""
    return found
