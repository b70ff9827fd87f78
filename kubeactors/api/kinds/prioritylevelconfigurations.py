"""PriorityLevelConfiguration."""

from datetime import datetime

from kubeactors.api.defaults.flowcontrol import default_priority_level
from kubeactors.api.fielderrors import FieldError
from kubeactors.api.kinds.kind import AGE_COLUMN, NAME_COLUMN, STATUS_VERBS, Column, Kind, Subresource
from kubeactors.api.kinds.strategy import StatusStrategy, Strategy
from kubeactors.api.meta import Object
from kubeactors.api.printers.flowcontrol import priority_level_cells
from kubeactors.api.validation.flowcontrol import priority_level_errors, status_update_errors


class PriorityLevelConfigurationStrategy(Strategy):
    namespaced = False
    has_status = True
    generation_fields = ("spec",)

    def default(self, obj: Object) -> None:
        default_priority_level(obj)

    def prepare_for_create(self, obj: Object, now: datetime) -> None:
        super().prepare_for_create(obj, now)
        obj["status"] = {}

    def validate(self, obj: Object) -> list[FieldError]:
        return priority_level_errors(obj)


_STRATEGY = PriorityLevelConfigurationStrategy()

KIND = Kind(
    group="flowcontrol.apiserver.k8s.io",
    version="v1",
    kind="PriorityLevelConfiguration",
    plural="prioritylevelconfigurations",
    namespaced=False,
    schema="io.k8s.api.flowcontrol.v1.PriorityLevelConfiguration",
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
        Column("Type", doc="PriorityLevelConfigurationSpec.type"),
        Column("NominalConcurrencyShares", doc="LimitedPriorityLevelConfiguration.nominalConcurrencyShares"),
        Column("Queues", doc="QueuingConfiguration.queues"),
        Column("HandSize", doc="QueuingConfiguration.handSize"),
        Column("QueueLengthLimit", doc="QueuingConfiguration.queueLengthLimit"),
        AGE_COLUMN,
    ),
    cells=priority_level_cells,
)
