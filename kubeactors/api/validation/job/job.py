"""Validation of whole jobs: the selector that the server makes, and what updates may change."""

from collections.abc import Mapping
from typing import Any, Final

from kubeactors.api.fielderrors import FieldError, invalid, required
from kubeactors.api.go_order import LABEL_SELECTOR, map_shown, selector_shown
from kubeactors.api.meta import Object, is_condition_true
from kubeactors.api.selectors.labels import SelectorError, from_label_selector
from kubeactors.api.validation.common import immutable, label_selector
from kubeactors.api.validation.job.spec import INDEXED, job_spec_errors
from kubeactors.api.validation.names import dns1123_label_errors
from kubeactors.api.validation.workload import NO_MATCH

CONTROLLER_UID_LABELS: Final = ("controller-uid", "batch.kubernetes.io/controller-uid")
JOB_NAME_LABELS: Final = ("job-name", "batch.kubernetes.io/job-name")

_TEMPLATE: Final = "io.k8s.api.core.v1.PodTemplateSpec"
_FROZEN: Final = {
    "completionMode": "",
    "podFailurePolicy": "io.k8s.api.batch.v1.PodFailurePolicy",
    "backoffLimitPerIndex": "",
    "managedBy": "",
    "successPolicy": "io.k8s.api.batch.v1.SuccessPolicy",
}
_CONTAINERS: Final = ("containers", "initContainers")


def job_errors(job: Mapping[str, Any]) -> list[FieldError]:
    """Of a job with its server-made selector, besides the metadata."""
    spec = job.get("spec") or {}
    errors = _generated_selector_errors(job) + _selected_spec_errors(spec)
    completions = spec.get("completions") or 0
    if spec.get("completionMode") == INDEXED and completions > 0:
        # Pods of such a job have their index in their host name.
        name = job["metadata"].get("name") or ""
        host = f"{name}-{completions - 1}"
        if dns1123_label_errors(host):
            message = f"will not able to create pod with invalid DNS label: {host}"
            errors.append(invalid("metadata.name", name, message))
    return errors


def job_update_errors(new: Object, old: Object) -> list[FieldError]:
    spec, before = new.get("spec") or {}, old.get("spec") or {}
    # Kubernetes validates the whole object once for itself and once as an update.
    errors = job_errors(new) + _selected_spec_errors(spec)
    errors += _completions_errors(spec, before)
    errors += immutable(spec.get("selector"), before.get("selector"), "spec.selector", LABEL_SELECTOR)
    template = spec.get("template") or {}
    errors += immutable(template, _comparable_template(template, old), "spec.template", _TEMPLATE)
    for field, schema in _FROZEN.items():
        errors += immutable(spec.get(field), before.get(field), f"spec.{field}", schema)
    return errors


def _selected_spec_errors(spec: Mapping[str, Any]) -> list[FieldError]:
    errors = job_spec_errors(spec, "spec")
    selector = spec.get("selector")
    if selector is None:
        errors.append(required("spec.selector"))
    else:
        errors += label_selector(selector, "spec.selector")
    labels = ((spec.get("template") or {}).get("metadata") or {}).get("labels")
    try:
        if not from_label_selector(selector).matches(labels):
            errors.append(invalid("spec.template.metadata.labels", map_shown(labels), NO_MATCH))
    except SelectorError:
        pass  # told above
    return errors


def _generated_selector_errors(job: Mapping[str, Any]) -> list[FieldError]:
    """Of a job without a selector of the client's: its pods bear its uid and name, and are found by them."""
    spec, metadata = job.get("spec") or {}, job["metadata"]
    selector = spec.get("selector")
    if spec.get("manualSelector") or selector is None:
        return []
    uid, name = metadata.get("uid") or "", metadata.get("name") or ""
    errors = [] if uid else [required("metadata.uid")]
    labels = ((spec.get("template") or {}).get("metadata") or {}).get("labels") or {}
    # The labels with and without a domain, as Kubernetes orders them.
    expected: dict[str, str] = {}
    for uid_label, name_label in zip(CONTROLLER_UID_LABELS, JOB_NAME_LABELS, strict=True):
        expected |= {uid_label: uid, name_label: name}
    for label, value in expected.items():
        path = f"spec.template.metadata.labels[{label}]"
        if label not in labels:
            errors.append(required(path, f"must be '{value}'"))
        elif labels[label] != value:
            errors.append(invalid(path, map_shown(labels), f"must be '{value}'"))
    try:
        if not from_label_selector(selector).matches(expected):
            errors.append(invalid("spec.selector", selector_shown(selector), "`selector` not auto-generated"))
    except SelectorError:
        pass  # told with the rest of the spec
    return errors


def _completions_errors(spec: Mapping[str, Any], before: Mapping[str, Any]) -> list[FieldError]:
    """Completions are frozen, but those of an Indexed job follow its parallelism (KEP-3715)."""
    completions = spec.get("completions")
    if spec.get("completionMode") != INDEXED:
        return immutable(completions, before.get("completions"), "spec.completions")
    if completions == before.get("completions") or completions is None or completions == spec.get("parallelism"):
        return []
    return [invalid("spec.completions", completions, "can only be modified in tandem with spec.parallelism")]


def _comparable_template(template: Mapping[str, Any], old: Object) -> Mapping[str, Any]:
    """The old template with what may change taken from the new one.

    While a job is suspended and has no pods, its pods' scheduling (KEP-2926) and resources (KEP-5440) may change.
    """
    before: Mapping[str, Any] = (old.get("spec") or {}).get("template") or {}
    status = old.get("status") or {}
    suspended = bool((old.get("spec") or {}).get("suspend"))
    idle = is_condition_true(old, "Suspended") and not status.get("active")
    if not suspended or not (idle or status.get("startTime") is None):
        return before
    pod, old_pod = template.get("spec") or {}, dict(before.get("spec") or {})
    for field in ("nodeSelector", "tolerations", "schedulingGates"):
        _take(old_pod, pod, field)
    _take_node_affinity(old_pod, pod)
    for field in _CONTAINERS:
        if field in old_pod:
            old_pod[field] = _with_resources(old_pod[field], pod.get(field) or [])
    metadata = dict(before.get("metadata") or {})
    for field in ("labels", "annotations"):
        _take(metadata, template.get("metadata") or {}, field)
    return {**before, "metadata": metadata, "spec": old_pod}


def _take(old: dict[str, Any], new: Mapping[str, Any], field: str) -> None:
    if field in new:
        old[field] = new[field]
    else:
        old.pop(field, None)


def _take_node_affinity(old: dict[str, Any], new: Mapping[str, Any]) -> None:
    affinity = dict(old.get("affinity") or {})
    _take(affinity, new.get("affinity") or {}, "nodeAffinity")
    if affinity or "affinity" in new:
        old["affinity"] = affinity
    else:
        old.pop("affinity", None)


def _with_resources(old: list[dict[str, Any]], new: list[dict[str, Any]]) -> list[dict[str, Any]]:
    if [c.get("name") for c in old] != [c.get("name") for c in new]:
        return old
    return [{**before, "resources": after.get("resources")} for before, after in zip(old, new, strict=True)]
