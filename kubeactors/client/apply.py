"""`kubectl apply`'s client side: what was applied last, what is wanted, what is there → one patch."""

from __future__ import annotations

from typing import Any, Literal

import orjson

from kubeactors.api.kinds import registry
from kubeactors.api.schema.types import struct
from kubeactors.client.resource import Resource
from kubeactors.client.results import Object
from kubeactors.client.strategic_diff import three_way_strategic_patch

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


def last_applied_document(obj: Object) -> str:
    """The annotation's value: the object without the annotation, keys sorted, with a newline (as kubectl writes it)."""
    metadata = dict(obj.get("metadata") or {})
    annotations = dict(metadata.get("annotations") or {})
    annotations.pop(LAST_APPLIED, None)
    metadata["annotations"] = annotations
    return orjson.dumps({**obj, "metadata": metadata}, option=orjson.OPT_SORT_KEYS).decode() + "\n"


def last_applied(current: Object) -> Object:
    """What was applied last, from the annotation; empty for an object that was never applied."""
    text = ((current.get("metadata") or {}).get("annotations") or {}).get(LAST_APPLIED)
    found: Object = orjson.loads(text) if text else {}
    return found


def three_way_merge_patch(original: Any, modified: Any, current: Any) -> Object:
    """A JSON merge patch (RFC 7386) that removes what `original` had and `modified` lacks, and sets what differs
    between `current` and `modified`; fields only `current` has stay. Lists are replaced whole."""
    patch: Object = {}
    for field, wanted in modified.items():
        have = current.get(field)
        if isinstance(wanted, dict) and isinstance(have, dict):
            before = original.get(field)
            inner = three_way_merge_patch(before if isinstance(before, dict) else {}, wanted, have)
            if inner:
                patch[field] = inner
        elif field not in current or wanted != have:
            patch[field] = wanted
    for field in original:
        if field not in modified and field in current:
            patch[field] = None
    return patch


def three_way_patch(
    current: Object, modified: Object, resource: Resource
) -> tuple[Literal["merge", "strategic"], Object]:
    """The patch and how to send it: strategic for built-in kinds, JSON merge for others. Empty: nothing differs."""
    original = last_applied(current)
    kind = registry.by_resource(resource.group, resource.version, resource.plural)
    if kind is None or not kind.schema:
        return "merge", three_way_merge_patch(original, modified, current)
    return "strategic", three_way_strategic_patch(original, modified, current, struct(kind.schema))
