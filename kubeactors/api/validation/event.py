"""Validation of events, in their core form: what the new API demands, and the little that the old one did."""

from collections.abc import Mapping
from typing import Any, Final

from kubeactors.api.fielderrors import FieldError, invalid, required
from kubeactors.api.validation.common import dns1123_subdomain, immutable, qualified_name

_MAX_NAME: Final = 128  # of action, reason and reporting instance, in bytes
_MAX_MESSAGE: Final = 1024
_FOREIGN: Final = "does not match event.namespace"
_UNSET: Final = "needs to be unset"
_FIXED: Final = {
    "involvedObject": "io.k8s.api.core.v1.ObjectReference",
    "reason": "",
    "message": "",
    "source": "io.k8s.api.core.v1.EventSource",
    "firstTimestamp": "",
    "lastTimestamp": "",
    "count": "",
    "type": "",
    "eventTime": "",
    "action": "",
    "related": "io.k8s.api.core.v1.ObjectReference",
}
_FIXED_REPORTERS: Final = {"reportingComponent": "reportingController", "reportingInstance": "reportingInstance"}

Event = Mapping[str, Any]


def core_event_errors(event: Event) -> list[FieldError]:
    """Of events of the core group."""
    return _common_errors(event, "reportingComponent")


def event_errors(event: Event) -> list[FieldError]:
    """Of new events of events.k8s.io/v1."""
    errors = _common_errors(event, "reportingController") + _series_errors(event)
    if not event.get("eventTime"):
        errors.append(required("eventTime"))
    kind = event.get("type") or ""
    if kind not in ("Normal", "Warning"):
        errors.append(invalid("type", "", f"has invalid value: {kind}"))
    for field in ("firstTimestamp", "lastTimestamp", "count", "source"):
        if event.get(field):
            errors.append(invalid(field, "", _UNSET))
    return errors


def event_update_errors(new: Event, old: Event) -> list[FieldError]:
    """Of a write to an event of events.k8s.io/v1: it is only counted on."""
    errors = _common_errors(new, "reportingController")
    if new.get("series") != old.get("series"):
        errors += _series_errors(new)
    for field, schema in _FIXED.items():
        errors += immutable(new.get(field), old.get(field), field, schema)
    for field, path in _FIXED_REPORTERS.items():
        errors += immutable(new.get(field) or "", old.get(field) or "", path)
    return errors


def _common_errors(event: Event, reporter: str) -> list[FieldError]:
    namespace = (event.get("metadata") or {}).get("namespace") or ""
    of = (event.get("involvedObject") or {}).get("namespace") or ""
    errors: list[FieldError] = []
    if event.get("eventTime"):
        if not of and namespace not in ("default", "kube-system"):
            errors.append(invalid("involvedObject.namespace", of, _FOREIGN))
        errors += _reporter_errors(event, reporter)
    elif (of or "default") != namespace and (of or namespace):
        errors.append(invalid("involvedObject.namespace", of, _FOREIGN))
    return errors + dns1123_subdomain(namespace, "namespace")


def _reporter_errors(event: Event, reporter: str) -> list[FieldError]:
    """Who reports what: demanded of all events that have an eventTime."""
    controller = event.get("reportingComponent") or ""
    errors = [] if controller else [required(reporter)]
    errors += qualified_name(controller, reporter)
    for field in ("reportingInstance", "action", "reason"):
        text = event.get(field) or ""
        if not text:
            errors.append(required(field))
        errors += _length_errors(text, field, _MAX_NAME)
    return errors + _length_errors(event.get("message") or "", "message", _MAX_MESSAGE)


def _length_errors(text: str, path: str, limit: int) -> list[FieldError]:
    return [invalid(path, "", f"can have at most {limit} characters")] if len(text.encode()) > limit else []


def _series_errors(event: Event) -> list[FieldError]:
    series = event.get("series")
    if series is None:
        return []
    errors: list[FieldError] = []
    if (series.get("count") or 0) < 2:
        errors.append(invalid("series.count", "", "should be at least 2"))
    if not series.get("lastObservedTime"):
        errors.append(required("series.lastObservedTime"))
    return errors
