"""Validation of claims on persistent volumes, of their templates in pods, and of what may change in them."""

from collections.abc import Mapping
from typing import Any, Final

from kubeactors.api.choices import CLAIM_RESOURCE_STATUSES, PERSISTENT_VOLUME_MODES
from kubeactors.api.fielderrors import FieldError, forbidden, invalid, not_supported, required
from kubeactors.api.quantity import Quantity
from kubeactors.api.validation.common import dns1123_subdomain, immutable, label_selector
from kubeactors.api.validation.metadata import FIELD_IMMUTABLE
from kubeactors.api.validation.names import dns1123_label_errors, qualified_name_errors
from kubeactors.api.validation.volume_amounts import (
    access_mode_errors,
    basic_quantity_errors,
    positive_quantity_errors,
)

CLASS_ANNOTATION: Final = "volume.beta.kubernetes.io/storage-class"
_SPEC_FIXED: Final = (
    "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims"
)

Spec = Mapping[str, Any]


def claim_errors(obj: Spec) -> list[FieldError]:
    return claim_spec_errors(obj.get("spec") or {}, "spec")


def claim_spec_errors(spec: Spec, path: str) -> list[FieldError]:
    """Of a claim's spec, alone or in a template."""
    modes = spec.get("accessModes") or []
    errors: list[FieldError] = []
    if not modes:
        errors.append(required(f"{path}.accessModes", "at least 1 access mode is required"))
    errors += label_selector(spec.get("selector"), f"{path}.selector")
    errors += access_mode_errors(modes, f"{path}.accessModes")
    size, at = _requested(spec), f"{path}.resources[storage]"
    errors += [required(at)] if size is None else positive_quantity_errors(size, at)
    if spec.get("storageClassName"):
        errors += dns1123_subdomain(spec["storageClassName"], f"{path}.storageClassName")
    mode = spec.get("volumeMode")
    if mode is not None and mode not in PERSISTENT_VOLUME_MODES:
        errors.append(not_supported(f"{path}.volumeMode", mode, PERSISTENT_VOLUME_MODES))
    errors += _data_source_errors(spec, path)
    if spec.get("volumeAttributesClassName"):
        errors += dns1123_subdomain(spec["volumeAttributesClassName"], f"{path}.volumeAttributesClassName")
    return errors


def claim_update_errors(new: Spec, old: Spec) -> list[FieldError]:
    errors = claim_errors(new)
    # The registry and the kind both look at the whole object.
    errors = errors + errors
    after, before = dict(new.get("spec") or {}), dict(old.get("spec") or {})
    if not before.get("volumeName"):
        # The volume is chosen once.
        before.pop("volumeName", None)
        after.pop("volumeName", None)
    errors += _class_upgrade(new, old, after, before)
    bound = (new.get("status") or {}).get("phase") == "Bound"
    if bound:
        after, before = _without_what_may_change(after), _without_what_may_change(before)
    if after != before:
        errors.append(forbidden("spec", _SPEC_FIXED))
    errors += _shrink_errors(new, old)
    spec, was = new.get("spec") or {}, old.get("spec") or {}
    errors += immutable(spec.get("volumeMode"), was.get("volumeMode"), "volumeMode")
    return errors + _attributes_class_errors(new, old)


def claim_status_errors(new: Spec, old: Spec) -> list[FieldError]:
    """Of a write to the status."""
    status = new.get("status") or {}
    errors: list[FieldError] = []
    if not (new.get("spec") or {}).get("accessModes"):
        errors.append(required("Spec.accessModes"))
    for name, text in sorted((status.get("capacity") or {}).items()):
        errors += basic_quantity_errors(text, f"status.capacity[{name}]")
    at = "status.allocatedResourceStatuses"
    for name, state in sorted((status.get("allocatedResourceStatuses") or {}).items()):
        errors += _claim_resource_errors(name, at)
        if state not in CLAIM_RESOURCE_STATUSES:
            errors.append(not_supported(at, name, frozenset(CLAIM_RESOURCE_STATUSES)))
    at = "status.allocatedResources"
    for name, text in sorted((status.get("allocatedResources") or {}).items()):
        errors += _claim_resource_errors(name, at) or basic_quantity_errors(text, f"{at}[{name}]")
    return errors


def _requested(spec: Spec) -> Any:
    """The size that a claim asks for; None: none is given."""
    return ((spec.get("resources") or {}).get("requests") or {}).get("storage")


