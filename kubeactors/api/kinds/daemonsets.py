"""DaemonSet."""

from datetime import datetime
from typing import Any, Final

from kubeactors.api import errors
from kubeactors.api.defaults.apps import default_daemon_set
from kubeactors.api.fielderrors import FieldError, go_quote
from kubeactors.api.kinds.kind import AGE_COLUMN, NAME_COLUMN, STATUS_VERBS, Column, Kind, Subresource
from kubeactors.api.kinds.strategy import StatusStrategy, Strategy
from kubeactors.api.meta import Object, annotations
from kubeactors.api.printers.apps import daemon_set_cells
from kubeactors.api.validation.daemonset import (
    daemon_set_errors,
    daemon_set_status_errors,
    daemon_set_update_errors,
)
from kubeactors.api.validation.pod.warnings import pod_warnings

# Where apps/v1 keeps what was spec.templateGeneration: how often the template has changed.
_TEMPLATE_GENERATION: Final = "deprecated.daemonset.template.generation"


class DaemonSetStrategy(Strategy):
    metadata_rechecks = 2
    has_status = True
    generation_fields = ("spec",)
    empty_status = {
        "currentNumberScheduled": 0,
        "numberMisscheduled": 0,
        "desiredNumberScheduled": 0,
        "numberReady": 0,
    }

    def default(self, obj: Object) -> None:
        default_daemon_set(obj)
        template_generation(obj)

    def prepare_for_create(self, obj: Object, now: datetime) -> None:
        super().prepare_for_create(obj, now)
        _set_template_generation(obj, template_generation(obj) or 1)

    def prepare_for_update(self, new: Object, old: Object, now: datetime) -> None:
        super().prepare_for_update(new, old, now)
        templates = [(o.get("spec") or {}).get("template") for o in (new, old)]
        _set_template_generation(new, template_generation(old) + (templates[0] != templates[1]))

    def warnings_on_create(self, obj: Object) -> list[str]:
        template = (obj.get("spec") or {}).get("template") or {}
        return pod_warnings(template, "spec.template")

    def validate(self, obj: Object) -> list[FieldError]:
        return daemon_set_errors(obj, template_generation(obj))

    def validate_change(self, new: Object, old: Object) -> list[FieldError]:
        return daemon_set_update_errors(new, old, template_generation(new))


def template_generation(daemon_set: Object) -> int:
    """How often the template has changed; 0 when the object does not say. Raises StatusError (400)."""
    text = annotations(daemon_set).get(_TEMPLATE_GENERATION)
    if text is None:
        return 0
    digits = text[1:] if text[:1] in ("+", "-") else text
    problem = "invalid syntax"
    if digits.isascii() and digits.isdigit():
        value = int(text) if len(digits) < 20 else 2**63
        if -(2**63) <= value < 2**63:
            return value
        problem = "value out of range"
    raise errors.bad_request(
        'DaemonSet in version "v1" cannot be handled as a DaemonSet: '
        f"strconv.ParseInt: parsing {go_quote(text)}: {problem}"
    )


def _set_template_generation(daemon_set: Object, value: int) -> None:
    metadata: dict[str, Any] = daemon_set["metadata"]
    metadata["annotations"] = {**annotations(daemon_set), _TEMPLATE_GENERATION: str(value)}


_STRATEGY = DaemonSetStrategy()

KIND = Kind(
    group="apps",
    version="v1",
    kind="DaemonSet",
    plural="daemonsets",
    short_names=("ds",),
    categories=("all",),
    schema="io.k8s.api.apps.v1.DaemonSet",
    field_annotations=frozenset({_TEMPLATE_GENERATION}),
    strategy=_STRATEGY,
    subresources=(
        Subresource("status", STATUS_VERBS, strategy=StatusStrategy(_STRATEGY, validate=daemon_set_status_errors)),
    ),
    columns=(
        NAME_COLUMN,
        Column("Desired", "integer", doc="DaemonSetStatus.desiredNumberScheduled"),
        Column("Current", "integer", doc="DaemonSetStatus.currentNumberScheduled"),
        Column("Ready", "integer", doc="DaemonSetStatus.numberReady"),
        Column("Up-to-date", "integer", doc="DaemonSetStatus.updatedNumberScheduled"),
        Column("Available", "integer", doc="DaemonSetStatus.numberAvailable"),
        Column("Node Selector", doc="io.k8s.api.core.v1.PodSpec.nodeSelector"),
        AGE_COLUMN,
        Column("Containers", description="Names of each container in the template.", priority=1),
        Column("Images", description="Images referenced by each container in the template.", priority=1),
        Column("Selector", priority=1, doc="DaemonSetSpec.selector"),
    ),
    cells=daemon_set_cells,
)
