"""Which requests a webhook or a policy is for: rules, selectors, parameters."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

from kubeactors.api.choices import MATCH_POLICIES, OPERATION_TYPES, RULE_SCOPES
from kubeactors.api.fielderrors import FieldError, duplicate, forbidden, invalid, not_supported, required
from kubeactors.api.validation.common import dns1123_subdomain, label_selector
from kubeactors.api.validation.names import dns1035_label_errors, dns1123_subdomain_errors, path_segment_errors

_OPERATIONS: Final = frozenset(OPERATION_TYPES)
_MUTABLE_OPERATIONS: Final = _OPERATIONS - {"DELETE"}
_SCOPES: Final = frozenset(RULE_SCOPES)
_NOT_FOUND_ACTIONS: Final = ("Deny", "Allow")
_EXCLUSIVE: Final = "name and selector are mutually exclusive"


def one_of(value: str | None, supported: Collection[str], path: str) -> list[FieldError]:
    """Of a field that must be set."""
    if value is None:
        return [required(path)]
    return [] if value in supported else [not_supported(path, value, supported)]


def rule_errors(rule: Mapping[str, Any], path: str) -> list[FieldError]:
    """Of a RuleWithOperations."""
    operations = rule.get("operations") or []
    errors = _alone(operations, "operations", f"{path}.operations")
    unknown = ((i, o) for i, o in enumerate(operations) if o not in _OPERATIONS)
    errors += [not_supported(f"{path}.operations[{i}]", o, _OPERATIONS) for i, o in unknown]
    errors += _alone(rule.get("apiGroups") or [], "API groups", f"{path}.apiGroups")
    versions = rule.get("apiVersions") or []
    errors += _alone(versions, "API versions", f"{path}.apiVersions")
    errors += [required(f"{path}.apiVersions[{i}]") for i, v in enumerate(versions) if not v]
    errors += _resources_errors(rule.get("resources") or [], f"{path}.resources")
    scope = rule.get("scope")
    if scope is not None and scope not in _SCOPES:
        errors.append(not_supported(f"{path}.scope", scope, _SCOPES))
    return errors


def match_resources_errors(match: Mapping[str, Any], path: str) -> list[FieldError]:
    errors = one_of(match.get("matchPolicy"), frozenset(MATCH_POLICIES), f"{path}.matchPolicy")
    for field in ("namespaceSelector", "objectSelector"):
        selector = match.get(field)
        where = f"{path}.{field}"
        errors += [required(where)] if selector is None else label_selector(selector, where)
    for field in ("resourceRules", "excludeResourceRules"):
        for i, rule in enumerate(match.get(field) or ()):
            errors += _named_rule_errors(rule, f"{path}.{field}[{i}]")
    return errors


def match_constraints_errors(match: Mapping[str, Any] | None, path: str) -> list[FieldError]:
    """Of a policy, which needs a rule: it says what the types are."""
    if match is None:
        return [required(path)]
    errors = match_resources_errors(match, path)
    return errors if match.get("resourceRules") else [*errors, required(f"{path}.resourceRules")]


def mutable_operations_errors(match: Mapping[str, Any] | None, path: str) -> list[FieldError]:
    """What is deleted cannot be mutated."""
    operations = (o for rule in (match or {}).get("resourceRules") or () for o in rule.get("operations") or ())
    where = f"{path}.resourceRules.operations"
    return [not_supported(where, o, _MUTABLE_OPERATIONS) for o in operations if o not in _MUTABLE_OPERATIONS]


def param_kind_errors(kind: Mapping[str, Any], path: str) -> list[FieldError]:
    api_version, name = kind.get("apiVersion") or "", kind.get("kind") or ""
    errors: list[FieldError] = []
    where = f"{path}.apiVersion"
    group, _, version = api_version.rpartition("/")
    if not api_version:
        errors.append(required(where))
    elif api_version.count("/") > 1:
        errors.append(invalid(where, api_version, f"unexpected GroupVersion string: {api_version}"))
    else:
        if group and (messages := dns1123_subdomain_errors(group)):
            errors.append(invalid(where, group, ",".join(messages)))
        if not version:
            errors.append(invalid(where, api_version, "version must be specified"))
        elif messages := dns1035_label_errors(version):
            errors.append(invalid(where, version, ",".join(messages)))
    if not name:
        errors.append(required(f"{path}.kind"))
    elif messages := dns1035_label_errors(name.lower()):
        message = f"may have mixed case, but should otherwise match: {','.join(messages)}"
        errors.append(invalid(f"{path}.kind", name, message))
    return errors


def param_ref_errors(ref: Mapping[str, Any] | None, path: str) -> list[FieldError]:
    if ref is None:
        return []
    name, selector = ref.get("name") or "", ref.get("selector")
    errors = [invalid(f"{path}.name", name, m) for m in path_segment_errors(name)]
    if name and selector is not None:
        errors.append(forbidden(f"{path}.name", _EXCLUSIVE))
    if selector is not None:
        errors += label_selector(selector, f"{path}.selector")
        if name:
            errors.append(forbidden(f"{path}.selector", _EXCLUSIVE))
    if not name and selector is None:
        errors.append(required(path, "one of name or selector must be specified"))
    action = ref.get("parameterNotFoundAction") or None
    return errors + one_of(action, _NOT_FOUND_ACTIONS, f"{path}.parameterNotFoundAction")


def policy_name_errors(name: str, path: str) -> list[FieldError]:
    return dns1123_subdomain(name, path) if name else [required(path)]


def _named_rule_errors(rule: Mapping[str, Any], path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    seen: set[str] = set()
    for i, name in enumerate(rule.get("resourceNames") or ()):
        where = f"{path}.resourceNames[{i}]"
        errors += [invalid(where, name, m) for m in path_segment_errors(name)]
        if name in seen:
            errors.append(duplicate(where, name))
        seen.add(name)
    return errors + rule_errors(rule, path)


def _alone(values: Sequence[str], words: str, path: str) -> list[FieldError]:
    """There must be values; `*` stands alone."""
    if not values:
        return [required(path)]
    if len(values) > 1 and "*" in values:
        return [invalid(path, list(values), f"if '*' is present, must not specify other {words}")]
    return []


def _resources_errors(resources: Sequence[str], path: str) -> list[FieldError]:
    errors: list[FieldError] = [] if resources else [required(path)]
    any_subresource: set[str] = set()  # of x/*
    any_resource: set[str] = set()  # of */x
    plain = False
    for i, text in enumerate(resources):
        if not text:
            errors.append(required(f"{path}[{i}]"))
            continue
        resource, slash, sub = text.partition("/")
        if not slash:
            plain = text != "*"
            continue
        if resource in any_subresource:
            errors.append(invalid(f"{path}[{i}]", text, f"if '{resource}/*' is present, must not specify {text}"))
        if sub in any_resource:
            errors.append(invalid(f"{path}[{i}]", text, f"if '*/{sub}' is present, must not specify {text}"))
        if sub == "*":
            any_subresource.add(resource)
        if resource == "*":
            any_resource.add(sub)
    if len(resources) > 1 and "*/*" in resources:
        errors.append(invalid(path, list(resources), "if '*/*' is present, must not specify other resources"))
    if "*" in resources and plain:
        message = "if '*' is present, must not specify other resources without subresources"
        errors.append(invalid(path, list(resources), message))
    return errors
