"""Texts for Warning headers about jobs."""

from collections.abc import Mapping
from typing import Any

from kubeactors.api.validation.job.spec import INDEXED, MANY_COMPLETIONS, MAX_PARALLELISM_OF_MANY
from kubeactors.api.validation.pod.warnings import pod_warnings


def job_spec_warnings(spec: Mapping[str, Any], path: str) -> list[str]:
    """About a job's spec at `path`, of a job or in a cron job."""
    warnings = []
    many = (spec.get("completions") or 0) > MANY_COMPLETIONS
    if spec.get("completionMode") == INDEXED and many and (spec.get("parallelism") or 0) > MAX_PARALLELISM_OF_MANY:
        warnings.append(
            f"{path}: In Indexed Jobs with a number of completions higher than 10^5 and a parallelism higher than "
            "10^4, Kubernetes might not be able to track completedIndexes when a big number of indexes fail"
        )
    template = spec.get("template") or {}
    return warnings + pod_warnings(template, f"{path}.template")
