"""Objects with their fields in the order in which Go writes them, for messages that quote a whole object."""

from __future__ import annotations

from typing import Any, Final

from kubeactors.api.protobuf.messages import json_fields

LABEL_SELECTOR: Final = "io.k8s.apimachinery.pkg.apis.meta.v1.LabelSelector"


def in_go_order(value: Any, code: str) -> Any:
    """A copy of JSON data whose structs have Go's order and whose maps are sorted. `code` is as in `messages.py`."""
    if isinstance(value, list):
        return [in_go_order(each, code[1:]) for each in value] if code.startswith("[") else value
    if not isinstance(value, dict):
        return value
    if code.startswith("{"):
        return {key: in_go_order(value[key], code[1:]) for key in sorted(value)}
    fields = json_fields(code)
    known = {name: in_go_order(value[name], of) for name, of in fields.items() if name in value}
    if "fieldsV1" in known:
        known["fieldsV1"] = sorted_throughout(known["fieldsV1"])
    # Documents within documents stay as they are.
    return {**known, **{key: each for key, each in value.items() if key not in known}}


def sorted_throughout(value: Any) -> Any:
    """A copy whose objects are all sorted by key, as Go writes maps."""
    if isinstance(value, dict):
        return {key: sorted_throughout(value[key]) for key in sorted(value)}
    return [sorted_throughout(each) for each in value] if isinstance(value, list) else value


def map_shown(value: Any) -> Any:
    """A map of strings as a message shows it."""
    return in_go_order(value, "{string")


def selector_shown(selector: Any) -> Any:
    """A metav1.LabelSelector as a message shows it."""
    return in_go_order(selector, LABEL_SELECTOR)
