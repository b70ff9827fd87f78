"""Ingress."""

from datetime import datetime

from kubeactors.api.fielderrors import FieldError
from kubeactors.api.kinds.kind import AGE_COLUMN, NAME_COLUMN, STATUS_VERBS, Column, Kind, Subresource
from kubeactors.api.kinds.strategy import StatusStrategy, Strategy
from kubeactors.api.meta import Object
from kubeactors.api.printers.networking import ingress_cells
from kubeactors.api.validation.ingress import (
    CLASS_ANNOTATION,
    ingress_create_errors,
    ingress_errors,
    ingress_status_errors,
)


class IngressStrategy(Strategy):
    has_status = True
    generation_fields = ("spec",)

    def prepare_for_create(self, obj: Object, now: datetime) -> None:
        super().prepare_for_create(obj, now)
        obj["status"] = {"loadBalancer": {}}

    def validate(self, obj: Object) -> list[FieldError]:
        return ingress_create_errors(obj)

    def validate_change(self, new: Object, old: Object) -> list[FieldError]:
        return ingress_errors(new, old)

    def warnings_on_create(self, obj: Object) -> list[str]:
        annotations = obj["metadata"].get("annotations") or {}
        if CLASS_ANNOTATION not in annotations:
            return []
        return [f"annotation \"{CLASS_ANNOTATION}\" is deprecated, please use 'spec.ingressClassName' instead"]

    def warnings_on_update(self, new: Object, old: Object) -> list[str]:
        return []


_STRATEGY = IngressStrategy()

KIND = Kind(
    group="networking.k8s.io",
    version="v1",
    kind="Ingress",
    plural="ingresses",
    short_names=("ing",),
    schema="io.k8s.api.networking.v1.Ingress",
    strategy=_STRATEGY,
    storage_path="ingress",
    subresources=(
        Subresource("status", STATUS_VERBS, strategy=StatusStrategy(_STRATEGY, validate=ingress_status_errors)),
    ),
    columns=(
        NAME_COLUMN,
        Column(
            "Class",
            description="The name of the IngressClass resource that should be used for additional configuration",
        ),
        Column("Hosts", description="Hosts that incoming requests are matched against before the ingress rule"),
        Column("Address", description="Address is a list containing ingress points for the load-balancer"),
        Column("Ports", description="Ports of TLS configurations that open"),
        AGE_COLUMN,
    ),
    cells=ingress_cells,
)
