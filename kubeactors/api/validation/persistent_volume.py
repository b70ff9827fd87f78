"""Validation of persistent volumes and of what changes in them."""

import posixpath
from collections.abc import Mapping
from typing import Any, Final

from kubeactors.api.choices import PERSISTENT_VOLUME_MODES, PERSISTENT_VOLUME_RECLAIM_POLICIES
from kubeactors.api.fielderrors import FieldError, forbidden, invalid, not_supported, required
from kubeactors.api.internal_form import internal_form
from kubeactors.api.validation.common import dns1123_subdomain, immutable
from kubeactors.api.validation.metadata import FIELD_IMMUTABLE
from kubeactors.api.validation.persistent_volume_source import SOURCES, source_errors
from kubeactors.api.validation.pod.scheduling import node_selector_errors
from kubeactors.api.validation.volume_amounts import (
    access_mode_errors,
    basic_quantity_errors,
    positive_quantity_errors,
)

_RECLAIM_POLICIES: Final = frozenset(PERSISTENT_VOLUME_RECLAIM_POLICIES)
_AFFINITY_FIXED: Final = f"{FIELD_IMMUTABLE}, except for updating from beta label to GA"
_INLINE: Final = "may not be specified in the context of inline volumes"
_MOUNT_OPTIONS: Final = "volume.beta.kubernetes.io/mount-options"
_NOT_MOUNTED: Final = ("hostPath", "flexVolume", "local")
# Labels that were renamed when they became stable: a volume's affinity may follow.
_STABLE_LABELS: Final = {
    "failure-domain.beta.kubernetes.io/zone": "topology.kubernetes.io/zone",
    "failure-domain.beta.kubernetes.io/region": "topology.kubernetes.io/region",
    "beta.kubernetes.io/instance-type": "node.kubernetes.io/instance-type",
    "beta.kubernetes.io/arch": "kubernetes.io/arch",
    "beta.kubernetes.io/os": "kubernetes.io/os",
}

Spec = Mapping[str, Any]


def persistent_volume_errors(obj: Spec) -> list[FieldError]:
    return _volume_errors(obj) + _mount_options_errors(obj)


def _volume_errors(obj: Spec) -> list[FieldError]:
    name = (obj.get("metadata") or {}).get("name") or ""
    return persistent_volume_spec_errors(obj.get("spec") or {}, name, "spec")


def _mount_options_errors(obj: Spec) -> list[FieldError]:
    """Of the annotation that was before spec.mountOptions: not every kind of storage knows such options."""
    annotations, spec = (obj.get("metadata") or {}).get("annotations") or {}, obj.get("spec") or {}
    if _MOUNT_OPTIONS not in annotations or all(spec.get(source) is None for source in _NOT_MOUNTED):
        return []
    return [forbidden(f"metadata.annotations.{_MOUNT_OPTIONS}", "may not specify mount options for this volume type")]


def persistent_volume_spec_errors(spec: Spec, name: str, path: str, *, inline: bool = False) -> list[FieldError]:
    """Of the spec of the volume `name`; `inline`: within a VolumeAttachment, where there is no claim and no class."""
    errors: list[FieldError] = []
    if inline:
        if spec.get("claimRef") is not None:
            errors.append(forbidden(f"{path}.claimRef", _INLINE))
        if spec.get("capacity"):
            errors.append(forbidden(f"{path}.capacity", _INLINE))
        if spec.get("csi") is None:
            errors.append(required(f"{path}.csi", "has to be specified in the context of inline volumes"))
    modes = spec.get("accessModes") or []
    if not modes:
        errors.append(required(f"{path}.accessModes"))
    errors += access_mode_errors(modes, f"{path}.accessModes")
    if not inline:
        errors += _capacity_errors(spec.get("capacity"), f"{path}.capacity")
    errors += _reclaim_policy_errors(spec, path, inline)
    affinity = spec.get("nodeAffinity")
    if affinity is not None:
        if inline:
            errors.append(forbidden(f"{path}.nodeAffinity", _INLINE))
        else:
            errors += _affinity_errors(affinity, f"{path}.nodeAffinity")
    errors += source_errors(spec, name, affinity is not None and not inline, path)
    host_path = (spec.get("hostPath") or {}).get("path") or ""
    if host_path and posixpath.normpath(host_path) in ("/", "//") and _reclaim_policy(spec) == "Recycle":
        message = "may not be 'recycle' for a hostPath mount of '/'"
        errors.append(forbidden(f"{path}.persistentVolumeReclaimPolicy", message))
    return errors + _class_errors(spec, path, inline)


