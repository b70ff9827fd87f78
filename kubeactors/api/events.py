"""An Event has two faces: events.k8s.io/v1 is core/v1 with other names for some fields. Both are one stored object."""

from typing import Final

from kubeactors.api.meta import Object

# Name in the core group → name in events.k8s.io.
_RENAMED: Final = {
    "involvedObject": "regarding",
    "message": "note",
    "source": "deprecatedSource",
    "firstTimestamp": "deprecatedFirstTimestamp",
    "lastTimestamp": "deprecatedLastTimestamp",
    "count": "deprecatedCount",
    "reportingComponent": "reportingController",
}
_BACK: Final = {new: old for old, new in _RENAMED.items()}
# What the core group always writes.
_ALWAYS: Final = {"reportingComponent": "", "reportingInstance": ""}


def to_core(event: Object) -> Object:
    """The core form of an events.k8s.io/v1 Event, which is not changed."""
    return _ALWAYS | {_BACK.get(field, field): value for field, value in event.items()}


def from_core(event: Object) -> None:
    """Rename, in place, the fields of a core Event to those of events.k8s.io/v1."""
    for old, new in _RENAMED.items():
        if old in event:
            event[new] = event.pop(old)
    for field in ("reportingController", "reportingInstance"):
        if event.get(field) == "":
            del event[field]
