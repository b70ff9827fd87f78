"""EndpointSlice."""

from kubeactors.api.defaults.service import default_endpoint_slice
from kubeactors.api.kinds.kind import Kind
from kubeactors.api.kinds.strategy import Strategy
from kubeactors.api.meta import Object


class EndpointSliceStrategy(Strategy):
    generation_fields = ("addressType", "endpoints", "ports")

    def default(self, obj: Object) -> None:
        default_endpoint_slice(obj)


KIND = Kind(
    group="discovery.k8s.io",
    version="v1",
    kind="EndpointSlice",
    plural="endpointslices",
    schema="io.k8s.api.discovery.v1.EndpointSlice",
    strategy=EndpointSliceStrategy(),
)
