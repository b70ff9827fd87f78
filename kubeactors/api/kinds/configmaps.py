"""ConfigMap."""

from kubeactors.api.kinds.kind import Kind
from kubeactors.api.kinds.strategy import Strategy

KIND = Kind(
    group="",
    version="v1",
    kind="ConfigMap",
    plural="configmaps",
    short_names=("cm",),
    schema="io.k8s.api.core.v1.ConfigMap",
    strategy=Strategy(),
    legacy_field_errors=False,
)
