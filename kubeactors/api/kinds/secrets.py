"""Secret."""

import base64

from kubeactors.api.kinds.kind import Kind
from kubeactors.api.kinds.strategy import Strategy
from kubeactors.api.meta import Object


class SecretStrategy(Strategy):
    def default(self, obj: Object) -> None:
        if not obj.get("type"):
            obj["type"] = "Opaque"
        texts = obj.pop("stringData", None)
        if texts:
            data = obj.setdefault("data", {})
            for key, text in texts.items():
                data[key] = base64.b64encode(text.encode()).decode()


def _fields(obj: Object) -> dict[str, str]:
    return {"type": obj.get("type") or ""}


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
)
