"""The Endpoints object of a Service: all its addresses in one object, for clients of the older API. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from kubeactors.api.meta import Object, labels
from kubeactors.controllers.endpointslice.endpoints import (
    Port,
    hostname_for,
    is_candidate,
    pod_addresses,
    target_port,
    target_reference,
)
from kubeactors.controllers.endpointslice.slices import HEADLESS
from kubeactors.controllers.pods import is_ready

MANAGED_BY = "endpoints.kubernetes.io/managed-by"
CONTROLLER_NAME = "endpoint-controller"
OVER_CAPACITY = "endpoints.kubernetes.io/over-capacity"
MAX_ADDRESSES = 1000


def subsets(service: Object, pods: Iterable[Object]) -> list[Object]:
    """The subsets: addresses that have the same ports together, ready and not ready apart, in a stable order."""
    publish = bool(service["spec"].get("publishNotReadyAddresses"))
    ready: dict[tuple[Port, ...], list[Object]] = {}
    waiting: dict[tuple[Port, ...], list[Object]] = {}
    for pod in pods:
        if not is_candidate(pod, include_terminating=publish):
            continue
        address = _address(service, pod)
        service_ports = service["spec"].get("ports") or ()
        found: list[Port] = []
        for port in service_ports:
            number = target_port(pod, port)
            if number is not None:
                found.append((port.get("name") or "", number, port.get("protocol", "TCP"), port.get("appProtocol")))
        if not found and service_ports:
            continue
        group = ready if publish or is_ready(pod) else waiting
        group.setdefault(tuple(sorted(found, key=str)), []).append(address)
    result = []
    for ports in sorted(set(ready) | set(waiting), key=str):
        subset: Object = {}
        for field, group in (("addresses", ready), ("notReadyAddresses", waiting)):
            if group.get(ports):
                subset[field] = sorted(group[ports], key=lambda a: (a["ip"], a["targetRef"]["uid"]))
        if ports:
            subset["ports"] = [_port(port) for port in ports]
        result.append(subset)
    return result


def truncated(wanted: Sequence[Object]) -> tuple[list[Object], bool]:
    """At most 1000 addresses, ready ones first; and whether any had to go."""
    total = sum(len(s.get("addresses", ())) + len(s.get("notReadyAddresses", ())) for s in wanted)
    if total <= MAX_ADDRESSES:
        return list(wanted), False
    left = MAX_ADDRESSES
    kept: list[Object] = [{"ports": s["ports"]} if "ports" in s else {} for s in wanted]
    for field in ("addresses", "notReadyAddresses"):
        for source, target in zip(wanted, kept, strict=True):
            if part := source.get(field, [])[:left]:
                target[field] = part
                left -= len(part)
    return [s for s in kept if "addresses" in s or "notReadyAddresses" in s], True


def endpoints_labels(service: Object) -> dict[str, str]:
    own = {k: v for k, v in labels(service).items() if k not in (HEADLESS, MANAGED_BY)}
    if service["spec"].get("clusterIP", "") in ("", "None"):
        own[HEADLESS] = ""
    return {**own, MANAGED_BY: CONTROLLER_NAME}


def _address(service: Object, pod: Object) -> Object:
    address: Object = {"ip": pod_addresses(pod)[0]}
    hostname = hostname_for(pod, service)
    if hostname is not None:
        address["hostname"] = hostname
    if pod["spec"].get("nodeName"):
        address["nodeName"] = pod["spec"]["nodeName"]
    address["targetRef"] = target_reference(pod)
    return address


def _port(port: Port) -> Object:
    name, number, protocol, app_protocol = port
    result: Object = {"name": name} if name else {}
    result |= {"port": number, "protocol": protocol}
    if app_protocol is not None:
        result["appProtocol"] = app_protocol
    return result