def persistent_volume_update_errors(new: Spec, old: Spec) -> list[FieldError]:
    after, before = new.get("spec") or {}, old.get("spec") or {}
    # The registry and the kind both look at the whole object.
    errors = persistent_volume_errors(new) + _volume_errors(new)
    if _sources(after, before) != _sources(before, before):
        message = "spec.persistentvolumesource is immutable after creation"
        errors.append(forbidden("spec.persistentvolumesource", message))
    errors += immutable(after.get("volumeMode"), before.get("volumeMode"), "volumeMode")
    fixed = before.get("nodeAffinity")
    wanted = after.get("nodeAffinity")
    if fixed is not None and not _same_but_for_stable_labels(wanted, fixed):
        shown = internal_form(wanted, "io.k8s.api.core.v1.VolumeNodeAffinity")
        errors.append(invalid("nodeAffinity", shown, _AFFINITY_FIXED))
    attributes, held = after.get("volumeAttributesClassName"), before.get("volumeAttributesClassName")
    if held is not None and attributes is None:
        message = "update from non-nil value to nil is forbidden"
        errors.append(forbidden("spec.volumeAttributesClassName", message))
    return errors


def _capacity_errors(capacity: Mapping[str, Any] | None, path: str) -> list[FieldError]:
    errors: list[FieldError] = [] if capacity else [required(path)]
    if not capacity or "storage" not in capacity or len(capacity) > 1:
        shown = None if capacity is None else dict(sorted(capacity.items()))
        errors.append(not_supported(path, shown, ("storage",)))
    for name, text in sorted((capacity or {}).items()):
        errors += basic_quantity_errors(text, f"{path}[{name}]")
        errors += positive_quantity_errors(text, f"{path}[{name}]")
    return errors


def _reclaim_policy(spec: Spec) -> str:
    return spec.get("persistentVolumeReclaimPolicy") or ""


def _reclaim_policy_errors(spec: Spec, path: str, inline: bool) -> list[FieldError]:
    policy, at = _reclaim_policy(spec), f"{path}.persistentVolumeReclaimPolicy"
    if not policy:
        return []
    if inline:
        message = "may only be Retain in the context of inline volumes"
        return [] if policy == "Retain" else [forbidden(at, message)]
    return [] if policy in _RECLAIM_POLICIES else [not_supported(at, policy, _RECLAIM_POLICIES)]


def _affinity_errors(affinity: Spec, path: str) -> list[FieldError]:
    wanted = affinity.get("required")
    if wanted is None:
        return [required(f"{path}.required", "must specify required node constraints")]
    return node_selector_errors(wanted, f"{path}.required")


def _class_errors(spec: Spec, path: str, inline: bool) -> list[FieldError]:
    errors: list[FieldError] = []
    if spec.get("storageClassName"):
        if inline:
            errors.append(forbidden(f"{path}.storageClassName", _INLINE))
        else:
            errors += dns1123_subdomain(spec["storageClassName"], f"{path}.storageClassName")
    mode = spec.get("volumeMode")
    if mode is not None:
        if inline:
            if mode != "Filesystem":
                message = "may not specify volumeMode other than Filesystem in the context of inline volumes"
                errors.append(forbidden(f"{path}.volumeMode", message))
        elif mode not in PERSISTENT_VOLUME_MODES:
            errors.append(not_supported(f"{path}.volumeMode", mode, PERSISTENT_VOLUME_MODES))
    attributes = spec.get("volumeAttributesClassName")
    if attributes is not None:
        at = f"{path}.volumeAttributesClassName"
        if not attributes:
            errors.append(required(at, "an empty string is disallowed"))
        else:
            errors += dns1123_subdomain(attributes, at)
        if spec.get("csi") is None:
            errors.append(required(f"{path}.csi", "has to be specified when using volumeAttributesClassName"))
    return errors


def _sources(spec: Spec, before: Spec) -> dict[str, Any]:
    """The sources as they are compared: the secret for expansion may be added to a CSI volume that has none."""
    sources = {name: spec[name] for name in SOURCES if spec.get(name) is not None}
    if "csi" in sources and not (before.get("csi") or {}).get("controllerExpandSecretRef"):
        sources["csi"] = {k: v for k, v in sources["csi"].items() if k != "controllerExpandSecretRef"}
    return sources


def _same_but_for_stable_labels(new: Any, old: Any) -> bool:
    """Whether two node affinities differ at most in labels that the new one calls by their stable names."""
    if isinstance(new, dict) and isinstance(old, dict):
        return new.keys() == old.keys() and all(
            new[k] == _STABLE_LABELS.get(old[k]) or new[k] == old[k]
            if k == "key"
            else _same_but_for_stable_labels(new[k], old[k])
            for k in new
        )
    if isinstance(new, list) and isinstance(old, list):
        return len(new) == len(old) and all(map(_same_but_for_stable_labels, new, old))
    return bool(new == old)
