"""CSIStorageCapacity."""

from kubeactors.api.fielderrors import FieldError
from kubeactors.api.kinds.kind import Kind
from kubeactors.api.kinds.strategy import Strategy
from kubeactors.api.meta import Object
from kubeactors.api.validation.storage.csi import csi_storage_capacity_errors, csi_storage_capacity_update_errors
from kubeactors.api.validation.volume_warnings import csi_storage_capacity_warnings


class CSIStorageCapacityStrategy(Strategy):
    metadata_rechecks = 1

    def warnings_on_create(self, obj: Object) -> list[str]:
        return csi_storage_capacity_warnings(obj)

    def validate(self, obj: Object) -> list[FieldError]:
        return csi_storage_capacity_errors(obj)

    def validate_change(self, new: Object, old: Object) -> list[FieldError]:
        return csi_storage_capacity_update_errors(new, old)


KIND = Kind(
    group="storage.k8s.io",
    version="v1",
    kind="CSIStorageCapacity",
    plural="csistoragecapacities",
    schema="io.k8s.api.storage.v1.CSIStorageCapacity",
    strategy=CSIStorageCapacityStrategy(),
    unconditional_update=False,
)
