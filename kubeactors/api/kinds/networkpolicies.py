"""NetworkPolicy."""

from kubeactors.api.fielderrors import FieldError
from kubeactors.api.kinds.kind import AGE_COLUMN, NAME_COLUMN, Column, Kind
from kubeactors.api.kinds.strategy import Strategy
from kubeactors.api.meta import Object
from kubeactors.api.printers.networking import network_policy_cells
from kubeactors.api.validation.network_policy import (
    network_policy_errors,
    network_policy_update_errors,
    network_policy_warnings,
)


class NetworkPolicyStrategy(Strategy):
    generation_fields = ("spec",)

    def default(self, obj: Object) -> None:
        spec = obj.get("spec") or {}
        for direction in ("ingress", "egress"):
            for rule in spec.get(direction) or ():
                for port in rule.get("ports") or ():
                    port.setdefault("protocol", "TCP")
        if spec and not spec.get("policyTypes"):
            # Who says nothing means ingress, and egress where there are rules for it.
            spec["policyTypes"] = ["Ingress", "Egress"] if spec.get("egress") else ["Ingress"]

    def validate(self, obj: Object) -> list[FieldError]:
        return network_policy_errors(obj)

    def validate_change(self, new: Object, old: Object) -> list[FieldError]:
        return network_policy_update_errors(new, old)

    def warnings_on_create(self, obj: Object) -> list[str]:
        return network_policy_warnings(obj)


KIND = Kind(
    group="networking.k8s.io",
    version="v1",
    kind="NetworkPolicy",
    plural="networkpolicies",
    short_names=("netpol",),
    schema="io.k8s.api.networking.v1.NetworkPolicy",
    strategy=NetworkPolicyStrategy(),
    columns=(NAME_COLUMN, Column("Pod-Selector", doc="NetworkPolicySpec.podSelector"), AGE_COLUMN),
    cells=network_policy_cells,
)
