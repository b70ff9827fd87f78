"""How long a pod may stay on a node with NoExecute taints. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from kubeactors.api.meta import Object, parse_time


def no_execute_taints(node: Object | None) -> list[Object]:
    taints = ((node or {}).get("spec") or {}).get("taints") or ()
    return [taint for taint in taints if taint["effect"] == "NoExecute"]


def tolerates(toleration: Mapping[str, Any], taint: Mapping[str, Any]) -> bool:
    if toleration.get("effect") not in (None, "", taint["effect"]):
        return False
    if toleration.get("key") not in (None, "", taint["key"]):
        return False
    if toleration.get("operator") == "Exists":
        return True
    return (toleration.get("value") or "") == (taint.get("value") or "")


def evict_at(pod: Object, taints: Sequence[Object], first_seen: datetime) -> datetime | None:
    """When the pod must go: at once (a time in the past), later, or never (None).

    Admission has given pods the tolerations of dead nodes that they did not ask for themselves. `first_seen` stands
    in for taints that do not say when they came.
    """
    tolerations = pod["spec"].get("tolerations") or ()
    earliest: datetime | None = None
    for taint in taints:
        came = parse_time(taint["timeAdded"]) if taint.get("timeAdded") else first_seen
        toleration = next((t for t in tolerations if tolerates(t, taint)), None)
        if toleration is None:
            return came
        seconds = toleration.get("tolerationSeconds")
        if seconds is None:
            continue
        due = came + timedelta(seconds=max(0.0, float(seconds)))
        earliest = due if earliest is None else min(earliest, due)
    return earliest
