"""Validation of resource slices: the devices of a pool, and who can reach them."""

import re
from collections.abc import Mapping
from typing import Any, Final

from kubeactors.api.fielderrors import FieldError, forbidden, invalid, required, too_long
from kubeactors.api.quantity import Quantity
from kubeactors.api.validation.common import dns1123_label, dns1123_subdomain, immutable
from kubeactors.api.validation.pod.scheduling import node_selector_errors
from kubeactors.api.validation.resource.common import (
    Struct,
    binding_condition_errors,
    by_name,
    driver_name_errors,
    list_errors,
    map_errors,
    pool_name_errors,
    qualified_device_name_errors,
    set_errors,
    taint_errors,
)

_MAX_DEVICES: Final = 128
_MAX_DEVICES_WITH_MORE: Final = 64  # when any has taints or consumes counters
_MAX_COUNTER_SETS: Final = 8
_MAX_COUNTERS: Final = 32
_MAX_CONSUMPTIONS: Final = 2
_MAX_PROPERTIES: Final = 32  # attributes and capacities of a device
_MAX_PROPERTY_NAME: Final = 63 + 1 + 32
_MAX_VALUE: Final = 64
_MAX_TAINTS: Final = 16
_MAX_CHOICES: Final = 10
_ONE_REACH: Final = "exactly one of `nodeName`, `nodeSelector`, `allNodes`, `perDeviceNodeSelection` is required"
_ONE_DEVICE_REACH: Final = (
    "exactly one of `nodeName`, `nodeSelector`, or `allNodes` is required when `perDeviceNodeSelection` is set to "
    "true in the ResourceSlice spec"
)
_NO_DEVICE_REACH: Final = (
    "`nodeName`, `nodeSelector` and `allNodes` can only be set if `perDeviceNodeSelection` is set to true in the "
    "ResourceSlice spec"
)
_NUMBER: Final = r"(0|[1-9]\d*)"
_PRE_RELEASE: Final = r"(0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)"
_BUILD: Final = r"[0-9a-zA-Z-]+"
_SEMVER: Final = re.compile(
    rf"{_NUMBER}\.{_NUMBER}\.{_NUMBER}(-{_PRE_RELEASE}(\.{_PRE_RELEASE})*)?(\+{_BUILD}(\.{_BUILD})*)?", re.ASCII
)


def slice_errors(obj: Mapping[str, Any], old: Mapping[str, Any] | None = None) -> list[FieldError]:
    spec, before = obj.get("spec") or {}, (old or {}).get("spec") or {}
    pool = spec.get("pool") or {}
    errors = driver_name_errors(spec.get("driver") or "", "spec.driver")
    errors += _pool_errors(pool, "spec.pool")
    if old is not None:
        errors += immutable(pool.get("name"), (before.get("pool") or {}).get("name"), "spec.pool.name")
        errors += immutable(spec.get("driver"), before.get("driver"), "spec.driver")
        errors += immutable(spec.get("nodeName"), before.get("nodeName"), "spec.nodeName")
    errors += _reach_errors(spec, "spec")
    devices = spec.get("devices") or []
    if spec.get("sharedCounters") and devices:
        errors.append(invalid("spec", "", "only one of `sharedCounters` or `devices` is allowed"))
    more = any(device.get("taints") or device.get("consumesCounters") for device in devices)
    known = {by_name(device): device for device in before.get("devices") or ()}
    per_device = bool(spec.get("perDeviceNodeSelection"))

    def device(item: Struct, path: str) -> list[FieldError]:
        return _device_errors(item, known.get(by_name(item)), per_device, path)

    limit = _MAX_DEVICES_WITH_MORE if more else _MAX_DEVICES
    errors += set_errors(devices, limit, device, by_name, "spec.devices")
    counters = spec.get("sharedCounters") or []
    return errors + set_errors(counters, _MAX_COUNTER_SETS, _counter_set_errors, by_name, "spec.sharedCounters")


def _pool_errors(pool: Struct, path: str) -> list[FieldError]:
    errors = pool_name_errors(pool.get("name") or "", f"{path}.name")
    count, generation = pool.get("resourceSliceCount") or 0, pool.get("generation") or 0
    if count <= 0:
        errors.append(invalid(f"{path}.resourceSliceCount", count, "must be greater than zero"))
    if generation < 0:
        errors.append(invalid(f"{path}.generation", generation, "must be greater than or equal to zero"))
    return errors


