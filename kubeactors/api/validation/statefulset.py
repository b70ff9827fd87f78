"""Validation of stateful sets, in the order of Kubernetes' ValidateStatefulSetSpec."""

from collections.abc import Mapping
from typing import Any, Final

from kubeactors.api.choices import POD_MANAGEMENT_POLICIES
from kubeactors.api.fielderrors import FieldError, forbidden, invalid, not_supported, required
from kubeactors.api.go_order import map_shown, selector_shown
from kubeactors.api.internal_form import internal_form
from kubeactors.api.selectors.labels import SelectorError, from_label_selector
from kubeactors.api.validation.common import (
    collision_count_errors,
    dns1123_label,
    int_or_percent_number,
    label_selector,
    not_more_than_100_percent,
    not_negative,
    positive_int_or_percent,
)
from kubeactors.api.validation.metadata import annotation_errors, label_errors
from kubeactors.api.validation.persistent_volume_claim import claim_spec_errors
from kubeactors.api.validation.pod import pod_template_errors
from kubeactors.api.validation.workload import NO_MATCH, always_restarted_errors

_MUTABLE: Final = (
    "replicas",
    "ordinals",
    "template",
    "updateStrategy",
    "revisionHistoryLimit",
    "persistentVolumeClaimRetentionPolicy",
    "minReadySeconds",
)
_FROZEN: Final = (
    "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', "
    "'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden"
)
_RETENTIONS: Final = ("Retain", "Delete")
_COUNTS: Final = (
    "replicas",
    "readyReplicas",
    "currentReplicas",
    "updatedReplicas",
    "availableReplicas",
    "observedGeneration",
    "collisionCount",
)


def stateful_set_errors(obj: Mapping[str, Any]) -> list[FieldError]:
    """Of one that is to be created, besides its metadata."""
    errors = _spec_errors(obj)
    spec = obj.get("spec") or {}
    if spec.get("serviceName"):
        errors += dns1123_label(spec["serviceName"], "spec.serviceName")
    for i, claim in enumerate(spec.get("volumeClaimTemplates") or ()):
        errors += claim_spec_errors(claim.get("spec") or {}, f"spec.volumeClaimTemplates[{i}].spec")
    return errors


def stateful_set_update_errors(new: Mapping[str, Any], old: Mapping[str, Any]) -> list[FieldError]:
    errors = _spec_errors(new)
    kept = [{k: v for k, v in (o.get("spec") or {}).items() if k not in _MUTABLE} for o in (new, old)]
    if kept[0] != kept[1]:
        errors.append(forbidden("spec", _FROZEN))
    return errors


def stateful_set_status_errors(new: Mapping[str, Any], old: Mapping[str, Any]) -> list[FieldError]:
    """Of a write to the status."""
    status = new.get("status") or {}
    errors: list[FieldError] = []
    for field in _COUNTS:
        errors += not_negative(status.get(field) or 0, f"status.{field}")
    total = status.get("replicas") or 0
    for field in ("readyReplicas", "currentReplicas", "updatedReplicas", "availableReplicas"):
        count = status.get(field) or 0
        if count > total:
            errors.append(invalid(f"status.{field}", count, "cannot be greater than status.replicas"))
    available = status.get("availableReplicas") or 0
    if available > (status.get("readyReplicas") or 0):
        errors.append(invalid("status.availableReplicas", available, "cannot be greater than status.readyReplicas"))
    return errors + collision_count_errors(new, old)


