"""ComponentStatus: how the cluster's components are, as the API server sees them now. Deprecated."""

from datetime import datetime
from typing import Any, Final

from kubeactors.api.kinds.kind import NAME_COLUMN, Column, Kind
from kubeactors.api.meta import Object
from kubeactors.api.printers.text import name

_WORDS: Final = {"True": "Healthy", "False": "Unhealthy"}


def _cells(obj: Object, now: datetime) -> list[Any]:
    healthy: dict[str, Any] = next((c for c in obj.get("conditions") or () if c.get("type") == "Healthy"), {})
    word = _WORDS.get(healthy.get("status") or "", "Unknown")
    return [name(obj), word, healthy.get("message") or "", healthy.get("error") or ""]


KIND = Kind(
    group="",
    version="v1",
    kind="ComponentStatus",
    plural="componentstatuses",
    namespaced=False,
    short_names=("cs",),
    verbs=("get", "list"),
    stored=False,
    schema="io.k8s.api.core.v1.ComponentStatus",
    deprecation="v1 ComponentStatus is deprecated in v1.19+",
    columns=(
        NAME_COLUMN,
        Column("Status", description="Status of the component conditions"),
        Column("Message", description="Message of the component conditions"),
        Column("Error", description="Error of the component conditions"),
    ),
    cells=_cells,
)
