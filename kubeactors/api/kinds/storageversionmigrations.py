"""StorageVersionMigration (KEP-4192): rewrites what is stored of a resource."""

from datetime import datetime
from typing import Any

from kubeactors.api.fielderrors import FieldError
from kubeactors.api.kinds.kind import STATUS_VERBS, Column, Kind, Subresource
from kubeactors.api.kinds.strategy import StatusStrategy, Strategy
from kubeactors.api.meta import Object
from kubeactors.api.printers.text import name
from kubeactors.api.validation.storage_migration import (
    storage_migration_errors,
    storage_migration_status_errors,
    storage_migration_update_errors,
)


class StorageVersionMigrationStrategy(Strategy):
    namespaced = False
    has_status = True

    def prepare_for_create(self, obj: Object, now: datetime) -> None:
        super().prepare_for_create(obj, now)
        obj["status"] = {}

    def validate(self, obj: Object) -> list[FieldError]:
        return storage_migration_errors(obj)

    def validate_change(self, new: Object, old: Object) -> list[FieldError]:
        return storage_migration_update_errors(new, old)


def _cells(obj: Object, now: datetime) -> list[Any]:
    resource = (obj.get("spec") or {}).get("resource") or {}
    group, plural = resource.get("group") or "", resource.get("resource") or ""
    return [name(obj), f"{plural}.{group}" if group else plural]


_STRATEGY = StorageVersionMigrationStrategy()

KIND = Kind(
    group="storagemigration.k8s.io",
    version="v1",
    kind="StorageVersionMigration",
    plural="storageversionmigrations",
    namespaced=False,
    schema="io.k8s.api.storagemigration.v1.StorageVersionMigration",
    strategy=_STRATEGY,
    unconditional_update=False,
    subresources=(
        Subresource(
            "status",
            STATUS_VERBS,
            strategy=StatusStrategy(_STRATEGY, validate=storage_migration_status_errors, keep_metadata=True),
        ),
    ),
    columns=(
        Column("Name", doc="ObjectMeta.name"),
        Column("Resource", description="Fully qualified resource to migrate"),
    ),
    cells=_cells,
)
