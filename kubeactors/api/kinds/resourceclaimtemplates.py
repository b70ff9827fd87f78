"""ResourceClaimTemplate."""

from datetime import datetime
from typing import Any

from kubeactors.api.defaults.resource import default_claim
from kubeactors.api.fielderrors import FieldError
from kubeactors.api.kinds.kind import AGE_COLUMN, NAME_COLUMN, Kind
from kubeactors.api.kinds.resourceclaims import drop_derived_attributes
from kubeactors.api.kinds.strategy import Strategy
from kubeactors.api.meta import Object
from kubeactors.api.printers.text import age, name
from kubeactors.api.validation.resource.claim import claim_template_errors, claim_template_update_errors


class ResourceClaimTemplateStrategy(Strategy):
    may_take_long = True
    metadata_rechecks = 1

    def default(self, obj: Object) -> None:
        default_claim(obj["spec"]["spec"])

    def prepare_for_create(self, obj: Object, now: datetime) -> None:
        super().prepare_for_create(obj, now)
        drop_derived_attributes(obj["spec"]["spec"])

    def prepare_for_update(self, new: Object, old: Object, now: datetime) -> None:
        super().prepare_for_update(new, old, now)
        drop_derived_attributes(new["spec"]["spec"])

    def validate(self, obj: Object) -> list[FieldError]:
        return claim_template_errors(obj)

    def validate_change(self, new: Object, old: Object) -> list[FieldError]:
        return claim_template_update_errors(new, old)


def _cells(obj: Object, now: datetime) -> list[Any]:
    return [name(obj), age(obj, now)]


KIND = Kind(
    group="resource.k8s.io",
    version="v1",
    kind="ResourceClaimTemplate",
    plural="resourceclaimtemplates",
    schema="io.k8s.api.resource.v1.ResourceClaimTemplate",
    strategy=ResourceClaimTemplateStrategy(),
    columns=(NAME_COLUMN, AGE_COLUMN),
    cells=_cells,
)
