"""EndpointSlice."""

from kubeactors.api.kinds.kind import Kind
from kubeactors.api.kinds.strategy import Strategy

KIND = Kind(
    group="discovery.k8s.io",
    version="v1",
    kind="EndpointSlice",
    plural="endpointslices",
    schema="io.k8s.api.discovery.v1.EndpointSlice",
    strategy=Strategy(),
)
