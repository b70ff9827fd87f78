"""ServiceAccount."""

from datetime import datetime
from typing import Any

from kubeactors.api.kinds.kind import AGE_COLUMN, NAME_COLUMN, Kind, Subresource
from kubeactors.api.kinds.strategy import Strategy
from kubeactors.api.meta import Object, annotations
from kubeactors.api.printers.text import age, name

_ENFORCED = "kubernetes.io/enforce-mountable-secrets"


class ServiceAccountStrategy(Strategy):
    def prepare_for_create(self, obj: Object, now: datetime) -> None:
        super().prepare_for_create(obj, now)
        _only_names(obj)

    def prepare_for_update(self, new: Object, old: Object, now: datetime) -> None:
        super().prepare_for_update(new, old, now)
        _only_names(new)

    def warnings_on_create(self, obj: Object) -> list[str]:
        if _ENFORCED not in annotations(obj):
            return []
        advice = "deprecated in v1.32+; prefer separate namespaces to isolate access to mounted secrets"
        return [f"metadata.annotations[{_ENFORCED}]: {advice}"]

    def warnings_on_update(self, new: Object, old: Object) -> list[str]:
        return [] if _ENFORCED in annotations(old) else self.warnings_on_create(new)


def _only_names(obj: Object) -> None:
    """Of the secrets that an account names nothing but the name is kept."""
    for i, secret in enumerate(obj.get("secrets") or ()):
        obj["secrets"][i] = {"name": secret["name"]} if secret.get("name") else {}


def _cells(obj: Object, now: datetime) -> list[Any]:
    return [name(obj), age(obj, now)]


KIND = Kind(
    group="",
    version="v1",
    kind="ServiceAccount",
    plural="serviceaccounts",
    short_names=("sa",),
    schema="io.k8s.api.core.v1.ServiceAccount",
    strategy=ServiceAccountStrategy(),
    subresources=(
        Subresource(
            "token",
            ("create",),
            kind="TokenRequest",
            group="authentication.k8s.io",
            version="v1",
            schema="io.k8s.api.authentication.v1.TokenRequest",
        ),
    ),
    columns=(
        NAME_COLUMN,
        AGE_COLUMN,
    ),
    cells=_cells,
)
