"""Cells of events, of either group."""

from datetime import datetime
from typing import Any

from kubeactors.api.duration import since
from kubeactors.api.meta import Object
from kubeactors.api.printers.text import name


def event_cells(event: Object, now: datetime) -> list[Any]:
    """For an Event of the core group."""
    series = event.get("series")
    first = since(event.get("firstTimestamp") or event.get("eventTime"), now)
    last = since(event["lastTimestamp"], now) if event.get("lastTimestamp") else first
    count = event.get("count") or 1
    if series is not None:
        last = since(series.get("lastObservedTime"), now)
        count = series.get("count") or 0
    involved = event.get("involvedObject") or {}
    kind = (involved.get("kind") or "").lower()
    source = event.get("source") or {}
    component = source.get("component") or event.get("reportingComponent") or ""
    instance = source.get("host") or event.get("reportingInstance") or ""
    return [
        last,
        event.get("type") or "",
        event.get("reason") or "",
        f"{kind}/{involved['name']}" if involved.get("name") else kind,
        involved.get("fieldPath") or "",
        f"{component}, {instance}" if instance else component,
        (event.get("message") or "").strip(),
        first,
        count,
        name(event),
    ]
