"""What an update may change of a pod: images, deadlines, tolerations, scheduling gates, and little else."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from kubeactors.api.fielderrors import FieldError, forbidden, invalid, required
from kubeactors.api.validation.pod.container import image_whitespace_errors
from kubeactors.api.validation.pod.scheduling import tolerations_errors
from kubeactors.api.validation.pod.update_diff import spec_difference

_ONLY: Final = (
    "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,"
    "`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),"
    "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"
)
_TOLERATIONS: Final = "existing toleration can not be modified except its tolerationSeconds"


def pod_update_errors(new: Mapping[str, Any], old: Mapping[str, Any]) -> list[FieldError]:
    """Of an update of the main resource, besides the metadata."""
    new_spec, old_spec = new.get("spec") or {}, old.get("spec") or {}
    errors: list[FieldError] = []
    for name in ("containers", "initContainers"):
        stop = len(new_spec.get(name) or ()) != len(old_spec.get(name) or ())
        if stop:
            errors.append(forbidden(f"spec.{name}", "pod updates may not add or remove containers"))
            return errors
        errors += _image_errors(new_spec.get(name) or (), f"spec.{name}")
    errors += _deadline_errors(new_spec, old_spec)
    errors += _toleration_errors(new_spec, old_spec)
    errors += _gate_errors(new_spec, old_spec)
    if _frozen(new_spec, old_spec) != _frozen(old_spec, old_spec):
        errors.append(forbidden("spec", f"{_ONLY}\n{spec_difference(old_spec, new_spec)}"))
    return errors


def _image_errors(containers: Sequence[Mapping[str, Any]], path: str) -> list[FieldError]:
    errors = [required(f"{path}[{i}].image") for i, c in enumerate(containers) if not c.get("image")]
    # Both the update and the pod-only checks look at images.
    return [*errors, *errors, *image_whitespace_errors(containers, path)]


def _deadline_errors(new: Mapping[str, Any], old: Mapping[str, Any]) -> list[FieldError]:
    path = "spec.activeDeadlineSeconds"
    value, before = new.get("activeDeadlineSeconds"), old.get("activeDeadlineSeconds")
    if value is not None:
        if not 0 < value <= 2**31 - 1:
            return [invalid(path, value, "must be between 1 and 2147483647, inclusive")]
        if before is not None and value > before:
            return [invalid(path, value, "must be less than or equal to previous value")]
    elif before is not None:
        return [invalid(path, None, "must not update from a positive integer to nil value")]
    return []


def _toleration_errors(new: Mapping[str, Any], old: Mapping[str, Any]) -> list[FieldError]:
    wanted, existing = new.get("tolerations") or [], old.get("tolerations") or []
    if wanted == existing:
        return []
    errors = []
    remaining = [_without_seconds(t) for t in wanted]
    if any(_without_seconds(t) not in remaining for t in existing):
        errors.append(forbidden("spec.tolerations", _TOLERATIONS))
    return errors + tolerations_errors(wanted, "spec.tolerations")


def _without_seconds(toleration: Mapping[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in toleration.items() if k != "tolerationSeconds"}


def _gate_errors(new: Mapping[str, Any], old: Mapping[str, Any]) -> list[FieldError]:
    before = {g.get("name") for g in old.get("schedulingGates") or ()}
    added = sorted({g.get("name") or "" for g in new.get("schedulingGates") or ()} - before)
    if not added:
        return []
    message = f"only deletion is allowed, but found new scheduling gates '{', '.join(added)}'"
    return [forbidden("spec.schedulingGates", message)]


def _frozen(spec: Mapping[str, Any], old: Mapping[str, Any]) -> dict[str, Any]:
    """A spec without what may change, so that two can be compared."""
    kept = {
        k: v
        for k, v in spec.items()
        if k not in ("activeDeadlineSeconds", "tolerations", "schedulingGates", "ephemeralContainers")
    }
    for name in ("containers", "initContainers"):
        if spec.get(name):
            kept[name] = [{k: v for k, v in c.items() if k != "image"} for c in spec[name]]
    if (old.get("terminationGracePeriodSeconds") or 0) < 0 and spec.get("terminationGracePeriodSeconds") == 1:
        kept["terminationGracePeriodSeconds"] = old["terminationGracePeriodSeconds"]
    if old.get("schedulingGates"):
        # A gated pod's node selection may still be narrowed (KEP-3838); admission of that is the scheduler's.
        for name in ("nodeSelector", "affinity"):
            kept.pop(name, None)
    if spec.get("ephemeralContainers") != old.get("ephemeralContainers"):
        kept["ephemeralContainers"] = spec.get("ephemeralContainers")
    return kept
