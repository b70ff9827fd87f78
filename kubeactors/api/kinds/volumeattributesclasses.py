"""VolumeAttributesClass."""

from kubeactors.api.fielderrors import FieldError
from kubeactors.api.kinds.kind import AGE_COLUMN, NAME_COLUMN, Column, Kind
from kubeactors.api.kinds.strategy import Strategy
from kubeactors.api.meta import Object
from kubeactors.api.printers.storage import volume_attributes_class_cells
from kubeactors.api.validation.storage.classes import (
    volume_attributes_class_errors,
    volume_attributes_class_update_errors,
)


class VolumeAttributesClassStrategy(Strategy):
    metadata_rechecks = 1
    namespaced = False

    def validate(self, obj: Object) -> list[FieldError]:
        return volume_attributes_class_errors(obj)

    def validate_change(self, new: Object, old: Object) -> list[FieldError]:
        return volume_attributes_class_update_errors(new, old)


KIND = Kind(
    group="storage.k8s.io",
    version="v1",
    kind="VolumeAttributesClass",
    plural="volumeattributesclasses",
    namespaced=False,
    short_names=("vac",),
    schema="io.k8s.api.storage.v1.VolumeAttributesClass",
    strategy=VolumeAttributesClassStrategy(),
    columns=(
        NAME_COLUMN,
        Column("DriverName", doc="VolumeAttributesClass.driverName"),
        AGE_COLUMN,
    ),
    cells=volume_attributes_class_cells,
)
