"""A pod as an endpoint of a Service: its addresses, conditions and ports. Pure."""

from __future__ import annotations

import ipaddress

from kubeactors.api.meta import Object, is_deleting
from kubeactors.controllers.pods import is_finished, is_ready

# A port of an endpoint: (name, port or None, protocol, appProtocol or None).
Port = tuple[str, int | None, str, str | None]


def is_candidate(pod: Object, include_terminating: bool) -> bool:
    """Whether the pod can be an endpoint at all: it has an address and has not ended."""
    if is_finished(pod) or not pod_addresses(pod):
        return False
    return include_terminating or not is_deleting(pod)


def pod_addresses(pod: Object) -> list[str]:
    status = pod.get("status") or {}
    addresses = [entry["ip"] for entry in status.get("podIPs") or () if entry.get("ip")]
    return addresses or ([status["podIP"]] if status.get("podIP") else [])


def target_port(pod: Object, service_port: Object) -> int | None:
    """The number of a Service's target port on this pod; None where a named port has no such container port.

    Containers that run for the pod's whole life are searched: sidecars (restartable init containers) too.
    """
    target = service_port.get("targetPort")
    if target is None or target == 0:
        return int(service_port["port"])
    if isinstance(target, int):
        return target
    protocol = service_port.get("protocol", "TCP")
    spec = pod["spec"]
    sidecars = [c for c in spec.get("initContainers") or () if c.get("restartPolicy") == "Always"]
    for container in [*(spec.get("containers") or ()), *sidecars]:
        for port in container.get("ports") or ():
            if port.get("name") == target and port.get("protocol", "TCP") == protocol:
                return int(port["containerPort"])
    return None


def endpoint_ports(service: Object, pod: Object) -> tuple[Port, ...]:
    """The pod's ports for the Service, in a canonical order; empty for a headless Service without ports."""
    found: list[Port] = []
    for port in service["spec"].get("ports") or ():
        number = target_port(pod, port)
        if number is not None:
            found.append((port.get("name") or "", number, port.get("protocol", "TCP"), port.get("appProtocol")))
    return tuple(sorted(found, key=str))


def slice_ports(ports: tuple[Port, ...]) -> list[Object]:
    """As an EndpointSlice has them. A nameless port has the empty name there."""
    result = []
    for name, number, protocol, app_protocol in ports:
        port: Object = {"name": name, "port": number, "protocol": protocol}
        if app_protocol is not None:
            port["appProtocol"] = app_protocol
        result.append(port)
    return result


def ports_of_slice(endpoint_slice: Object) -> tuple[Port, ...]:
    found = [
        (port.get("name") or "", port.get("port"), port.get("protocol", "TCP"), port.get("appProtocol"))
        for port in endpoint_slice.get("ports") or ()
    ]
    return tuple(sorted(found, key=str))


def address_of_family(pod: Object, address_type: str) -> list[str]:
    version = 6 if address_type == "IPv6" else 4
    return [ip for ip in pod_addresses(pod) if ipaddress.ip_address(ip).version == version]


def hostname_for(pod: Object, service: Object) -> str | None:
    """The pod's hostname if it names this Service as its subdomain."""
    spec = pod["spec"]
    if spec.get("hostname") and spec.get("subdomain") == service["metadata"]["name"]:
        return str(spec["hostname"])
    return None


def target_reference(pod: Object) -> Object:
    meta = pod["metadata"]
    return {"kind": "Pod", "namespace": meta["namespace"], "name": meta["name"], "uid": meta["uid"]}


def endpoint_of(pod: Object, service: Object, node: Object | None, addresses: list[str]) -> Object:
    """The pod's endpoint. `node` is the pod's Node, which knows the zone."""
    serving, terminating = is_ready(pod), is_deleting(pod)
    ready = bool(service["spec"].get("publishNotReadyAddresses")) or (serving and not terminating)
    endpoint: Object = {
        "addresses": addresses,
        "conditions": {"ready": ready, "serving": serving, "terminating": terminating},
        "targetRef": target_reference(pod),
    }
    if pod["spec"].get("nodeName"):
        endpoint["nodeName"] = pod["spec"]["nodeName"]
    zone = ((node or {}).get("metadata", {}).get("labels") or {}).get("topology.kubernetes.io/zone")
    if zone:
        endpoint["zone"] = zone
    hostname = hostname_for(pod, service)
    if hostname is not None:
        endpoint["hostname"] = hostname
    return endpoint
