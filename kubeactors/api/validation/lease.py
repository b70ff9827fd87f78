"""Validation of leases."""

from collections.abc import Mapping
from typing import Any

from kubeactors.api.fielderrors import FieldError
from kubeactors.api.validation.common import not_negative, positive


def lease_errors(lease: Mapping[str, Any]) -> list[FieldError]:
    spec = lease.get("spec") or {}
    errors: list[FieldError] = []
    if spec.get("leaseDurationSeconds") is not None:
        errors += positive(spec["leaseDurationSeconds"], "spec.leaseDurationSeconds")
    if spec.get("leaseTransitions") is not None:
        errors += not_negative(spec["leaseTransitions"], "spec.leaseTransitions")
    return errors
