"""JSON merge patch, RFC 7386."""

from typing import Any


def apply_merge_patch(target: Any, patch: Any) -> Any:
    """The target with the patch merged in: null removes, objects merge, everything else replaces.

    A target object is changed in place; parts of the patch are shared with the result. As in the library that
    Kubernetes uses, objects in the patch's lists lose their null members, unless the list replaces an object.
    """
    if not isinstance(patch, dict):
        return patch
    if not isinstance(target, dict):
        target = {}
    for key, value in patch.items():
        if value is None:
            target.pop(key, None)
        elif isinstance(value, dict):
            target[key] = apply_merge_patch(target.get(key), value)
        elif isinstance(value, list) and not isinstance(target.get(key), dict):
            target[key] = [_without_nulls(item) for item in value]
        else:
            target[key] = value
    return target


def _without_nulls(value: Any) -> Any:
    """Without the null members of objects; null items of lists stay."""
    if isinstance(value, dict):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_without_nulls(item) for item in value]
    return value


def create_merge_patch(original: dict[str, Any], modified: dict[str, Any]) -> dict[str, Any]:
    """The merge patch that makes `modified` of `original`. (RFC 7386 cannot set a member to null.)"""
    patch: dict[str, Any] = {key: None for key in original if key not in modified}
    for key, value in modified.items():
        if key not in original:
            patch[key] = value
            continue
        old = original[key]
        if isinstance(old, dict) and isinstance(value, dict):
            inner = create_merge_patch(old, value)
            if inner:
                patch[key] = inner
        elif old != value or isinstance(old, bool) != isinstance(value, bool):
            patch[key] = value
    return patch
