"""Endpoints."""

from kubeactors.api.defaults.service import default_endpoints
from kubeactors.api.kinds.kind import Kind
from kubeactors.api.kinds.strategy import Strategy
from kubeactors.api.meta import Object


class EndpointsStrategy(Strategy):
    def default(self, obj: Object) -> None:
        default_endpoints(obj)


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
)
