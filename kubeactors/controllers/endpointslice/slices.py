"""Packing endpoints into slices: which slices to create, update and delete, with as few writes as possible. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from kubeactors.api.meta import Object, labels
from kubeactors.controllers.endpointslice.endpoints import Port, ports_of_slice, slice_ports

MANAGED_BY = "endpointslice.kubernetes.io/managed-by"
CONTROLLER_NAME = "endpointslice-controller.k8s.io"
SERVICE_NAME = "kubernetes.io/service-name"
HEADLESS = "service.kubernetes.io/headless"
MAX_ENDPOINTS = 100

Groups = Mapping[tuple[Port, ...], Sequence[Object]]


@dataclass
class Changes:
    """What to write. Updated slices are whole objects with the resourceVersion they were read at."""

    create: list[Object] = field(default_factory=list)
    update: list[Object] = field(default_factory=list)
    delete: list[Object] = field(default_factory=list)


def slice_labels(service: Object) -> dict[str, str]:
    """The labels of the Service's slices: its own, and those by which slices are found."""
    own = {k: v for k, v in labels(service).items() if k not in (MANAGED_BY, SERVICE_NAME, HEADLESS)}
    if service["spec"].get("clusterIP", "") in ("", "None"):
        own[HEADLESS] = ""
    return {**own, SERVICE_NAME: service["metadata"]["name"], MANAGED_BY: CONTROLLER_NAME}


def address_types(service: Object) -> list[str]:
    """One kind of slice for each address family of the Service."""
    families = service["spec"].get("ipFamilies")
    if not families:
        address = service["spec"].get("clusterIP") or ""
        families = ["IPv6"] if ":" in address else ["IPv4"]
    return [str(family) for family in families]


def plan(
    service: Object, address_type: str, groups: Groups, existing: Sequence[Object], limit: int = MAX_ENDPOINTS
) -> Changes:
    """Make the slices of one address type hold `groups`: desired endpoints by their ports.

    An endpoint stays in the slice it is in. New ones go where a write is due anyway, then into the fullest slice
    that has room for all the rest, then into new slices. A slice that became empty is reused or deleted, but for
    one: a Service without endpoints has one empty slice.
    """
    wanted_labels = slice_labels(service)
    by_ports: dict[tuple[Port, ...], list[Object]] = {ports: [] for ports in groups}
    changes = Changes()
    for present in existing:
        ports = ports_of_slice(present)
        if ports in by_ports:
            by_ports[ports].append(present)
        else:
            changes.delete.append(present)
    for ports, endpoints in groups.items():
        _plan_ports(service, address_type, ports, endpoints, by_ports[ports], wanted_labels, limit, changes)
    if len(existing) == len(changes.delete) and not changes.create:
        empty = new_slice(service, address_type, (), [])
        if len(changes.delete) == 1 and _is_placeholder(changes.delete[0], wanted_labels):
            changes.delete.clear()
        else:
            changes.create.append(empty)
    _reuse_deleted(changes)
    return changes


def new_slice(service: Object, address_type: str, ports: tuple[Port, ...], endpoints: list[Object]) -> Object:
    meta = service["metadata"]
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "generateName": f"{meta['name']}-",
            "namespace": meta["namespace"],
            "labels": slice_labels(service),
            "ownerReferences": [
                {
                    "apiVersion": "v1",
                    "kind": "Service",
                    "name": meta["name"],
                    "uid": meta["uid"],
                    "controller": True,
                    "blockOwnerDeletion": True,
                }
            ],
        },
        "addressType": address_type,
        "ports": slice_ports(ports),
        "endpoints": endpoints,
    }


def _plan_ports(
    service: Object,
    address_type: str,
    ports: tuple[Port, ...],
    endpoints: Sequence[Object],
    existing: Sequence[Object],
    wanted_labels: dict[str, str],
    limit: int,
    changes: Changes,
) -> None:
    left = {_identity(endpoint): endpoint for endpoint in endpoints}
    contents: list[tuple[Object, list[Object], bool]] = []
    for present in existing:
        kept: list[Object] = []
        changed = labels(present) != wanted_labels
        for held in present.get("endpoints") or ():
            endpoint = left.pop(_identity(held), None)
            if endpoint is None:
                changed = True
                continue
            changed |= held != endpoint
            kept.append(endpoint)
        contents.append((present, kept, changed))
    waiting = list(left.values())
    # The fullest first, so that slices fill up and the others can run empty.
    for _, kept, changed in sorted(contents, key=lambda c: -len(c[1])):
        if changed and kept and waiting:
            room = limit - len(kept)
            kept.extend(waiting[:room])
            waiting = waiting[room:]
    if waiting:
        unchanged = [c for c in contents if not c[2] and len(c[1]) + len(waiting) <= limit]
        if unchanged:
            fullest = max(unchanged, key=lambda c: len(c[1]))
            contents[contents.index(fullest)] = (fullest[0], [*fullest[1], *waiting], True)
            waiting = []
    for present, kept, changed in contents:
        if not kept:
            # Empty slices take what is left before new ones are made.
            if waiting:
                kept, waiting, changed = waiting[:limit], waiting[limit:], True
            else:
                changes.delete.append(present)
                continue
        if changed:
            changes.update.append(_updated(present, kept, wanted_labels))
    while waiting:
        changes.create.append(new_slice(service, address_type, ports, waiting[:limit]))
        waiting = waiting[limit:]


def _updated(present: Object, endpoints: list[Object], wanted_labels: dict[str, str]) -> Object:
    meta = {**present["metadata"], "labels": wanted_labels}
    return {**present, "metadata": meta, "endpoints": endpoints}


def _reuse_deleted(changes: Changes) -> None:
    """Turn a deletion and a creation into one update: watchers never see the Service without its endpoints."""
    while changes.delete and changes.create:
        old, new = changes.delete.pop(0), changes.create.pop(0)
        meta = {**old["metadata"], "labels": new["metadata"]["labels"]}
        changes.update.append({**old, "metadata": meta, "ports": new["ports"], "endpoints": new["endpoints"]})


def _is_placeholder(present: Object, wanted_labels: dict[str, str]) -> bool:
    return not present.get("endpoints") and not present.get("ports") and labels(present) == wanted_labels


def _identity(endpoint: Object) -> tuple[Any, ...]:
    """What makes two endpoints the same one: addresses and pod."""
    target = endpoint.get("targetRef") or {}
    return tuple(endpoint.get("addresses") or ()), target.get("uid"), target.get("name")
