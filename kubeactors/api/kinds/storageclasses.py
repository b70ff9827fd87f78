"""StorageClass."""

from kubeactors.api.fielderrors import FieldError
from kubeactors.api.kinds.kind import AGE_COLUMN, NAME_COLUMN, Column, Kind
from kubeactors.api.kinds.strategy import Strategy
from kubeactors.api.meta import Object
from kubeactors.api.printers.storage import storage_class_cells
from kubeactors.api.validation.storage.classes import storage_class_errors, storage_class_update_errors
from kubeactors.api.validation.volume_warnings import storage_class_warnings


class StorageClassStrategy(Strategy):
    metadata_rechecks = 1
    namespaced = False

    def default(self, obj: Object) -> None:
        obj.setdefault("reclaimPolicy", "Delete")
        obj.setdefault("volumeBindingMode", "Immediate")

    def warnings_on_create(self, obj: Object) -> list[str]:
        return storage_class_warnings(obj)

    def validate(self, obj: Object) -> list[FieldError]:
        return storage_class_errors(obj)

    def validate_change(self, new: Object, old: Object) -> list[FieldError]:
        return storage_class_update_errors(new, old)


KIND = Kind(
    group="storage.k8s.io",
    version="v1",
    kind="StorageClass",
    plural="storageclasses",
    namespaced=False,
    short_names=("sc",),
    schema="io.k8s.api.storage.v1.StorageClass",
    strategy=StorageClassStrategy(),
    columns=(
        NAME_COLUMN,
        Column("Provisioner", doc="StorageClass.provisioner"),
        Column("ReclaimPolicy", doc="StorageClass.reclaimPolicy"),
        Column("VolumeBindingMode", doc="StorageClass.volumeBindingMode"),
        Column("AllowVolumeExpansion", doc="StorageClass.allowVolumeExpansion"),
        AGE_COLUMN,
    ),
    cells=storage_class_cells,
)
