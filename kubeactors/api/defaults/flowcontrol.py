"""Defaults of flow schemas and priority levels."""

from typing import Any

from kubeactors.api.meta import Object

_PRECEDENCE = 1000
_QUEUING = {"queues": 64, "handSize": 8, "queueLengthLimit": 50}


def default_flow_schema(schema: Object) -> None:
    spec = schema.get("spec")
    if spec is not None and not spec.get("matchingPrecedence"):
        spec["matchingPrecedence"] = _PRECEDENCE


def default_priority_level(level: Object) -> None:
    spec = level.get("spec") or {}
    if spec.get("exempt") is not None:
        _default_shares(spec["exempt"], 0)
    limited = spec.get("limited")
    if limited is None:
        return
    _default_shares(limited, 30)
    queuing = (limited.get("limitResponse") or {}).get("queuing")
    if queuing is not None:
        for field, value in _QUEUING.items():
            queuing[field] = queuing.get(field) or value


def _default_shares(level: dict[str, Any], shares: int) -> None:
    for field, value in (("nominalConcurrencyShares", shares), ("lendablePercent", 0)):
        if level.get(field) is None:
            level[field] = value
