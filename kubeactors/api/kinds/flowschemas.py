"""FlowSchema."""

from datetime import datetime

from kubeactors.api.defaults.flowcontrol import default_flow_schema
from kubeactors.api.fielderrors import FieldError
from kubeactors.api.kinds.kind import AGE_COLUMN, NAME_COLUMN, STATUS_VERBS, Column, Kind, Subresource
from kubeactors.api.kinds.strategy import StatusStrategy, Strategy
from kubeactors.api.meta import Object
from kubeactors.api.printers.flowcontrol import flow_schema_cells
from kubeactors.api.validation.flowcontrol import flow_schema_errors, status_update_errors


class FlowSchemaStrategy(Strategy):
    namespaced = False
    has_status = True
    generation_fields = ("spec",)

    def default(self, obj: Object) -> None:
        default_flow_schema(obj)

    def prepare_for_create(self, obj: Object, now: datetime) -> None:
        super().prepare_for_create(obj, now)
        obj["status"] = {}

    def validate(self, obj: Object) -> list[FieldError]:
        return flow_schema_errors(obj)


_STRATEGY = FlowSchemaStrategy()

KIND = Kind(
    group="flowcontrol.apiserver.k8s.io",
    version="v1",
    kind="FlowSchema",
    plural="flowschemas",
    namespaced=False,
    schema="io.k8s.api.flowcontrol.v1.FlowSchema",
    strategy=_STRATEGY,
    subresources=(
        Subresource(
            "status",
            STATUS_VERBS,
            strategy=StatusStrategy(_STRATEGY, validate=status_update_errors, keep_metadata=True),
        ),
    ),
    columns=(
        NAME_COLUMN,
        Column("PriorityLevel", doc="PriorityLevelConfigurationReference.name"),
        Column("MatchingPrecedence", doc="FlowSchemaSpec.matchingPrecedence"),
        Column("DistinguisherMethod", doc="FlowSchemaSpec.distinguisherMethod"),
        AGE_COLUMN,
        Column("MissingPL", description="references a broken or non-existent PriorityLevelConfiguration"),
    ),
    cells=flow_schema_cells,
)
