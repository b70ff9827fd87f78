"""Validation of whole pods: what templates need not satisfy, and writes to the status."""

from collections.abc import Mapping
from typing import Any

from kubeactors.api.fielderrors import FieldError, forbidden, invalid
from kubeactors.api.validation.common import ip_address, qualified_name
from kubeactors.api.validation.pod.annotations import pod_annotation_errors, profile_mismatch_errors
from kubeactors.api.validation.pod.container import image_whitespace_errors
from kubeactors.api.validation.pod.spec import pod_spec_errors


def pod_errors(pod: Mapping[str, Any]) -> list[FieldError]:
    """Of a pod that is to be created, besides its metadata."""
    spec, annotations = pod.get("spec") or {}, (pod.get("metadata") or {}).get("annotations") or {}
    errors = pod_kept_errors(pod)
    if spec.get("ephemeralContainers"):
        errors.append(forbidden("spec.ephemeralContainers", "cannot be set on create"))
    if spec.get("nodeName") and spec.get("schedulingGates"):
        message = "cannot be set until all schedulingGates have been cleared"
        errors.append(forbidden("spec.nodeName", message))
    return errors + profile_mismatch_errors(annotations, spec, "spec")


def pod_kept_errors(pod: Mapping[str, Any]) -> list[FieldError]:
    """Of a pod at any time, besides its metadata."""
    spec, meta = pod.get("spec") or {}, pod.get("metadata") or {}
    errors = pod_annotation_errors(meta.get("annotations") or {}, spec, "metadata.annotations")
    errors += pod_spec_errors(spec, "spec", meta.get("name") or "")
    for name in ("containers", "initContainers"):
        errors += image_whitespace_errors(spec.get(name) or (), f"spec.{name}")
    return errors


def pod_status_update_errors(new: Mapping[str, Any], old: Mapping[str, Any]) -> list[FieldError]:
    """Of a write to the status."""
    errors: list[FieldError] = []
    status = new.get("status") or {}
    for i, condition in enumerate(status.get("conditions") or ()):
        errors += qualified_name(condition.get("type") or "", f"status.conditions[{i}].type")
    addresses = [a.get("ip") or "" for a in status.get("podIPs") or ()]
    for i, address in enumerate(addresses):
        errors += ip_address(address, f"status.podIPs[{i}]")
    if len(set(addresses)) != len(addresses):
        errors.append(invalid("status.podIPs", status["podIPs"], "may specify no more than one IP for each IP family"))
    return errors
