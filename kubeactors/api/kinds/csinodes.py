"""CSINode."""

from kubeactors.api.fielderrors import FieldError
from kubeactors.api.kinds.kind import AGE_COLUMN, NAME_COLUMN, Column, Kind
from kubeactors.api.kinds.strategy import Strategy
from kubeactors.api.meta import Object
from kubeactors.api.printers.storage import csi_node_cells
from kubeactors.api.validation.storage.csi import csi_node_errors, csi_node_update_errors


class CSINodeStrategy(Strategy):
    metadata_rechecks = 0
    namespaced = False

    def validate(self, obj: Object) -> list[FieldError]:
        return csi_node_errors(obj)

    def validate_change(self, new: Object, old: Object) -> list[FieldError]:
        return csi_node_update_errors(new, old)


KIND = Kind(
    group="storage.k8s.io",
    version="v1",
    kind="CSINode",
    plural="csinodes",
    namespaced=False,
    schema="io.k8s.api.storage.v1.CSINode",
    strategy=CSINodeStrategy(),
    unconditional_update=False,
    columns=(
        NAME_COLUMN,
        Column("Drivers", "integer", description="Drivers indicates the number of CSI drivers registered on the node"),
        AGE_COLUMN,
    ),
    cells=csi_node_cells,
)
