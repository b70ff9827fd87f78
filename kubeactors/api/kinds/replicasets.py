"""ReplicaSet."""

from kubeactors.api.defaults.workload import default_replica_set
from kubeactors.api.fielderrors import FieldError
from kubeactors.api.kinds.kind import AGE_COLUMN, NAME_COLUMN, SCALE, STATUS_VERBS, Column, Kind, Subresource
from kubeactors.api.kinds.strategy import StatusStrategy, Strategy
from kubeactors.api.meta import Object
from kubeactors.api.printers.workload import replica_set_cells
from kubeactors.api.validation.pod.warnings import pod_name_warnings, pod_warnings
from kubeactors.api.validation.workload import replica_set_errors, replica_set_status_errors, replica_set_update_errors


class ReplicaSetStrategy(Strategy):
    metadata_rechecks = 1
    has_status = True
    generation_fields = ("spec",)
    empty_status = {"replicas": 0}

    def default(self, obj: Object) -> None:
        default_replica_set(obj)

    def warnings_on_create(self, obj: Object) -> list[str]:
        template = (obj.get("spec") or {}).get("template") or {}
        return pod_name_warnings(obj) + pod_warnings(template, "spec.template")

    def warnings_on_update(self, new: Object, old: Object) -> list[str]:
        template = (new.get("spec") or {}).get("template") or {}
        return pod_warnings(template, "spec.template")

    def validate(self, obj: Object) -> list[FieldError]:
        return replica_set_errors(obj)

    def validate_change(self, new: Object, old: Object) -> list[FieldError]:
        return replica_set_update_errors(new, old)


_STRATEGY = ReplicaSetStrategy()

KIND = Kind(
    group="apps",
    version="v1",
    kind="ReplicaSet",
    plural="replicasets",
    short_names=("rs",),
    categories=("all",),
    schema="io.k8s.api.apps.v1.ReplicaSet",
    strategy=_STRATEGY,
    subresources=(
        SCALE,
        Subresource("status", STATUS_VERBS, strategy=StatusStrategy(_STRATEGY, validate=replica_set_status_errors)),
    ),
    columns=(
        NAME_COLUMN,
        Column("Desired", "integer", doc="ReplicaSetSpec.replicas"),
        Column("Current", "integer", doc="ReplicaSetStatus.replicas"),
        Column("Ready", "integer", doc="ReplicaSetStatus.readyReplicas"),
        AGE_COLUMN,
        Column("Containers", description="Names of each container in the template.", priority=1),
        Column("Images", description="Images referenced by each container in the template.", priority=1),
        Column("Selector", priority=1, doc="ReplicaSetSpec.selector"),
    ),
    cells=replica_set_cells,
)
