"""Event of the core group."""

from kubeactors.api.kinds.kind import Kind
from kubeactors.api.kinds.strategy import Strategy
from kubeactors.api.meta import Object

_INVOLVED = ("kind", "namespace", "name", "uid", "apiVersion", "resourceVersion", "fieldPath")


def _fields(obj: Object) -> dict[str, str]:
    involved = obj.get("involvedObject") or {}
    fields = {f"involvedObject.{f}": involved.get(f) or "" for f in _INVOLVED}
    reporting = obj.get("reportingComponent") or ""
    fields["reason"] = obj.get("reason") or ""
    fields["reportingComponent"] = reporting
    fields["source"] = (obj.get("source") or {}).get("component") or reporting
    fields["type"] = obj.get("type") or ""
    return fields


KIND = Kind(
    group="",
    version="v1",
    kind="Event",
    plural="events",
    short_names=("ev",),
    schema="io.k8s.api.core.v1.Event",
    strategy=Strategy(),
    field_labels=(*(f"involvedObject.{f}" for f in _INVOLVED), "reason", "reportingComponent", "source", "type"),
    field_values=_fields,
    legacy_field_errors=True,
    create_on_update=True,
)