def _reach_errors(spec: Struct, path: str) -> list[FieldError]:
    """From which nodes the devices can be had."""
    errors: list[FieldError] = []
    given = []
    name, selector = spec.get("nodeName"), spec.get("nodeSelector")
    if name is not None:
        if name:
            given.append("`nodeName`")
            errors += dns1123_subdomain(name, f"{path}.nodeName")
        else:
            message = "must be either unset or set to a non-empty string"
            errors.append(invalid(f"{path}.nodeName", name, message))
    if selector is not None:
        given.append("`nodeSelector`")
        errors += node_selector_errors(selector, f"{path}.nodeSelector")
        terms = selector.get("nodeSelectorTerms") or []
        if len(terms) != 1:
            at = f"{path}.nodeSelector.nodeSelectorTerms"
            errors.append(invalid(at, terms or None, "must have exactly one node selector term"))
    for field in ("allNodes", "perDeviceNodeSelection"):
        if spec.get(field):
            given.append(f"`{field}`")
        elif spec.get(field) is not None:
            errors.append(invalid(f"{path}.{field}", False, "must be either unset or set to true"))
    if not given:
        errors.append(required(path, _ONE_REACH))
    elif len(given) > 1:
        message = f"{_ONE_REACH}, but multiple fields are set"
        errors.append(invalid(path, f"{{{', '.join(given)}}}", message))
    return errors


