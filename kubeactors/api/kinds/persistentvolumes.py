"""PersistentVolume."""

from datetime import datetime

from kubeactors.api.defaults.volume import default_persistent_volume
from kubeactors.api.fielderrors import FieldError
from kubeactors.api.kinds.kind import AGE_COLUMN, NAME_COLUMN, STATUS_VERBS, Column, Kind, Subresource
from kubeactors.api.kinds.strategy import StatusStrategy, Strategy
from kubeactors.api.meta import Object, now_rfc3339
from kubeactors.api.printers.volume import persistent_volume_cells
from kubeactors.api.validation.persistent_volume import persistent_volume_errors, persistent_volume_update_errors
from kubeactors.api.validation.volume_warnings import persistent_volume_warnings


class PersistentVolumeStrategy(Strategy):
    metadata_rechecks = 2
    metadata_compared_twice = False
    namespaced = False
    has_status = True

    def default(self, obj: Object) -> None:
        spec, status = obj["spec"], obj["status"]
        if not status.get("phase"):
            status["phase"] = "Pending"
        if not spec.get("persistentVolumeReclaimPolicy"):
            spec["persistentVolumeReclaimPolicy"] = "Retain"
        spec.setdefault("volumeMode", "Filesystem")
        default_persistent_volume(spec)

    def prepare_for_create(self, obj: Object, now: datetime) -> None:
        super().prepare_for_create(obj, now)
        obj["status"] = {"phase": "Pending", "lastPhaseTransitionTime": now_rfc3339(now)}

    def warnings_on_create(self, obj: Object) -> list[str]:
        return persistent_volume_warnings(obj)

    def validate(self, obj: Object) -> list[FieldError]:
        return persistent_volume_errors(obj)

    def validate_change(self, new: Object, old: Object) -> list[FieldError]:
        return persistent_volume_update_errors(new, old)


class PersistentVolumeStatusStrategy(StatusStrategy):
    """Notes when the phase changes (KEP-3762)."""

    def prepare_for_update(self, new: Object, old: Object, now: datetime) -> None:
        super().prepare_for_update(new, old, now)
        status, before = new["status"], old.get("status") or {}
        moved = status.get("lastPhaseTransitionTime")
        if status.get("phase") != before.get("phase") and moved in (None, before.get("lastPhaseTransitionTime")):
            status["lastPhaseTransitionTime"] = now_rfc3339(now)


_STRATEGY = PersistentVolumeStrategy()

KIND = Kind(
    group="",
    version="v1",
    kind="PersistentVolume",
    plural="persistentvolumes",
    namespaced=False,
    short_names=("pv",),
    schema="io.k8s.api.core.v1.PersistentVolume",
    strategy=_STRATEGY,
    subresources=(Subresource("status", STATUS_VERBS, strategy=PersistentVolumeStatusStrategy(_STRATEGY)),),
    columns=(
        NAME_COLUMN,
        Column("Capacity", doc="PersistentVolumeSpec.capacity"),
        Column("Access Modes", doc="PersistentVolumeSpec.accessModes"),
        Column("Reclaim Policy", doc="PersistentVolumeSpec.persistentVolumeReclaimPolicy"),
        Column("Status", doc="PersistentVolumeStatus.phase"),
        Column("Claim", doc="PersistentVolumeSpec.claimRef"),
        Column("StorageClass", description="StorageClass of the pv"),
        Column("VolumeAttributesClass", description="VolumeAttributesClass of the pv"),
        Column("Reason", doc="PersistentVolumeStatus.reason"),
        AGE_COLUMN,
        Column("VolumeMode", priority=1, doc="PersistentVolumeSpec.volumeMode"),
    ),
    cells=persistent_volume_cells,
)
