"""Patches: JSON patch (RFC 6902), merge patch (RFC 7386) and Kubernetes' strategic merge patch."""

from kubeactors.api.patch.apply import (
    APPLY_PATCH,
    JSON_PATCH,
    MERGE_PATCH,
    PATCH_TYPES,
    STRATEGIC_MERGE_PATCH,
    apply_patch,
)
from kubeactors.api.patch.json_patch import JsonPatchError, apply_json_patch
from kubeactors.api.patch.merge_patch import apply_merge_patch, create_merge_patch
from kubeactors.api.patch.strategic import (
    BadPatchFormatError,
    StrategicPatchError,
    UnmergeablePatchError,
    apply_strategic_patch,
)

__all__ = [
    "APPLY_PATCH",
    "JSON_PATCH",
    "MERGE_PATCH",
    "PATCH_TYPES",
    "STRATEGIC_MERGE_PATCH",
    "BadPatchFormatError",
    "JsonPatchError",
    "StrategicPatchError",
    "UnmergeablePatchError",
    "apply_json_patch",
    "apply_merge_patch",
    "apply_patch",
    "apply_strategic_patch",
    "create_merge_patch",
]
