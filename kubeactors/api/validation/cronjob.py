"""Validation of cron jobs, in the order of Kubernetes' validateCronJobSpec."""

import re
from collections.abc import Mapping
from typing import Any, Final

from kubeactors.api.choices import CONCURRENCY_POLICIES
from kubeactors.api.cron import CronError, check_schedule
from kubeactors.api.fielderrors import FieldError, invalid, not_supported, required
from kubeactors.api.timezone import TimeZoneError, check_time_zone
from kubeactors.api.validation.common import not_negative
from kubeactors.api.validation.job import job_spec_errors

# A job's name is its cron job's and 11 characters of time.
_MAX_NAME: Final = 63 - 11
_ZONE_PART: Final = re.compile(r"[A-Za-z.\-_0-9+]{1,14}")
_POLICIES: Final = frozenset(CONCURRENCY_POLICIES)


def cron_job_errors(obj: Mapping[str, Any]) -> list[FieldError]:
    """Of one that is to be created, besides its metadata."""
    errors = _spec_errors(obj.get("spec") or {}, None)
    name = obj["metadata"].get("name") or ""
    if len(name.encode()) > _MAX_NAME:
        errors.append(invalid("metadata.name", name, f"must be no more than {_MAX_NAME} characters"))
    return errors


def cron_job_update_errors(new: Mapping[str, Any], old: Mapping[str, Any]) -> list[FieldError]:
    return _spec_errors(new.get("spec") or {}, old.get("spec") or {})


def _spec_errors(spec: Mapping[str, Any], old: Mapping[str, Any] | None) -> list[FieldError]:
    zone = spec.get("timeZone")
    errors = _schedule_errors(spec.get("schedule") or "", zone, (old or {}).get("schedule") or "")
    if spec.get("startingDeadlineSeconds") is not None:
        errors += not_negative(spec["startingDeadlineSeconds"], "spec.startingDeadlineSeconds")
    if zone is not None and (old is None or zone != old.get("timeZone")):
        errors += _time_zone_errors(zone)
    policy = spec.get("concurrencyPolicy") or ""
    if policy not in _POLICIES:
        errors.append(not_supported("spec.concurrencyPolicy", policy, _POLICIES))
    errors += _job_template_errors((spec.get("jobTemplate") or {}).get("spec") or {}, "spec.jobTemplate.spec")
    for field in ("successfulJobsHistoryLimit", "failedJobsHistoryLimit"):
        if spec.get(field) is not None:
            errors += not_negative(spec[field], f"spec.{field}")
    return errors


def _schedule_errors(schedule: str, zone: str | None, old_schedule: str) -> list[FieldError]:
    path = "spec.schedule"
    if not schedule:
        return [required(path)]
    errors = []
    try:
        check_schedule(schedule)
    except CronError as error:
        errors.append(invalid(path, schedule, str(error)))
    if "TZ" in schedule:
        if "TZ" not in old_schedule:
            message = "cannot use TZ or CRON_TZ in schedule, use timeZone field instead"
            errors.append(invalid(path, schedule, message))
        elif zone is not None:
            message = "cannot use both timeZone field and TZ or CRON_TZ in schedule"
            errors.append(invalid(path, schedule, message))
    return errors


def _time_zone_errors(zone: str) -> list[FieldError]:
    path = "spec.timeZone"
    if not zone:
        return [invalid(path, zone, "timeZone must be nil or non-empty string")]
    for part in zone.split("/"):
        if part in (".", "..") or part.startswith("-") or not _ZONE_PART.fullmatch(part):
            return [invalid(path, zone, f"unknown time zone {zone}")]
    errors = []
    if zone.lower() == "local":
        message = "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones"
        errors.append(invalid(path, zone, message))
    try:
        check_time_zone(zone)
    except TimeZoneError as error:
        errors.append(invalid(path, zone, str(error)))
    return errors


def _job_template_errors(spec: Mapping[str, Any], path: str) -> list[FieldError]:
    errors = job_spec_errors(spec, path)
    # The jobs' selectors are made by the server.
    if spec.get("selector") is not None:
        errors.append(invalid(f"{path}.selector", dict(spec["selector"]), "`selector` will be auto-generated"))
    if spec.get("manualSelector"):
        errors.append(not_supported(f"{path}.manualSelector", True, ("nil", "false")))
    return errors
