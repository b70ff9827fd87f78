"""Texts for Warning headers about ports that a pod's containers name twice."""

from collections.abc import Iterator, Mapping
from typing import Any

from kubeactors.api.fielderrors import go_quote

Port = Mapping[str, Any]


def port_warnings(spec: Mapping[str, Any], path: str) -> list[str]:
    return _overlaps(spec, path) + _same_names(spec, path)


def _overlaps(spec: Mapping[str, Any], path: str) -> list[str]:
    warnings: list[str] = []
    known: dict[tuple[int, str], list[tuple[str, Port]]] = {}
    for _, port, at in _ports(spec, path):
        address, host = port.get("hostIP") or "", port.get("hostPort") or 0
        number, protocol = port.get("containerPort") or 0, port.get("protocol") or ""
        if address and not host:
            name = port.get("name") or ""
            shown = f"{{Name:{name} HostPort:0 ContainerPort:{number} Protocol:{protocol} HostIP:{address}}}"
            warnings.append(f"{at}: hostIP set without hostPort: {shown}")
        others = known.setdefault((number, protocol), [])
        for place, other in others:
            how = _overlap(address, host, other.get("hostIP") or "", other.get("hostPort") or 0)
            if how:
                warnings.append(f"{at}: {how} port definition with {place}")
        others.append((at, port))
    return warnings


def _overlap(address: str, host: int, other_address: str, other_host: int) -> str:
    """How two ports of one number and protocol get into each other's way, if they do."""
    if (address, host) == (other_address, other_host):
        return "duplicate"
    if not host or not other_host:
        return "overlapping"
    return "dangerously ambiguous" if host == other_host and bool(address) != bool(other_address) else ""


def _same_names(spec: Mapping[str, Any], path: str) -> list[str]:
    """Of containers that run at the same time, of which a name finds one port only."""
    warnings: list[str] = []
    first: dict[str, str] = {}
    for container, port, at in _ports(spec, path):
        if ".initContainers[" in at and container.get("restartPolicy") != "Always":
            continue
        name = port.get("name") or ""
        if name and first.setdefault(name, at) != at:
            message = "services and probes that select ports by name will use"
            warnings.append(f"{at}: duplicate port name {go_quote(name)} with {first[name]}, {message} {first[name]}")
    return warnings


def _ports(spec: Mapping[str, Any], path: str) -> Iterator[tuple[Mapping[str, Any], Port, str]]:
    for field in ("initContainers", "containers", "ephemeralContainers"):
        for i, container in enumerate(spec.get(field) or ()):
            for j, port in enumerate(container.get("ports") or ()):
                yield container, port, f"{path}.{field}[{i}].ports[{j}]"
