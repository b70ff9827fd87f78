"""Cells of the kinds of storage.k8s.io."""

from datetime import datetime
from typing import Any

from kubeactors.api.meta import Object, annotations
from kubeactors.api.printers.text import NONE, age, name

_DEFAULT_CLASS = ("storageclass.kubernetes.io/is-default-class", "storageclass.beta.kubernetes.io/is-default-class")


def is_default_class(storage_class: Object) -> bool:
    """Whether claims without a class get this one."""
    notes = annotations(storage_class)
    return any(notes.get(key) == "true" for key in _DEFAULT_CLASS)


def storage_class_cells(obj: Object, now: datetime) -> list[Any]:
    return [
        f"{name(obj)} (default)" if is_default_class(obj) else name(obj),
        obj.get("provisioner") or "",
        obj.get("reclaimPolicy") or "Delete",
        obj.get("volumeBindingMode") or "Immediate",
        bool(obj.get("allowVolumeExpansion")),
        age(obj, now),
    ]


def volume_attachment_cells(obj: Object, now: datetime) -> list[Any]:
    spec = obj.get("spec") or {}
    return [
        name(obj),
        spec.get("attacher") or "",
        (spec.get("source") or {}).get("persistentVolumeName") or "",
        spec.get("nodeName") or "",
        bool((obj.get("status") or {}).get("attached")),
        age(obj, now),
    ]


def csi_driver_cells(obj: Object, now: datetime) -> list[Any]:
    spec = obj.get("spec") or {}
    tokens = spec.get("tokenRequests")
    return [
        name(obj),
        spec.get("attachRequired", True),
        spec.get("podInfoOnMount", False),
        spec.get("storageCapacity", False),
        ",".join(t.get("audience") or "" for t in tokens) if tokens else "<unset>",
        spec.get("requiresRepublish", False),
        ",".join(spec.get("volumeLifecycleModes") or ()) or NONE,
        age(obj, now),
    ]


def csi_node_cells(obj: Object, now: datetime) -> list[Any]:
    return [name(obj), len((obj.get("spec") or {}).get("drivers") or ()), age(obj, now)]


def volume_attributes_class_cells(obj: Object, now: datetime) -> list[Any]:
    return [name(obj), obj.get("driverName") or "", age(obj, now)]
