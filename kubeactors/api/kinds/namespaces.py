"""Namespace."""

from kubeactors.api.kinds.kind import STATUS_VERBS, Kind, Subresource
from kubeactors.api.kinds.strategy import StatusStrategy, Strategy
from kubeactors.api.meta import Object


class NamespaceStrategy(Strategy):
    namespaced = False
    has_status = True


def _fields(obj: Object) -> dict[str, str]:
    return {"status.phase": (obj.get("status") or {}).get("phase") or ""}


_STRATEGY = NamespaceStrategy()

KIND = Kind(
    group="",
    version="v1",
    kind="Namespace",
    plural="namespaces",
    namespaced=False,
    short_names=("ns",),
    verbs=("create", "delete", "get", "list", "patch", "update", "watch"),
    schema="io.k8s.api.core.v1.Namespace",
    strategy=_STRATEGY,
    subresources=(
        Subresource("finalize", ("update",)),
        Subresource("status", STATUS_VERBS, strategy=StatusStrategy(_STRATEGY)),
    ),
    field_labels=("status.phase",),
    field_values=_fields,
    legacy_field_errors=True,
)
