"""HorizontalPodAutoscaler of autoscaling/v1: another face of what autoscaling/v2 stores."""

from datetime import datetime
from typing import Any

from kubeactors.api.autoscaling_v1 import BEHAVIOR, CONDITIONS, CURRENT_METRICS, METRICS, keep_annotations, to_v1, to_v2
from kubeactors.api.defaults.autoscaling import default_autoscaler_v1
from kubeactors.api.fielderrors import FieldError
from kubeactors.api.kinds.horizontalpodautoscalers import COLUMNS
from kubeactors.api.kinds.kind import STATUS_VERBS, Kind, Subresource
from kubeactors.api.kinds.strategy import StatusStrategy, Strategy
from kubeactors.api.meta import Object
from kubeactors.api.printers.autoscaling import autoscaler_cells
from kubeactors.api.validation.autoscaling import (
    autoscaler_errors,
    autoscaler_status_errors,
    autoscaler_update_errors,
)


class HorizontalPodAutoscalerV1Strategy(Strategy):
    metadata_rechecks = 1
    has_status = True
    empty_status = {"currentReplicas": 0, "desiredReplicas": 0}

    def default(self, obj: Object) -> None:
        default_autoscaler_v1(obj)

    def prepare_for_create(self, obj: Object, now: datetime) -> None:
        super().prepare_for_create(obj, now)
        keep_annotations(obj, {}, CURRENT_METRICS, CONDITIONS)

    def prepare_for_update(self, new: Object, old: Object, now: datetime) -> None:
        super().prepare_for_update(new, old, now)
        keep_annotations(new, old, CURRENT_METRICS, CONDITIONS)

    def validate(self, obj: Object) -> list[FieldError]:
        return autoscaler_errors(to_v2(obj))

    def validate_change(self, new: Object, old: Object) -> list[FieldError]:
        return autoscaler_update_errors(to_v2(new), to_v2(old))


class _StatusStrategy(StatusStrategy):
    """What is the spec's of the annotations stays as it is too."""

    def prepare_for_update(self, new: Object, old: Object, now: datetime) -> None:
        super().prepare_for_update(new, old, now)
        keep_annotations(new, old, METRICS, BEHAVIOR)


class _StoredForm:
    """Autoscalers are stored as autoscaling/v2."""

    def to_stored(self, obj: Object) -> Object:
        return to_v2(obj)

    def from_stored(self, obj: Object) -> None:
        shown = to_v1(obj)
        obj.clear()
        obj.update(shown)


def _cells(autoscaler: Object, now: datetime) -> list[Any]:
    return autoscaler_cells(to_v2(autoscaler), now)


_STRATEGY = HorizontalPodAutoscalerV1Strategy()

KIND = Kind(
    group="autoscaling",
    version="v1",
    kind="HorizontalPodAutoscaler",
    plural="horizontalpodautoscalers",
    short_names=("hpa",),
    categories=("all",),
    schema="io.k8s.api.autoscaling.v1.HorizontalPodAutoscaler",
    strategy=_STRATEGY,
    conversion=_StoredForm(),
    subresources=(
        Subresource("status", STATUS_VERBS, strategy=_StatusStrategy(_STRATEGY, validate=autoscaler_status_errors)),
    ),
    columns=COLUMNS,
    cells=_cells,
)
