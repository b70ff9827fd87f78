"""HorizontalPodAutoscaler of autoscaling/v2, which is the version that is stored."""

from kubeactors.api.defaults.autoscaling import default_autoscaler
from kubeactors.api.fielderrors import FieldError
from kubeactors.api.kinds.kind import AGE_COLUMN, NAME_COLUMN, STATUS_VERBS, Column, Kind, Subresource
from kubeactors.api.kinds.strategy import StatusStrategy, Strategy
from kubeactors.api.meta import Object
from kubeactors.api.printers.autoscaling import autoscaler_cells
from kubeactors.api.validation.autoscaling import (
    autoscaler_errors,
    autoscaler_status_errors,
    autoscaler_update_errors,
)


class HorizontalPodAutoscalerStrategy(Strategy):
    metadata_rechecks = 1
    has_status = True
    empty_status = {"desiredReplicas": 0, "currentMetrics": None}

    def default(self, obj: Object) -> None:
        default_autoscaler(obj)

    def validate(self, obj: Object) -> list[FieldError]:
        return autoscaler_errors(obj)

    def validate_change(self, new: Object, old: Object) -> list[FieldError]:
        return autoscaler_update_errors(new, old)


_STRATEGY = HorizontalPodAutoscalerStrategy()
_V2 = "io.k8s.api.autoscaling.v2"

COLUMNS = (
    NAME_COLUMN,
    Column("Reference", doc=f"{_V2}.HorizontalPodAutoscalerSpec.scaleTargetRef"),
    Column("Targets", doc=f"{_V2}.HorizontalPodAutoscalerSpec.metrics"),
    Column("MinPods", doc=f"{_V2}.HorizontalPodAutoscalerSpec.minReplicas"),
    Column("MaxPods", doc=f"{_V2}.HorizontalPodAutoscalerSpec.maxReplicas"),
    Column("Replicas", doc=f"{_V2}.HorizontalPodAutoscalerStatus.currentReplicas"),
    AGE_COLUMN,
)

KIND = Kind(
    group="autoscaling",
    version="v2",
    kind="HorizontalPodAutoscaler",
    plural="horizontalpodautoscalers",
    short_names=("hpa",),
    categories=("all",),
    schema=f"{_V2}.HorizontalPodAutoscaler",
    strategy=_STRATEGY,
    subresources=(
        Subresource("status", STATUS_VERBS, strategy=StatusStrategy(_STRATEGY, validate=autoscaler_status_errors)),
    ),
    columns=COLUMNS,
    cells=autoscaler_cells,
)
