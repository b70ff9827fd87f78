"""PodTemplate."""

from datetime import datetime
from typing import Any

from kubeactors.api.defaults.workload import default_template
from kubeactors.api.fielderrors import FieldError
from kubeactors.api.kinds.kind import NAME_COLUMN, Column, Kind
from kubeactors.api.kinds.strategy import Strategy
from kubeactors.api.meta import Object
from kubeactors.api.printers.text import container_names_and_images, format_labels, name
from kubeactors.api.validation.pod import pod_template_errors
from kubeactors.api.validation.pod.warnings import pod_warnings


class PodTemplateStrategy(Strategy):
    metadata_rechecks = 1
    generation_fields = ("template",)

    def default(self, obj: Object) -> None:
        default_template(obj.setdefault("template", {}))

    def warnings_on_create(self, obj: Object) -> list[str]:
        return pod_warnings(obj.get("template") or {}, "template")

    def validate(self, obj: Object) -> list[FieldError]:
        return pod_template_errors(obj.get("template") or {}, "template")


def _cells(obj: Object, now: datetime) -> list[Any]:
    template = obj.get("template") or {}
    labels = (template.get("metadata") or {}).get("labels")
    return [name(obj), *container_names_and_images(template), format_labels(labels)]


KIND = Kind(
    group="",
    version="v1",
    kind="PodTemplate",
    plural="podtemplates",
    schema="io.k8s.api.core.v1.PodTemplate",
    strategy=PodTemplateStrategy(),
    columns=(
        NAME_COLUMN,
        Column("Containers", description="Names of each container in the template."),
        Column("Images", description="Images referenced by each container in the template."),
        Column("Pod Labels", description="The labels for the pod template."),
    ),
    cells=_cells,
)
