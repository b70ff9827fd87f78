"""CSIDriver."""

from kubeactors.api.fielderrors import FieldError
from kubeactors.api.kinds.kind import AGE_COLUMN, NAME_COLUMN, Column, Kind
from kubeactors.api.kinds.strategy import Strategy
from kubeactors.api.meta import Object, generation
from kubeactors.api.printers.storage import csi_driver_cells
from kubeactors.api.validation.storage.csi import csi_driver_errors, csi_driver_update_errors

_TOKENS_IN_ATTRIBUTES = (
    "spec.serviceAccountTokenInSecrets is unset; if supported by this CSI driver, "
    "set to true to prevent possible logging of tokens in volume attributes"
)
# Fields that may change; only they count as generations, and the first write is none.
_MUTABLE = (
    "tokenRequests",
    "requiresRepublish",
    "seLinuxMount",
    "nodeAllocatableUpdatePeriodSeconds",
    "serviceAccountTokenInSecrets",
)


class CSIDriverStrategy(Strategy):
    metadata_rechecks = 1
    namespaced = False

    def default(self, obj: Object) -> None:
        spec = obj["spec"]
        spec.setdefault("attachRequired", True)
        spec.setdefault("podInfoOnMount", False)
        spec.setdefault("storageCapacity", False)
        spec.setdefault("fsGroupPolicy", "ReadWriteOnceWithFSType")
        if not spec.get("volumeLifecycleModes"):
            spec["volumeLifecycleModes"] = ["Persistent"]
        spec.setdefault("requiresRepublish", False)
        spec.setdefault("seLinuxMount", False)

    def bump_generation(self, new: Object, old: Object) -> None:
        if any(new["spec"].get(field) != old["spec"].get(field) for field in _MUTABLE):
            new["metadata"]["generation"] = generation(old) + 1

    def warnings_on_create(self, obj: Object) -> list[str]:
        spec = obj.get("spec") or {}
        if spec.get("tokenRequests") and spec.get("serviceAccountTokenInSecrets") is None:
            return [_TOKENS_IN_ATTRIBUTES]
        return []

    def validate(self, obj: Object) -> list[FieldError]:
        return csi_driver_errors(obj)

    def validate_change(self, new: Object, old: Object) -> list[FieldError]:
        return csi_driver_update_errors(new, old)


KIND = Kind(
    group="storage.k8s.io",
    version="v1",
    kind="CSIDriver",
    plural="csidrivers",
    namespaced=False,
    schema="io.k8s.api.storage.v1.CSIDriver",
    strategy=CSIDriverStrategy(),
    unconditional_update=False,
    columns=(
        NAME_COLUMN,
        Column("AttachRequired", "boolean", doc="CSIDriverSpec.attachRequired"),
        Column("PodInfoOnMount", "boolean", doc="CSIDriverSpec.podInfoOnMount"),
        Column("StorageCapacity", "boolean", doc="CSIDriverSpec.storageCapacity"),
        Column("TokenRequests", doc="CSIDriverSpec.tokenRequests"),
        Column("RequiresRepublish", "boolean", doc="CSIDriverSpec.requiresRepublish"),
        Column("Modes", doc="CSIDriverSpec.volumeLifecycleModes"),
        AGE_COLUMN,
    ),
    cells=csi_driver_cells,
)
