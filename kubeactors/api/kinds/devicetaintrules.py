"""DeviceTaintRule."""

from datetime import datetime
from typing import Any

from kubeactors.api.fielderrors import FieldError
from kubeactors.api.kinds.kind import AGE_COLUMN, NAME_COLUMN, STATUS_VERBS, Kind, Subresource
from kubeactors.api.kinds.strategy import StatusStrategy, Strategy
from kubeactors.api.meta import Object, now_rfc3339
from kubeactors.api.printers.text import age, name
from kubeactors.api.validation.resource.taint_rule import taint_rule_errors, taint_rule_status_errors


class DeviceTaintRuleStrategy(Strategy):
    metadata_rechecks = 1
    namespaced = False
    has_status = True
    generation_fields = ("spec",)

    def prepare_for_create(self, obj: Object, now: datetime) -> None:
        super().prepare_for_create(obj, now)
        obj["status"] = {}
        obj["spec"]["taint"].setdefault("timeAdded", now_rfc3339(now))

    def prepare_for_update(self, new: Object, old: Object, now: datetime) -> None:
        new["spec"]["taint"].setdefault("timeAdded", now_rfc3339(now))
        super().prepare_for_update(new, old, now)

    def validate(self, obj: Object) -> list[FieldError]:
        return taint_rule_errors(obj)

    def validate_change(self, new: Object, old: Object) -> list[FieldError]:
        return taint_rule_errors(new, old)


def _cells(obj: Object, now: datetime) -> list[Any]:
    return [name(obj), age(obj, now)]


_STRATEGY = DeviceTaintRuleStrategy()

KIND = Kind(
    group="resource.k8s.io",
    version="v1",
    kind="DeviceTaintRule",
    plural="devicetaintrules",
    namespaced=False,
    schema="io.k8s.api.resource.v1.DeviceTaintRule",
    strategy=_STRATEGY,
    subresources=(
        Subresource(
            "status",
            STATUS_VERBS,
            strategy=StatusStrategy(_STRATEGY, validate=taint_rule_status_errors, keep_metadata=True),
        ),
    ),
    columns=(NAME_COLUMN, AGE_COLUMN),
    cells=_cells,
)
