"""Secret."""

import base64
from datetime import datetime
from typing import Any

from kubeactors.api.fielderrors import FieldError
from kubeactors.api.kinds.kind import AGE_COLUMN, NAME_COLUMN, Column, Kind
from kubeactors.api.kinds.strategy import Strategy
from kubeactors.api.meta import Object
from kubeactors.api.printers.text import age, name
from kubeactors.api.validation.data import secret_errors, secret_update_errors
from kubeactors.api.validation.tls import tls_secret_warnings


class SecretStrategy(Strategy):
    def default(self, obj: Object) -> None:
        if not obj.get("type"):
            obj["type"] = "Opaque"
        texts = obj.pop("stringData", None)
        if texts:
            data = obj.setdefault("data", {})
            for key, text in texts.items():
                data[key] = base64.b64encode(text.encode()).decode()

    def warnings_on_create(self, obj: Object) -> list[str]:
        return tls_secret_warnings(obj)

    def validate(self, obj: Object) -> list[FieldError]:
        return secret_errors(obj)

    def validate_change(self, new: Object, old: Object) -> list[FieldError]:
        return secret_update_errors(new, old)


def _fields(obj: Object) -> dict[str, str]:
    return {"type": obj.get("type") or ""}


def _cells(obj: Object, now: datetime) -> list[Any]:
    return [name(obj), obj.get("type") or "", len(obj.get("data") or ()), age(obj, now)]


KIND = Kind(
    group="",
    version="v1",
    kind="Secret",
    plural="secrets",
    schema="io.k8s.api.core.v1.Secret",
    strategy=SecretStrategy(),
    field_labels=("type",),
    field_values=_fields,
    legacy_field_errors=True,
    columns=(
        NAME_COLUMN,
        Column("Type", doc="Secret.type"),
        Column("Data", doc="Secret.data"),
        AGE_COLUMN,
    ),
    cells=_cells,
)
