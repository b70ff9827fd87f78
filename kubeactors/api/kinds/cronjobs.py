"""CronJob."""

from datetime import datetime

from kubeactors.api.defaults.batch import default_cron_job
from kubeactors.api.fielderrors import FieldError
from kubeactors.api.kinds.jobs import drop_alpha_fields
from kubeactors.api.kinds.kind import AGE_COLUMN, NAME_COLUMN, STATUS_VERBS, Column, Kind, Subresource
from kubeactors.api.kinds.strategy import StatusStrategy, Strategy
from kubeactors.api.meta import Object
from kubeactors.api.printers.batch import cron_job_cells
from kubeactors.api.validation.cronjob import cron_job_errors, cron_job_update_errors
from kubeactors.api.validation.job.warnings import job_spec_warnings
from kubeactors.api.validation.pod.warnings import pod_name_warnings


class CronJobStrategy(Strategy):
    metadata_rechecks = 1
    has_status = True
    generation_fields = ("spec",)

    def default(self, obj: Object) -> None:
        default_cron_job(obj)

    def prepare_for_create(self, obj: Object, now: datetime) -> None:
        super().prepare_for_create(obj, now)
        drop_alpha_fields(obj["spec"]["jobTemplate"]["spec"])

    def prepare_for_update(self, new: Object, old: Object, now: datetime) -> None:
        drop_alpha_fields(new["spec"]["jobTemplate"]["spec"])
        super().prepare_for_update(new, old, now)

    def warnings_on_create(self, obj: Object) -> list[str]:
        return pod_name_warnings(obj) + _job_warnings(obj)

    def warnings_on_update(self, new: Object, old: Object) -> list[str]:
        return _job_warnings(new)

    def validate(self, obj: Object) -> list[FieldError]:
        return cron_job_errors(obj)

    def validate_change(self, new: Object, old: Object) -> list[FieldError]:
        return cron_job_update_errors(new, old)


def _job_warnings(obj: Object) -> list[str]:
    template = (obj.get("spec") or {}).get("jobTemplate") or {}
    return job_spec_warnings(template.get("spec") or {}, "spec.jobTemplate.spec")


_STRATEGY = CronJobStrategy()

KIND = Kind(
    group="batch",
    version="v1",
    kind="CronJob",
    plural="cronjobs",
    short_names=("cj",),
    categories=("all",),
    schema="io.k8s.api.batch.v1.CronJob",
    strategy=_STRATEGY,
    subresources=(Subresource("status", STATUS_VERBS, strategy=StatusStrategy(_STRATEGY)),),
    columns=(
        NAME_COLUMN,
        Column("Schedule", doc="CronJobSpec.schedule"),
        Column("Timezone", doc="CronJobSpec.timeZone"),
        Column("Suspend", "boolean", doc="CronJobSpec.suspend"),
        Column("Active", "integer", doc="CronJobStatus.active"),
        Column("Last Schedule", doc="CronJobStatus.lastScheduleTime"),
        AGE_COLUMN,
        Column("Containers", description="Names of each container in the template.", priority=1),
        Column("Images", description="Images referenced by each container in the template.", priority=1),
        Column("Selector", priority=1, doc="JobSpec.selector"),
    ),
    cells=cron_job_cells,
)
