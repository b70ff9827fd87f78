"""Validation of resource quotas and limit ranges."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from kubeactors.api.fielderrors import FieldError, duplicate, forbidden, invalid, required
from kubeactors.api.internal_form import internal_form
from kubeactors.api.quantity import NANO, Quantity
from kubeactors.api.validation.metadata import FIELD_IMMUTABLE
from kubeactors.api.validation.names import qualified_name_errors
from kubeactors.api.validation.pod.resources import quantity_value_errors
from kubeactors.api.validation.resource_names import (
    container_resource_name_errors,
    is_standard_for_quota,
    may_overcommit,
    quota_resource_name_errors,
    resource_name_errors,
)

_POD_COUNT: Final = frozenset({"pods"})
_POD_RESOURCES: Final = _POD_COUNT | {
    "cpu",
    "memory",
    "limits.cpu",
    "limits.memory",
    "requests.cpu",
    "requests.memory",
}
_CLAIM_RESOURCES: Final = frozenset({"persistentvolumeclaims", "requests.storage"})
# Which resources each scope may bound.
_SCOPES: Final[dict[str, frozenset[str]]] = {
    "Terminating": _POD_RESOURCES,
    "NotTerminating": _POD_RESOURCES,
    "BestEffort": _POD_COUNT,
    "NotBestEffort": _POD_RESOURCES,
    "PriorityClass": _POD_RESOURCES,
    "CrossNamespacePodAffinity": _POD_RESOURCES,
    "VolumeAttributesClass": _CLAIM_RESOURCES,
}
_WITHOUT_VALUES: Final = frozenset(_SCOPES) - {"PriorityClass", "VolumeAttributesClass"}
_CONFLICTS: Final = ({"BestEffort", "NotBestEffort"}, {"Terminating", "NotTerminating"})
_UNSUPPORTED: Final = "unsupported scope"
_UNSUPPORTED_FOR: Final = "unsupported scope applied to resource"
_CONFLICTING: Final = "conflicting scopes"
_MUST_EXIST: Final = (
    "must be 'Exists' when scope is any of ResourceQuotaScopeTerminating, ResourceQuotaScopeNotTerminating, "
    "ResourceQuotaScopeBestEffort, ResourceQuotaScopeNotBestEffort or ResourceQuotaScopeCrossNamespacePodAffinity"
)
_NEED_VALUES: Final = "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector"
_NO_VALUES: Final = "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector"


def resource_quota_errors(obj: Mapping[str, Any]) -> list[FieldError]:
    spec = obj.get("spec") or {}
    errors = _amounts_errors(spec.get("hard"), "spec.hard")
    if spec.get("scopes"):
        errors += _scopes_errors(spec, spec["scopes"])
    if spec.get("scopeSelector") is not None:
        errors += _scope_selector_errors(spec, "spec.scopeSelector.matchExpressions")
    return errors


def resource_quota_update_errors(new: Mapping[str, Any], old: Mapping[str, Any]) -> list[FieldError]:
    errors = resource_quota_errors(new)
    scopes = (new.get("spec") or {}).get("scopes") or []
    if set(scopes) != set((old.get("spec") or {}).get("scopes") or ()):
        errors.append(invalid("spec.scopes", scopes or None, FIELD_IMMUTABLE))
    return errors


def resource_quota_status_errors(new: Mapping[str, Any], old: Mapping[str, Any]) -> list[FieldError]:
    """Of a write to the status."""
    status = new.get("status") or {}
    return _amounts_errors(status.get("hard"), "status.hard") + _amounts_errors(status.get("used"), "status.used")


def _amounts_errors(amounts: Mapping[str, Any] | None, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    for name, text in sorted((amounts or {}).items()):
        at = f"{path}[{name}]"
        errors += quota_resource_name_errors(name, at)
        errors += quantity_value_errors(name, text, at)
    return errors


def _bounds_another(scope: str, spec: Mapping[str, Any]) -> list[str]:
    """The bounded resources to which the scope cannot apply."""
    fitting = _SCOPES.get(scope)
    return [
        name
        for name in sorted(spec.get("hard") or ())
        if fitting is not None and is_standard_for_quota(name) and name not in fitting
    ]


def _scopes_errors(spec: Mapping[str, Any], scopes: Sequence[str]) -> list[FieldError]:
    path, shown = "spec.scopes", list(scopes)
    errors: list[FieldError] = []
    for scope in scopes:
        if scope not in _SCOPES:
            errors.append(invalid(path, shown, _UNSUPPORTED))
        errors += [invalid(path, shown, _UNSUPPORTED_FOR) for _ in _bounds_another(scope, spec)]
    return errors + [invalid(path, shown, _CONFLICTING) for pair in _CONFLICTS if pair <= set(scopes)]


def _scope_selector_errors(spec: Mapping[str, Any], path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    requirements = spec["scopeSelector"].get("matchExpressions") or []
    for requirement in requirements:
        scope, operator = requirement.get("scopeName") or "", requirement.get("operator") or ""
        values = requirement.get("values") or []
        if scope not in _SCOPES:
            errors.append(invalid(f"{path}.scopeName", scope, _UNSUPPORTED))
        shown = internal_form(spec["scopeSelector"], "io.k8s.api.core.v1.ScopeSelector")
        errors += [invalid(path, shown, _UNSUPPORTED_FOR) for _ in _bounds_another(scope, spec)]
        if scope in _WITHOUT_VALUES and operator != "Exists":
            errors.append(invalid(f"{path}.operator", operator, _MUST_EXIST))
        if operator in ("In", "NotIn"):
            if not values:
                errors.append(required(f"{path}.values", _NEED_VALUES))
        elif operator in ("Exists", "DoesNotExist"):
            if values:
                errors.append(invalid(f"{path}.values", values, _NO_VALUES))
        else:
            errors.append(invalid(f"{path}.operator", operator, "not a valid selector operator"))
    given = {requirement.get("scopeName") or "" for requirement in requirements}
    return errors + [invalid(path, spec.get("scopes"), _CONFLICTING) for pair in _CONFLICTS if pair <= given]


_LIMIT_TYPES: Final = ("Pod", "Container", "PersistentVolumeClaim")
_POD_ONLY: Final = "may not be specified when `type` is 'Pod'"

Amounts = dict[str, Quantity]


def limit_range_errors(obj: Mapping[str, Any]) -> list[FieldError]:
    errors: list[FieldError] = []
    seen: set[str] = set()
    for i, limit in enumerate((obj.get("spec") or {}).get("limits") or ()):
        path = f"spec.limits[{i}]"
        kind = limit.get("type") or ""
        errors += _limit_type_errors(kind, f"{path}.type")
        if kind in seen:
            errors.append(duplicate(f"{path}.type", kind))
        seen.add(kind)
        errors += _limit_errors(limit, kind, path)
    return errors


def _limit_type_errors(kind: str, path: str) -> list[FieldError]:
    errors = [invalid(path, kind, m) for m in qualified_name_errors(kind)]
    if not errors and "/" not in kind and kind not in _LIMIT_TYPES:
        errors.append(invalid(path, kind, "must be a standard limit type or fully qualified"))
    return errors


def _limit_errors(limit: Mapping[str, Any], kind: str, path: str) -> list[FieldError]:
    check_name = container_resource_name_errors if kind in ("Pod", "Container") else resource_name_errors
    errors: list[FieldError] = []
    amounts: dict[str, Amounts] = {}

    def read(field: str) -> None:
        given = limit.get(field) or {}
        for name in sorted(given):
            errors.extend(check_name(name, f"{path}.{field}[{name}]"))
        amounts[field] = {name: Quantity.parse(text) for name, text in given.items()}

    read("max")
    read("min")
    for field in ("default", "defaultRequest"):
        if kind != "Pod":
            read(field)
        elif limit.get(field):
            errors.append(forbidden(f"{path}.{field}", _POD_ONLY))
    if kind == "PersistentVolumeClaim" and "storage" not in amounts["min"] and "storage" not in amounts["max"]:
        message = "either minimum or maximum storage value is required, but neither was provided"
        errors.append(required(f"{path}.limits", message))
    read("maxLimitRequestRatio")
    for name in sorted(set().union(*amounts.values())):
        errors += _relation_errors(name, {f: a[name] for f, a in amounts.items() if name in a}, path)
    return errors


def _relation_errors(name: str, given: Mapping[str, Quantity], path: str) -> list[FieldError]:
    """How the amounts of one resource relate: min ≤ defaultRequest ≤ default ≤ max."""
    errors: list[FieldError] = []
    least, most = given.get("min"), given.get("max")
    default, request = given.get("default"), given.get("defaultRequest")

    def ordered(
        small: Quantity | None, great: Quantity | None, field: str, shown: Quantity | None, small_word: str, word: str
    ) -> None:
        if small is not None and great is not None and small > great:
            message = f"{small_word} value {small} is greater than {word} value {great}"
            errors.append(invalid(f"{path}.{field}[{name}]", str(shown), message))

    ordered(least, most, "min", least, "min", "max")
    ordered(least, request, "defaultRequest", request, "min", "default request")
    ordered(request, most, "defaultRequest", request, "default request", "max")
    ordered(request, default, "defaultRequest", request, "default request", "default limit")
    ordered(least, default, "default", least, "min", "default")
    ordered(default, most, "default", most, "default", "max")
    errors += _ratio_errors(given.get("maxLimitRequestRatio"), least, most, f"{path}.maxLimitRequestRatio[{name}]")
    if not may_overcommit(name) and default is not None and request is not None and default != request:
        message = f"default value {default} must equal to defaultRequest value {request} in {name}"
        errors.append(invalid(f"{path}.defaultRequest[{name}]", str(request), message))
    return errors


def _ratio_errors(ratio: Quantity | None, least: Quantity | None, most: Quantity | None, path: str) -> list[FieldError]:
    if ratio is None:
        return []
    errors: list[FieldError] = []
    if ratio.nanos < NANO:
        errors.append(invalid(path, str(ratio), f"ratio {ratio} is less than 1"))
    if least is not None and most is not None and least.milli_value:
        limit = most.milli_value / least.milli_value
        if ratio.milli_value / 1000 > limit:
            errors.append(invalid(path, str(ratio), f"ratio {ratio} is greater than max/min = {limit:f}"))
    return errors
