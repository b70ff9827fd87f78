"""IPAddress (KEP-1880): one address of the service range and what has it."""

from kubeactors.api.fielderrors import FieldError
from kubeactors.api.kinds.kind import NAME_COLUMN, Column, Kind
from kubeactors.api.kinds.strategy import Strategy
from kubeactors.api.meta import Object
from kubeactors.api.printers.networking import ip_address_cells
from kubeactors.api.validation.addresses import ip_messages
from kubeactors.api.validation.service_cidr import ip_address_object_errors, ip_address_object_update_errors


class IPAddressStrategy(Strategy):
    namespaced = False
    check_name = staticmethod(ip_messages)

    def validate(self, obj: Object) -> list[FieldError]:
        return ip_address_object_errors(obj)

    def validate_change(self, new: Object, old: Object) -> list[FieldError]:
        return ip_address_object_errors(new) + ip_address_object_update_errors(new, old)


KIND = Kind(
    group="networking.k8s.io",
    version="v1",
    kind="IPAddress",
    plural="ipaddresses",
    namespaced=False,
    short_names=("ip",),
    schema="io.k8s.api.networking.v1.IPAddress",
    strategy=IPAddressStrategy(),
    # The table has a cell more than columns, the age, as Kubernetes' has.
    columns=(NAME_COLUMN, Column("ParentRef", doc="IPAddressSpec.parentRef")),
    cells=ip_address_cells,
)
