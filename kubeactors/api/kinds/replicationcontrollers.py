"""ReplicationController."""

from datetime import datetime
from typing import Any

from kubeactors.api.defaults.workload import default_replication_controller
from kubeactors.api.fielderrors import FieldError
from kubeactors.api.kinds.kind import AGE_COLUMN, NAME_COLUMN, SCALE, STATUS_VERBS, Column, Kind, Subresource
from kubeactors.api.kinds.strategy import StatusStrategy, Strategy
from kubeactors.api.meta import Object
from kubeactors.api.printers.text import age, container_names_and_images, format_labels, name
from kubeactors.api.validation.pod.warnings import pod_name_warnings, pod_warnings
from kubeactors.api.validation.workload import replication_controller_errors, replication_controller_status_errors


class ReplicationControllerStrategy(Strategy):
    has_status = True
    generation_fields = ("spec",)

    def default(self, obj: Object) -> None:
        default_replication_controller(obj)

    def prepare_for_create(self, obj: Object, now: datetime) -> None:
        super().prepare_for_create(obj, now)
        obj["status"] = {"replicas": 0}

    def warnings_on_create(self, obj: Object) -> list[str]:
        template = (obj.get("spec") or {}).get("template") or {}
        return pod_name_warnings(obj) + pod_warnings(template, "spec.template")

    def warnings_on_update(self, new: Object, old: Object) -> list[str]:
        template = (new.get("spec") or {}).get("template") or {}
        return pod_warnings(template, "spec.template")

    def validate(self, obj: Object) -> list[FieldError]:
        return replication_controller_errors(obj)

    def validate_change(self, new: Object, old: Object) -> list[FieldError]:
        # The registry and the kind both look at the whole object.
        return replication_controller_errors(new) * 2


def _fields(obj: Object) -> dict[str, str]:
    return {"status.replicas": str((obj.get("status") or {}).get("replicas") or 0)}


def _cells(obj: Object, now: datetime) -> list[Any]:
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    return [
        name(obj),
        spec.get("replicas", 0),
        status.get("replicas", 0),
        status.get("readyReplicas", 0),
        age(obj, now),
        *container_names_and_images(spec.get("template") or {}),
        format_labels(spec.get("selector")),
    ]


_STRATEGY = ReplicationControllerStrategy()

KIND = Kind(
    group="",
    version="v1",
    kind="ReplicationController",
    plural="replicationcontrollers",
    short_names=("rc",),
    categories=("all",),
    schema="io.k8s.api.core.v1.ReplicationController",
    strategy=_STRATEGY,
    subresources=(
        SCALE,
        Subresource(
            "status",
            STATUS_VERBS,
            strategy=StatusStrategy(_STRATEGY, validate=replication_controller_status_errors),
        ),
    ),
    field_labels=("status.replicas",),
    field_values=_fields,
    legacy_field_errors=True,
    columns=(
        NAME_COLUMN,
        Column("Desired", "integer", doc="ReplicationControllerSpec.replicas"),
        Column("Current", "integer", doc="ReplicationControllerStatus.replicas"),
        Column("Ready", "integer", doc="ReplicationControllerStatus.readyReplicas"),
        AGE_COLUMN,
        Column("Containers", description="Names of each container in the template.", priority=1),
        Column("Images", description="Images referenced by each container in the template.", priority=1),
        Column("Selector", priority=1, doc="ReplicationControllerSpec.selector"),
    ),
    cells=_cells,
)
