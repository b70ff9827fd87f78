"""Validation of Endpoints and EndpointSlices."""

from collections.abc import Mapping
from typing import Any, Final

from kubeactors.api.choices import ADDRESS_TYPES, PROTOCOLS
from kubeactors.api.fielderrors import (
    FieldError,
    duplicate,
    invalid,
    not_supported,
    required,
    too_many,
)
from kubeactors.api.validation.addresses import legacy_ip_errors, sloppy_ip
from kubeactors.api.validation.common import (
    dns1123_label,
    dns1123_subdomain,
    endpoint_ip,
    fully_qualified_domain_name,
    immutable,
    port_number,
    qualified_name,
)
from kubeactors.api.validation.names import dns1123_subdomain_errors, label_value_errors

_PROTOCOLS: Final = frozenset(PROTOCOLS)
_ADDRESS_TYPES: Final = frozenset(ADDRESS_TYPES)
_MAX_ENDPOINTS: Final = 1000
_MAX_ADDRESSES: Final = 100
_MAX_PORTS: Final = 20000
_MAX_HINTS: Final = 8


def endpoints_errors(obj: Mapping[str, Any]) -> list[FieldError]:
    errors: list[FieldError] = []
    for i, subset in enumerate(obj.get("subsets") or ()):
        at = f"subsets[{i}]"
        if not subset.get("addresses") and not subset.get("notReadyAddresses"):
            errors.append(required(at, "must specify `addresses` or `notReadyAddresses`"))
        for field in ("addresses", "notReadyAddresses"):
            for j, address in enumerate(subset.get(field) or ()):
                errors += _address_errors(address, f"{at}.{field}[{j}]")
        ports = subset.get("ports") or []
        for j, port in enumerate(ports):
            errors += _port_errors(port, len(ports) > 1, f"{at}.ports[{j}]")
    return errors


def _address_errors(address: Mapping[str, Any], path: str) -> list[FieldError]:
    value = address.get("ip") or ""
    errors = legacy_ip_errors(value, f"{path}.ip")
    if address.get("hostname"):
        errors += dns1123_label(address["hostname"], f"{path}.hostname")
    if address.get("nodeName") is not None:
        errors += dns1123_subdomain(address["nodeName"], f"{path}.nodeName")
    return errors + endpoint_ip(value, f"{path}.ip")


def _port_errors(port: Mapping[str, Any], need_name: bool, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    name, protocol = port.get("name") or "", port.get("protocol") or ""
    if need_name and not name:
        errors.append(required(f"{path}.name"))
    elif name:
        errors += dns1123_label(name, f"{path}.name")
    errors += port_number(port.get("port") or 0, f"{path}.port")
    if not protocol:
        errors.append(required(f"{path}.protocol"))
    elif protocol not in _PROTOCOLS:
        errors.append(not_supported(f"{path}.protocol", protocol, _PROTOCOLS))
    if port.get("appProtocol") is not None:
        errors += qualified_name(port["appProtocol"], f"{path}.appProtocol")
    return errors


def endpoint_slice_errors(obj: Mapping[str, Any]) -> list[FieldError]:
    kind = obj.get("addressType") or ""
    errors: list[FieldError] = []
    if not kind:
        errors.append(required("addressType"))
    elif kind not in _ADDRESS_TYPES:
        errors.append(not_supported("addressType", kind, _ADDRESS_TYPES))
    endpoints = obj.get("endpoints") or []
    if len(endpoints) > _MAX_ENDPOINTS:
        errors.append(too_many("endpoints", len(endpoints), _MAX_ENDPOINTS))
    else:
        for i, endpoint in enumerate(endpoints):
            errors += _endpoint_errors(endpoint, kind, f"endpoints[{i}]")
    return errors + _slice_port_errors(obj.get("ports") or [])


def endpoint_slice_update_errors(new: Mapping[str, Any], old: Mapping[str, Any]) -> list[FieldError]:
    errors = endpoint_slice_errors(new)
    return errors + immutable(new.get("addressType"), old.get("addressType"), "addressType")


def _endpoint_errors(endpoint: Mapping[str, Any], kind: str, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    addresses = endpoint.get("addresses") or []
    at = f"{path}.addresses"
    if not addresses:
        errors.append(required(at, "must contain at least 1 address"))
    elif len(addresses) > _MAX_ADDRESSES:
        errors.append(too_many(at, len(addresses), _MAX_ADDRESSES))
    for i, address in enumerate(addresses):
        if kind == "FQDN":
            errors += fully_qualified_domain_name(address, f"{at}[{i}]")
        elif kind in ("IPv4", "IPv6"):
            errors += _slice_address_errors(address, kind, at, i)
    if endpoint.get("nodeName") is not None:
        errors += dns1123_subdomain(endpoint["nodeName"], f"{path}.nodeName")
    if endpoint.get("hostname") is not None:
        errors += dns1123_label(endpoint["hostname"], f"{path}.hostname")
    return errors + _hint_errors(endpoint.get("hints") or {}, f"{path}.hints")


def _hint_errors(hints: Mapping[str, Any], path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    for field in ("forZones", "forNodes"):
        named = hints.get(field) or []
        where = f"{path}.{field}"
        if len(named) > _MAX_HINTS:
            return [*errors, too_many(where, len(named), _MAX_HINTS)]
        seen: set[str] = set()
        for i, hint in enumerate(named):
            name, at = hint.get("name") or "", f"{where}[{i}].name"
            if name in seen:
                errors.append(duplicate(at, name))
            seen.add(name)
            messages = label_value_errors(name) if field == "forZones" else dns1123_subdomain_errors(name)
            errors += [invalid(at, name, m) for m in messages]
    return errors


def _slice_address_errors(address: str, kind: str, path: str, index: int) -> list[FieldError]:
    parsed = sloppy_ip(address)
    if parsed is None:
        return legacy_ip_errors(address, f"{path}[{index}]")
    errors: list[FieldError] = []
    if f"IPv{parsed.version}" != kind:
        article = "an IPv4" if kind == "IPv4" else "an IPv6"
        errors.append(invalid(path, address, f"must be {article} address"))
    return errors + endpoint_ip(address, f"{path}[{index}]")


def _slice_port_errors(ports: list[Mapping[str, Any]]) -> list[FieldError]:
    if len(ports) > _MAX_PORTS:
        return [too_many("ports", len(ports), _MAX_PORTS)]
    errors: list[FieldError] = []
    names: set[str] = set()
    for i, port in enumerate(ports):
        at = f"ports[{i}]"
        name = port.get("name") or ""
        if name:
            errors += dns1123_label(name, f"{at}.name")
        if name in names:
            errors.append(duplicate(f"{at}.name", name))
        names.add(name)
        protocol = port.get("protocol")
        if protocol is None:
            errors.append(required(f"{at}.protocol"))
        elif protocol not in _PROTOCOLS:
            errors.append(not_supported(f"{at}.protocol", protocol, _PROTOCOLS))
        if port.get("appProtocol") is not None:
            errors += qualified_name(port["appProtocol"], f"{at}.appProtocol")
    return errors
