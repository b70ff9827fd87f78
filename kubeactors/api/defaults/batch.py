"""Defaults of jobs and cron jobs."""

from typing import Any

from kubeactors.api.defaults.workload import default_template
from kubeactors.api.validation.common import MAX_INT32

JsonObject = dict[str, Any]


def default_job(obj: JsonObject) -> None:
    spec = obj.setdefault("spec", {})
    _default_template(spec)
    if spec.get("completions") is None and spec.get("parallelism") is None:
        spec["completions"] = 1
    spec.setdefault("parallelism", 1)
    spec.setdefault("backoffLimit", 6 if spec.get("backoffLimitPerIndex") is None else MAX_INT32)
    spec.setdefault("completionMode", "NonIndexed")
    spec.setdefault("suspend", False)
    spec.setdefault("manualSelector", False)
    spec.setdefault("podReplacementPolicy", "TerminatingOrFailed" if "podFailurePolicy" not in spec else "Failed")


def default_job_labels(job: JsonObject) -> None:
    """A job without labels has those of its pods, once the server has given them theirs."""
    labels = ((job["spec"].get("template") or {}).get("metadata") or {}).get("labels")
    metadata = job.setdefault("metadata", {})
    if labels and not metadata.get("labels"):
        metadata["labels"] = dict(labels)


def default_cron_job(obj: JsonObject) -> None:
    spec = obj.setdefault("spec", {})
    _default_template(spec.setdefault("jobTemplate", {}).setdefault("spec", {}))
    if not spec.get("concurrencyPolicy"):
        spec["concurrencyPolicy"] = "Allow"
    spec.setdefault("suspend", False)
    spec.setdefault("successfulJobsHistoryLimit", 3)
    spec.setdefault("failedJobsHistoryLimit", 1)


def _default_template(spec: JsonObject) -> None:
    """What jobs and the jobs in cron jobs have alike."""
    default_template(spec.get("template"))
    for rule in (spec.get("podFailurePolicy") or {}).get("rules") or ():
        for pattern in rule.get("onPodConditions") or ():
            if not pattern.get("status"):
                pattern["status"] = "True"
