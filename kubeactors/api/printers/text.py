"""Small pieces of text that several kinds' cells share."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from kubeactors.api.duration import since
from kubeactors.api.meta import Object
from kubeactors.api.selectors.labels import SelectorError, from_label_selector

NONE = "<none>"
_SHOWN = 3


def age(obj: Object, now: datetime) -> str:
    return since((obj.get("metadata") or {}).get("creationTimestamp"), now)


def name(obj: Object) -> str:
    return (obj.get("metadata") or {}).get("name") or ""


def format_labels(labels: Mapping[str, str] | None) -> str:
    """`a=1,b=2`, or `<none>`."""
    return ",".join(f"{k}={v}" for k, v in sorted(labels.items())) if labels else NONE


def format_label_selector(selector: Mapping[str, Any] | None) -> str:
    """A LabelSelector as the text of a query, or `<none>`."""
    try:
        parsed = from_label_selector(selector)
    except SelectorError:
        return "<error>"
    return ",".join(str(r) for r in sorted(parsed.requirements, key=lambda r: r.key)) or NONE


def container_names_and_images(template: Mapping[str, Any]) -> tuple[str, str]:
    containers = (template.get("spec") or {}).get("containers") or []
    return (
        ",".join(c.get("name") or "" for c in containers),
        ",".join(c.get("image") or "" for c in containers),
    )


def list_with_more(values: Sequence[str]) -> str:
    """The first three values and how many more there are."""
    shown = ",".join(values[:_SHOWN])
    more = len(values) - _SHOWN
    return f"{shown} + {more} more..." if more > 0 else shown


def label_selector_text(selector: Mapping[str, Any]) -> str:
    """A LabelSelector as Go prints the message."""
    labels = "".join(f"{key}: {value}," for key, value in sorted((selector.get("matchLabels") or {}).items()))
    expressions = "".join(
        f"LabelSelectorRequirement{{Key:{e.get('key') or ''},Operator:{e.get('operator') or ''},"
        f"Values:[{' '.join(e.get('values') or ())}],}},"
        for e in selector.get("matchExpressions") or ()
    )
    return (
        f"&LabelSelector{{MatchLabels:map[string]string{{{labels}}},"
        f"MatchExpressions:[]LabelSelectorRequirement{{{expressions}}},}}"
    )
