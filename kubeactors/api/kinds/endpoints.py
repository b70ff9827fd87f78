"""Endpoints."""

from kubeactors.api.kinds.kind import Kind
from kubeactors.api.kinds.strategy import Strategy

KIND = Kind(
    group="",
    version="v1",
    kind="Endpoints",
    plural="endpoints",
    short_names=("ep",),
    schema="io.k8s.api.core.v1.Endpoints",
    strategy=Strategy(),
    create_on_update=True,
    storage_path="services/endpoints",
)
