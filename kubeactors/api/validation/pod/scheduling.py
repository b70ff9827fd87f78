"""Validation of what constrains where a pod runs: affinity, tolerations, spread."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from kubeactors.api.choices import NODE_INCLUSION_POLICIES, TAINT_EFFECTS, UNSATISFIABLE_CONSTRAINT_ACTIONS
from kubeactors.api.fielderrors import FieldError, duplicate, forbidden, invalid, not_supported, required
from kubeactors.api.validation.common import dns1123_label, label_selector, qualified_name
from kubeactors.api.validation.names import dns1123_subdomain_errors, label_value_errors

_REQUIRED: Final = "requiredDuringSchedulingIgnoredDuringExecution"
_PREFERRED: Final = "preferredDuringSchedulingIgnoredDuringExecution"
_KEY_EMPTY: Final = 'operator must be Exists when `key` is empty, which means "match all values and all keys"'


def affinity_errors(affinity: Mapping[str, Any], path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    if affinity.get("nodeAffinity") is not None:
        errors += _node_affinity_errors(affinity["nodeAffinity"], f"{path}.nodeAffinity")
    for field in ("podAffinity", "podAntiAffinity"):
        if affinity.get(field) is not None:
            errors += _pod_affinity_errors(affinity[field], f"{path}.{field}")
    return errors


def _node_affinity_errors(affinity: Mapping[str, Any], path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    if affinity.get(_REQUIRED) is not None:
        errors += node_selector_errors(affinity[_REQUIRED], f"{path}.{_REQUIRED}")
    for i, term in enumerate(affinity.get(_PREFERRED) or ()):
        at = f"{path}.{_PREFERRED}[{i}]"
        errors += _weight_errors(term, at)
        # Values that no label can have were always taken here: they hurt nothing.
        errors += _node_term_errors(term.get("preference") or {}, f"{at}.preference", check_values=False)
    return errors


def node_selector_errors(selector: Mapping[str, Any], path: str) -> list[FieldError]:
    """Of a NodeSelector: node affinity, and volumes' node affinity."""
    terms = selector.get("nodeSelectorTerms") or []
    if not terms:
        return [required(f"{path}.nodeSelectorTerms", "must have at least one node selector term")]
    errors: list[FieldError] = []
    for i, term in enumerate(terms):
        errors += _node_term_errors(term, f"{path}.nodeSelectorTerms[{i}]")
    return errors


def _node_term_errors(term: Mapping[str, Any], path: str, *, check_values: bool = True) -> list[FieldError]:
    errors: list[FieldError] = []
    for i, requirement in enumerate(term.get("matchExpressions") or ()):
        errors += _node_requirement_errors(requirement, f"{path}.matchExpressions[{i}]", check_values)
    for i, requirement in enumerate(term.get("matchFields") or ()):
        errors += _node_field_errors(requirement, f"{path}.matchFields[{i}]")
    return errors


def _node_requirement_errors(requirement: Mapping[str, Any], path: str, check_values: bool) -> list[FieldError]:
    errors: list[FieldError] = []
    operator, values = requirement.get("operator") or "", requirement.get("values") or []
    if operator in ("In", "NotIn"):
        if not values:
            errors.append(required(f"{path}.values", "must be specified when `operator` is 'In' or 'NotIn'"))
    elif operator in ("Exists", "DoesNotExist"):
        if values:
            message = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
            errors.append(forbidden(f"{path}.values", message))
    elif operator in ("Gt", "Lt"):
        if len(values) != 1:
            message = "must be specified single value when `operator` is 'Lt' or 'Gt'"
            errors.append(required(f"{path}.values", message))
    else:
        errors.append(invalid(f"{path}.operator", operator, "not a valid selector operator"))
    errors += qualified_name(requirement.get("key") or "", f"{path}.key")
    for i, value in enumerate(values if check_values else ()):
        errors += [invalid(f"{path}.values[{i}]", value, m) for m in label_value_errors(value)]
    return errors


