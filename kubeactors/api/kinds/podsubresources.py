"""What writes to pods/ephemeralcontainers and pods/resize take from the client: that part alone."""

from datetime import datetime
from typing import Any

from kubeactors.api.fielderrors import FieldError
from kubeactors.api.kinds.strategy import Strategy
from kubeactors.api.meta import Object
from kubeactors.api.validation.pod.ephemeral_update import ephemeral_containers_update_errors
from kubeactors.api.validation.pod.resize import pod_resize_errors


class _PartStrategy(Strategy):
    """The rest of the pod, its labels and annotations included, stays as it is."""

    generation_fields = ("spec",)

    def __init__(self, main: Strategy) -> None:
        self._main = main

    def default(self, obj: Object) -> None:
        self._main.default(obj)

    def prepare_for_update(self, new: Object, old: Object, now: datetime) -> None:
        given = new["metadata"]
        spec = self.spec(new.get("spec") or {}, old["spec"])
        new.clear()
        new.update(old)
        named = {f: given[f] for f in ("name", "namespace", "uid", "resourceVersion") if given.get(f)}
        new["metadata"] = {**old["metadata"], **named}
        new["spec"] = spec
        self.bump_generation(new, old)

    def spec(self, wanted: dict[str, Any], old: dict[str, Any]) -> dict[str, Any]:
        """The old spec with the part that this subresource is about as it is wanted."""
        raise NotImplementedError


class EphemeralContainersStrategy(_PartStrategy):
    @property
    def own_fields(self) -> tuple[tuple[str, ...], ...]:
        return (("spec", "ephemeralContainers"),)

    def spec(self, wanted: dict[str, Any], old: dict[str, Any]) -> dict[str, Any]:
        made = {k: v for k, v in old.items() if k != "ephemeralContainers"}
        if wanted.get("ephemeralContainers"):
            made["ephemeralContainers"] = wanted["ephemeralContainers"]
        return made

    def validate_change(self, new: Object, old: Object) -> list[FieldError]:
        return ephemeral_containers_update_errors(new, old)


class ResizeStrategy(_PartStrategy):
    @property
    def own_fields(self) -> tuple[tuple[str, ...], ...]:
        lists, parts = ("containers", "initContainers"), ("resources", "resizePolicy")
        return tuple(("spec", each, "*", part) for each in lists for part in parts)

    def spec(self, wanted: dict[str, Any], old: dict[str, Any]) -> dict[str, Any]:
        made = dict(old)
        for field in ("containers", "initContainers"):
            if old.get(field):
                by_name = {c.get("name"): c for c in wanted.get(field) or ()}
                made[field] = [_resized(c, by_name.get(c.get("name"))) for c in old[field]]
        made.pop("resources", None)
        if "resources" in wanted:
            made["resources"] = wanted["resources"]
        return made

    def validate_change(self, new: Object, old: Object) -> list[FieldError]:
        return pod_resize_errors(new, old)


def _resized(container: dict[str, Any], wanted: dict[str, Any] | None) -> dict[str, Any]:
    if wanted is None:
        return container
    made = dict(container)
    for field in ("resources", "resizePolicy"):
        made.pop(field, None)
        if field in wanted:
            made[field] = wanted[field]
    return made
