"""Validation of writes to a job's status: what a controller, ours or another (KEP-4368), may say of a job."""

from collections.abc import Mapping
from typing import Any, Final

from kubeactors.api.fielderrors import OMITTED, FieldError, duplicate, invalid, required
from kubeactors.api.indexes import IndexesError, overlap, parse_indexes
from kubeactors.api.meta import Object, is_condition_true, parse_time
from kubeactors.api.validation.common import not_negative
from kubeactors.api.validation.job.spec import INDEXED

_COUNTS: Final = ("active", "succeeded", "failed", "ready", "terminating")
_CONDITIONS: Final = "status.conditions"


def job_status_update_errors(new: Object, old: Object) -> list[FieldError]:
    """Rules that compare a part of the status with others are applied when one of the parts changes."""
    change = _Change(new, old)
    return [
        *_count_errors(change.status),
        *_uncounted_errors(change.status),
        *_condition_errors(change),
        *_time_errors(change),
        *_finished_errors(change),
        *_index_errors(change),
        *_last_errors(change),
        *_transition_errors(change),
    ]


class _Change:
    """A status beside the one before."""

    def __init__(self, new: Object, old: Object) -> None:
        self.new, self.old = new, old
        self.spec: Mapping[str, Any] = new.get("spec") or {}
        self.status: Mapping[str, Any] = new.get("status") or {}
        self.before: Mapping[str, Any] = old.get("status") or {}

    def has(self, condition: str) -> bool:
        return is_condition_true(self.new, condition)

    def had(self, condition: str) -> bool:
        return is_condition_true(self.old, condition)

    def changed(self, *names: str) -> bool:
        """Whether a field of the status, or the truth of a condition, has changed."""
        return any(
            self.has(name) != self.had(name) if name[0].isupper() else self.status.get(name) != self.before.get(name)
            for name in names
        )

    @property
    def finished(self) -> bool:
        return self.has("Complete") or self.has("Failed")

    @property
    def finish_changed(self) -> bool:
        return self.finished != (self.had("Complete") or self.had("Failed"))


def _count_errors(status: Mapping[str, Any]) -> list[FieldError]:
    return [e for field in _COUNTS for e in not_negative(status.get(field) or 0, f"status.{field}")]


def _uncounted_errors(status: Mapping[str, Any]) -> list[FieldError]:
    errors: list[FieldError] = []
    seen: set[str] = set()
    for field in ("succeeded", "failed"):
        for i, uid in enumerate((status.get("uncountedTerminatedPods") or {}).get(field) or ()):
            path = f"status.uncountedTerminatedPods.{field}[{i}]"
            if not uid:
                errors.append(invalid(path, uid, "must not be empty"))
            elif uid in seen:
                errors.append(duplicate(path, uid))
            seen.add(uid)
    return errors


def _conditions(message: str) -> FieldError:
    return invalid(_CONDITIONS, OMITTED, message)


def _condition_errors(change: _Change) -> list[FieldError]:
    if not change.has("Complete"):
        return []
    errors = []
    if change.has("Failed") and change.changed("Complete", "Failed"):
        errors.append(_conditions("cannot set Complete=True and Failed=true conditions"))
    if change.has("FailureTarget") and change.changed("Complete", "FailureTarget"):
        errors.append(_conditions("cannot set Complete=True and FailureTarget=true conditions"))
    return errors


def _time_errors(change: _Change) -> list[FieldError]:
    started, completed = change.status.get("startTime"), change.status.get("completionTime")
    path = "status.completionTime"
    errors = []
    if change.changed("Complete", "completionTime"):
        if completed is not None and not change.has("Complete"):
            message = "cannot set completionTime when there is no Complete=True condition"
            errors.append(invalid(path, completed, message))
        if completed is None and change.has("Complete"):
            errors.append(required(path, "completionTime is required for Complete jobs"))
    if (
        started is not None
        and completed is not None
        and change.changed("startTime", "completionTime")
        and parse_time(completed) < parse_time(started)
    ):
        errors.append(invalid(path, completed, "completionTime cannot be set before startTime"))
    return errors


def _finished_errors(change: _Change) -> list[FieldError]:
    status = change.status
    errors = []
    if change.has("Failed") and not change.has("FailureTarget") and change.changed("Failed", "FailureTarget"):
        errors.append(_conditions("cannot set Failed=True condition without the FailureTarget=true condition"))
    if (
        change.has("Complete")
        and not change.has("SuccessCriteriaMet")
        and change.changed("Complete", "SuccessCriteriaMet")
    ):
        errors.append(_conditions("cannot set Complete=True condition without the SuccessCriteriaMet=true condition"))
    if not change.finished:
        return errors
    active, uncounted = status.get("active") or 0, status.get("uncountedTerminatedPods") or {}
    if active > 0 and (change.finish_changed or change.changed("active")):
        errors.append(invalid("status.active", active, "active>0 is invalid for finished job"))
    never_ran = bool(change.spec.get("suspend")) and change.spec.get("completions") == 0
    if status.get("startTime") is None and not never_ran and (change.finish_changed or change.changed("startTime")):
        errors.append(required("status.startTime", "startTime is required for finished job"))
    if any(uncounted.get(f) for f in ("succeeded", "failed")) and (
        change.finish_changed or change.changed("uncountedTerminatedPods")
    ):
        shown = {"Succeeded": uncounted.get("succeeded"), "Failed": uncounted.get("failed")}
        message = "uncountedTerminatedPods needs to be empty for finished job"
        errors.append(invalid("status.uncountedTerminatedPods", shown, message))
    return errors


