"""MutatingAdmissionPolicyBinding."""

from kubeactors.api.defaults.admission import default_policy_binding
from kubeactors.api.fielderrors import FieldError
from kubeactors.api.kinds.kind import AGE_COLUMN, NAME_COLUMN, Column, Kind
from kubeactors.api.kinds.strategy import Strategy
from kubeactors.api.meta import Object
from kubeactors.api.printers.admission import policy_binding_cells
from kubeactors.api.validation.admission import mutating_binding_errors


class MutatingAdmissionPolicyBindingStrategy(Strategy):
    namespaced = False
    generation_fields = ("spec",)

    def default(self, obj: Object) -> None:
        default_policy_binding(obj)

    def validate(self, obj: Object) -> list[FieldError]:
        return mutating_binding_errors(obj)


KIND = Kind(
    group="admissionregistration.k8s.io",
    version="v1",
    kind="MutatingAdmissionPolicyBinding",
    plural="mutatingadmissionpolicybindings",
    namespaced=False,
    categories=("api-extensions",),
    schema="io.k8s.api.admissionregistration.v1.MutatingAdmissionPolicyBinding",
    strategy=MutatingAdmissionPolicyBindingStrategy(),
    unconditional_update=False,
    columns=(
        NAME_COLUMN,
        Column(
            "PolicyName", description="PolicyName indicates the policy definition which the policy binding binded to"
        ),
        Column("ParamRef", description="ParamRef indicates the param resource which sets the configuration param"),
        AGE_COLUMN,
    ),
    cells=policy_binding_cells,
)
