"""EndpointSlice."""

from datetime import datetime

from kubeactors.api.defaults.service import default_endpoint_slice
from kubeactors.api.fielderrors import FieldError
from kubeactors.api.kinds.kind import AGE_COLUMN, NAME_COLUMN, Column, Kind
from kubeactors.api.kinds.strategy import Strategy
from kubeactors.api.meta import Object, generation, labels
from kubeactors.api.printers.service import endpoint_slice_cells
from kubeactors.api.validation.endpoints import endpoint_slice_errors, endpoint_slice_update_errors
from kubeactors.api.validation.service_warnings import endpoint_slice_warnings


class EndpointSliceStrategy(Strategy):
    metadata_rechecks = 1
    metadata_compared_twice = False
    generation_fields = ("addressType", "endpoints", "ports")

    def default(self, obj: Object) -> None:
        default_endpoint_slice(obj)

    def prepare_for_create(self, obj: Object, now: datetime) -> None:
        super().prepare_for_create(obj, now)
        _drop_topology(obj)

    def prepare_for_update(self, new: Object, old: Object, now: datetime) -> None:
        _drop_topology(new)
        super().prepare_for_update(new, old, now)

    def bump_generation(self, new: Object, old: Object) -> None:
        super().bump_generation(new, old)
        # The label names the Service that the slice belongs to.
        if labels(new) != labels(old):
            new["metadata"]["generation"] = generation(old) + 1

    def warnings_on_create(self, obj: Object) -> list[str]:
        return endpoint_slice_warnings(obj)

    def validate(self, obj: Object) -> list[FieldError]:
        return endpoint_slice_errors(obj)

    def validate_change(self, new: Object, old: Object) -> list[FieldError]:
        return endpoint_slice_update_errors(new, old)


def _drop_topology(obj: Object) -> None:
    """What v1beta1 said of an endpoint's place cannot be written by v1."""
    for endpoint in obj.get("endpoints") or ():
        endpoint.pop("deprecatedTopology", None)


KIND = Kind(
    group="discovery.k8s.io",
    version="v1",
    kind="EndpointSlice",
    plural="endpointslices",
    schema="io.k8s.api.discovery.v1.EndpointSlice",
    strategy=EndpointSliceStrategy(),
    columns=(
        NAME_COLUMN,
        Column("AddressType", doc="EndpointSlice.addressType"),
        Column("Ports", doc="EndpointSlice.ports"),
        Column("Endpoints", doc="EndpointSlice.endpoints"),
        AGE_COLUMN,
    ),
    cells=endpoint_slice_cells,
)
