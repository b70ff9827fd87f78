"""Validation of resource requests and limits."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from kubeactors.api.fielderrors import NOT_FOUND, FieldError, duplicate, forbidden, invalid, required
from kubeactors.api.pod_resources import container_sums
from kubeactors.api.quantity import Quantity, QuantityError
from kubeactors.api.validation.common import NOT_NEGATIVE, dns1123_label
from kubeactors.api.validation.resource_names import (
    container_resource_name_errors,
    is_counted,
    may_overcommit,
    pod_resource_name_errors,
)

NameCheck = Callable[[str, str], list[FieldError]]

_HUGEPAGES: Final = "hugepages-"
_INTEGER: Final = "must be an integer"


def resource_requirements_errors(
    requirements: Mapping[str, Any],
    claims: set[str],
    path: str,
    check_name: NameCheck = container_resource_name_errors,
) -> list[FieldError]:
    """Of a container's resources; `claims` are the names of the pod's resource claims."""
    errors: list[FieldError] = []
    limits, requests = requirements.get("limits") or {}, requirements.get("requests") or {}
    for name, text in sorted(limits.items()):
        at = f"{path}.limits[{name}]"
        errors += check_name(name, at) + quantity_value_errors(name, text, at) + _page_errors(name, text, at)
    for name, text in sorted(requests.items()):
        at = f"{path}.requests[{name}]"
        errors += check_name(name, at) + quantity_value_errors(name, text, at)
        limit, quantity = limits.get(name), Quantity.parse(text)
        if limit is not None:
            if not may_overcommit(name) and quantity != Quantity.parse(limit):
                errors.append(invalid(f"{path}.requests", text, f"must be equal to {name} limit of {limit}"))
            elif quantity > Quantity.parse(limit):
                message = f"must be less than or equal to {name} limit of {limit}"
                errors.append(invalid(f"{path}.requests", text, message))
        elif not may_overcommit(name):
            errors.append(required(f"{path}.limits", "Limit must be set for non overcommitable resources"))
        errors += _page_errors(name, text, at)
    names = {*limits, *requests}
    if any(n.startswith(_HUGEPAGES) for n in names) and not names & {"cpu", "memory"}:
        errors.append(forbidden(path, "HugePages require cpu or memory"))
    return errors + _claim_errors(requirements, claims, f"{path}.claims")


def pod_resources_errors(spec: Mapping[str, Any], path: str) -> list[FieldError]:
    """Of the pod-level resources (KEP-2837)."""
    resources = spec["resources"]
    if (spec.get("os") or {}).get("name") == "windows":
        return [forbidden(path, "may not be set for a windows pod")]
    errors: list[FieldError] = []
    if resources.get("claims") is not None:
        errors.append(forbidden(f"{path}.claims", "claims may not be set for Resources at pod-level"))
    claims = {c["name"] for c in spec.get("resourceClaims") or () if c.get("name")}
    errors += resource_requirements_errors(resources, claims, path, pod_resource_name_errors)
    limits, requests = resources.get("limits") or {}, resources.get("requests") or {}
    for name, total in sorted(container_sums(spec, "requests").items()):
        if name in requests and Quantity.parse(total) > Quantity.parse(requests[name]):
            message = f"must be greater than or equal to aggregate container requests of {total}"
            errors.append(invalid(f"{path}.requests[{name}]", requests[name], message))
    for name, total in sorted(container_sums(spec, "limits").items()):
        pages = name.startswith(_HUGEPAGES) and name in limits
        if pages and Quantity.parse(total) > Quantity.parse(limits[name]):
            message = f"must be greater than or equal to aggregate container limits of {total}"
            errors.append(invalid(f"{path}.limits[{name}]", limits[name], message))
    for i, container in enumerate(spec.get("containers") or ()):
        own = (container.get("resources") or {}).get("limits") or {}
        for name, text in sorted(own.items()):
            if name in limits and Quantity.parse(text) > Quantity.parse(limits[name]):
                message = f"must be less than or equal to pod limits of {limits[name]}"
                errors.append(invalid(f"{path}.containers[{i}][{name}].limits", text, message))
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


def _page_errors(name: str, text: Any, path: str) -> list[FieldError]:
    """Huge pages are given whole."""
    if not name.startswith(_HUGEPAGES):
        return []
    try:
        size = Quantity.parse(name.removeprefix(_HUGEPAGES))
    except QuantityError:
        size = Quantity()
    whole = size.nanos > 0 and size.milli_value % 1000 == 0 and Quantity.parse(text).value % size.value == 0
    return [] if whole else [invalid(path, str(text), f"{text} is not positive integer multiple of {name}")]


def _claim_errors(requirements: Mapping[str, Any], claims: set[str], path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    seen: set[str] = set()
    for i, claim in enumerate(requirements.get("claims") or ()):
        name, request, at = claim.get("name") or "", claim.get("request") or "", f"{path}[{i}]"
        if not name:
            errors.append(required(at))
            continue
        if name in seen:  # and with it all of its requests
            errors.append(duplicate(at, name))
        else:
            key = f"{name}/{request}" if request else name
            errors += dns1123_label(request, f"{at}.request") if request else []
            if key in seen:
                errors.append(duplicate(at, key))
            elif not request:
                errors += [duplicate(at, name) for other in seen if other.startswith(f"{name}/")]
            seen.add(key)
        if name not in claims:
            known = f": {', '.join(sorted(claims))}" if claims else " which is empty"
            message = f"must be one of the names in pod.spec.resourceClaims{known}"
            errors.append(FieldError(NOT_FOUND, at, message, name))
    return errors