def _node_field_errors(requirement: Mapping[str, Any], path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    operator, values = requirement.get("operator") or "", requirement.get("values") or []
    if operator in ("In", "NotIn"):
        if len(values) != 1:
            message = "must be only one value when `operator` is 'In' or 'NotIn' for node field selector"
            errors.append(required(f"{path}.values", message))
    else:
        errors.append(invalid(f"{path}.operator", operator, "not a valid selector operator"))
    key = requirement.get("key") or ""
    if key != "metadata.name":
        errors.append(invalid(f"{path}.key", key, "not a valid field selector key"))
    else:
        for i, value in enumerate(values):
            errors += [invalid(f"{path}.values[{i}]", value, m) for m in dns1123_subdomain_errors(value)]
    return errors


def _weight_errors(term: Mapping[str, Any], path: str) -> list[FieldError]:
    weight = term.get("weight") or 0
    return [] if 0 < weight <= 100 else [invalid(f"{path}.weight", weight, "must be in the range 1-100")]


def _pod_affinity_errors(affinity: Mapping[str, Any], path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    for i, term in enumerate(affinity.get(_REQUIRED) or ()):
        errors += _pod_term_errors(term, f"{path}.{_REQUIRED}[{i}]")
    for i, weighted in enumerate(affinity.get(_PREFERRED) or ()):
        at = f"{path}.{_PREFERRED}[{i}]"
        errors += _weight_errors(weighted, at)
        errors += _pod_term_errors(weighted.get("podAffinityTerm") or {}, f"{at}.podAffinityTerm")
    return errors


def _pod_term_errors(term: Mapping[str, Any], path: str) -> list[FieldError]:
    errors = label_selector(term.get("labelSelector"), f"{path}.labelSelector")
    errors += label_selector(term.get("namespaceSelector"), f"{path}.namespaceSelector")
    for namespace in term.get("namespaces") or ():
        errors += dns1123_label(namespace, f"{path}.namespace")
    errors += _label_keys_errors(term, path)
    key = term.get("topologyKey") or ""
    if not key:
        errors.append(required(f"{path}.topologyKey", "can not be empty"))
    return errors + qualified_name(key, f"{path}.topologyKey")


def _label_keys_errors(holder: Mapping[str, Any], path: str) -> list[FieldError]:
    """Of the keys whose values the pod's labels give: the selector holds them already when this looks at it."""
    keys, others = holder.get("matchLabelKeys") or [], holder.get("mismatchLabelKeys") or []
    errors = _label_key_errors(holder, "matchLabelKeys", path) + _label_key_errors(holder, "mismatchLabelKeys", path)
    selector = holder.get("labelSelector") or {}
    places = {key: i for i, key in enumerate(keys)}
    selected = set(selector.get("matchLabels") or ())
    for expression in selector.get("matchExpressions") or ():
        key = expression.get("key") or ""
        if key in places and key in selected:
            errors.append(invalid(f"{path}[{places[key]}]", key, "exists in both matchLabelKeys and labelSelector"))
        selected.add(key)
    message = "exists in both matchLabelKeys and mismatchLabelKeys"
    return errors + [invalid(f"{path}.matchLabelKeys[{i}]", k, message) for i, k in enumerate(keys) if k in others]


def _label_key_errors(holder: Mapping[str, Any], field: str, path: str) -> list[FieldError]:
    keys = holder.get(field) or []
    if not keys:
        return []
    if holder.get("labelSelector") is None:
        return [forbidden(f"{path}.{field}", "must not be specified when labelSelector is not set")]
    errors: list[FieldError] = []
    for i, key in enumerate(keys):
        errors += qualified_name(key, f"{path}.{field}[{i}]")
    return errors


def tolerations_errors(tolerations: Sequence[Mapping[str, Any]], path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    for i, toleration in enumerate(tolerations):
        errors += _toleration_errors(toleration, f"{path}[{i}]")
    return errors


def _toleration_errors(toleration: Mapping[str, Any], path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    key, operator = toleration.get("key") or "", toleration.get("operator") or ""
    value, effect = toleration.get("value") or "", toleration.get("effect") or ""
    if key:
        errors += qualified_name(key, f"{path}.key")
    if not key and operator != "Exists":
        errors.append(invalid(f"{path}.operator", operator, _KEY_EMPTY))
    if toleration.get("tolerationSeconds") is not None and effect != "NoExecute":
        message = "effect must be 'NoExecute' when `tolerationSeconds` is set"
        errors.append(invalid(f"{path}.effect", effect, message))
    if operator in ("Equal", ""):
        messages = label_value_errors(value)
        if messages:
            errors.append(invalid(f"{path}.operator", value, ";".join(messages)))
    elif operator == "Exists":
        if value:
            message = "value must be empty when `operator` is 'Exists'"
            errors.append(invalid(f"{path}.operator", value, message))
    else:
        # Numeric comparison (KEP-5471) is behind a gate that is off, yet named.
        compares = ("Lt", "Gt") if operator in ("Lt", "Gt") else ()
        errors.append(not_supported(f"{path}.operator", operator, ("Equal", "Exists", *compares)))
    if effect and effect not in TAINT_EFFECTS:
        errors.append(not_supported(f"{path}.effect", effect, TAINT_EFFECTS))
    return errors


def taints_errors(taints: Sequence[Mapping[str, Any]], path: str) -> list[FieldError]:
    """Of a node's taints."""
    errors: list[FieldError] = []
    seen: set[tuple[str, str]] = set()
    for i, taint in enumerate(taints):
        at = f"{path}[{i}]"
        key, value, effect = taint.get("key") or "", taint.get("value") or "", taint.get("effect") or ""
        errors += qualified_name(key, f"{at}.key")
        messages = label_value_errors(value)
        if messages:
            errors.append(invalid(f"{at}.value", value, ";".join(messages)))
        if not effect:
            errors.append(required(f"{at}.effect"))
        elif effect not in TAINT_EFFECTS:
            errors.append(not_supported(f"{at}.effect", effect, TAINT_EFFECTS))
        if (key, effect) in seen:
            shown = {"Key": key, "Value": value, "Effect": effect, "TimeAdded": taint.get("timeAdded")}
            message = "taints must be unique by key and effect pair"
            errors.append(FieldError("FieldValueDuplicate", at, message, shown))
        seen.add((key, effect))
    return errors


def topology_spread_errors(constraints: Sequence[Mapping[str, Any]], path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    last = {(c.get("topologyKey") or "", c.get("whenUnsatisfiable") or ""): i for i, c in enumerate(constraints)}
    for i, constraint in enumerate(constraints):
        at = f"{path}[{i}]"
        skew, key = constraint.get("maxSkew") or 0, constraint.get("topologyKey") or ""
        when = constraint.get("whenUnsatisfiable") or ""
        if skew <= 0:
            errors.append(invalid(f"{at}.maxSkew", skew, "must be greater than zero"))
        if not key:
            errors.append(required(f"{at}.topologyKey", "can not be empty"))
        if when not in UNSATISFIABLE_CONSTRAINT_ACTIONS:
            errors.append(not_supported(f"{at}.whenUnsatisfiable", when, UNSATISFIABLE_CONSTRAINT_ACTIONS))
        if last[key, when] > i:
            pair = f"{{{key}, {when}}}"
            errors.append(duplicate(f"{at}.{{topologyKey, whenUnsatisfiable}}", pair))
        domains = constraint.get("minDomains")
        if domains is not None:
            if domains <= 0:
                errors.append(invalid(f"{at}.minDomains", domains, "must be greater than zero"))
            if when != "DoNotSchedule":
                message = f"can only use minDomains if whenUnsatisfiable=DoNotSchedule, not {when}"
                errors.append(invalid(f"{at}.minDomains", domains, message))
        for field in ("nodeAffinityPolicy", "nodeTaintsPolicy"):
            policy = constraint.get(field)
            if policy is not None and policy not in NODE_INCLUSION_POLICIES:
                errors.append(not_supported(f"{at}.{field}", policy, frozenset(NODE_INCLUSION_POLICIES)))
        errors += _label_keys_errors(constraint, at)
        errors += label_selector(constraint.get("labelSelector"), f"{at}.labelSelector")
    return errors
