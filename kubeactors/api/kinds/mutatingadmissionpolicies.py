"""MutatingAdmissionPolicy (KEP-3962)."""

from kubeactors.api.defaults.admission import default_policy
from kubeactors.api.fielderrors import FieldError
from kubeactors.api.kinds.kind import AGE_COLUMN, NAME_COLUMN, Column, Kind
from kubeactors.api.kinds.strategy import Strategy
from kubeactors.api.meta import Object
from kubeactors.api.printers.admission import mutating_policy_cells
from kubeactors.api.validation.admission import mutating_policy_errors


class MutatingAdmissionPolicyStrategy(Strategy):
    may_take_long = True
    namespaced = False
    generation_fields = ("spec",)

    def default(self, obj: Object) -> None:
        default_policy(obj)

    def validate(self, obj: Object) -> list[FieldError]:
        return mutating_policy_errors(obj)


KIND = Kind(
    group="admissionregistration.k8s.io",
    version="v1",
    kind="MutatingAdmissionPolicy",
    plural="mutatingadmissionpolicies",
    namespaced=False,
    categories=("api-extensions",),
    schema="io.k8s.api.admissionregistration.v1.MutatingAdmissionPolicy",
    strategy=MutatingAdmissionPolicyStrategy(),
    unconditional_update=False,
    columns=(
        NAME_COLUMN,
        Column(
            "Mutations",
            "integer",
            description="Mutation indicates the number of mutations rules defined in this configuration",
        ),
        Column("ParamKind", description="ParamKind specifies the kind of resources used to parameterize this policy"),
        AGE_COLUMN,
    ),
    cells=mutating_policy_cells,
)
