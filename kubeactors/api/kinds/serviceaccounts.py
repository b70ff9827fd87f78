"""ServiceAccount."""

from kubeactors.api.kinds.kind import Kind
from kubeactors.api.kinds.strategy import Strategy

KIND = Kind(
    group="",
    version="v1",
    kind="ServiceAccount",
    plural="serviceaccounts",
    short_names=("sa",),
    schema="io.k8s.api.core.v1.ServiceAccount",
    strategy=Strategy(),
)
