"""Validation of whole pods: what templates need not satisfy."""

from collections.abc import Mapping
from typing import Any

from kubeactors.api.fielderrors import FieldError, forbidden
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
