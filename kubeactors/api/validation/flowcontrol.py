"""Validation of flow schemas and priority levels."""

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

from kubeactors.api.fielderrors import FieldError, duplicate, forbidden, invalid, not_supported, required
from kubeactors.api.flowcontrol import MANDATORY_LEVELS, MANDATORY_SCHEMAS
from kubeactors.api.validation.common import dns1123_label, dns1123_subdomain
from kubeactors.api.validation.names import dns1123_label_errors

_VERBS: Final = ("create", "delete", "deletecollection", "get", "list", "patch", "proxy", "update", "watch")
_SUBJECTS: Final = {"ServiceAccount": "serviceAccount", "User": "user", "Group": "group"}
_MAX_PRECEDENCE: Final = 10000
_MAX_QUEUES: Final = 10_000_000
_HASH_BITS: Final = 60


def flow_schema_errors(schema: Mapping[str, Any]) -> list[FieldError]:
    spec = schema.get("spec") or {}
    name = (schema.get("metadata") or {}).get("name") or ""
    errors = _schema_spec_errors(spec, name)
    if name in MANDATORY_SCHEMAS and spec != MANDATORY_SCHEMAS[name]:
        errors.append(invalid("spec", dict(spec), f"spec of '{name}' must equal the fixed value"))
    return errors + status_errors(schema)


def priority_level_errors(level: Mapping[str, Any]) -> list[FieldError]:
    spec = level.get("spec") or {}
    name = (level.get("metadata") or {}).get("name") or ""
    errors = _level_spec_errors(spec, name)
    if name == "exempt":
        if {**spec, "exempt": None} != {**MANDATORY_LEVELS[name], "exempt": None}:
            message = f"spec of '{name}' except the 'spec.exempt' field must equal the fixed value"
            errors.append(invalid("spec", dict(spec), message))
    elif name in MANDATORY_LEVELS and spec != MANDATORY_LEVELS[name]:
        errors.append(invalid("spec", dict(spec), f"spec of '{name}' must equal the fixed value"))
    return errors + status_errors(level)


def status_errors(obj: Mapping[str, Any]) -> list[FieldError]:
    errors: list[FieldError] = []
    seen: set[str] = set()
    for i, condition in enumerate((obj.get("status") or {}).get("conditions") or ()):
        path, kind = f"status.conditions[{i}].type", condition.get("type") or ""
        if kind in seen:
            errors.append(duplicate(path, kind))
        seen.add(kind)
        if not kind:
            errors.append(required(path, "must not be empty"))
    return errors


def status_update_errors(new: Mapping[str, Any], old: Mapping[str, Any]) -> list[FieldError]:
    return status_errors(new)


def _schema_spec_errors(spec: Mapping[str, Any], name: str) -> list[FieldError]:
    errors: list[FieldError] = []
    precedence = spec.get("matchingPrecedence") or 0
    path = "spec.matchingPrecedence"
    if precedence <= 0:
        errors.append(invalid(path, precedence, "must be a positive value"))
    if precedence > _MAX_PRECEDENCE:
        errors.append(invalid(path, precedence, f"must not be greater than {_MAX_PRECEDENCE}"))
    if precedence == 1 and name != "exempt":
        errors.append(invalid(path, precedence, "only the schema named 'exempt' may have matchingPrecedence 1"))
    method = spec.get("distinguisherMethod")
    if method is not None and method.get("type") not in ("ByNamespace", "ByUser"):
        shown: Any = {"Type": method.get("type") or ""}
        errors.append(not_supported("spec.distinguisherMethod.type", shown, ("ByNamespace", "ByUser")))
    level, path = (
        (spec.get("priorityLevelConfiguration") or {}).get("name") or "",
        "spec.priorityLevelConfiguration.name",
    )
    errors += dns1123_subdomain(level, path) if level else [required(path, "must reference a priority level")]
    for i, rule in enumerate(spec.get("rules") or ()):
        errors += _rule_errors(rule, f"spec.rules[{i}]")
    return errors


