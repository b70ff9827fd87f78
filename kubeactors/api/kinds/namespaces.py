"""Namespace."""

from datetime import datetime
from typing import Any, Final

from kubeactors.api import meta
from kubeactors.api.fielderrors import FieldError
from kubeactors.api.kinds.kind import AGE_COLUMN, NAME_COLUMN, STATUS_VERBS, Column, Kind, Subresource
from kubeactors.api.kinds.strategy import StatusStrategy, Strategy, keep_server_owned_metadata, take_over
from kubeactors.api.meta import Object
from kubeactors.api.printers.text import age
from kubeactors.api.validation.names import dns1123_label_errors
from kubeactors.api.validation.node import namespace_errors, namespace_finalize_errors, namespace_status_errors

NAME_LABEL: Final = "kubernetes.io/metadata.name"
FINALIZER: Final = "kubernetes"


class NamespaceStrategy(Strategy):
    namespaced = False
    has_status = True
    check_name = staticmethod(dns1123_label_errors)

    def default(self, obj: Object) -> None:
        name = meta.name(obj)
        if name:
            obj["metadata"].setdefault("labels", {})[NAME_LABEL] = name

    def prepare_for_create(self, obj: Object, now: datetime) -> None:
        super().prepare_for_create(obj, now)
        self.default(obj)  # a name that was generated is known by now
        obj["status"] = {"phase": "Active"}
        finalizers = (obj.get("spec") or {}).get("finalizers") or []
        if FINALIZER not in finalizers:
            obj["spec"] = {"finalizers": [*finalizers, FINALIZER]}

    def prepare_for_update(self, new: Object, old: Object, now: datetime) -> None:
        super().prepare_for_update(new, old, now)
        take_over(new, old, "spec")

    def validate(self, obj: Object) -> list[FieldError]:
        return namespace_errors(obj)

    def validate_change(self, new: Object, old: Object) -> list[FieldError]:
        return []


class NamespaceFinalizeStrategy(Strategy):
    """Writes to namespaces/finalize: only spec.finalizers may change."""

    metadata_rechecks = 1
    namespaced = False

    @property
    def reset_fields(self) -> tuple[tuple[str, ...], ...]:
        return (("status",),)

    def default(self, obj: Object) -> None:
        _STRATEGY.default(obj)

    def prepare_for_update(self, new: Object, old: Object, now: datetime) -> None:
        keep_server_owned_metadata(new, old)
        take_over(new, old, "status")

    def validate_change(self, new: Object, old: Object) -> list[FieldError]:
        return namespace_finalize_errors(new, old)


def _fields(obj: Object) -> dict[str, str]:
    return {"status.phase": (obj.get("status") or {}).get("phase") or ""}


def _cells(obj: Object, now: datetime) -> list[Any]:
    return [meta.name(obj), (obj.get("status") or {}).get("phase") or "", age(obj, now)]


_STRATEGY = NamespaceStrategy()

KIND = Kind(
    group="",
    version="v1",
    kind="Namespace",
    plural="namespaces",
    namespaced=False,
    short_names=("ns",),
    verbs=("create", "delete", "get", "list", "patch", "update", "watch"),
    schema="io.k8s.api.core.v1.Namespace",
    strategy=_STRATEGY,
    subresources=(
        Subresource("finalize", ("update",), strategy=NamespaceFinalizeStrategy()),
        Subresource("status", STATUS_VERBS, strategy=StatusStrategy(_STRATEGY, validate=namespace_status_errors)),
    ),
    field_labels=("status.phase",),
    field_values=_fields,
    legacy_field_errors=True,
    columns=(
        NAME_COLUMN,
        Column("Status", description="The status of the namespace"),
        AGE_COLUMN,
    ),
    cells=_cells,
)
