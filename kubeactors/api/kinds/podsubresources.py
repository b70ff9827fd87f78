"""What writes to pods/ephemeralcontainers and pods/resize take from the client: that part alone."""

from datetime import datetime
from typing import Any

from kubeactors.api.fielderrors import FieldError
from kubeactors.api.kinds.strategy import Strategy, keep_server_owned_metadata, reset_metadata, take_over
from kubeactors.api.meta import Object
from kubeactors.api.validation.pod.ephemeral_update import ephemeral_containers_update_errors
from kubeactors.api.validation.pod.resize import pod_resize_errors

_RESIZED = ("resources", "resizePolicy")


class _PartStrategy(Strategy):
    """The rest of the pod, its labels and annotations included, stays as it is."""

    generation_fields = ("spec",)

    def __init__(self, main: Strategy) -> None:
        self._main = main

    def default(self, obj: Object) -> None:
        self._main.default(obj)

    def prepare_for_update(self, new: Object, old: Object, now: datetime) -> None:
        keep_server_owned_metadata(new, old)
        reset_metadata(new, old)
        new["spec"] = self.spec(new.get("spec") or {}, old["spec"])
        take_over(new, old, "status")
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
        lists = ("containers", "initContainers")
        return tuple(("spec", each, "*", part) for each in lists for part in _RESIZED)

    def spec(self, wanted: dict[str, Any], old: dict[str, Any]) -> dict[str, Any]:
        lists = ("containers", "initContainers")
        if any(len(wanted.get(field) or ()) != len(old.get(field) or ()) for field in lists):
            return wanted  # for validation to refuse
        made = dict(old)
        for field in lists:
            if old.get(field):
                made[field] = _resized(wanted[field], old[field])
        made.pop("resources", None)
        if "resources" in wanted:
            made["resources"] = wanted["resources"]
        return made

    def validate_change(self, new: Object, old: Object) -> list[FieldError]:
        return pod_resize_errors(new, old)


def _resized(wanted: list[dict[str, Any]], old: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The old containers with the new ones' resources; the new ones as they are where names differ, to be refused."""
    if [c.get("name") for c in wanted] != [c.get("name") for c in old]:
        return wanted
    made = []
    for container, before in zip(wanted, old, strict=True):
        kept = {name: value for name, value in before.items() if name not in _RESIZED}
        made.append({**kept, **{name: container[name] for name in _RESIZED if name in container}})
    return made
