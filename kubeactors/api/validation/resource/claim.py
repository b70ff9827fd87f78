"""Validation of resource claims, their templates, and device classes."""

from collections.abc import Mapping
from typing import Any, Final

from kubeactors.api.choices import DEVICE_ALLOCATION_MODES
from kubeactors.api.fielderrors import FieldError, invalid, not_supported, required
from kubeactors.api.validation.common import dns1123_label, dns1123_subdomain, immutable
from kubeactors.api.validation.metadata import annotation_errors, label_errors
from kubeactors.api.validation.resource.common import (
    MAX_CONFIGS,
    MAX_REQUESTS,
    RequestNames,
    Struct,
    by_name,
    configuration_errors,
    fully_qualified_name_errors,
    list_errors,
    same,
    selectors_errors,
    set_errors,
    toleration_errors,
)
from kubeactors.api.validation.resource_names import is_extended

_MAX_CONSTRAINTS: Final = 32
_MAX_ALTERNATIVES: Final = 8
_ONE_OF: Final = "exactly one of `exactly` or `firstAvailable` is required"


def claim_errors(obj: Mapping[str, Any]) -> list[FieldError]:
    return _claim_spec_errors(obj.get("spec") or {}, "spec")


def claim_update_errors(new: Mapping[str, Any], old: Mapping[str, Any]) -> list[FieldError]:
    """A claim's spec is fixed; it is not validated again."""
    return immutable(new.get("spec"), old.get("spec"), "spec", "io.k8s.api.resource.v1.ResourceClaimSpec")


def claim_template_update_errors(new: Mapping[str, Any], old: Mapping[str, Any]) -> list[FieldError]:
    return immutable(new.get("spec"), old.get("spec"), "spec", "io.k8s.api.resource.v1.ResourceClaimTemplateSpec")


def claim_template_errors(obj: Mapping[str, Any]) -> list[FieldError]:
    spec = obj.get("spec") or {}
    meta = spec.get("metadata") or {}
    errors = annotation_errors(meta.get("annotations"), "spec.metadata.annotations")
    errors += label_errors(meta.get("labels"), "spec.metadata.labels")
    return errors + _claim_spec_errors(spec.get("spec") or {}, "spec.spec")


def device_class_errors(obj: Mapping[str, Any], old: Mapping[str, Any] | None = None) -> list[FieldError]:
    spec, before = obj.get("spec") or {}, (old or {}).get("spec") or {}
    stored = old is not None and spec.get("config") == before.get("config")
    errors = selectors_errors(spec.get("selectors") or (), "spec.selectors")
    errors += list_errors(
        spec.get("config") or (),
        MAX_CONFIGS,
        lambda config, path: configuration_errors(config, path, stored=stored),
        "spec.config",
    )
    name = spec.get("extendedResourceName")
    if name is not None and not is_extended(name):
        errors.append(invalid("spec.extendedResourceName", name, "must be a valid extended resource name"))
    return errors


def _claim_spec_errors(spec: Struct, path: str) -> list[FieldError]:
    devices, at = spec.get("devices") or {}, f"{path}.devices"
    names = RequestNames(devices)

    def constraint(item: Struct, where: str) -> list[FieldError]:
        return _constraint_errors(item, names, where)

    def config(item: Struct, where: str) -> list[FieldError]:
        return requests_errors(item, names, where) + configuration_errors(item, where)

    errors = set_errors(devices.get("requests") or [], MAX_REQUESTS, _request_errors, by_name, f"{at}.requests")
    errors += list_errors(devices.get("constraints") or [], _MAX_CONSTRAINTS, constraint, f"{at}.constraints")
    return errors + list_errors(devices.get("config") or [], MAX_CONFIGS, config, f"{at}.config")


def requests_errors(holder: Struct, names: RequestNames, path: str) -> list[FieldError]:
    """Of the names of requests that a constraint or a configuration is about."""
    given = holder.get("requests") or []
    return set_errors(given, MAX_REQUESTS, names.reference_errors, same, f"{path}.requests")


def _request_errors(request: Struct, path: str) -> list[FieldError]:
    errors = dns1123_label(request.get("name") or "", f"{path}.name")
    exactly, alternatives = request.get("exactly"), request.get("firstAvailable") or []
    if exactly is None and not alternatives:
        errors.append(required(path, _ONE_OF))
    elif exactly is not None and alternatives:
        errors.append(invalid(path, None, f"{_ONE_OF}, but multiple fields are set"))
    elif exactly is not None:
        errors += _device_errors(exactly, f"{path}.exactly")
    else:
        errors += set_errors(alternatives, _MAX_ALTERNATIVES, _sub_request_errors, by_name, f"{path}.firstAvailable")
    return errors


def _sub_request_errors(request: Struct, path: str) -> list[FieldError]:
    return dns1123_label(request.get("name") or "", f"{path}.name") + _device_errors(request, path)


def _device_errors(request: Struct, path: str) -> list[FieldError]:
    """Of which devices are wanted, and how many."""
    name = request.get("deviceClassName") or ""
    at = f"{path}.deviceClassName"
    errors = dns1123_subdomain(name, at) if name else [required(at)]
    errors += selectors_errors(request.get("selectors") or (), f"{path}.selectors")
    mode, count = request.get("allocationMode") or "", request.get("count") or 0
    if mode == "All":
        if count:
            message = "must not be specified when allocationMode is 'All'"
            errors.append(invalid(f"{path}.count", count, message))
    elif mode == "ExactCount":
        if count <= 0:
            errors.append(invalid(f"{path}.count", count, "must be greater than zero"))
    else:
        errors.append(not_supported(f"{path}.allocationMode", mode, frozenset(DEVICE_ALLOCATION_MODES)))
    return errors + list_errors(request.get("tolerations") or (), -1, toleration_errors, f"{path}.tolerations")


def _constraint_errors(constraint: Struct, names: RequestNames, path: str) -> list[FieldError]:
    errors = requests_errors(constraint, names, path)
    for field in ("matchAttribute", "distinctAttribute"):
        if constraint.get(field) is not None:
            return errors + fully_qualified_name_errors(constraint[field], f"{path}.{field}")
    message = 'exactly one of "matchAttribute" or "distinctAttribute" is required, but multiple fields are set'
    return [*errors, required(path, message)]
