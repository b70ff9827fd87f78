"""PersistentVolumeClaim."""

from datetime import datetime
from typing import Any

from kubeactors.api.defaults.volume import default_claim_spec
from kubeactors.api.fielderrors import FieldError
from kubeactors.api.kinds.kind import AGE_COLUMN, NAME_COLUMN, STATUS_VERBS, Column, Kind, Subresource
from kubeactors.api.kinds.strategy import StatusStrategy, Strategy
from kubeactors.api.meta import Object
from kubeactors.api.printers.volume import claim_cells
from kubeactors.api.validation.claim_warnings import claim_warnings
from kubeactors.api.validation.persistent_volume_claim import claim_errors, claim_status_errors, claim_update_errors

_SNAPSHOT = ("snapshot.storage.k8s.io", "VolumeSnapshot")


class PersistentVolumeClaimStrategy(Strategy):
    metadata_rechecks = 3
    has_status = True

    def default(self, obj: Object) -> None:
        if not obj["status"].get("phase"):
            obj["status"]["phase"] = "Pending"
        default_claim_spec(obj["spec"])

    def prepare_for_create(self, obj: Object, now: datetime) -> None:
        super().prepare_for_create(obj, now)
        obj["status"] = {"phase": "Pending"}
        spec = obj["spec"]
        _drop_other_namespace(spec, {})
        _drop_unknown_source(spec, {})
        _align_sources(spec)

    def prepare_for_update(self, new: Object, old: Object, now: datetime) -> None:
        super().prepare_for_update(new, old, now)
        before = old.get("spec") or {}
        _drop_other_namespace(new["spec"], before)
        _drop_unknown_source(new["spec"], before)
        # Clients that know one of the two fields only must not lose the other.
        _align_sources(new["spec"])

    def warnings_on_create(self, obj: Object) -> list[str]:
        return claim_warnings(obj)

    def validate(self, obj: Object) -> list[FieldError]:
        return claim_errors(obj)

    def validate_change(self, new: Object, old: Object) -> list[FieldError]:
        return claim_update_errors(new, old)


def _drop_other_namespace(spec: dict[str, Any], before: dict[str, Any]) -> None:
    """Data from another namespace are no stable feature (KEP-3294)."""
    if (spec.get("dataSourceRef") or {}).get("namespace") and before.get("dataSourceRef") is None:
        del spec["dataSourceRef"]


def _drop_unknown_source(spec: dict[str, Any], before: dict[str, Any]) -> None:
    """The old field takes claims and snapshots; other kinds were always dropped from it in silence (KEP-1495)."""
    if before.get("dataSource") is not None or before.get("dataSourceRef") is not None:
        return
    source = spec.get("dataSource")
    if source is None or spec.get("dataSourceRef") is not None:
        return
    if (source.get("apiGroup") or "", source.get("kind")) not in (("", "PersistentVolumeClaim"), _SNAPSHOT):
        del spec["dataSource"]


def _align_sources(spec: dict[str, Any]) -> None:
    """Who gives one of dataSource and dataSourceRef gives both."""
    source, reference = spec.get("dataSource"), spec.get("dataSourceRef")
    if source is not None and reference is None:
        spec["dataSourceRef"] = {"apiGroup": source.get("apiGroup"), "kind": source["kind"], "name": source["name"]}
    elif reference is not None and source is None and not reference.get("namespace"):
        spec["dataSource"] = {
            "apiGroup": reference.get("apiGroup"),
            "kind": reference["kind"],
            "name": reference["name"],
        }


_STRATEGY = PersistentVolumeClaimStrategy()

KIND = Kind(
    group="",
    version="v1",
    kind="PersistentVolumeClaim",
    plural="persistentvolumeclaims",
    short_names=("pvc",),
    schema="io.k8s.api.core.v1.PersistentVolumeClaim",
    strategy=_STRATEGY,
    subresources=(
        Subresource("status", STATUS_VERBS, strategy=StatusStrategy(_STRATEGY, validate=claim_status_errors)),
    ),
    columns=(
        NAME_COLUMN,
        Column("Status", doc="PersistentVolumeClaimStatus.phase"),
        Column("Volume", doc="PersistentVolumeClaimSpec.volumeName"),
        Column("Capacity", doc="PersistentVolumeClaimStatus.capacity"),
        Column("Access Modes", doc="PersistentVolumeClaimStatus.accessModes"),
        Column("StorageClass", description="StorageClass of the pvc"),
        Column("VolumeAttributesClass", description="VolumeAttributesClass of the pvc"),
        AGE_COLUMN,
        Column("VolumeMode", priority=1, doc="PersistentVolumeClaimSpec.volumeMode"),
    ),
    cells=claim_cells,
)
