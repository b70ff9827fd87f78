"""ValidatingAdmissionPolicy (KEP-3488)."""

from datetime import datetime

from kubeactors.api.defaults.admission import default_policy
from kubeactors.api.fielderrors import FieldError
from kubeactors.api.kinds.kind import AGE_COLUMN, NAME_COLUMN, STATUS_VERBS, Column, Kind, Subresource
from kubeactors.api.kinds.strategy import StatusStrategy, Strategy
from kubeactors.api.meta import Object
from kubeactors.api.printers.admission import validating_policy_cells
from kubeactors.api.validation.admission import validating_policy_errors, validating_policy_status_errors


class ValidatingAdmissionPolicyStrategy(Strategy):
    may_take_long = True
    namespaced = False
    has_status = True
    generation_fields = ("spec",)

    def default(self, obj: Object) -> None:
        default_policy(obj)

    def prepare_for_create(self, obj: Object, now: datetime) -> None:
        super().prepare_for_create(obj, now)
        obj["status"] = {}

    def validate(self, obj: Object) -> list[FieldError]:
        return validating_policy_errors(obj)


_STRATEGY = ValidatingAdmissionPolicyStrategy()

KIND = Kind(
    group="admissionregistration.k8s.io",
    version="v1",
    kind="ValidatingAdmissionPolicy",
    plural="validatingadmissionpolicies",
    namespaced=False,
    categories=("api-extensions",),
    schema="io.k8s.api.admissionregistration.v1.ValidatingAdmissionPolicy",
    strategy=_STRATEGY,
    unconditional_update=False,
    subresources=(
        Subresource(
            "status",
            STATUS_VERBS,
            strategy=StatusStrategy(_STRATEGY, validate=validating_policy_status_errors, keep_metadata=True),
        ),
    ),
    columns=(
        NAME_COLUMN,
        Column(
            "Validations",
            "integer",
            description="Validations indicates the number of validation rules defined in this configuration",
        ),
        Column("ParamKind", description="ParamKind specifies the kind of resources used to parameterize this policy"),
        AGE_COLUMN,
    ),
    cells=validating_policy_cells,
)
