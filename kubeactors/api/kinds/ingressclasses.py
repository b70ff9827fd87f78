"""IngressClass."""

from kubeactors.api.fielderrors import FieldError
from kubeactors.api.kinds.kind import AGE_COLUMN, NAME_COLUMN, Column, Kind
from kubeactors.api.kinds.strategy import Strategy
from kubeactors.api.meta import Object
from kubeactors.api.printers.networking import ingress_class_cells
from kubeactors.api.validation.ingress import ingress_class_errors, ingress_class_update_errors


class IngressClassStrategy(Strategy):
    namespaced = False
    generation_fields = ("spec",)

    def default(self, obj: Object) -> None:
        parameters = (obj.get("spec") or {}).get("parameters")
        if parameters is not None and parameters.get("scope") is None:
            parameters["scope"] = "Cluster"

    def validate(self, obj: Object) -> list[FieldError]:
        return ingress_class_errors(obj)

    def validate_change(self, new: Object, old: Object) -> list[FieldError]:
        return ingress_class_update_errors(new, old)


KIND = Kind(
    group="networking.k8s.io",
    version="v1",
    kind="IngressClass",
    plural="ingressclasses",
    namespaced=False,
    schema="io.k8s.api.networking.v1.IngressClass",
    strategy=IngressClassStrategy(),
    columns=(
        NAME_COLUMN,
        Column("Controller", description="Controller that is responsible for handling this class"),
        Column("Parameters", description="A reference to a resource with additional parameters"),
        AGE_COLUMN,
    ),
    cells=ingress_class_cells,
)
