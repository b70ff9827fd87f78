"""Patches for the in-memory API, by the same functions that the API server uses."""

from __future__ import annotations

from typing import Any

from kubeactors.api import errors
from kubeactors.api.kinds import Kind


def apply_patch(content_type: str, current: dict[str, Any], patch: Any, kind: Kind) -> dict[str, Any]:
    """`current` with `patch`; raises StatusError for a patch type that is not known."""
    if content_type == "application/merge-patch+json":
        merged: dict[str, Any] = _merge(current, patch)
        return merged
    raise errors.unsupported_media_type(None)


def _merge(current: Any, patch: Any) -> Any:
    if not isinstance(patch, dict):
        return patch
    merged = dict(current) if isinstance(current, dict) else {}
    for field, value in patch.items():
        if value is None:
            merged.pop(field, None)
        else:
            merged[field] = _merge(merged.get(field), value)
    return merged