def _index_errors(change: _Change) -> list[FieldError]:
    completions, per_index = change.spec.get("completions"), change.spec.get("backoffLimitPerIndex")
    completed, failed = change.status.get("completedIndexes") or "", change.status.get("failedIndexes")
    errors = []
    completed_changed, failed_changed = change.changed("completedIndexes"), change.changed("failedIndexes")
    if completions is not None and completed_changed:
        errors += _format_errors("completedIndexes", completed, completions)
    if completions is not None and per_index is not None and failed is not None and failed_changed:
        errors += _format_errors("failedIndexes", failed, completions)
    if completed and completed_changed and change.spec.get("completionMode") != INDEXED:
        message = "cannot set non-empty completedIndexes when non-indexed completion mode"
        errors.append(invalid("status.completedIndexes", completed, message))
    if per_index is None and failed is not None and failed_changed:
        message = "cannot set non-null failedIndexes when backoffLimitPerIndex is null"
        errors.append(invalid("status.failedIndexes", failed, message))
    if completions is not None and failed is not None and (completed_changed or failed_changed):
        shared = overlap(completed, failed, completions)
        if shared is not None:
            message = f"failedIndexes and completedIndexes overlap at index: {shared}"
            errors.append(invalid("status.failedIndexes", failed, message))
    return errors


def _format_errors(field: str, text: str, completions: int) -> list[FieldError]:
    try:
        parse_indexes(text, completions)
    except IndexesError as error:
        return [invalid(f"status.{field}", text, f"error parsing {field}: {error}")]
    return []


def _last_errors(change: _Change) -> list[FieldError]:
    status = change.status
    terminating, ready = status.get("terminating") or 0, status.get("ready")
    errors = []
    if terminating > 0 and change.finished and (change.finish_changed or change.changed("terminating")):
        errors.append(invalid("status.terminating", terminating, "terminating>0 is invalid for finished job"))
    if ready is not None and ready > (status.get("active") or 0) and change.changed("ready", "active"):
        errors.append(invalid("status.ready", ready, "cannot set more ready pods than active"))
    if change.has("SuccessCriteriaMet"):
        if change.has("Failed"):
            errors.append(_conditions("cannot set SuccessCriteriaMet=True and Failed=true conditions"))
        if change.has("FailureTarget"):
            errors.append(_conditions("cannot set SuccessCriteriaMet=True and FailureTarget=true conditions"))
    elif change.spec.get("successPolicy") is not None and change.has("Complete"):
        message = "cannot set Complete=True for Job with SuccessPolicy unless SuccessCriteriaMet=True"
        errors.append(_conditions(message))
    return errors


def _transition_errors(change: _Change) -> list[FieldError]:
    """What may not be taken back."""
    spec, status, before = change.spec, change.status, change.before
    errors = [
        _conditions(f"cannot disable the terminal {condition}=True condition")
        for condition in ("Failed", "Complete", "FailureTarget")
        if change.had(condition) and not change.has(condition)
    ]
    if (status.get("failed") or 0) < (before.get("failed") or 0):
        errors.append(invalid("status.failed", status.get("failed") or 0, "cannot decrease the failed counter"))
    # Indexed jobs that are scaled down lose successes.
    elastic = spec.get("completionMode") == INDEXED and spec.get("completions") == spec.get("parallelism")
    if (status.get("succeeded") or 0) < (before.get("succeeded") or 0) and not elastic:
        message = "cannot decrease the succeeded counter"
        errors.append(invalid("status.succeeded", status.get("succeeded") or 0, message))
    completed, completed_before = status.get("completionTime"), before.get("completionTime")
    if completed is not None and completed_before is not None and completed != completed_before:
        errors.append(invalid("status.completionTime", completed, "completionTime cannot be mutated"))
    if before.get("startTime") is not None and change.changed("startTime") and not spec.get("suspend"):
        errors.append(required("status.startTime", "startTime cannot be removed for unsuspended job"))
    if change.had("SuccessCriteriaMet") and not change.has("SuccessCriteriaMet"):
        errors.append(_conditions("cannot disable the SuccessCriteriaMet=True condition"))
    if change.had("Complete") and not change.had("SuccessCriteriaMet") and change.has("SuccessCriteriaMet"):
        message = "cannot set SuccessCriteriaMet=True for Job already has Complete=true conditions"
        errors.append(_conditions(message))
    return errors
