"""The annotation of client-side `kubectl apply`, as a server-side apply by kubectl meets it.

Source: managedfields/internal/lastappliedmanager.go and lastappliedupdater.go of apimachinery.
"""

from __future__ import annotations

from typing import Final

import orjson

from kubeactors.api.codec import parse_json
from kubeactors.api.managedfields import fieldset
from kubeactors.api.managedfields.atoms import Atom, ElementError
from kubeactors.api.managedfields.compare import compare, fields_of
from kubeactors.api.managedfields.fieldset import Fields
from kubeactors.api.managedfields.validate import validate
from kubeactors.api.meta import Object
from kubeactors.api.validation.metadata import ANNOTATIONS_MAX_BYTES

MANAGER: Final = "kubectl"
ANNOTATION: Final = "kubectl.kubernetes.io/last-applied-configuration"


def last_applied(obj: Object) -> str:
    """The annotation's value; empty for an object that has none."""
    annotations = (obj.get("metadata") or {}).get("annotations")
    return (annotations.get(ANNOTATION) or "") if isinstance(annotations, dict) else ""


def owned_by_client_side_apply(atom: Atom, live: Object, api_version: str) -> Fields:
    """The fields of the annotation that the object still has as they were applied: kubectl may take them over."""
    text = last_applied(live)
    if not text:
        return {}
    try:
        applied = parse_json(text.encode())
    except ValueError:
        return {}
    if not isinstance(applied, dict) or applied.get("apiVersion") != api_version or validate(atom, applied):
        return {}
    try:
        fields = fields_of(atom, applied)
        found = compare(atom, applied, live)
    except ElementError:
        return {}
    for other in (found.modified, found.added, found.removed):
        fields = fieldset.difference(fields, other)
    return fields


def write_last_applied(obj: Object, applied: Object) -> None:
    """Bring the annotation up to date, in place; it goes when it would make the annotations too large."""
    metadata = dict(applied.get("metadata") or {})
    annotations = metadata.get("annotations")
    if isinstance(annotations, dict) and ANNOTATION in annotations:
        metadata["annotations"] = {name: text for name, text in annotations.items() if name != ANNOTATION}
    document = orjson.dumps({**applied, "metadata": metadata}, option=orjson.OPT_SORT_KEYS).decode() + "\n"
    written = {**(obj["metadata"].get("annotations") or {}), ANNOTATION: document}
    size = sum(len(name.encode()) + len(text.encode()) for name, text in written.items() if isinstance(text, str))
    if size > ANNOTATIONS_MAX_BYTES:
        del written[ANNOTATION]
    obj["metadata"] = {**obj["metadata"], "annotations": written}
