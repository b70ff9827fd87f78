"""APIService: which server answers for a group version. Those that are this server's own have no service."""

from datetime import datetime
from typing import Any

from kubeactors.api.fielderrors import FieldError
from kubeactors.api.kinds.kind import AGE_COLUMN, NAME_COLUMN, STATUS_VERBS, Column, Kind, Subresource
from kubeactors.api.kinds.strategy import StatusStrategy, Strategy
from kubeactors.api.meta import Object, get_condition, set_condition
from kubeactors.api.printers.text import age, name
from kubeactors.api.validation.apiservice import (
    api_service_errors,
    api_service_name_errors,
    api_service_status_errors,
)
from kubeactors.api.validation.metadata import metadata_errors

_HTTPS = 443


class APIServiceStrategy(Strategy):
    finalizers_have_domains = False
    namespaced = False
    has_status = True

    def default(self, obj: Object) -> None:
        service = (obj.get("spec") or {}).get("service")
        if service is not None and service.get("port") is None:
            service["port"] = _HTTPS

    def prepare_for_create(self, obj: Object, now: datetime) -> None:
        super().prepare_for_create(obj, now)
        obj["status"] = {}
        if obj["spec"].get("service") is None:
            message = "Local APIServices are always available"
            set_condition(obj, "Available", "True", now=now, reason="Local", message=message)

    def validate_create(self, obj: Object) -> list[FieldError]:
        spec = obj.get("spec") or {}
        version, group = spec.get("version") or "", spec.get("group") or ""
        errors = metadata_errors(
            obj.get("metadata") or {},
            namespaced=False,
            check_name=lambda given: api_service_name_errors(given, version, group),
            builtin=self.finalizers_have_domains,
        )
        return errors + self.validate(obj)

    def validate(self, obj: Object) -> list[FieldError]:
        return api_service_errors(obj)


def _cells(obj: Object, now: datetime) -> list[Any]:
    service = (obj.get("spec") or {}).get("service")
    where = "Local" if service is None else f"{service.get('namespace') or ''}/{service.get('name') or ''}"
    condition = get_condition(obj, "Available") or {"status": "Unknown"}
    available = condition.get("status") or ""
    if available != "True" and condition.get("reason"):
        available = f"{available} ({condition['reason']})"
    return [name(obj), where, available, age(obj, now)]


_STRATEGY = APIServiceStrategy()

KIND = Kind(
    group="apiregistration.k8s.io",
    version="v1",
    kind="APIService",
    plural="apiservices",
    namespaced=False,
    categories=("api-extensions",),
    schema="io.k8s.kube-aggregator.pkg.apis.apiregistration.v1.APIService",
    strategy=_STRATEGY,
    unconditional_update=False,
    subresources=(
        Subresource("status", STATUS_VERBS, strategy=StatusStrategy(_STRATEGY, validate=api_service_status_errors)),
    ),
    storage_path="apiregistration.k8s.io/apiservices",
    columns=(
        NAME_COLUMN,
        Column("Service", description="The reference to the service that hosts this API endpoint."),
        Column("Available", description="Whether this service is available."),
        AGE_COLUMN,
    ),
    cells=_cells,
)
