"""StatefulSet."""

from kubeactors.api.defaults.apps import default_stateful_set
from kubeactors.api.fielderrors import FieldError
from kubeactors.api.kinds.kind import AGE_COLUMN, NAME_COLUMN, SCALE, STATUS_VERBS, Column, Kind, Subresource
from kubeactors.api.kinds.strategy import StatusStrategy, Strategy
from kubeactors.api.meta import Object
from kubeactors.api.printers.apps import stateful_set_cells
from kubeactors.api.validation.names import dns1123_label_errors
from kubeactors.api.validation.pod.warnings import pod_warnings
from kubeactors.api.validation.statefulset import (
    stateful_set_errors,
    stateful_set_status_errors,
    stateful_set_update_errors,
)


class StatefulSetStrategy(Strategy):
    # Pods are named for the set and their ordinal, and have that name as their host name.
    check_name = staticmethod(dns1123_label_errors)
    metadata_rechecks = 1
    has_status = True
    generation_fields = ("spec",)
    empty_status = {"replicas": 0, "availableReplicas": 0}

    def default(self, obj: Object) -> None:
        default_stateful_set(obj)

    def warnings_on_create(self, obj: Object) -> list[str]:
        spec = obj.get("spec") or {}
        warnings = pod_warnings(spec.get("template") or {}, "spec.template")
        if (spec.get("revisionHistoryLimit") or 0) < 0:
            warnings.append(
                "spec.revisionHistoryLimit: a negative value retains all historical revisions; "
                "a value >= 0 is recommended"
            )
        return warnings

    def validate(self, obj: Object) -> list[FieldError]:
        return stateful_set_errors(obj)

    def validate_change(self, new: Object, old: Object) -> list[FieldError]:
        return stateful_set_update_errors(new, old)


_STRATEGY = StatefulSetStrategy()

KIND = Kind(
    group="apps",
    version="v1",
    kind="StatefulSet",
    plural="statefulsets",
    short_names=("sts",),
    categories=("all",),
    schema="io.k8s.api.apps.v1.StatefulSet",
    strategy=_STRATEGY,
    subresources=(
        SCALE,
        Subresource("status", STATUS_VERBS, strategy=StatusStrategy(_STRATEGY, validate=stateful_set_status_errors)),
    ),
    columns=(
        NAME_COLUMN,
        Column("Ready", description="Number of the pod with ready state"),
        AGE_COLUMN,
        Column("Containers", description="Names of each container in the template.", priority=1),
        Column("Images", description="Images referenced by each container in the template.", priority=1),
    ),
    cells=stateful_set_cells,
)
