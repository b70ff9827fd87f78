"""The hook of Services: completes what they must have, and claims it in their transaction."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from kubeactors.api import errors, fielderrors
from kubeactors.api.meta import Object, now_rfc3339
from kubeactors.api.services import (
    drop_type_dependent,
    has_cluster_ip,
    is_headless,
    keep_allocated,
    needs_health_check_port,
    needs_node_ports,
    node_ports,
    normalize_cluster_ips,
)
from kubeactors.api.validation.service import cluster_ip_errors
from kubeactors.apiserver.registry import forms
from kubeactors.apiserver.registry.hooks import Claims
from kubeactors.apiserver.registry.names import new_uid
from kubeactors.apiserver.registry.versions import Freshness
from kubeactors.apiserver.services.families import family_of, set_families
from kubeactors.apiserver.services.ranges import AddressRange, PortRange
from kubeactors.apiserver.storage.encoding import to_stored
from kubeactors.apiserver.watchcache.cache import ResourceCache
from kubeactors.store.client import ops

# Kubernetes keeps an IPAddress object for each address, so this is where its clients look for them.
ADDRESS_PREFIX = "/registry/ipaddresses/"
PORT_PREFIX = "/registry/ranges/servicenodeports/"


_PORT_TAKEN = "provided port is already allocated"


class _First(random.Random):
    """Always the lowest number."""

    def randint(self, a: int, b: int) -> int:
        return a


_FIRST = _First()


@dataclass(frozen=True, slots=True)
class Needs:
    """What a service holds."""

    addresses: frozenset[str] = frozenset()
    ports: frozenset[int] = frozenset()


def needs_of(service: Mapping[str, Any] | None) -> Needs:
    """The addresses and node ports of a service; of None: nothing."""
    if service is None:
        return Needs()
    spec = service.get("spec") or {}
    addresses = (
        frozenset(each for each in spec.get("clusterIPs") or () if family_of(each)) if _needs_address(spec) else ()
    )
    ports = node_ports(spec) if needs_node_ports(spec) else set()
    if needs_health_check_port(spec) and spec.get("healthCheckNodePort"):
        ports.add(spec["healthCheckNodePort"])
    return Needs(frozenset(addresses), frozenset(ports))


class ServiceClaims:
    """`addresses` and `ports` are the caches of what is taken; they are asked first, the transaction decides."""

    def __init__(
        self,
        addresses: ResourceCache,
        ports: ResourceCache,
        address_range: AddressRange,
        port_range: PortRange,
        freshness: Freshness,
        clock: forms.Clock,
        rng: random.Random | None = None,
    ) -> None:
        self.addresses = addresses
        self.ports = ports
        self._address_range = address_range
        self._port_range = port_range
        self._freshness = freshness
        self._clock = clock
        self._rng = rng or random.Random()

    # --- completing

    async def allocate(self, new: Object, old: Object | None, *, dry_run: bool) -> None:
        """Give a service the address and ports that it asks for or must have. Raises StatusError (422, 500)."""
        # A dry run takes nothing, so it is not told anything that another may get: it gets the first of each range.
        rng = _FIRST if dry_run else self._rng
        spec = new.setdefault("spec", {})
        before = (old or {}).get("spec") or {}
        name = new["metadata"].get("name") or ""
        if old is not None:
            drop_type_dependent(spec, before)
            keep_allocated(spec, before)
        normalize_cluster_ips(spec, before if old is not None else None)
        found = cluster_ip_errors(spec, before.get("clusterIPs") or [])
        if found:
            raise errors.invalid("Service", name, found)
        held = needs_of(old)
        if spec.get("type") != "ExternalName":
            set_families(name, spec, before if old is not None else None, self._address_range.family)
        if _needs_address(spec) and not _address_changes(spec, before):
            await self._allocate_address(name, spec, held, rng, dry_run=dry_run)
        if needs_node_ports(spec):
            await self._allocate_ports(name, spec, held, rng, creating=old is None)
        if needs_health_check_port(spec) and not needs_health_check_port(before):
            await self._allocate_health_check_port(spec, held, rng)

    async def _allocate_address(
        self, name: str, spec: dict[str, Any], held: Needs, rng: random.Random, *, dry_run: bool
    ) -> None:
        wanted: list[str] = spec.get("clusterIPs") or []
        if not wanted:
            chosen = self._address_range.choose(self._address_taken, rng)
            if chosen is None:
                await self._freshness.latest()
                chosen = self._address_range.choose(self._address_taken, rng)
            if chosen is None:
                raise errors.internal("failed to allocate a serviceIP: range is full")
            spec["clusterIP"], spec["clusterIPs"] = chosen, [chosen]
            return
        for address in wanted:
            if family_of(address) is None or address in held.addresses:
                continue  # validation has something to say about it, or it is ours
            refusal = self._address_range.refusal(address, dry_run=dry_run)
            # Kubernetes does not look who has an address that is not to be taken really.
            if not refusal and not dry_run and self._address_taken(address):
                await self._freshness.latest()
                if self._address_taken(address):
                    refusal = "provided IP is already allocated"
            if refusal:
                message = f"failed to allocate IP {address}: {refusal}"
                raise errors.invalid("Service", name, [fielderrors.invalid("spec.clusterIPs", wanted, message)])

    async def _allocate_ports(
        self, name: str, spec: dict[str, Any], held: Needs, rng: random.Random, *, creating: bool
    ) -> None:
        automatic = spec.get("allocateLoadBalancerNodePorts") is not False or spec.get("type") == "NodePort"
        requested = {
            port["port"]: port["nodePort"] for port in reversed(spec.get("ports") or ()) if port.get("nodePort")
        }
        chosen: set[int] = set()
        by_port: dict[int, int] = {}
        pairs: set[tuple[str, int]] = set()
        for index, port in enumerate(spec.get("ports") or ()):
            number = port.get("nodePort") or 0
            if not number and not automatic:
                continue
            if not number and creating:
                # The same port under another protocol has the same node port.
                number = by_port.get(port["port"]) or requested.get(port["port"]) or 0
            if not number:
                number = await self._choose_port(chosen, rng)
            elif number not in held.ports and (
                number not in chosen or (creating and number != by_port.get(port["port"]))
            ):
                refusal = _PORT_TAKEN if number in chosen else await self._port_refusal(number)
                if refusal:
                    cause = fielderrors.invalid(f"spec.ports[{index}].nodePort", number, refusal)
                    raise errors.invalid("Service", name, [cause])
            pair = (port.get("protocol") or "TCP", number)
            if pair in pairs and not creating:
                raise errors.unknown(f"duplicate nodePort: {{{pair[0]} {pair[1]}}}")
            pairs.add(pair)
            chosen.add(number)
            by_port[port["port"]] = number
            port["nodePort"] = number

    async def _allocate_health_check_port(self, spec: dict[str, Any], held: Needs, rng: random.Random) -> None:
        number = spec.get("healthCheckNodePort") or 0
        if not number:
            spec["healthCheckNodePort"] = await self._choose_port(node_ports(spec), rng)
        elif number not in held.ports:
            refusal = await self._port_refusal(number)
            if refusal:
                raise errors.internal(f"failed to allocate requested HealthCheck NodePort {number}: {refusal}")

    async def _choose_port(self, chosen: set[int], rng: random.Random) -> int:
        def taken(port: str) -> bool:
            return int(port) in chosen or self._port_taken(port)

        number = self._port_range.choose(taken, rng)
        if number is None:
            await self._freshness.latest()
            number = self._port_range.choose(taken, rng)
        if number is None:
            raise errors.internal("failed to allocate a nodePort: range is full")
        return number

    async def _port_refusal(self, number: int) -> str:
        refusal = self._port_range.refusal(number)
        if not refusal and self._port_taken(str(number)):
            await self._freshness.latest()
            if self._port_taken(str(number)):
                refusal = _PORT_TAKEN
        return refusal

    def _address_taken(self, address: str) -> bool:
        return self.addresses.get("", address) is not None

    def _port_taken(self, port: str) -> bool:
        return self.ports.get("", port) is not None

    # --- claiming

    def claims(self, new: Object | None, old: Object | None) -> Claims:
        """See Hook.claims."""
        after, before = needs_of(new), needs_of(old)
        made = Claims()
        service = new if new is not None else old
        assert service is not None
        for key, name in _keys(after.addresses - before.addresses, after.ports - before.ports):
            made.compare.append(ops.mod_revision(key, "=", 0))
            made.operations.append(ops.put(key, claim_value(key, name, service, self._clock())))
        for key, _ in _keys(before.addresses - after.addresses, before.ports - after.ports):
            made.operations.append(ops.delete(key))
        return made


def claim_keys(needs: Needs) -> dict[bytes, str]:
    """The keys that hold what a service needs, with the names of the claims."""
    return dict(_keys(needs.addresses, needs.ports))


def _keys(addresses: frozenset[str], ports: frozenset[int]) -> list[tuple[bytes, str]]:
    found = [(f"{ADDRESS_PREFIX}{each}".encode(), each) for each in sorted(addresses)]
    return found + [(f"{PORT_PREFIX}{each}".encode(), str(each)) for each in sorted(ports)]


def claim_value(key: bytes, name: str, service: Object, now: datetime) -> bytes:
    """The stored form of a claim: an IPAddress, and the like for a port."""
    metadata: dict[str, Any] = {"name": name, "uid": new_uid(), "creationTimestamp": now_rfc3339(now)}
    if key.startswith(ADDRESS_PREFIX.encode()):
        metadata["labels"] = {
            "ipaddress.kubernetes.io/ip-family": family_of(name),
            "ipaddress.kubernetes.io/managed-by": "ipallocator.k8s.io",
        }
    owner = service["metadata"]
    parent = {"resource": "services", "namespace": owner.get("namespace", ""), "name": owner["name"]}
    return to_stored({"metadata": metadata, "spec": {"parentRef": parent}})


def _needs_address(spec: dict[str, Any]) -> bool:
    return has_cluster_ip(spec) and not is_headless(spec)


def _address_changes(spec: dict[str, Any], before: dict[str, Any]) -> bool:
    """Whether an update asks for another address than the service has (or has not), which validation will refuse."""
    held = before.get("clusterIPs") or []
    return bool(held and (spec.get("clusterIPs") or [])[:1] != held[:1])
