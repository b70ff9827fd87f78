"""Validation of controller revisions: snapshots that do not change."""

from collections.abc import Mapping
from typing import Any

from kubeactors.api.fielderrors import FieldError, required
from kubeactors.api.validation.common import immutable, not_negative


def controller_revision_errors(obj: Mapping[str, Any]) -> list[FieldError]:
    """Besides the metadata."""
    errors = [required("data", "data is mandatory")] if obj.get("data") is None else []
    return errors + not_negative(obj.get("revision") or 0, "revision")


def controller_revision_update_errors(new: Mapping[str, Any], old: Mapping[str, Any]) -> list[FieldError]:
    return controller_revision_errors(new) + immutable(new.get("data"), old.get("data"), "data")
