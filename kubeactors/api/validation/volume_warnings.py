"""Texts for Warning headers about persistent volumes and claims."""

from collections.abc import Mapping
from typing import Any, Final

from kubeactors.api.quantity import Quantity
from kubeactors.api.validation.persistent_volume_claim import CLASS_ANNOTATION
from kubeactors.api.validation.pod.warnings import deprecated_label, node_term_warnings

_CLASS_DEPRECATED: Final = 'deprecated since v1.8; use "storageClassName" attribute instead'
_RECYCLE_DEPRECATED: Final = (
    "The Recycle reclaim policy is deprecated. Instead, the recommended approach is to use dynamic provisioning."
)
_GONE: Final = (
    ("cephfs", "cephfs", "deprecated in v1.28, non-functional in v1.31+"),
    ("photonPersistentDisk", "photonPersistentDisk", "deprecated in v1.11, non-functional in v1.16+"),
    ("scaleIO", "scaleIO", "deprecated in v1.16, non-functional in v1.22+"),
    ("storageos", "storageOS", "deprecated in v1.22, non-functional in v1.25+"),
    ("glusterfs", "glusterfs", "deprecated in v1.25, non-functional in v1.26+"),
    ("rbd", "rbd", "deprecated in v1.28, non-functional in v1.31+"),
)


def persistent_volume_warnings(obj: Mapping[str, Any]) -> list[str]:
    spec = obj.get("spec") or {}
    warnings = _annotation_warnings(obj)
    if spec.get("persistentVolumeReclaimPolicy") == "Recycle":
        warnings.append(f"spec.persistentVolumeReclaimPolicy: {_RECYCLE_DEPRECATED}")
    wanted = (spec.get("nodeAffinity") or {}).get("required") or {}
    for i, term in enumerate(wanted.get("nodeSelectorTerms") or ()):
        warnings += node_term_warnings(term, f"spec.nodeAffinity.required.nodeSelectorTerms[{i}]")
    warnings += [f"spec.{path}: {text}" for field, path, text in _GONE if spec.get(field) is not None]
    return warnings


def claim_warnings(obj: Mapping[str, Any]) -> list[str]:
    return _annotation_warnings(obj) + claim_spec_warnings(obj.get("spec") or {}, "spec")


def claim_spec_warnings(spec: Mapping[str, Any], path: str) -> list[str]:
    """Of a claim's spec, alone or in a template."""
    warnings = []
    for field in ("requests", "limits"):
        size = ((spec.get("resources") or {}).get(field) or {}).get("storage")
        if size is not None and Quantity.parse(size).milli_value % 1000:
            text = f'fractional byte value "{size}" is invalid, must be an integer'
            warnings.append(f"{path}.resources.{field}[storage]: {text}")
    return warnings


def _annotation_warnings(obj: Mapping[str, Any]) -> list[str]:
    if CLASS_ANNOTATION not in ((obj.get("metadata") or {}).get("annotations") or {}):
        return []
    return [f"metadata.annotations[{CLASS_ANNOTATION}]: {_CLASS_DEPRECATED}"]


def storage_class_warnings(obj: Mapping[str, Any]) -> list[str]:
    warnings = []
    for i, term in enumerate(obj.get("allowedTopologies") or ()):
        for j, expression in enumerate(term.get("matchLabelExpressions") or ()):
            advice = deprecated_label(expression.get("key") or "")
            if advice:
                at = f"allowedTopologies[{i}].matchLabelExpressions[{j}].key"
                warnings.append(f"{at}: {advice}")
    return warnings


def csi_storage_capacity_warnings(obj: Mapping[str, Any]) -> list[str]:
    topology = obj.get("nodeTopology") or {}
    warnings = node_term_warnings(topology, "nodeTopology")
    for label in sorted(topology.get("matchLabels") or {}):
        advice = deprecated_label(label)
        if advice:
            warnings.append(f"nodeTopology.matchLabels.{label}: {advice}")
    return warnings
