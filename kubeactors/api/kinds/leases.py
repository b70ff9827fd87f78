"""Lease."""

from kubeactors.api.kinds.kind import Kind
from kubeactors.api.kinds.strategy import Strategy

KIND = Kind(
    group="coordination.k8s.io",
    version="v1",
    kind="Lease",
    plural="leases",
    schema="io.k8s.api.coordination.v1.Lease",
    strategy=Strategy(),
    create_on_update=True,
)
