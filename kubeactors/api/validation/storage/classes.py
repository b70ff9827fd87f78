"""Validation of storage classes and volume attributes classes."""

from collections.abc import Mapping
from typing import Any, Final

from kubeactors.api.choices import VOLUME_BINDING_MODES
from kubeactors.api.fielderrors import FieldError, duplicate, forbidden, invalid, not_supported, required, too_long
from kubeactors.api.validation.common import duplicates, immutable, qualified_name
from kubeactors.api.validation.names import qualified_name_errors

_MAX_PARAMETERS: Final = 512
_MAX_PARAMETERS_BYTES: Final = 256 * 1024
_RECLAIM_POLICIES: Final = ("Delete", "Retain")


def storage_class_errors(obj: Mapping[str, Any]) -> list[FieldError]:
    errors = provisioner_errors(obj.get("provisioner") or "", "provisioner")
    errors += parameters_errors(obj.get("parameters") or {}, "parameters")
    policy, mode = obj.get("reclaimPolicy") or "", obj.get("volumeBindingMode")
    if policy and policy not in _RECLAIM_POLICIES:
        errors.append(not_supported("reclaimPolicy", policy, _RECLAIM_POLICIES))
    if mode is None:
        errors.append(required("volumeBindingMode"))
    elif mode not in VOLUME_BINDING_MODES:
        errors.append(not_supported("volumeBindingMode", mode, VOLUME_BINDING_MODES))
    return errors + _topologies_errors(obj.get("allowedTopologies") or [], "allowedTopologies")


def storage_class_update_errors(new: Mapping[str, Any], old: Mapping[str, Any]) -> list[FieldError]:
    errors = storage_class_errors(new)
    for field in ("parameters", "provisioner", "reclaimPolicy", "volumeBindingMode"):
        schema = "{string" if field == "parameters" else ""
        errors += immutable(new.get(field), old.get(field), field, schema)
    return errors


def volume_attributes_class_errors(obj: Mapping[str, Any]) -> list[FieldError]:
    errors = provisioner_errors(obj.get("driverName") or "", "driverName")
    parameters = obj.get("parameters") or {}
    if not parameters:
        errors.append(required("parameters", "must contain at least one key/value pair"))
    return errors + parameters_errors(parameters, "parameters")


def volume_attributes_class_update_errors(new: Mapping[str, Any], old: Mapping[str, Any]) -> list[FieldError]:
    errors = volume_attributes_class_errors(new)
    for field in ("driverName", "parameters"):
        if new.get(field) != old.get(field):
            errors.append(forbidden(field, f"updates to {field} are forbidden."))
    return errors


def provisioner_errors(name: str, path: str) -> list[FieldError]:
    if not name:
        return [required(path)]
    return [invalid(path, name.lower(), m) for m in qualified_name_errors(name.lower())]


def parameters_errors(parameters: Mapping[str, str], path: str) -> list[FieldError]:
    """What drivers are given as they are: names are not empty, and all of it is not too long."""
    if len(parameters) > _MAX_PARAMETERS:
        return [too_long(path, _MAX_PARAMETERS)]
    errors = [invalid(path, key, "field can not be empty.") for key in parameters if not key]
    if sum(len(k.encode()) + len(v.encode()) for k, v in parameters.items()) > _MAX_PARAMETERS_BYTES:
        errors.append(too_long(path, _MAX_PARAMETERS_BYTES))
    return errors


def _topologies_errors(topologies: list[Mapping[str, Any]], path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    seen: set[frozenset[tuple[str, frozenset[str]]]] = set()
    for i, term in enumerate(topologies):
        at = f"{path}[{i}].matchLabelExpressions"
        values_of: dict[str, frozenset[str]] = {}
        for j, expression in enumerate(term.get("matchLabelExpressions") or ()):
            key, values = expression.get("key") or "", expression.get("values") or []
            if not values:
                errors.append(required(f"{at}[{j}].values"))
            errors += [duplicate(f"{at}[{j}].values[{k}]", values[k]) for k in duplicates(values)]
            errors += qualified_name(key, f"{at}[{j}].key")
            if key in values_of:
                errors.append(duplicate(f"{at}[{j}].key", key))
            values_of[key] = frozenset(values)
        term_values = frozenset(values_of.items())
        if term_values in seen:
            errors.append(duplicate(at, ""))
        seen.add(term_values)
    return errors
