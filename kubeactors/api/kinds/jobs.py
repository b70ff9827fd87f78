"""Job."""

from datetime import datetime
from typing import Any

from kubeactors.api.defaults.batch import default_job, default_job_labels
from kubeactors.api.fielderrors import FieldError
from kubeactors.api.kinds.kind import AGE_COLUMN, NAME_COLUMN, STATUS_VERBS, Column, Kind, Subresource
from kubeactors.api.kinds.strategy import StatusStrategy, Strategy
from kubeactors.api.meta import Object
from kubeactors.api.printers.batch import job_cells
from kubeactors.api.validation.job import job_errors, job_status_update_errors, job_update_errors
from kubeactors.api.validation.job.job import CONTROLLER_UID_LABELS, JOB_NAME_LABELS
from kubeactors.api.validation.job.warnings import job_spec_warnings
from kubeactors.api.validation.pod.warnings import pod_name_warnings


class JobStrategy(Strategy):
    has_status = True
    generation_fields = ("spec",)

    def default(self, obj: Object) -> None:
        default_job(obj)

    def prepare_for_create(self, obj: Object, now: datetime) -> None:
        super().prepare_for_create(obj, now)
        drop_alpha_fields(obj["spec"])
        if not obj["spec"].get("manualSelector"):
            _generate_selector(obj)
        default_job_labels(obj)

    def prepare_for_update(self, new: Object, old: Object, now: datetime) -> None:
        default_job_labels(new)
        drop_alpha_fields(new["spec"])
        super().prepare_for_update(new, old, now)

    def warnings_on_create(self, obj: Object) -> list[str]:
        return pod_name_warnings(obj) + job_spec_warnings(obj.get("spec") or {}, "spec")

    def warnings_on_update(self, new: Object, old: Object) -> list[str]:
        return job_spec_warnings(new.get("spec") or {}, "spec")

    def validate(self, obj: Object) -> list[FieldError]:
        return job_errors(obj)

    def validate_change(self, new: Object, old: Object) -> list[FieldError]:
        return job_update_errors(new, old)


def drop_alpha_fields(spec: Object) -> None:
    """Of a job's spec, in place: what Kubernetes takes only with a feature gate that is off."""
    spec.pop("scheduling", None)  # WorkloadWithJob


def _generate_selector(job: Object) -> None:
    """Let the job find its pods by its uid; what the client has set stays, and is refused if it does not fit."""
    metadata, spec = job["metadata"], job["spec"]
    labels: dict[str, Any] = dict(spec["template"]["metadata"].get("labels") or {})
    for label in JOB_NAME_LABELS:
        labels.setdefault(label, metadata.get("name", ""))
    for label in CONTROLLER_UID_LABELS:
        labels.setdefault(label, metadata["uid"])
    spec["template"]["metadata"]["labels"] = labels
    spec.setdefault("selector", {}).setdefault("matchLabels", {}).setdefault(CONTROLLER_UID_LABELS[1], metadata["uid"])


def _fields(obj: Object) -> dict[str, str]:
    return {"status.successful": str((obj.get("status") or {}).get("succeeded") or 0)}


_STRATEGY = JobStrategy()

KIND = Kind(
    group="batch",
    version="v1",
    kind="Job",
    plural="jobs",
    categories=("all",),
    schema="io.k8s.api.batch.v1.Job",
    strategy=_STRATEGY,
    subresources=(
        Subresource("status", STATUS_VERBS, strategy=StatusStrategy(_STRATEGY, validate=job_status_update_errors)),
    ),
    field_labels=("status.successful",),
    field_values=_fields,
    unknown_field="field label {} not supported for Job",
    columns=(
        NAME_COLUMN,
        Column("Status", description="Status of the job."),
        Column("Completions", doc="JobStatus.succeeded"),
        Column("Duration", description="Time required to complete the job."),
        AGE_COLUMN,
        Column("Containers", description="Names of each container in the template.", priority=1),
        Column("Images", description="Images referenced by each container in the template.", priority=1),
        Column("Selector", priority=1, doc="JobSpec.selector"),
    ),
    cells=job_cells,
)
