"""Secret."""

from kubeactors.api.kinds.kind import Kind
from kubeactors.api.kinds.strategy import Strategy
from kubeactors.api.meta import Object


def _fields(obj: Object) -> dict[str, str]:
    return {"type": obj.get("type") or ""}


KIND = Kind(
    group="",
    version="v1",
    kind="Secret",
    plural="secrets",
    schema="io.k8s.api.core.v1.Secret",
    strategy=Strategy(),
    field_labels=("type",),
    field_values=_fields,
    legacy_field_errors=True,
)
