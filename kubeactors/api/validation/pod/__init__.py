"""Validation of pods: the spec that templates share, what is for pods alone, and what updates may change."""

from kubeactors.api.validation.pod.pod import pod_errors
from kubeactors.api.validation.pod.spec import pod_spec_errors, pod_template_errors
from kubeactors.api.validation.pod.status import pod_status_update_errors
from kubeactors.api.validation.pod.update import pod_update_errors

__all__ = [
    "pod_errors",
    "pod_spec_errors",
    "pod_status_update_errors",
    "pod_template_errors",
    "pod_update_errors",
]
