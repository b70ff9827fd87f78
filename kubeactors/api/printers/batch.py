"""Cells of jobs and cron jobs."""

from datetime import datetime
from typing import Any

from kubeactors.api.duration import human, since
from kubeactors.api.meta import Object, is_condition_true, is_deleting, parse_time
from kubeactors.api.printers.text import NONE, age, container_names_and_images, format_label_selector, name


def job_cells(job: Object, now: datetime) -> list[Any]:
    spec = job.get("spec") or {}
    return [
        name(job),
        _status(job),
        _completions(job),
        _duration(job, now),
        age(job, now),
        *container_names_and_images(spec.get("template") or {}),
        format_label_selector(spec.get("selector")),
    ]


def cron_job_cells(cron_job: Object, now: datetime) -> list[Any]:
    spec, status = cron_job.get("spec") or {}, cron_job.get("status") or {}
    job = (spec.get("jobTemplate") or {}).get("spec") or {}
    suspend, last = spec.get("suspend"), status.get("lastScheduleTime")
    return [
        name(cron_job),
        spec.get("schedule", ""),
        spec.get("timeZone", NONE),
        "<unset>" if suspend is None else str(suspend),
        len(status.get("active") or ()),
        since(last, now) if last else NONE,
        age(cron_job, now),
        *container_names_and_images(job.get("template") or {}),
        format_label_selector(job["selector"]) if job.get("selector") else NONE,
    ]


def _status(job: Object) -> str:
    for condition in ("Complete", "Failed"):
        if is_condition_true(job, condition):
            return condition
    if is_deleting(job):
        return "Terminating"
    for condition in ("Suspended", "FailureTarget", "SuccessCriteriaMet"):
        if is_condition_true(job, condition):
            return condition
    return "Running"


def _completions(job: Object) -> str:
    spec = job.get("spec") or {}
    succeeded, parallelism = (job.get("status") or {}).get("succeeded", 0), spec.get("parallelism") or 0
    if spec.get("completions") is not None:
        return f"{succeeded}/{spec['completions']}"
    return f"{succeeded}/1 of {parallelism}" if parallelism > 1 else f"{succeeded}/1"


def _duration(job: Object, now: datetime) -> str:
    status = job.get("status") or {}
    started, completed = status.get("startTime"), status.get("completionTime")
    if not started:
        return ""
    end = parse_time(completed) if completed else now
    return human((end - parse_time(started)).total_seconds())
