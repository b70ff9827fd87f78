"""Cells of horizontal pod autoscalers."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from kubeactors.api.meta import Object
from kubeactors.api.printers.text import NONE, age, name

_SHOWN: Final = 2
_UNKNOWN: Final = "<unknown>"
_FIELD_OF: Final = {
    "Object": "object",
    "Pods": "pods",
    "Resource": "resource",
    "ContainerResource": "containerResource",
    "External": "external",
}


def autoscaler_cells(autoscaler: Object, now: datetime) -> list[Any]:
    """Of autoscaling/v2."""
    spec, status = autoscaler.get("spec") or {}, autoscaler.get("status") or {}
    target = spec.get("scaleTargetRef") or {}
    return [
        name(autoscaler),
        f"{target.get('kind', '')}/{target.get('name', '')}",
        _metrics(spec.get("metrics") or [], status.get("currentMetrics") or []),
        str(spec.get("minReplicas", "<unset>")),
        spec.get("maxReplicas", 0),
        status.get("currentReplicas", 0),
        age(autoscaler, now),
    ]


def _metrics(metrics: list[dict[str, Any]], current: list[dict[str, Any]]) -> str:
    """What is aimed at beside what is, for the first two metrics."""
    if not metrics:
        return NONE
    texts = [_metric(metric, current[i] if i < len(current) else {}) for i, metric in enumerate(metrics)]
    more = len(texts) - _SHOWN
    shown = ", ".join(texts[:_SHOWN])
    return f"{shown} + {more} more..." if more > 0 else shown


def _metric(metric: Mapping[str, Any], status: Mapping[str, Any]) -> str:
    field = _FIELD_OF.get(metric.get("type") or "")
    if field is None:
        return "<unknown type>"
    source = metric.get(field) or {}
    target, current = source.get("target") or {}, (status.get(field) or {}).get("current") or {}
    if field == "pods":
        return f"{current.get('averageValue', _UNKNOWN)}/{target.get('averageValue', '')}"
    if field in ("object", "external"):
        if "averageValue" in target:
            return f"{current.get('averageValue', _UNKNOWN)}/{target['averageValue']} (avg)"
        return f"{current.get('value', _UNKNOWN)}/{target.get('value', '')}"
    resource = source.get("name", "")
    if "averageValue" in target:
        return f"{resource}: {current.get('averageValue', _UNKNOWN)}/{target['averageValue']}"
    used, wanted = current.get("averageUtilization"), target.get("averageUtilization")
    return f"{resource}: {_UNKNOWN if used is None else f'{used}%'}/{'<auto>' if wanted is None else f'{wanted}%'}"