def _rule_errors(rule: Mapping[str, Any], path: str) -> list[FieldError]:
    subjects = rule.get("subjects") or []
    errors = [] if subjects else [required(f"{path}.subjects", "subjects must contain at least one value")]
    for i, subject in enumerate(subjects):
        errors += _subject_errors(subject, f"{path}.subjects[{i}]")
    resources, urls = rule.get("resourceRules") or [], rule.get("nonResourceRules") or []
    if not resources and not urls:
        errors.append(required(path, "at least one of resourceRules and nonResourceRules has to be non-empty"))
    for i, each in enumerate(resources):
        errors += _resource_rule_errors(each, f"{path}.resourceRules[{i}]")
    for i, each in enumerate(urls):
        errors += _url_rule_errors(each, f"{path}.nonResourceRules[{i}]")
    return errors


def _subject_errors(subject: Mapping[str, Any], path: str) -> list[FieldError]:
    kind = subject.get("kind") or ""
    own = _SUBJECTS.get(kind)
    if own is None:
        return [not_supported(f"{path}.kind", kind, frozenset(_SUBJECTS))]
    given = subject.get(own)
    where = f"{path}.{own}"
    errors: list[FieldError] = []
    if given is None:
        errors.append(required(where, f"{own} is required when subject kind is '{kind}'"))
    else:
        name = given.get("name") or ""
        if not name:
            errors.append(required(f"{where}.name"))
        elif own == "serviceAccount" and name != "*":
            errors += dns1123_subdomain(name, f"{where}.name")
        if own == "serviceAccount":
            namespace, at = given.get("namespace") or "", f"{where}.namespace"
            missing = [required(at, "must specify namespace for service account")]
            errors += dns1123_label(namespace, at) if namespace else missing
    for other, field in _SUBJECTS.items():
        if field != own and subject.get(field) is not None:
            errors.append(forbidden(f"{path}.{field}", f"{field} is forbidden when subject kind is not '{other}'"))
    return errors


def _url_rule_errors(rule: Mapping[str, Any], path: str) -> list[FieldError]:
    errors = _verb_errors(rule.get("verbs") or [], f"{path}.verbs")
    urls, where = rule.get("nonResourceURLs") or [], f"{path}.nonResourceURLs"
    if not urls:
        errors.append(required(where, "nonResourceURLs must contain at least one value"))
    elif "*" in urls:
        errors += _alone(urls, "non-resource URLs", where)
    else:
        problems = ((i, url, _url_problem(url)) for i, url in enumerate(urls))
        errors += [invalid(f"{where}[{i}]", url, problem) for i, url, problem in problems if problem]
    return errors


def _url_problem(url: str) -> str:
    if not url:
        return "must not be empty"
    if url == "/":
        return ""
    if not url.startswith("/"):
        return "must start with slash"
    if " " in url:
        return "must not contain white-space"
    if "//" in url:
        return "must not contain double slash"
    stars = url.count("*")
    return "wildcard can only do suffix matching" if stars > 1 or (stars and not url.endswith("/*")) else ""


def _resource_rule_errors(rule: Mapping[str, Any], path: str) -> list[FieldError]:
    errors = _verb_errors(rule.get("verbs") or [], f"{path}.verbs")
    for field, one, several in (("apiGroups", "api group", "api groups"), ("resources", "resource", "resources")):
        values = rule.get(field) or []
        if not values:
            errors.append(required(f"{path}.{field}", f"resource rules must supply at least one {one}"))
        errors += _alone(values, several, f"{path}.{field}")
    namespaces, where = rule.get("namespaces") or [], f"{path}.namespaces"
    if not namespaces and not rule.get("clusterScope"):
        message = "resource rules that are not cluster scoped must supply at least one namespace"
        errors.append(required(where, message))
    elif "*" in namespaces:
        errors += _alone(namespaces, "namespaces", where)
    else:
        words = "each member of this list must be '*' or a DNS-1123 label; "
        for i, namespace in enumerate(namespaces):
            errors += [invalid(f"{where}[{i}]", namespace, words + m) for m in dns1123_label_errors(namespace)]
    return errors


def _verb_errors(verbs: Sequence[str], path: str) -> list[FieldError]:
    if not verbs:
        return [required(path, "verbs must contain at least one value")]
    if "*" in verbs:
        return _alone(verbs, "verbs", path)
    unknown: Any = list(verbs)
    return [] if all(verb in _VERBS for verb in verbs) else [not_supported(path, unknown, _VERBS)]


def _alone(values: Collection[str], words: str, path: str) -> list[FieldError]:
    if len(values) > 1 and "*" in values:
        return [invalid(path, list(values), f"if '*' is present, must not specify other {words}")]
    return []


