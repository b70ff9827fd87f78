"""Validation of ObjectMeta: names, labels, annotations, finalizers, owners; and what an update may not change."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from kubeactors.api import fielderrors
from kubeactors.api.fielderrors import FieldError
from kubeactors.api.validation.names import (
    dns1123_label_errors,
    label_value_errors,
    qualified_name_errors,
)

NameCheck = Callable[[str], list[str]]

ANNOTATIONS_MAX_BYTES: Final = 256 * 1024
FIELD_IMMUTABLE: Final = "field is immutable"

MANAGER_MAX_BYTES: Final = 128
SUBRESOURCE_MAX_BYTES: Final = 256
STANDARD_FINALIZERS: Final = frozenset({"kubernetes", "orphan", "foregroundDeletion"})
_EVENT_OWNER: Final = ("v1", "Event")


def metadata_errors(
    meta: Mapping[str, Any],
    *,
    namespaced: bool,
    check_name: NameCheck,
    path: str = "metadata",
    builtin: bool = True,
) -> list[FieldError]:
    """What is wrong with the metadata of an object that is to be created.

    Built-in kinds take only standard or fully qualified finalizers, custom resources any qualified name.
    """
    errors: list[FieldError] = []
    prefix = meta.get("generateName")
    if prefix:
        masked = prefix[:-2] + "a" if prefix.endswith("-") and len(prefix) > 1 else prefix
        errors += [fielderrors.invalid(f"{path}.generateName", prefix, m) for m in check_name(masked)]
    name = meta.get("name") or ""
    if not name:
        errors.append(fielderrors.required(f"{path}.name", "name or generateName is required"))
    else:
        errors += [fielderrors.invalid(f"{path}.name", name, m) for m in check_name(name)]
    namespace = meta.get("namespace") or ""
    if namespaced:
        if not namespace:
            errors.append(fielderrors.required(f"{path}.namespace"))
        else:
            messages = dns1123_label_errors(namespace)
            errors += [fielderrors.invalid(f"{path}.namespace", namespace, m) for m in messages]
    elif namespace:
        errors.append(fielderrors.forbidden(f"{path}.namespace", "not allowed on this type"))
    errors += common_metadata_errors(meta, path)
    if builtin and meta.get("finalizers"):
        errors += builtin_finalizer_errors(meta["finalizers"], f"{path}.finalizers")
    return errors


def metadata_update_errors(new: Mapping[str, Any], old: Mapping[str, Any], path: str = "metadata") -> list[FieldError]:
    """What is wrong with the metadata of an update; resourceVersion is the registry's to check."""
    errors: list[FieldError] = []
    if old.get("deletionTimestamp"):
        added = [f for f in new.get("finalizers") or () if f not in (old.get("finalizers") or ())]
        if added:
            message = (
                "no new finalizers can be added if the object is being deleted, found new finalizers "
                f"[]string{{{', '.join(fielderrors.go_quote(f) for f in sorted(added))}}}"
            )
            errors.append(fielderrors.forbidden(f"{path}.finalizers", message))
    for field in ("name", "namespace", "uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds"):
        if new.get(field) != old.get(field):
            errors.append(fielderrors.invalid(f"{path}.{field}", new.get(field), FIELD_IMMUTABLE))
    errors += common_metadata_errors(new, path)
    return errors


def label_errors(labels: Mapping[str, str] | None, path: str) -> list[FieldError]:
    """Of a map of labels, as found in metadata and in selectors."""
    errors: list[FieldError] = []
    for key, value in sorted((labels or {}).items()):
        errors += [fielderrors.invalid(path, key, m) for m in qualified_name_errors(key)]
        errors += [fielderrors.invalid(path, value, m) for m in label_value_errors(value)]
    return errors


