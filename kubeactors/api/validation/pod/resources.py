"""Validation of resource requests and limits."""

from collections.abc import Mapping
from typing import Any, Final

from kubeactors.api.fielderrors import FieldError, forbidden, invalid, not_found, not_supported, required
from kubeactors.api.quantity import Quantity
from kubeactors.api.validation.common import NOT_NEGATIVE
from kubeactors.api.validation.resource_names import container_resource_name_errors, is_counted, may_overcommit

_HUGEPAGES: Final = "hugepages-"
_INTEGER: Final = "must be an integer"


def resource_requirements_errors(requirements: Mapping[str, Any], claims: set[str], path: str) -> list[FieldError]:
    """Of a container's resources; `claims` are the names of the pod's resource claims."""
    errors: list[FieldError] = []
    limits, requests = requirements.get("limits") or {}, requirements.get("requests") or {}
    for name, text in sorted(limits.items()):
        errors += _resource_errors(name, text, f"{path}.limits")
    for name, text in sorted(requests.items()):
        errors += _resource_errors(name, text, f"{path}.requests")
        limit = limits.get(name)
        if limit is not None:
            quantity = Quantity.parse(text)
            if not may_overcommit(name) and quantity != Quantity.parse(limit):
                errors.append(invalid(f"{path}.requests", text, f"must be equal to {name} limit of {limit}"))
            elif quantity > Quantity.parse(limit):
                message = f"must be less than or equal to {name} limit of {limit}"
                errors.append(invalid(f"{path}.requests", text, message))
        elif not may_overcommit(name):
            errors.append(required(f"{path}.limits", "Limit must be set for non overcommitable resources"))
    names = {*limits, *requests}
    if any(n.startswith(_HUGEPAGES) for n in names) and not names & {"cpu", "memory"}:
        errors.append(forbidden(path, "HugePages require cpu or memory"))
    return errors + _claim_errors(requirements, claims, f"{path}.claims")


def pod_resources_errors(spec: Mapping[str, Any], path: str) -> list[FieldError]:
    """Of the pod-level resources (KEP-2837)."""
    resources = spec["resources"]
    errors: list[FieldError] = []
    limits, requests = resources.get("limits") or {}, resources.get("requests") or {}
    for field, values in (("limits", limits), ("requests", requests)):
        for name in sorted(values):
            if name not in ("cpu", "memory") and not name.startswith(_HUGEPAGES):
                errors.append(not_supported(f"{path}.{field}[{name}]", name, ("cpu", "hugepages-", "memory")))
    errors += resource_requirements_errors(resources, set(), path)
    for name, text in sorted(requests.items()):
        total = Quantity()
        for container in spec.get("containers") or ():
            asked = ((container.get("resources") or {}).get("requests") or {}).get(name)
            total = total + Quantity.parse(asked) if asked is not None else total
        if total > Quantity.parse(text):
            message = f"must be greater than or equal to aggregate container requests of {total}"
            errors.append(invalid(f"{path}.requests[{name}]", text, message))
    for i, container in enumerate(spec.get("containers") or ()):
        own = (container.get("resources") or {}).get("limits") or {}
        for name, text in sorted(own.items()):
            if name in limits and Quantity.parse(text) > Quantity.parse(limits[name]):
                at = f"{path.removesuffix('.resources')}.containers[{i}].resources.limits"
                message = f"must be less than or equal to pod limits of {limits[name]}"
                errors.append(invalid(at, text, message))
    return errors


def resource_list_errors(resources: Mapping[str, Any], path: str) -> list[FieldError]:
    """Of a map of resources alone, such as a pod's overhead or a node's capacity."""
    errors: list[FieldError] = []
    for name, text in sorted(resources.items()):
        errors += _resource_errors(name, text, path)
    return errors


def quantity_value_errors(name: str, text: Any, path: str) -> list[FieldError]:
    """Not negative, and whole where a fraction means nothing."""
    quantity = Quantity.parse(text)
    errors = []
    if quantity.nanos < 0:
        errors.append(invalid(path, str(text), NOT_NEGATIVE))
    if is_counted(name) and quantity.milli_value % 1000:
        errors.append(invalid(path, str(text), _INTEGER))
    return errors


def _resource_errors(name: str, text: Any, path: str) -> list[FieldError]:
    return container_resource_name_errors(name, path) + quantity_value_errors(name, text, f"{path}[{name}]")


def _claim_errors(requirements: Mapping[str, Any], claims: set[str], path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    seen: set[tuple[str, str]] = set()
    for i, claim in enumerate(requirements.get("claims") or ()):
        name, request = claim.get("name") or "", claim.get("request") or ""
        if not name:
            errors.append(required(f"{path}[{i}]"))
            continue
        if (name, request) in seen:
            errors.append(
                FieldError("FieldValueDuplicate", f"{path}[{i}]", "", f"{name}/{request}" if request else name)
            )
        seen.add((name, request))
        if name not in claims:
            errors.append(not_found(f"{path}[{i}]", name))
    return errors
