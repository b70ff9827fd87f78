"""Texts for Warning headers about claims on persistent volumes."""

from collections.abc import Mapping
from typing import Any, Final

from kubeactors.api.quantity import Quantity
from kubeactors.api.validation.persistent_volume_claim import CLASS_ANNOTATION

_CLASS_DEPRECATED: Final = 'deprecated since v1.8; use "storageClassName" attribute instead'


def claim_warnings(obj: Mapping[str, Any]) -> list[str]:
    return class_annotation_warnings(obj) + claim_spec_warnings(obj.get("spec") or {}, "spec")


def claim_spec_warnings(spec: Mapping[str, Any], path: str) -> list[str]:
    """Of a claim's spec, alone or in a template."""
    warnings = []
    for field in ("requests", "limits"):
        size = ((spec.get("resources") or {}).get(field) or {}).get("storage")
        if size is not None and Quantity.parse(size).milli_value % 1000:
            text = f'fractional byte value "{size}" is invalid, must be an integer'
            warnings.append(f"{path}.resources.{field}[storage]: {text}")
    return warnings


def class_annotation_warnings(obj: Mapping[str, Any]) -> list[str]:
    """Of volumes and claims: their class was an annotation once."""
    if CLASS_ANNOTATION not in ((obj.get("metadata") or {}).get("annotations") or {}):
        return []
    return [f"metadata.annotations[{CLASS_ANNOTATION}]: {_CLASS_DEPRECATED}"]