def _device_reach_errors(device: Struct, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    given = []
    if device.get("nodeName") is not None:
        if device["nodeName"]:
            given.append("`nodeName`")
            errors += dns1123_subdomain(device["nodeName"], f"{path}.nodeName")
        else:
            errors.append(invalid(f"{path}.nodeName", "", "must not be empty"))
    if device.get("nodeSelector") is not None:
        given.append("`nodeSelector`")
        errors += node_selector_errors(device["nodeSelector"], f"{path}.nodeSelector")
    if device.get("allNodes"):
        given.append("`allNodes`")
    elif device.get("allNodes") is not None:
        errors.append(invalid(f"{path}.allNodes", False, "must be either unset or set to true"))
    if not given:
        errors.append(required(path, _ONE_DEVICE_REACH))
    elif len(given) > 1:
        errors.append(invalid(path, f"{{{', '.join(given)}}}", _ONE_DEVICE_REACH))
    return errors


def _device_errors(device: Struct, old: Struct | None, per_device: bool, path: str) -> list[FieldError]:
    errors = dns1123_label(by_name(device), f"{path}.name")
    attributes, capacity = device.get("attributes") or {}, device.get("capacity") or {}
    count = len(attributes) + len(capacity)
    if count > _MAX_PROPERTIES:
        message = f"the total number of attributes and capacities must not exceed {_MAX_PROPERTIES}"
        errors.append(invalid(path, count, message))
    check_capacity = _shared_capacity_errors if device.get("allowMultipleAllocations") else _capacity_errors
    for field, items, check in (
        ("attributes", attributes, _attribute_errors),
        ("capacity", capacity, check_capacity),
    ):
        errors += map_errors(items, -1, qualified_device_name_errors, check, f"{path}.{field}", _MAX_PROPERTY_NAME)
    if old is None or old.get("taints") != device.get("taints"):
        errors += list_errors(device.get("taints") or [], _MAX_TAINTS, taint_errors, f"{path}.taints")
    errors += set_errors(
        device.get("consumesCounters") or [],
        _MAX_CONSUMPTIONS,
        _consumption_errors,
        lambda item: item.get("counterSet") or "",
        f"{path}.consumesCounters",
    )
    if per_device:
        errors += _device_reach_errors(device, path)
    elif any(device.get(field) is not None for field in ("nodeName", "nodeSelector", "allNodes")):
        errors.append(invalid(path, None, _NO_DEVICE_REACH))
    return errors + binding_condition_errors(device, path)


def _counter_set_errors(counters: Struct, path: str) -> list[FieldError]:
    name = by_name(counters)
    errors = dns1123_label(name, f"{path}.name") if name else [required(f"{path}.name")]
    return errors + _counters_errors(counters.get("counters") or {}, f"{path}.counters")


def _consumption_errors(consumption: Struct, path: str) -> list[FieldError]:
    name, at = consumption.get("counterSet") or "", f"{path}.counterSet"
    errors = dns1123_label(name, at) if name else [required(at)]
    return errors + _counters_errors(consumption.get("counters") or {}, f"{path}.counters")


def _counters_errors(counters: Struct, path: str) -> list[FieldError]:
    if not counters:
        return [required(path)]
    return map_errors(counters, _MAX_COUNTERS, dns1123_label, lambda counter, at: [], path)


def _attribute_errors(attribute: Struct, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    text, version = attribute.get("string"), attribute.get("version")
    if text is not None and len(text.encode()) > _MAX_VALUE:
        errors.append(too_long(f"{path}.string", _MAX_VALUE))
    if version is not None:
        if not _SEMVER.fullmatch(version):
            message = "must be a string compatible with semver.org spec 2.0.0"
            errors.append(invalid(f"{path}.version", version, message))
        if len(version.encode()) > _MAX_VALUE:
            errors.append(too_long(f"{path}.version", _MAX_VALUE))
    if len(attribute) != 1:
        errors.append(invalid(path, dict(attribute) or "", "exactly one value must be specified"))
    return errors


def _capacity_errors(capacity: Struct, path: str) -> list[FieldError]:
    if capacity.get("requestPolicy") is None:
        return []
    return [forbidden(f"{path}.requestPolicy", "allowMultipleAllocations must be true")]


def _shared_capacity_errors(capacity: Struct, path: str) -> list[FieldError]:
    policy, at = capacity.get("requestPolicy"), f"{path}.requestPolicy"
    if policy is None:
        return []
    values, span = policy.get("validValues") or [], policy.get("validRange")
    if values and span is not None:
        message = 'exactly one policy can be specified, cannot specify "validValues" and "validRange" at the same time'
        return [forbidden(at, message)]
    if not values and span is None:
        return []
    field = "validValues" if values else "validRange"
    if policy.get("default") is None:
        return [required(f"{at}.default", f"required when {field} is defined")]
    default, whole = Quantity.parse(policy["default"]), Quantity.parse(capacity.get("value") or "0")
    if values:
        return _choice_errors([Quantity.parse(v) for v in values], default, whole, f"{at}.{field}")
    return _span_errors(span or {}, default, whole, f"{at}.{field}")


def _choice_errors(values: list[Quantity], default: Quantity, whole: Quantity, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    for i in range(1, len(values)):
        if values[i - 1] > values[i]:
            message = "values must be sorted in ascending order"
            errors.append(invalid(f"{path}[{i}]", str(values[i]), message))

    def choice(value: Quantity, at: str) -> list[FieldError]:
        message = f"option is larger than capacity value: {whole}"
        return [invalid(at, str(value), message)] if value > whole else []

    errors += set_errors(values, _MAX_CHOICES, choice, lambda value: str(value.value), path)
    if default not in values:
        errors.append(invalid(path, str(default), "default value is not valid according to the requestPolicy"))
    return errors


def _span_errors(span: Struct, default: Quantity, whole: Quantity, path: str) -> list[FieldError]:
    if span.get("min") is None:
        return [required(f"{path}.min", "required when validRange is defined")]
    least = Quantity.parse(span["min"])
    errors: list[FieldError] = []
    if least > whole:
        errors.append(invalid(f"{path}.min", str(least), f"min is larger than capacity value: {whole}"))
    if default < least:
        errors.append(invalid(f"{path}.min", str(default), f"default is less than min: {least}"))
    most = Quantity.parse(span["max"]) if span.get("max") is not None else None
    if most is not None:
        if least > most:
            errors.append(invalid(f"{path}.max", str(least), f"min is larger than max: {most}"))
        if most > whole:
            errors.append(invalid(f"{path}.max", str(most), f"max is larger than capacity value: {whole}"))
        if default > most:
            errors.append(invalid(f"{path}.max", str(default), f"default is more than max: {most}"))
    if span.get("step") is not None:
        step = Quantity.parse(span["step"])
        if least + step > whole:
            message = f"one step {least + step} is larger than capacity value: {whole}"
            errors.append(invalid(f"{path}.step", str(step), message))
        for value in (default, most):
            if value is not None and step.value and (value.value - least.value) % step.value:
                message = f"value is not a multiple of a given step ({step}) from ({least})"
                errors.append(invalid(f"{path}.step", str(value), message))
    return errors
