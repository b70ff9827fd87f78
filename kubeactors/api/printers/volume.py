"""Cells of persistent volumes and claims."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final

from kubeactors.api.meta import Object, annotations, is_deleting
from kubeactors.api.printers.text import age, name
from kubeactors.api.validation.persistent_volume_claim import CLASS_ANNOTATION

_UNSET: Final = "<unset>"
_MODES: Final = {
    "ReadWriteOnce": "RWO",
    "ReadOnlyMany": "ROX",
    "ReadWriteMany": "RWX",
    "ReadWriteOncePod": "RWOP",
}


def persistent_volume_cells(volume: Object, now: datetime) -> list[Any]:
    spec, status = volume.get("spec") or {}, volume.get("status") or {}
    claim = spec.get("claimRef")
    return [
        name(volume),
        (spec.get("capacity") or {}).get("storage") or "0",
        short_modes(spec.get("accessModes") or ()),
        spec.get("persistentVolumeReclaimPolicy") or "",
        _phase(volume, status),
        f"{claim.get('namespace', '')}/{claim.get('name', '')}" if claim is not None else "",
        _class(volume, spec),
        _or_unset(spec.get("volumeAttributesClassName")),
        status.get("reason") or "",
        age(volume, now),
        _or_unset(spec.get("volumeMode")),
    ]


def claim_cells(claim: Object, now: datetime) -> list[Any]:
    spec, status = claim.get("spec") or {}, claim.get("status") or {}
    capacity = modes = ""
    if spec.get("volumeName"):
        modes = short_modes(status.get("accessModes") or ())
        capacity = (status.get("capacity") or {}).get("storage") or "0"
    return [
        name(claim),
        _phase(claim, status),
        spec.get("volumeName") or "",
        capacity,
        modes,
        _class(claim, spec),
        _or_unset(spec.get("volumeAttributesClassName")),
        age(claim, now),
        _or_unset(spec.get("volumeMode")),
    ]


def short_modes(modes: Iterable[str]) -> str:
    """`RWO,ROX`, each once, in Kubernetes' order."""
    given = set(modes)
    return ",".join(short for mode, short in _MODES.items() if mode in given)


def _phase(obj: Object, status: dict[str, Any]) -> str:
    return "Terminating" if is_deleting(obj) else status.get("phase") or ""


def _class(obj: Object, spec: dict[str, Any]) -> str:
    """The class as the old annotation names it, or the field."""
    old = annotations(obj).get(CLASS_ANNOTATION)
    return old if old is not None else spec.get("storageClassName") or ""


def _or_unset(value: str | None) -> str:
    return _UNSET if value is None else value
