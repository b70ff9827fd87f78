"""Validation of admissionregistration.k8s.io: webhook configurations and admission policies."""

from kubeactors.api.validation.admission.bindings import mutating_binding_errors, validating_binding_errors
from kubeactors.api.validation.admission.policies import (
    mutating_policy_errors,
    validating_policy_errors,
    validating_policy_status_errors,
)
from kubeactors.api.validation.admission.webhooks import webhooks_errors, webhooks_update_errors

__all__ = [
    "mutating_binding_errors",
    "mutating_policy_errors",
    "validating_binding_errors",
    "validating_policy_errors",
    "validating_policy_status_errors",
    "webhooks_errors",
    "webhooks_update_errors",
]
