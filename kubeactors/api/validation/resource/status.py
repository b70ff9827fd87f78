"""Validation of the status of resource claims: what was allocated, for whom, and what drivers report."""

import ipaddress
from collections.abc import Mapping
from typing import Any, Final

from kubeactors.api.choices import ALLOCATION_CONFIG_SOURCES
from kubeactors.api.fielderrors import (
    FieldError,
    forbidden,
    invalid,
    not_supported,
    required,
    too_long,
    too_many,
)
from kubeactors.api.validation.common import dns1123_label
from kubeactors.api.validation.conditions import conditions_errors
from kubeactors.api.validation.metadata import FIELD_IMMUTABLE
from kubeactors.api.validation.pod.scheduling import node_selector_errors
from kubeactors.api.validation.resource.claim import requests_errors
from kubeactors.api.validation.resource.common import (
    MAX_CONDITIONS,
    MAX_CONFIGS,
    RequestNames,
    Struct,
    binding_condition_errors,
    configuration_errors,
    driver_name_errors,
    list_errors,
    pool_name_errors,
    raw_errors,
    same,
    set_errors,
    uid_errors,
)

_MAX_RESERVED: Final = 256
_MAX_RESULTS: Final = 32
_MAX_DATA: Final = 10 * 1024
_MAX_INTERFACE_NAME: Final = 256
_MAX_HARDWARE_ADDRESS: Final = 128
_MAX_ADDRESSES: Final = 16
_SOURCES: Final = frozenset(ALLOCATION_CONFIG_SOURCES)


def claim_status_errors(new: Mapping[str, Any], old: Mapping[str, Any]) -> list[FieldError]:
    """Of a write to the status."""
    status, before = new.get("status") or {}, old.get("status") or {}
    names = RequestNames((new.get("spec") or {}).get("devices") or {})
    reserved, allocation = status.get("reservedFor") or [], status.get("allocation")
    errors = set_errors(
        reserved, _MAX_RESERVED, _consumer_errors, lambda consumer: consumer.get("uid") or "", "status.reservedFor"
    )
    allocated = {_device(result) for result in ((allocation or {}).get("devices") or {}).get("results") or ()}

    def device(item: Struct, path: str) -> list[FieldError]:
        return _device_errors(item, allocated, path)

    errors += set_errors(status.get("devices") or [], -1, device, _device, "status.devices")
    if reserved and allocation is None:
        errors.append(forbidden("status.reservedFor", "may not be specified when `allocated` is not set"))
    elif (new.get("metadata") or {}).get("deletionTimestamp") and any(
        consumer not in (before.get("reservedFor") or ()) for consumer in reserved
    ):
        message = "new entries may not be added while `deallocationRequested` or `deletionTimestamp` are set"
        errors.append(forbidden("status.reservedFor", message))
    if allocation is not None and before.get("allocation") is not None:
        if allocation != before["allocation"]:
            errors.append(invalid("status.allocation", allocation, FIELD_IMMUTABLE))
    elif allocation is not None:
        errors += _allocation_errors(allocation, names, "status.allocation")
    return errors


def _consumer_errors(consumer: Struct, path: str) -> list[FieldError]:
    return [required(f"{path}.{field}") for field in ("resource", "name", "uid") if not consumer.get(field)]


def _allocation_errors(allocation: Struct, names: RequestNames, path: str) -> list[FieldError]:
    devices, at = allocation.get("devices") or {}, f"{path}.devices"

    def result(item: Struct, where: str) -> list[FieldError]:
        errors = names.reference_errors(item.get("request") or "", f"{where}.request")
        errors += driver_name_errors(item.get("driver") or "", f"{where}.driver")
        errors += pool_name_errors(item.get("pool") or "", f"{where}.pool")
        errors += dns1123_label(item.get("device") or "", f"{where}.device")
        errors += binding_condition_errors(item, where)
        share = item.get("shareID")
        return errors + (uid_errors(share, f"{where}.shareID") if share is not None else [])

    def config(item: Struct, where: str) -> list[FieldError]:
        source = item.get("source") or ""
        errors: list[FieldError] = []
        if not source:
            errors.append(required(f"{where}.source"))
        elif source not in _SOURCES:
            errors.append(not_supported(f"{where}.source", source, _SOURCES))
        return errors + requests_errors(item, names, where) + configuration_errors(item, where)

    errors = list_errors(devices.get("results") or [], _MAX_RESULTS, result, f"{at}.results")
    errors += list_errors(devices.get("config") or [], 2 * MAX_CONFIGS, config, f"{at}.config")
    if allocation.get("nodeSelector") is not None:
        errors += node_selector_errors(allocation["nodeSelector"], f"{path}.nodeSelector")
    return errors


def _device(device: Struct) -> str:
    """Which device, and which share of it."""
    share = device.get("shareID")
    name = "/".join(device.get(field) or "" for field in ("driver", "pool", "device"))
    return name if share is None else f"{name}/{share}"


def _device_errors(device: Struct, allocated: set[str], path: str) -> list[FieldError]:
    errors = driver_name_errors(device.get("driver") or "", f"{path}.driver")
    errors += pool_name_errors(device.get("pool") or "", f"{path}.pool")
    errors += dns1123_label(device.get("device") or "", f"{path}.device")
    if device.get("shareID") is not None:
        errors += uid_errors(device["shareID"], f"{path}.shareID")
    if _device(device) not in allocated:
        errors.append(invalid(path, _device(device), "must be an allocated device in the claim"))
    conditions = device.get("conditions") or []
    if len(conditions) > MAX_CONDITIONS:
        errors.append(too_many(f"{path}.conditions", len(conditions), MAX_CONDITIONS))
    errors += conditions_errors(conditions, f"{path}.conditions")
    if device.get("data") is not None:
        errors += raw_errors(device["data"], _MAX_DATA, f"{path}.data")
    network = device.get("networkData")
    return errors + (_network_errors(network, f"{path}.networkData") if network is not None else [])


def _network_errors(network: Struct, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    for field, limit in (("interfaceName", _MAX_INTERFACE_NAME), ("hardwareAddress", _MAX_HARDWARE_ADDRESS)):
        if len((network.get(field) or "").encode()) > limit:
            errors.append(too_long(f"{path}.{field}", limit))
    return errors + set_errors(network.get("ips") or [], _MAX_ADDRESSES, _address_errors, same, f"{path}.ips")


def _address_errors(text: str, path: str) -> list[FieldError]:
    """Of an interface's address with the length of its network's prefix."""
    try:
        if "/" not in text:
            raise ValueError(text)
        interface = ipaddress.ip_interface(text)
    except ValueError:
        message = "must be a valid address in CIDR form, (e.g. 10.9.8.7/24 or 2001:db8::1/64)"
        return [invalid(path, text, message)]
    if str(interface) != text:
        return [invalid(path, text, f'must be in canonical form ("{interface}")')]
    return []
