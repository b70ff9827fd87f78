"""ServiceCIDR (KEP-1880): a range that services get their addresses from."""

from datetime import datetime

from kubeactors.api.fielderrors import FieldError
from kubeactors.api.kinds.kind import AGE_COLUMN, NAME_COLUMN, STATUS_VERBS, Column, Kind, Subresource
from kubeactors.api.kinds.strategy import StatusStrategy, Strategy
from kubeactors.api.meta import Object
from kubeactors.api.printers.networking import service_cidr_cells
from kubeactors.api.validation.service_cidr import service_cidr_errors, service_cidr_update_errors


class ServiceCIDRStrategy(Strategy):
    namespaced = False
    has_status = True

    def prepare_for_create(self, obj: Object, now: datetime) -> None:
        super().prepare_for_create(obj, now)
        obj["status"] = {}

    def validate(self, obj: Object) -> list[FieldError]:
        return service_cidr_errors(obj)

    def validate_change(self, new: Object, old: Object) -> list[FieldError]:
        return service_cidr_update_errors(new, old)


_STRATEGY = ServiceCIDRStrategy()

KIND = Kind(
    group="networking.k8s.io",
    version="v1",
    kind="ServiceCIDR",
    plural="servicecidrs",
    namespaced=False,
    schema="io.k8s.api.networking.v1.ServiceCIDR",
    strategy=_STRATEGY,
    subresources=(Subresource("status", STATUS_VERBS, strategy=StatusStrategy(_STRATEGY)),),
    columns=(NAME_COLUMN, Column("CIDRs", doc="ServiceCIDRSpec.cidrs"), AGE_COLUMN),
    cells=service_cidr_cells,
)
