"""Node."""

from kubeactors.api.kinds.kind import STATUS_VERBS, Kind, Subresource
from kubeactors.api.kinds.strategy import StatusStrategy, Strategy
from kubeactors.api.meta import Object


class NodeStrategy(Strategy):
    namespaced = False


def _fields(obj: Object) -> dict[str, str]:
    return {"spec.unschedulable": "true" if (obj.get("spec") or {}).get("unschedulable") else "false"}


_STRATEGY = NodeStrategy()

KIND = Kind(
    group="",
    version="v1",
    kind="Node",
    plural="nodes",
    namespaced=False,
    short_names=("no",),
    schema="io.k8s.api.core.v1.Node",
    strategy=_STRATEGY,
    subresources=(Subresource("status", STATUS_VERBS, strategy=StatusStrategy(_STRATEGY)),),
    field_labels=("spec.unschedulable",),
    field_values=_fields,
    legacy_field_errors=True,
    storage_path="minions",
)