def annotation_errors(annotations: Mapping[str, str] | None, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    size = 0
    for key, value in sorted((annotations or {}).items()):
        errors += [fielderrors.invalid(path, key, m) for m in qualified_name_errors(key.lower())]
        size += len(key.encode()) + len(value.encode())
    if size > ANNOTATIONS_MAX_BYTES:
        errors.append(fielderrors.too_long(path, ANNOTATIONS_MAX_BYTES))
    return errors


def owner_reference_errors(references: Sequence[Mapping[str, Any]], path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    controller = ""
    for ref in references:
        api_version = ref.get("apiVersion") or ""
        if not api_version or api_version.count("/") > 1 or api_version.endswith("/"):
            errors.append(fielderrors.invalid(f"{path}.apiVersion", api_version, "version must not be empty"))
        for field in ("kind", "name", "uid"):
            if not ref.get(field):
                errors.append(fielderrors.invalid(f"{path}.{field}", ref.get(field) or "", "must not be empty"))
        if (api_version, ref.get("kind")) == _EVENT_OWNER:
            message = "/v1, Kind=Event is disallowed from being an owner"
            errors.append(fielderrors.invalid(path, _reference_shown(ref), message))
        if not ref.get("controller"):
            continue
        named = f"{ref.get('kind') or ''}/{ref.get('name') or ''}"
        if controller:
            message = (
                'Only one reference can have Controller set to true. Found "true" in references for '
                f"{controller} and {named}"
            )
            errors.append(fielderrors.invalid(path, list(map(_reference_shown, references)), message))
        else:
            controller = named
    return errors


def _reference_shown(ref: Mapping[str, Any]) -> dict[str, Any]:
    """An owner reference as messages show it."""
    shown = {field: ref.get(field) or "" for field in ("apiVersion", "kind", "name", "uid")}
    return shown | {f: ref[f] for f in ("controller", "blockOwnerDeletion") if ref.get(f) is not None}


def finalizer_errors(finalizers: Iterable[str], path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    seen = list(finalizers)
    for finalizer in seen:
        errors += [fielderrors.invalid(path, finalizer, m) for m in qualified_name_errors(finalizer)]
    if "orphan" in seen and "foregroundDeletion" in seen:
        message = "finalizer orphan and foregroundDeletion cannot be both set"
        errors.append(fielderrors.invalid(path, seen, message))
    return errors


def builtin_finalizer_errors(finalizers: Iterable[str], path: str) -> list[FieldError]:
    """Of built-in kinds: a finalizer is a standard one or has a domain."""
    message = "name is neither a standard finalizer name nor is it fully qualified"
    return [
        fielderrors.invalid(f"{path}[{index}]", finalizer, message)
        for index, finalizer in enumerate(finalizers)
        if "/" not in finalizer and finalizer not in STANDARD_FINALIZERS
    ]


def common_metadata_errors(meta: Mapping[str, Any], path: str = "metadata") -> list[FieldError]:
    """What creates and updates check alike: labels, annotations, owners, finalizers, managers."""
    errors: list[FieldError] = []
    if (meta.get("generation") or 0) < 0:
        errors.append(
            fielderrors.invalid(f"{path}.generation", meta["generation"], "must be greater than or equal to 0")
        )
    if meta.get("labels"):
        errors += label_errors(meta["labels"], f"{path}.labels")
    if meta.get("annotations"):
        errors += annotation_errors(meta["annotations"], f"{path}.annotations")
    if meta.get("ownerReferences"):
        errors += owner_reference_errors(meta["ownerReferences"], f"{path}.ownerReferences")
    if meta.get("finalizers"):
        errors += finalizer_errors(meta["finalizers"], f"{path}.finalizers")
    if meta.get("managedFields"):
        errors += managed_fields_errors(meta["managedFields"], f"{path}.managedFields")
    return errors


def managed_fields_errors(entries: Iterable[Mapping[str, Any]], path: str) -> list[FieldError]:
    """Of the entries that a client gave; those that make no sense at all never come this far."""
    errors: list[FieldError] = []
    for index, entry in enumerate(entries):
        where = f"{path}[{index}]"
        if entry.get("operation") not in ("Apply", "Update"):
            operation = entry.get("operation") or ""
            errors.append(fielderrors.invalid(f"{where}.operation", operation, "must be `Apply` or `Update`"))
        if entry.get("fieldsType") not in (None, "", "FieldsV1"):
            errors.append(fielderrors.invalid(f"{where}.fieldsType", entry["fieldsType"], "must be `FieldsV1`"))
        errors += field_manager_errors(entry.get("manager") or "", f"{where}.manager")
        if len((entry.get("subresource") or "").encode()) > SUBRESOURCE_MAX_BYTES:
            errors.append(fielderrors.too_long(f"{where}.subresource", SUBRESOURCE_MAX_BYTES))
    return errors


def field_manager_errors(manager: str, path: str) -> list[FieldError]:
    """Of a field manager's name."""
    if manager.isascii() and manager.isprintable() and len(manager) <= MANAGER_MAX_BYTES:
        return []
    errors: list[FieldError] = []
    if len(manager.encode()) > MANAGER_MAX_BYTES:
        errors.append(fielderrors.too_long(path, MANAGER_MAX_BYTES))
    position = 0  # in bytes
    for character in manager:
        if not character.isprintable():
            message = f"invalid character U+{ord(character):04X} (at position {position})"
            errors.append(fielderrors.invalid(path, manager, message))
        position += len(character.encode())
    return errors