def _data_source_errors(spec: Spec, path: str) -> list[FieldError]:
    source, reference = spec.get("dataSource"), spec.get("dataSourceRef")
    errors: list[FieldError] = []
    if source is not None:
        errors += _reference_errors(source, f"{path}.dataSource")
    if reference is not None:
        errors += _reference_errors(reference, f"{path}.dataSourceRef")
    if reference is not None and source is not None:
        if reference.get("namespace"):
            message = "may not be specified when dataSourceRef.namespace is specified"
            errors.append(invalid(path, {}, message))
        elif any((reference.get(f) or "") != (source.get(f) or "") for f in ("apiGroup", "kind", "name")):
            errors.append(invalid(path, {}, "must match dataSourceRef"))
    return errors


def _reference_errors(reference: Spec, path: str) -> list[FieldError]:
    errors: list[FieldError] = [required(f"{path}.{f}") for f in ("name", "kind") if not reference.get(f)]
    group, kind = reference.get("apiGroup") or "", reference.get("kind") or ""
    if not group and kind != "PersistentVolumeClaim":
        message = "must be 'PersistentVolumeClaim' when referencing the default apiGroup"
        errors.append(invalid(path, kind, message))
    if group:
        errors += dns1123_subdomain(group, f"{path}.apiGroup")
    namespace = reference.get("namespace")
    if namespace:
        errors += [invalid(f"{path}.namespace", namespace, m) for m in dns1123_label_errors(namespace)]
    return errors


def _class_upgrade(new: Spec, old: Spec, after: dict[str, Any], before: dict[str, Any]) -> list[FieldError]:
    """A class may move from the annotation to the field, and be given to a claim without one. Drops what may differ."""
    notes = (new.get("metadata") or {}).get("annotations") or {}
    earlier = (old.get("metadata") or {}).get("annotations") or {}
    name, was = after.get("storageClassName"), before.get("storageClassName")
    annotated, was_annotated = notes.get(CLASS_ANNOTATION), earlier.get(CLASS_ANNOTATION)
    if was_annotated is not None and annotated in (None, was_annotated) and was is None and name == was_annotated:
        after.pop("storageClassName", None)
        return []
    errors: list[FieldError] = []
    if (annotated or "") != (was_annotated or ""):
        path = f"metadata.annotations.{CLASS_ANNOTATION}"
        errors.append(invalid(path, annotated or "", FIELD_IMMUTABLE))
    if was is None and name is not None and was_annotated in (None, name):
        after.pop("storageClassName", None)
    return errors


def _without_what_may_change(spec: dict[str, Any]) -> dict[str, Any]:
    """A bound claim's spec without its size and attributes class."""
    spec = {k: v for k, v in spec.items() if k != "volumeAttributesClassName"}
    resources = spec.get("resources") or {}
    requests = {k: v for k, v in (resources.get("requests") or {}).items() if k != "storage"}
    return {**spec, "resources": {**resources, "requests": requests}}


def _shrink_errors(new: Spec, old: Spec) -> list[FieldError]:
    size, was = (_requested(claim.get("spec") or {}) or "0" for claim in (new, old))
    if Quantity.parse(size) >= Quantity.parse(was):
        return []
    capacity = ((old.get("status") or {}).get("capacity") or {}).get("storage") or "0"
    if Quantity.parse(size) > Quantity.parse(capacity):
        return []
    return [forbidden("spec.resources.requests.storage", "field can not be less than status.capacity")]


def _attributes_class_errors(new: Spec, old: Spec) -> list[FieldError]:
    """A class of attributes is not taken from a claim that has it (but a change that is not done may be undone)."""
    name = (new.get("spec") or {}).get("volumeAttributesClassName")
    was = (old.get("spec") or {}).get("volumeAttributesClassName")
    if name == was or name or (old.get("status") or {}).get("currentVolumeAttributesClassName") is None:
        return []
    kind = "nil" if name is None else "empty string"
    message = f"update to {kind} is forbidden when status.currentVolumeAttributesClassName is not nil"
    return [forbidden("spec.volumeAttributesClassName", message)]


def _claim_resource_errors(name: str, path: str) -> list[FieldError]:
    errors = [invalid(path, name, m) for m in qualified_name_errors(name)]
    if not errors and name != "storage" and ("/" not in name or "kubernetes.io/" in name):
        errors.append(not_supported(path, name, ("storage",)))
    return errors
