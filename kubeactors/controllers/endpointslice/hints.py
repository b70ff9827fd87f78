"""Topology hints for a Service's trafficDistribution (KEP-4444, KEP-3015). Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from kubeactors.api.meta import Object


def hint_of(endpoint: Object, distribution: str | None) -> dict[str, Any] | None:
    """Where traffic for this endpoint should come from; None for no preference or an endpoint that is not ready."""
    if distribution not in ("PreferClose", "PreferSameZone", "PreferSameNode"):
        return None
    if endpoint.get("conditions", {}).get("ready") is False:
        return None
    hints: dict[str, Any] = {}
    if distribution == "PreferSameNode" and endpoint.get("nodeName"):
        hints["forNodes"] = [{"name": endpoint["nodeName"]}]
    if endpoint.get("zone"):
        hints["forZones"] = [{"name": endpoint["zone"]}]
    return hints or None


def with_hints(endpoints: Iterable[Object], distribution: str | None) -> list[Object]:
    """The endpoints with their hints; those that are right already are returned as they are."""
    result = []
    for endpoint in endpoints:
        hint = hint_of(endpoint, distribution)
        if endpoint.get("hints") == hint:
            result.append(endpoint)
            continue
        bare = {key: value for key, value in endpoint.items() if key != "hints"}
        result.append({**bare, "hints": hint} if hint else bare)
    return result
