"""ValidatingWebhookConfiguration."""

from kubeactors.api.defaults.admission import default_webhooks
from kubeactors.api.fielderrors import FieldError
from kubeactors.api.kinds.kind import AGE_COLUMN, NAME_COLUMN, Column, Kind
from kubeactors.api.kinds.strategy import Strategy
from kubeactors.api.meta import Object
from kubeactors.api.printers.admission import webhooks_cells
from kubeactors.api.validation.admission import webhooks_errors, webhooks_update_errors


class ValidatingWebhookConfigurationStrategy(Strategy):
    may_take_long = True
    namespaced = False
    generation_fields = ("webhooks",)

    def default(self, obj: Object) -> None:
        default_webhooks(obj, mutating=False)

    def validate(self, obj: Object) -> list[FieldError]:
        return webhooks_errors(obj)

    def validate_change(self, new: Object, old: Object) -> list[FieldError]:
        return webhooks_update_errors(new, old)


KIND = Kind(
    group="admissionregistration.k8s.io",
    version="v1",
    kind="ValidatingWebhookConfiguration",
    plural="validatingwebhookconfigurations",
    namespaced=False,
    categories=("api-extensions",),
    schema="io.k8s.api.admissionregistration.v1.ValidatingWebhookConfiguration",
    strategy=ValidatingWebhookConfigurationStrategy(),
    unconditional_update=False,
    columns=(
        NAME_COLUMN,
        Column(
            "Webhooks",
            "integer",
            description="Webhooks indicates the number of webhooks registered in this configuration",
        ),
        AGE_COLUMN,
    ),
    cells=webhooks_cells,
)
