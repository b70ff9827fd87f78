"""Validation of roles and bindings. Who may grant what is decided by the API server's guard against escalation."""

from collections.abc import Mapping
from typing import Any, Final

from kubeactors.api.fielderrors import FieldError, invalid, not_supported, required
from kubeactors.api.selectors.labels import SelectorError, from_label_selector
from kubeactors.api.validation.common import label_selector
from kubeactors.api.validation.names import dns1123_subdomain_errors, path_segment_errors

GROUP: Final = "rbac.authorization.k8s.io"
_SUBJECTS: Final = ("ServiceAccount", "User", "Group")


def role_errors(role: Mapping[str, Any], *, namespaced: bool) -> list[FieldError]:
    errors: list[FieldError] = []
    for i, rule in enumerate(role.get("rules") or ()):
        errors += _rule_errors(rule, namespaced, f"rules[{i}]")
    return errors


def cluster_role_errors(role: Mapping[str, Any]) -> list[FieldError]:
    errors = role_errors(role, namespaced=False)
    aggregation = role.get("aggregationRule")
    if aggregation is None:
        return errors
    path = "aggregationRule.clusterRoleSelectors"
    selectors = aggregation.get("clusterRoleSelectors") or []
    if not selectors:
        message = "at least one clusterRoleSelector required if aggregationRule is non-nil"
        errors.append(required(path, message))
    for i, selector in enumerate(selectors):
        found = label_selector(selector, f"{path}[{i}]")
        errors += found
        if found or not _parses(selector):
            errors.append(invalid(f"{path}[{i}]", None, "invalid label selector."))
    return errors


def binding_errors(binding: Mapping[str, Any], *, namespaced: bool) -> list[FieldError]:
    """Of a RoleBinding, or (not namespaced) a ClusterRoleBinding."""
    reference = binding.get("roleRef") or {}
    kinds = ("Role", "ClusterRole") if namespaced else ("ClusterRole",)
    errors: list[FieldError] = []
    if reference.get("apiGroup") != GROUP:
        errors.append(not_supported("roleRef.apiGroup", reference.get("apiGroup") or "", (GROUP,)))
    if reference.get("kind") not in kinds:
        errors.append(not_supported("roleRef.kind", reference.get("kind") or "", kinds))
    name = reference.get("name") or ""
    if not name:
        errors.append(required("roleRef.name"))
    errors += [invalid("roleRef.name", name, m) for m in path_segment_errors(name)]
    for i, subject in enumerate(binding.get("subjects") or ()):
        errors += _subject_errors(subject, namespaced, f"subjects[{i}]")
    return errors


def binding_update_errors(new: Mapping[str, Any], old: Mapping[str, Any], *, namespaced: bool) -> list[FieldError]:
    errors = binding_errors(new, namespaced=namespaced)
    reference = new.get("roleRef") or {}
    if reference != old.get("roleRef"):
        shown = {field: reference.get(field[0].lower() + field[1:]) or "" for field in ("Kind", "Name")}
        shown = {"APIGroup": reference.get("apiGroup") or "", **shown}
        errors.append(invalid("roleRef", shown, "cannot change roleRef"))
    return errors


def _parses(selector: Mapping[str, Any]) -> bool:
    try:
        from_label_selector(selector)
    except SelectorError:
        return False
    return True


def _rule_errors(rule: Mapping[str, Any], namespaced: bool, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    if not rule.get("verbs"):
        errors.append(required(f"{path}.verbs", "verbs must contain at least one value"))
    urls = rule.get("nonResourceURLs")
    if urls:
        where = f"{path}.nonResourceURLs"
        if namespaced:
            errors.append(invalid(where, urls, "namespaced rules cannot apply to non-resource URLs"))
        if rule.get("apiGroups") or rule.get("resources") or rule.get("resourceNames"):
            errors.append(invalid(where, urls, "rules cannot apply to both regular resources and non-resource URLs"))
        return errors
    if not rule.get("apiGroups"):
        errors.append(required(f"{path}.apiGroups", "resource rules must supply at least one api group"))
    if not rule.get("resources"):
        errors.append(required(f"{path}.resources", "resource rules must supply at least one resource"))
    return errors


def _subject_errors(subject: Mapping[str, Any], namespaced: bool, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    kind, name, group = (subject.get(f) or "" for f in ("kind", "name", "apiGroup"))
    if not name:
        errors.append(required(f"{path}.name"))
    if kind == "ServiceAccount":
        if name:
            errors += [invalid(f"{path}.name", name, m) for m in dns1123_subdomain_errors(name)]
        if group:
            errors.append(not_supported(f"{path}.apiGroup", group, ("",)))
        if not namespaced and not subject.get("namespace"):
            errors.append(required(f"{path}.namespace"))
    elif kind in _SUBJECTS:
        if group != GROUP:
            errors.append(not_supported(f"{path}.apiGroup", group, (GROUP,)))
    else:
        errors.append(not_supported(f"{path}.kind", kind, _SUBJECTS))
    return errors
