"""What an update may change of a pod: images, deadlines, tolerations, scheduling gates, and little else."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from kubeactors.api.fielderrors import FieldError, forbidden, invalid, required
from kubeactors.api.internal_form import internal_form
from kubeactors.api.validation.common import MAX_INT32, range_message
from kubeactors.api.validation.pod.annotations import pod_annotation_errors, pod_annotation_update_errors
from kubeactors.api.validation.pod.container import image_whitespace_errors
from kubeactors.api.validation.pod.pod import pod_kept_errors
from kubeactors.api.validation.pod.scheduling import tolerations_errors
from kubeactors.api.validation.pod.update_diff import spec_difference

_ONLY: Final = (
    "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,"
    "`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),"
    "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"
)
_REQUIRED: Final = "requiredDuringSchedulingIgnoredDuringExecution"
_TERM: Final = "io.k8s.api.core.v1.NodeSelectorTerm"
_SELECTOR: Final = "only additions to spec.nodeSelector are allowed (no mutations or deletions)"
_TOLERATIONS: Final = "existing toleration can not be modified except its tolerationSeconds"


def pod_update_errors(new: Mapping[str, Any], old: Mapping[str, Any]) -> list[FieldError]:
    """Of an update of the main resource, besides the metadata."""
    new_spec, old_spec = new.get("spec") or {}, old.get("spec") or {}
    errors = pod_kept_errors(new)
    annotations, before = ((o.get("metadata") or {}).get("annotations") or {} for o in (new, old))
    errors += pod_annotation_update_errors(annotations, before, "metadata.annotations")
    errors += pod_annotation_errors(annotations, new_spec, "metadata.annotations")
    for name in ("containers", "initContainers"):
        stop = len(new_spec.get(name) or ()) != len(old_spec.get(name) or ())
        if stop:
            errors.append(forbidden(f"spec.{name}", "pod updates may not add or remove containers"))
            return errors
        errors += _image_errors(new_spec.get(name) or (), f"spec.{name}")
    deadline = _deadline_errors(new_spec, old_spec)
    if deadline and new_spec.get("activeDeadlineSeconds") is not None:
        return errors + deadline
    errors += deadline
    errors += _toleration_errors(new_spec, old_spec)
    errors += _gate_errors(new_spec, old_spec)
    if old_spec.get("schedulingGates"):
        errors += _placement_errors(new_spec, old_spec)
    if _frozen(new_spec, old_spec) != _frozen(old_spec, old_spec):
        errors.append(forbidden("spec", f"{_ONLY}\n{spec_difference(old_spec, new_spec)}"))
    return errors


def _image_errors(containers: Sequence[Mapping[str, Any]], path: str) -> list[FieldError]:
    errors = [required(f"{path}[{i}].image") for i, c in enumerate(containers) if not c.get("image")]
    return errors + image_whitespace_errors(containers, path)


def _deadline_errors(new: Mapping[str, Any], old: Mapping[str, Any]) -> list[FieldError]:
    path = "spec.activeDeadlineSeconds"
    value, before = new.get("activeDeadlineSeconds"), old.get("activeDeadlineSeconds")
    if value is not None:
        if not 0 <= value <= MAX_INT32:
            return [invalid(path, value, range_message(0, MAX_INT32))]
        if before is not None and value > before:
            return [invalid(path, value, "must be less than or equal to previous value")]
    elif before is not None:
        return [invalid(path, None, "must not update from a positive integer to nil value")]
    return []


def _toleration_errors(new: Mapping[str, Any], old: Mapping[str, Any]) -> list[FieldError]:
    wanted, existing = new.get("tolerations") or [], old.get("tolerations") or []
    remaining = [_without_seconds(t) for t in wanted]
    if any(_without_seconds(t) not in remaining for t in existing):
        return [forbidden("spec.tolerations", _TOLERATIONS)]
    return tolerations_errors(wanted, "spec.tolerations")


def _without_seconds(toleration: Mapping[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in toleration.items() if k != "tolerationSeconds"}


def _gate_errors(new: Mapping[str, Any], old: Mapping[str, Any]) -> list[FieldError]:
    before = {g.get("name") or "" for g in old.get("schedulingGates") or ()}
    places = {g.get("name") or "": i for i, g in enumerate(new.get("schedulingGates") or ())}
    return [
        forbidden(
            f"spec.schedulingGates[{i}].name", f"only deletion is allowed, but found new scheduling gate '{name}'"
        )
        for name, i in places.items()
        if name not in before
    ]


def _placement_errors(new: Mapping[str, Any], old: Mapping[str, Any]) -> list[FieldError]:
    """Of a gated pod, which may only be bound to less (KEP-3838)."""
    selector, before = new.get("nodeSelector") or {}, old.get("nodeSelector") or {}
    errors: list[FieldError] = []
    if any(selector.get(key) != value for key, value in before.items()):
        errors.append(invalid("spec.nodeSelector", dict(sorted(selector.items())) or None, _SELECTOR))
    terms, old_terms = _required_terms(new), _required_terms(old)
    path = f"spec.affinity.nodeAffinity.{_REQUIRED}.nodeSelectorTerms"
    if not old_terms:
        return errors
    if len(terms) != len(old_terms):
        message = "no additions/deletions to non-empty NodeSelectorTerms list are allowed"
        return [*errors, invalid(path, internal_form(terms, f"[{_TERM}") or None, message)]
    message = "only additions are allowed (no mutations or deletions)"
    return errors + [
        invalid(f"{path}[{i}]", internal_form(term, _TERM), message)
        for i, (term, was) in enumerate(zip(terms, old_terms, strict=True))
        if not _only_adds(term, was)
    ]


def _required_terms(spec: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    affinity = (spec.get("affinity") or {}).get("nodeAffinity") or {}
    terms: Sequence[Mapping[str, Any]] = (affinity.get(_REQUIRED) or {}).get("nodeSelectorTerms") or []
    return terms


def _only_adds(term: Mapping[str, Any], was: Mapping[str, Any]) -> bool:
    """Whether each list of requirements begins with those that were; a term that matched nothing stays so."""
    lists = [(term.get(f) or [], was.get(f) or []) for f in ("matchExpressions", "matchFields")]
    if not any(before for _, before in lists):
        return not any(now for now, _ in lists)
    return all(now[: len(before)] == before for now, before in lists)


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
        kept.pop("nodeSelector", None)
        affinity = {k: v for k, v in (kept.pop("affinity", None) or {}).items() if k != "nodeAffinity"}
        if affinity:
            kept["affinity"] = affinity
    if spec.get("ephemeralContainers") != old.get("ephemeralContainers"):
        kept["ephemeralContainers"] = spec.get("ephemeralContainers")
    return kept
