"""ResourceQuota."""

from datetime import datetime
from typing import Any

from kubeactors.api.fielderrors import FieldError
from kubeactors.api.kinds.kind import AGE_COLUMN, NAME_COLUMN, STATUS_VERBS, Column, Kind, Subresource
from kubeactors.api.kinds.strategy import StatusStrategy, Strategy
from kubeactors.api.meta import Object
from kubeactors.api.printers.text import age, name
from kubeactors.api.validation.quota import (
    resource_quota_errors,
    resource_quota_status_errors,
    resource_quota_update_errors,
)


class ResourceQuotaStrategy(Strategy):
    metadata_rechecks = 1
    has_status = True

    def prepare_for_create(self, obj: Object, now: datetime) -> None:
        super().prepare_for_create(obj, now)
        obj["status"] = {}

    def validate(self, obj: Object) -> list[FieldError]:
        return resource_quota_errors(obj)

    def validate_change(self, new: Object, old: Object) -> list[FieldError]:
        return resource_quota_update_errors(new, old)


def _cells(obj: Object, now: datetime) -> list[Any]:
    status = obj.get("status") or {}
    used = status.get("used") or {}
    requests: list[str] = []
    limits: list[str] = []
    for resource, hard in sorted((status.get("hard") or {}).items()):
        column = limits if resource.startswith("limits.") else requests
        column.append(f"{resource}: {used.get(resource, '0')}/{hard}")
    return [name(obj), ", ".join(requests), ", ".join(limits), age(obj, now)]


_STRATEGY = ResourceQuotaStrategy()

KIND = Kind(
    group="",
    version="v1",
    kind="ResourceQuota",
    plural="resourcequotas",
    short_names=("quota",),
    schema="io.k8s.api.core.v1.ResourceQuota",
    strategy=_STRATEGY,
    subresources=(
        Subresource("status", STATUS_VERBS, strategy=StatusStrategy(_STRATEGY, validate=resource_quota_status_errors)),
    ),
    columns=(
        NAME_COLUMN,
        Column(
            "Request", description="Request represents a minimum amount of cpu/memory that a container may consume."
        ),
        Column(
            "Limit",
            description="Limits control the maximum amount of cpu/memory that a container may use independent of "
            "contention on the node.",
        ),
        AGE_COLUMN,
    ),
    cells=_cells,
)
