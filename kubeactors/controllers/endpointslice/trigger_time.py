"""When the change happened that a write of endpoints answers: the programming latency starts there.

Recorded as endpoints.kubernetes.io/last-change-trigger-time on EndpointSlices and Endpoints.
"""

from __future__ import annotations

from collections.abc import Iterable

from kubeactors.api.meta import Object
from kubeactors.controllers.pods import ready_condition

ANNOTATION = "endpoints.kubernetes.io/last-change-trigger-time"


class TriggerTimes:
    """Remembers per Service what times it has seen. Times are RFC 3339 strings, which sort as they are."""

    def __init__(self) -> None:
        self._seen: dict[str, tuple[str, dict[str, str]]] = {}

    def observe(self, key: str, service: Object, pods: Iterable[Object]) -> str | None:
        """The earliest of the times that are new since the last call; None if none is.

        Of a Service seen for the first time it is its creation.
        """
        created = service["metadata"].get("creationTimestamp") or ""
        changed = [(pod["metadata"]["name"], _ready_changed(pod)) for pod in pods]
        times = {name: time for name, time in changed if time}
        before = self._seen.get(key)
        self._seen[key] = (created, times)
        if before is None:
            return created or None
        fresh = [time for name, time in times.items() if time > before[1].get(name, "")]
        if created > before[0]:
            fresh.append(created)
        return min(fresh, default=None)

    def forget(self, key: str) -> None:
        self._seen.pop(key, None)


def annotated(obj: Object, time: str | None) -> Object:
    """The object with the annotation set to `time`, or without it."""
    meta = dict(obj["metadata"])
    kept = {key: value for key, value in (meta.get("annotations") or {}).items() if key != ANNOTATION}
    if time is not None:
        kept[ANNOTATION] = time
    if kept:
        meta["annotations"] = kept
    else:
        meta.pop("annotations", None)
    return {**obj, "metadata": meta}


def _ready_changed(pod: Object) -> str | None:
    condition = ready_condition(pod)
    return condition.get("lastTransitionTime") if condition is not None else None
