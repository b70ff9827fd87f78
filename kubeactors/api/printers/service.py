"""Cells of services and of what lists their endpoints."""

from datetime import datetime
from typing import Any

from kubeactors.api.meta import Object
from kubeactors.api.printers.text import NONE, age, format_labels, list_with_more, name


def service_cells(service: Object, now: datetime) -> list[Any]:
    spec = service.get("spec") or {}
    addresses = spec.get("clusterIPs") or []
    return [
        name(service),
        spec.get("type") or "",
        addresses[0] if addresses else spec.get("clusterIP") or NONE,
        _external_ip(service),
        ",".join(_port(p) for p in spec.get("ports") or ()) or NONE,
        age(service, now),
        format_labels(spec.get("selector")),
    ]


def endpoints_cells(endpoints: Object, now: datetime) -> list[Any]:
    subsets = endpoints.get("subsets") or []
    texts: list[str] = []
    for subset in subsets:
        addresses = [a.get("ip") or "" for a in subset.get("addresses") or ()]
        ports = subset.get("ports") or []
        texts += [_host_port(a, p.get("port")) for p in ports for a in addresses] if ports else addresses
    return [name(endpoints), list_with_more(texts) if subsets else NONE, age(endpoints, now)]


def endpoint_slice_cells(endpoint_slice: Object, now: datetime) -> list[Any]:
    ports = [
        str(p["port"]) if p.get("port") is not None else p.get("name", "*") for p in endpoint_slice.get("ports") or ()
    ]
    addresses = [a for e in endpoint_slice.get("endpoints") or () for a in e.get("addresses") or ()]
    return [
        name(endpoint_slice),
        endpoint_slice.get("addressType") or "",
        list_with_more(ports) or "<unset>",
        list_with_more(addresses) or "<unset>",
        age(endpoint_slice, now),
    ]


def _external_ip(service: Object) -> str:
    spec = service.get("spec") or {}
    kind = spec.get("type")
    external = list(spec.get("externalIPs") or ())
    if kind == "ExternalName":
        return str(spec.get("externalName") or "")
    if kind == "LoadBalancer":
        ingress = ((service.get("status") or {}).get("loadBalancer") or {}).get("ingress") or ()
        given = sorted({i.get("ip") or i.get("hostname") or "" for i in ingress} - {""})
        return ",".join(given + external) or "<pending>"
    return ",".join(external) or NONE


def _port(port: dict[str, Any]) -> str:
    node_port = f":{port['nodePort']}" if port.get("nodePort") else ""
    return f"{port.get('port', 0)}{node_port}/{port.get('protocol', 'TCP')}"


def _host_port(address: str, port: int | None) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
