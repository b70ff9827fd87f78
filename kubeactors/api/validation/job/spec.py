"""Validation of a job's spec, in the order of Kubernetes' validateJobSpec; cron jobs' templates have one too."""

from collections.abc import Mapping
from typing import Any, Final

from kubeactors.api.choices import COMPLETION_MODES, POD_REPLACEMENT_POLICIES
from kubeactors.api.fielderrors import FieldError, go_quote, invalid, not_supported, required, too_long
from kubeactors.api.validation.common import domain_prefixed_path, not_negative
from kubeactors.api.validation.job.policies import pod_failure_policy_errors, success_policy_errors
from kubeactors.api.validation.pod import pod_template_errors

INDEXED: Final = "Indexed"
NON_INDEXED: Final = "NonIndexed"

# Bounds of Indexed jobs: they keep the texts of completed and failed indexes in the status short.
_MAX_PARALLELISM: Final = 100_000
_MAX_FAILED_INDEXES: Final = 100_000
MANY_COMPLETIONS: Final = 100_000
MAX_PARALLELISM_OF_MANY: Final = 10_000
_MAX_FAILED_INDEXES_OF_MANY: Final = 10_000
_MAX_MANAGED_BY: Final = 63
_NUMBERS: Final = (
    "parallelism",
    "completions",
    "activeDeadlineSeconds",
    "backoffLimit",
    "ttlSecondsAfterFinished",
    "backoffLimitPerIndex",
    "maxFailedIndexes",
)


def job_spec_errors(spec: Mapping[str, Any], path: str) -> list[FieldError]:
    """Everything but the selector."""
    errors: list[FieldError] = []
    for field in _NUMBERS:
        if spec.get(field) is not None:
            errors += not_negative(spec[field], f"{path}.{field}")
    if spec.get("maxFailedIndexes") is not None and spec.get("backoffLimitPerIndex") is None:
        errors.append(required(f"{path}.backoffLimitPerIndex", "when maxFailedIndexes is specified"))
    errors += _managed_by_errors(spec, f"{path}.managedBy")
    errors += _completion_mode_errors(spec, path)
    if spec.get("podFailurePolicy") is not None:
        errors += pod_failure_policy_errors(spec, f"{path}.podFailurePolicy")
    if spec.get("successPolicy") is not None:
        errors += success_policy_errors(spec, f"{path}.successPolicy", indexed=spec.get("completionMode") == INDEXED)
    errors += _replacement_errors(spec, f"{path}.podReplacementPolicy")
    template = spec.get("template") or {}
    errors += pod_template_errors(template, f"{path}.template")
    return errors + _restart_policy_errors(spec, template.get("spec") or {}, f"{path}.template.spec.restartPolicy")


def _managed_by_errors(spec: Mapping[str, Any], path: str) -> list[FieldError]:
    manager = spec.get("managedBy")
    if manager is None:
        return []
    errors = domain_prefixed_path(manager, path)
    if len(manager.encode()) > _MAX_MANAGED_BY:
        errors.append(too_long(path, _MAX_MANAGED_BY))
    return errors


def _completion_mode_errors(spec: Mapping[str, Any], path: str) -> list[FieldError]:
    mode = spec.get("completionMode")
    errors: list[FieldError] = []
    if mode is not None and mode not in COMPLETION_MODES:
        errors.append(not_supported(f"{path}.completionMode", mode, COMPLETION_MODES))
    if mode == INDEXED:
        errors += _indexed_errors(spec, path)
    if mode in (None, NON_INDEXED):
        errors += [
            invalid(f"{path}.{field}", spec[field], "requires indexed completion mode")
            for field in ("backoffLimitPerIndex", "maxFailedIndexes")
            if spec.get(field) is not None
        ]
    return errors


def _indexed_errors(spec: Mapping[str, Any], path: str) -> list[FieldError]:
    completions, parallelism, failed = (spec.get(f) for f in ("completions", "parallelism", "maxFailedIndexes"))
    errors: list[FieldError] = []
    if completions is None:
        errors.append(required(f"{path}.completions", "when completion mode is Indexed"))
    if parallelism is not None and parallelism > _MAX_PARALLELISM:
        message = f"must be less than or equal to {_MAX_PARALLELISM} when completion mode is Indexed"
        errors.append(invalid(f"{path}.parallelism", parallelism, message))
    if completions is not None and failed is not None and failed > completions:
        errors.append(invalid(f"{path}.maxFailedIndexes", failed, "must be less than or equal to completions"))
    if failed is not None and failed > _MAX_FAILED_INDEXES:
        message = f"must be less than or equal to {_MAX_FAILED_INDEXES}"
        errors.append(invalid(f"{path}.maxFailedIndexes", failed, message))
    if completions is None or completions <= MANY_COMPLETIONS or spec.get("backoffLimitPerIndex") is None:
        return errors
    condition = f"when completions are above {MANY_COMPLETIONS} and used with backoff limit per index"
    if failed is None:
        message = f"must be specified when completions is above {MANY_COMPLETIONS}"
        errors.append(required(f"{path}.maxFailedIndexes", message))
    if parallelism is not None and parallelism > MAX_PARALLELISM_OF_MANY:
        message = f"must be less than or equal to {MAX_PARALLELISM_OF_MANY} {condition}"
        errors.append(invalid(f"{path}.parallelism", parallelism, message))
    if failed is not None and failed > _MAX_FAILED_INDEXES_OF_MANY:
        message = f"must be less than or equal to {_MAX_FAILED_INDEXES_OF_MANY} {condition}"
        errors.append(invalid(f"{path}.maxFailedIndexes", failed, message))
    return errors


def _replacement_errors(spec: Mapping[str, Any], path: str) -> list[FieldError]:
    policy = spec.get("podReplacementPolicy")
    supported = {"Failed"} if spec.get("podFailurePolicy") is not None else frozenset(POD_REPLACEMENT_POLICIES)
    return [] if policy is None or policy in supported else [not_supported(path, policy, supported)]


def _restart_policy_errors(spec: Mapping[str, Any], pod: Mapping[str, Any], path: str) -> list[FieldError]:
    policy = pod.get("restartPolicy") or ""
    if policy in ("", "Always"):
        # What pods default to is no choice of the client's.
        return [required(path, f"valid values: {go_quote('OnFailure')}, {go_quote('Never')}")]
    if policy not in ("OnFailure", "Never"):
        return [not_supported(path, policy, ("OnFailure", "Never"))]
    if spec.get("podFailurePolicy") is not None and policy != "Never":
        return [invalid(path, policy, 'only "Never" is supported when podFailurePolicy is specified')]
    return []
