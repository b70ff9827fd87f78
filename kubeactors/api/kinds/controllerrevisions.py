"""ControllerRevision."""

from kubeactors.api.fielderrors import FieldError
from kubeactors.api.kinds.kind import AGE_COLUMN, NAME_COLUMN, Column, Kind
from kubeactors.api.kinds.strategy import Strategy
from kubeactors.api.meta import Object
from kubeactors.api.printers.apps import controller_revision_cells
from kubeactors.api.raw_extension import TextKept
from kubeactors.api.validation.controllerrevision import (
    controller_revision_errors,
    controller_revision_update_errors,
)


class ControllerRevisionStrategy(Strategy):
    def validate(self, obj: Object) -> list[FieldError]:
        return controller_revision_errors(obj)

    def validate_change(self, new: Object, old: Object) -> list[FieldError]:
        return controller_revision_update_errors(new, old)


KIND = Kind(
    group="apps",
    version="v1",
    kind="ControllerRevision",
    plural="controllerrevisions",
    schema="io.k8s.api.apps.v1.ControllerRevision",
    strategy=ControllerRevisionStrategy(),
    conversion=TextKept("data"),
    text_member="data",
    columns=(
        NAME_COLUMN,
        Column("Controller", description="Controller of the object"),
        Column("Revision", doc="ControllerRevision.revision"),
        AGE_COLUMN,
    ),
    cells=controller_revision_cells,
)
