"""Service."""

from datetime import datetime

from kubeactors.api.defaults.service import default_service
from kubeactors.api.fielderrors import FieldError
from kubeactors.api.kinds.kind import AGE_COLUMN, NAME_COLUMN, PROXY_VERBS, STATUS_VERBS, Column, Kind, Subresource
from kubeactors.api.kinds.strategy import StatusStrategy, Strategy
from kubeactors.api.meta import Object
from kubeactors.api.printers.service import service_cells
from kubeactors.api.services import drop_type_dependent, keep_allocated, normalize_cluster_ips
from kubeactors.api.validation.names import dns1123_label_errors
from kubeactors.api.validation.service import service_errors, service_status_errors, service_update_errors
from kubeactors.api.validation.service_warnings import service_warnings


class ServiceStrategy(Strategy):
    check_name = staticmethod(dns1123_label_errors)
    has_status = True

    def default(self, obj: Object) -> None:
        default_service(obj)

    def prepare_for_create(self, obj: Object, now: datetime) -> None:
        super().prepare_for_create(obj, now)
        obj["status"] = {"loadBalancer": {}}
        normalize_cluster_ips(obj["spec"], None)

    def prepare_for_update(self, new: Object, old: Object, now: datetime) -> None:
        super().prepare_for_update(new, old, now)
        new_spec, old_spec = new["spec"], old["spec"]
        normalize_cluster_ips(new_spec, old_spec)
        drop_type_dependent(new_spec, old_spec)
        keep_allocated(new_spec, old_spec)
        if new_spec.get("type") != "LoadBalancer":
            new["status"] = {**(new.get("status") or {}), "loadBalancer": {}}

    def warnings_on_create(self, obj: Object) -> list[str]:
        return service_warnings(obj)

    def validate(self, obj: Object) -> list[FieldError]:
        return service_errors(obj)

    def validate_change(self, new: Object, old: Object) -> list[FieldError]:
        return service_update_errors(new, old)


def _fields(obj: Object) -> dict[str, str]:
    spec = obj.get("spec") or {}
    return {"spec.clusterIP": spec.get("clusterIP") or "", "spec.type": spec.get("type") or ""}


_STRATEGY = ServiceStrategy()

KIND = Kind(
    group="",
    version="v1",
    kind="Service",
    plural="services",
    short_names=("svc",),
    categories=("all",),
    schema="io.k8s.api.core.v1.Service",
    strategy=_STRATEGY,
    subresources=(
        Subresource("proxy", PROXY_VERBS, kind="ServiceProxyOptions", connects=True),
        Subresource("status", STATUS_VERBS, strategy=StatusStrategy(_STRATEGY, validate=service_status_errors)),
    ),
    field_labels=("spec.clusterIP", "spec.type"),
    field_values=_fields,
    legacy_field_errors=True,
    create_on_update=True,
    storage_path="services/specs",
    columns=(
        NAME_COLUMN,
        Column("Type", doc="ServiceSpec.type"),
        Column("Cluster-IP", doc="ServiceSpec.clusterIP"),
        Column("External-IP", doc="ServiceSpec.externalIPs"),
        Column("Port(s)", doc="ServiceSpec.ports"),
        AGE_COLUMN,
        Column("Selector", priority=1, doc="ServiceSpec.selector"),
    ),
    cells=service_cells,
)
