"""Endpoints."""

from kubeactors.api.defaults.service import default_endpoints
from kubeactors.api.fielderrors import FieldError
from kubeactors.api.kinds.kind import AGE_COLUMN, NAME_COLUMN, Column, Kind
from kubeactors.api.kinds.strategy import Strategy
from kubeactors.api.meta import Object
from kubeactors.api.printers.service import endpoints_cells
from kubeactors.api.validation.endpoints import endpoints_errors
from kubeactors.api.validation.service_warnings import endpoints_warnings


class EndpointsStrategy(Strategy):
    def default(self, obj: Object) -> None:
        default_endpoints(obj)

    def warnings_on_create(self, obj: Object) -> list[str]:
        return endpoints_warnings(obj)

    def validate(self, obj: Object) -> list[FieldError]:
        return endpoints_errors(obj)


KIND = Kind(
    group="",
    version="v1",
    kind="Endpoints",
    plural="endpoints",
    short_names=("ep",),
    schema="io.k8s.api.core.v1.Endpoints",
    strategy=EndpointsStrategy(),
    create_on_update=True,
    storage_path="services/endpoints",
    columns=(
        NAME_COLUMN,
        Column("Endpoints", doc="Endpoints.subsets"),
        AGE_COLUMN,
    ),
    cells=endpoints_cells,
    deprecation="v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice",
)
