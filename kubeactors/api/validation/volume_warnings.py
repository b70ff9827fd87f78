"""Texts for Warning headers about persistent volumes and storage classes."""

from collections.abc import Mapping
from typing import Any, Final

from kubeactors.api.validation.claim_warnings import class_annotation_warnings
from kubeactors.api.validation.label_warnings import deprecated_label, node_term_warnings

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
    warnings = class_annotation_warnings(obj)
    if spec.get("persistentVolumeReclaimPolicy") == "Recycle":
        warnings.append(f"spec.persistentVolumeReclaimPolicy: {_RECYCLE_DEPRECATED}")
    wanted = (spec.get("nodeAffinity") or {}).get("required") or {}
    for i, term in enumerate(wanted.get("nodeSelectorTerms") or ()):
        warnings += node_term_warnings(term, f"spec.nodeAffinity.required.nodeSelectorTerms[{i}]")
    warnings += [f"spec.{path}: {text}" for field, path, text in _GONE if spec.get(field) is not None]
    return warnings


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
