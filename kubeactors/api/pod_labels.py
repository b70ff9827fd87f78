"""Selectors completed from a pod's own labels when it is created (KEP-3633, KEP-3243)."""

from typing import Any

JsonObject = dict[str, Any]

_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
_PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"


def merge_label_keys(pod: JsonObject) -> None:
    """Add to the selectors of affinity and spread what their matchLabelKeys and mismatchLabelKeys stand for."""
    spec, labels = pod["spec"], (pod.get("metadata") or {}).get("labels") or {}
    affinity = spec.get("affinity") or {}
    for field in ("podAffinity", "podAntiAffinity"):
        terms = affinity.get(field) or {}
        for weighted in terms.get(_PREFERRED) or ():
            _merge(weighted.get("podAffinityTerm") or {}, labels)
        for term in terms.get(_REQUIRED) or ():
            _merge(term, labels)
    for constraint in spec.get("topologySpreadConstraints") or ():
        _merge(constraint, labels)


def _merge(holder: JsonObject, labels: JsonObject) -> None:
    selector = holder.get("labelSelector")
    if selector is None:  # which matches nothing
        return
    found = [
        {"key": key, "operator": operator, "values": [labels[key]]}
        for field, operator in (("matchLabelKeys", "In"), ("mismatchLabelKeys", "NotIn"))
        for key in holder.get(field) or ()
        if key in labels
    ]
    if found:
        holder["labelSelector"] = {
            **selector,
            "matchExpressions": [*(selector.get("matchExpressions") or ()), *found],
        }
