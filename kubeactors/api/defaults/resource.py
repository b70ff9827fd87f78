"""Defaults of the kinds of resource.k8s.io."""

from typing import Any

JsonObject = dict[str, Any]


def default_claim(spec: JsonObject) -> None:
    """Of a ResourceClaim's spec, alone or in a template."""
    for request in (spec.get("devices") or {}).get("requests") or ():
        if request.get("exactly") is not None:
            _default_request(request["exactly"])
        for alternative in request.get("firstAvailable") or ():
            _default_request(alternative)


def _default_request(request: JsonObject) -> None:
    if not request.get("allocationMode"):
        request["allocationMode"] = "ExactCount"
    if request["allocationMode"] == "ExactCount" and not request.get("count"):
        request["count"] = 1
    for toleration in request.get("tolerations") or ():
        toleration.setdefault("operator", "Equal")
