"""Validation of controller revisions: snapshots that do not change."""

from collections.abc import Mapping
from typing import Any

from kubeactors.api.fielderrors import FieldError, invalid, required
from kubeactors.api.raw_extension import changed
from kubeactors.api.validation.common import not_negative
from kubeactors.api.validation.metadata import FIELD_IMMUTABLE


def controller_revision_errors(obj: Mapping[str, Any]) -> list[FieldError]:
    """Besides the metadata."""
    errors = [required("data", "data is mandatory")] if obj.get("data") is None else []
    return errors + not_negative(obj.get("revision") or 0, "revision")


def controller_revision_update_errors(new: Mapping[str, Any], old: Mapping[str, Any]) -> list[FieldError]:
    data = new.get("data")
    frozen = [invalid("data", data, FIELD_IMMUTABLE)] if changed(data, old.get("data")) else []
    return controller_revision_errors(new) + frozen
