"""Cells of flow schemas and priority levels."""

from datetime import datetime
from typing import Any

from kubeactors.api.meta import Object, get_condition
from kubeactors.api.printers.text import NONE, age, name


def flow_schema_cells(schema: Object, now: datetime) -> list[Any]:
    spec = schema.get("spec") or {}
    dangling = get_condition(schema, "Dangling") or {}
    return [
        name(schema),
        (spec.get("priorityLevelConfiguration") or {}).get("name") or "",
        spec.get("matchingPrecedence") or 0,
        (spec.get("distinguisherMethod") or {}).get("type") or NONE,
        age(schema, now),
        dangling.get("status") or "?",
    ]


def priority_level_cells(level: Object, now: datetime) -> list[Any]:
    spec = level.get("spec") or {}
    limited = spec.get("limited")
    queuing = ((limited or {}).get("limitResponse") or {}).get("queuing")
    fields = ("queues", "handSize", "queueLengthLimit")
    return [
        name(level),
        spec.get("type") or "",
        NONE if limited is None else limited.get("nominalConcurrencyShares") or 0,
        *(NONE if queuing is None else queuing.get(field) or 0 for field in fields),
        age(level, now),
    ]
