"""PodDisruptionBudget."""

from kubeactors.api.fielderrors import FieldError
from kubeactors.api.kinds.kind import AGE_COLUMN, NAME_COLUMN, STATUS_VERBS, Column, Kind, Subresource
from kubeactors.api.kinds.strategy import StatusStrategy, Strategy
from kubeactors.api.meta import Object
from kubeactors.api.printers.policy import pod_disruption_budget_cells
from kubeactors.api.validation.metadata import common_metadata_errors, metadata_update_errors
from kubeactors.api.validation.names import path_segment_errors
from kubeactors.api.validation.poddisruptionbudget import (
    pod_disruption_budget_errors,
    pod_disruption_budget_status_errors,
)


class PodDisruptionBudgetStrategy(Strategy):
    # Kubernetes checks of a budget's name only that it can stand in a URL.
    check_name = staticmethod(path_segment_errors)
    has_status = True
    generation_fields = ("spec",)
    empty_status = {"disruptionsAllowed": 0, "currentHealthy": 0, "desiredHealthy": 0, "expectedPods": 0}

    def validate_create(self, obj: Object) -> list[FieldError]:
        # The metadata is looked at when the rest is right.
        return self.validate(obj) or super().validate_create(obj)

    def validate_update(self, new: Object, old: Object) -> list[FieldError]:
        metadata = new.get("metadata") or {}
        errors = metadata_update_errors(metadata, old.get("metadata") or {})
        if errors:
            errors = common_metadata_errors(metadata) + errors
        return errors + self.validate(new)

    def validate(self, obj: Object) -> list[FieldError]:
        return pod_disruption_budget_errors(obj)


_STRATEGY = PodDisruptionBudgetStrategy()

KIND = Kind(
    group="policy",
    version="v1",
    kind="PodDisruptionBudget",
    plural="poddisruptionbudgets",
    short_names=("pdb",),
    schema="io.k8s.api.policy.v1.PodDisruptionBudget",
    strategy=_STRATEGY,
    unconditional_update=False,
    subresources=(
        Subresource(
            "status",
            STATUS_VERBS,
            strategy=StatusStrategy(_STRATEGY, validate=pod_disruption_budget_status_errors),
        ),
    ),
    columns=(
        NAME_COLUMN,
        Column("Min Available", description="The minimum number of pods that must be available."),
        Column("Max Unavailable", description="The maximum number of pods that may be unavailable."),
        Column(
            "Allowed Disruptions",
            "integer",
            description="Calculated number of pods that may be disrupted at this time.",
        ),
        AGE_COLUMN,
    ),
    cells=pod_disruption_budget_cells,
)