def _level_spec_errors(spec: Mapping[str, Any], name: str) -> list[FieldError]:
    errors: list[FieldError] = []
    kind, exempt, limited = spec.get("type") or "", spec.get("exempt"), spec.get("limited")
    if (name == "exempt") != (kind == "Exempt"):
        errors.append(invalid("spec.type", kind, "type must be 'Exempt' if and only if name is 'exempt'"))
    if kind == "Exempt":
        if limited is not None:
            errors.append(forbidden("spec.limited", "must be nil if the type is not Limited"))
        if exempt is None:
            errors.append(required("spec.exempt", "must not be nil if type is Exempt"))
        else:
            errors += _share_errors(exempt, "spec.exempt")
    elif kind == "Limited":
        if exempt is not None:
            errors.append(forbidden("spec.exempt", "must be nil if the type is Limited"))
        if limited is None:
            errors.append(required("spec.limited", "must not be empty when type is Limited"))
        else:
            errors += _limited_errors(limited, "spec.limited")
    else:
        errors.append(not_supported("spec.type", kind, ("Exempt", "Limited")))
    return errors


def _limited_errors(limited: Mapping[str, Any], path: str) -> list[FieldError]:
    errors = _shares(limited, path)
    errors += _response_errors(limited.get("limitResponse") or {}, f"{path}.limitResponse")
    errors += _lendable(limited, path)
    borrowing = limited.get("borrowingLimitPercent")
    if borrowing is not None and borrowing < 0:
        message = "if specified, must be a non-negative integer"
        errors.append(invalid(f"{path}.borrowingLimitPercent", borrowing, message))
    return errors


def _share_errors(exempt: Mapping[str, Any], path: str) -> list[FieldError]:
    return _shares(exempt, path) + _lendable(exempt, path)


def _shares(level: Mapping[str, Any], path: str) -> list[FieldError]:
    shares = level.get("nominalConcurrencyShares")
    if shares is not None and shares < 0:
        return [invalid(f"{path}.nominalConcurrencyShares", shares, "must be a non-negative integer")]
    return []


def _lendable(level: Mapping[str, Any], path: str) -> list[FieldError]:
    percent = level.get("lendablePercent")
    if percent is not None and not 0 <= percent <= 100:
        return [invalid(f"{path}.lendablePercent", percent, "must be between 0 and 100, inclusive")]
    return []


def _response_errors(response: Mapping[str, Any], path: str) -> list[FieldError]:
    kind, queuing = response.get("type") or "", response.get("queuing")
    if kind == "Reject":
        message = "must be nil if limited.limitResponse.type is not Limited"
        return [] if queuing is None else [forbidden(f"{path}.queuing", message)]
    if kind != "Queue":
        return [not_supported(f"{path}.type", kind, ("Queue", "Reject"))]
    if queuing is None:
        return [required(f"{path}.queuing", "must not be empty if limited.limitResponse.type is Limited")]
    return _queuing_errors(queuing, f"{path}.queuing")


def _queuing_errors(queuing: Mapping[str, Any], path: str) -> list[FieldError]:
    length, queues, hand = (queuing.get(f) or 0 for f in ("queueLengthLimit", "queues", "handSize"))
    errors: list[FieldError] = []
    if length <= 0:
        errors.append(invalid(f"{path}.queueLengthLimit", length, "must be positive"))
    if queues <= 0:
        errors.append(invalid(f"{path}.queues", queues, "must be positive"))
    elif queues > _MAX_QUEUES:
        errors.append(invalid(f"{path}.queues", queues, f"must not be greater than {_MAX_QUEUES}"))
    where = f"{path}.handSize"
    if hand <= 0:
        errors.append(invalid(where, hand, "must be positive"))
    elif hand > queues:
        errors.append(invalid(where, hand, f"should not be greater than queues ({queues})"))
    elif _entropy_bits(queues, hand) > _HASH_BITS:
        message = (
            f"required entropy bits of deckSize {queues} and handSize {hand} should not be greater than {_HASH_BITS}"
        )
        errors.append(invalid(where, hand, message))
    return errors


def _entropy_bits(queues: int, hand: int) -> int:
    """How many bits of a hash choose a hand of queues."""
    return math.ceil(math.log2(queues) * hand)
