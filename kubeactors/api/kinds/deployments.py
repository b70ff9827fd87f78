"""Deployment."""

from kubeactors.api.defaults.workload import default_deployment
from kubeactors.api.fielderrors import FieldError
from kubeactors.api.kinds.kind import AGE_COLUMN, NAME_COLUMN, SCALE, STATUS_VERBS, Column, Kind, Subresource
from kubeactors.api.kinds.strategy import StatusStrategy, Strategy
from kubeactors.api.meta import Object, annotations, generation
from kubeactors.api.printers.workload import deployment_cells
from kubeactors.api.validation.pod.warnings import pod_name_warnings, pod_warnings
from kubeactors.api.validation.workload import deployment_errors, deployment_status_errors, deployment_update_errors


class DeploymentStrategy(Strategy):
    metadata_rechecks = 1
    has_status = True
    generation_fields = ("spec",)

    def default(self, obj: Object) -> None:
        default_deployment(obj)

    def bump_generation(self, new: Object, old: Object) -> None:
        # Annotations count too: the controller copies them to replica sets.
        super().bump_generation(new, old)
        if annotations(new) != annotations(old):
            new["metadata"]["generation"] = generation(old) + 1

    def warnings_on_create(self, obj: Object) -> list[str]:
        template = (obj.get("spec") or {}).get("template") or {}
        return pod_name_warnings(obj) + pod_warnings(template, "spec.template")

    def warnings_on_update(self, new: Object, old: Object) -> list[str]:
        template = (new.get("spec") or {}).get("template") or {}
        return pod_warnings(template, "spec.template")

    def validate(self, obj: Object) -> list[FieldError]:
        return deployment_errors(obj)

    def validate_change(self, new: Object, old: Object) -> list[FieldError]:
        return deployment_update_errors(new, old)


_STRATEGY = DeploymentStrategy()
_STATUS = StatusStrategy(_STRATEGY, validate=deployment_status_errors, keep_labels=True)

KIND = Kind(
    group="apps",
    version="v1",
    kind="Deployment",
    plural="deployments",
    short_names=("deploy",),
    categories=("all",),
    schema="io.k8s.api.apps.v1.Deployment",
    strategy=_STRATEGY,
    subresources=(
        SCALE,
        Subresource("status", STATUS_VERBS, strategy=_STATUS),
    ),
    columns=(
        NAME_COLUMN,
        Column("Ready", description="Number of the pod with ready state"),
        Column("Up-to-date", doc="DeploymentStatus.updatedReplicas"),
        Column("Available", doc="DeploymentStatus.availableReplicas"),
        AGE_COLUMN,
        Column("Containers", description="Names of each container in the template.", priority=1),
        Column("Images", description="Images referenced by each container in the template.", priority=1),
        Column("Selector", priority=1, doc="DeploymentSpec.selector"),
    ),
    cells=deployment_cells,
)