def _spec_errors(obj: Mapping[str, Any]) -> list[FieldError]:
    spec = obj.get("spec") or {}
    path = "spec"
    errors: list[FieldError] = []
    management = spec.get("podManagementPolicy") or ""
    if management not in POD_MANAGEMENT_POLICIES:
        errors.append(invalid(f"{path}.podManagementPolicy", management, "must be 'OrderedReady' or 'Parallel'"))
    errors += _strategy_errors(spec.get("updateStrategy") or {}, f"{path}.updateStrategy")
    retention = spec.get("persistentVolumeClaimRetentionPolicy") or {}
    for field, policy in retention.items():
        if policy not in _RETENTIONS:
            errors.append(not_supported(f"{path}.persistentVolumeClaimRetentionPolicy.{field}", policy, _RETENTIONS))
    errors += not_negative(spec.get("replicas") or 0, f"{path}.replicas")
    errors += not_negative(spec.get("minReadySeconds") or 0, f"{path}.minReadySeconds")
    if spec.get("ordinals") is not None:
        errors += not_negative(spec["ordinals"].get("start") or 0, f"{path}.ordinals.start")
    errors += _selected_template_errors(spec, path)
    template = spec.get("template") or {}
    errors += always_restarted_errors(template, f"{path}.template")
    if (template.get("spec") or {}).get("activeDeadlineSeconds") is not None:
        message = "activeDeadlineSeconds in StatefulSet is not Supported"
        errors.append(forbidden(f"{path}.template.spec.activeDeadlineSeconds", message))
    return errors


def _strategy_errors(strategy: Mapping[str, Any], path: str) -> list[FieldError]:
    kind, rolling = strategy.get("type") or "", strategy.get("rollingUpdate")
    if kind == "OnDelete":
        if rolling is None:
            return []
        shown = internal_form(rolling, "io.k8s.api.apps.v1.RollingUpdateStatefulSetStrategy")
        return [invalid(f"{path}.rollingUpdate", shown, "only allowed for updateStrategy 'RollingUpdate'")]
    if kind != "RollingUpdate":
        shown = internal_form(strategy, "io.k8s.api.apps.v1.StatefulSetUpdateStrategy")
        return [invalid(path, shown, "must be 'RollingUpdate' or 'OnDelete'")]
    if rolling is None:
        return []
    errors = not_negative(rolling.get("partition") or 0, f"{path}.rollingUpdate.partition")
    unavailable = rolling.get("maxUnavailable")
    if unavailable is not None:
        at = f"{path}.rollingUpdate.maxUnavailable"
        errors += positive_int_or_percent(unavailable, at)
        if int_or_percent_number(unavailable) == 0:
            errors.append(invalid(at, unavailable, "cannot be 0"))
        errors += not_more_than_100_percent(unavailable, at)
    return errors


def _selected_template_errors(spec: Mapping[str, Any], path: str) -> list[FieldError]:
    selector, template = spec.get("selector"), spec.get("template") or {}
    errors: list[FieldError] = []
    if selector is None:
        errors.append(required(f"{path}.selector"))
    else:
        errors += label_selector(selector, f"{path}.selector")
        if not selector.get("matchLabels") and not selector.get("matchExpressions"):
            message = "empty selector is invalid for statefulset"
            errors.append(invalid(f"{path}.selector", selector_shown(selector), message))
    try:
        parsed = from_label_selector(selector)
    except SelectorError:
        return [*errors, invalid(f"{path}.selector", selector_shown(selector or {}), "")]
    meta = template.get("metadata") or {}
    labels = meta.get("labels")
    if not parsed.empty and not parsed.matches(labels):
        errors.append(invalid(f"{path}.template.metadata.labels", map_shown(labels), NO_MATCH))
    # The template's metadata is checked for the set and once more with the rest of the template.
    errors += label_errors(labels, f"{path}.template.labels")
    errors += annotation_errors(meta.get("annotations"), f"{path}.template.annotations")
    return errors + pod_template_errors(_with_claims(template, spec), f"{path}.template")


def _with_claims(template: Mapping[str, Any], spec: Mapping[str, Any]) -> Mapping[str, Any]:
    """The template as pods get it: each claim template is a volume, in place of one with its name."""
    claims = [(c.get("metadata") or {}).get("name") or "" for c in spec.get("volumeClaimTemplates") or ()]
    if not claims:
        return template
    pod = template.get("spec") or {}
    volumes = [v for v in pod.get("volumes") or () if v.get("name") not in claims]
    volumes += [{"name": name, "persistentVolumeClaim": {"claimName": name}} for name in claims]
    return {**template, "spec": {**pod, "volumes": volumes}}
