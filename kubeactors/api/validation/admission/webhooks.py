"""Validation of validating and mutating webhook configurations."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from kubeactors.api.choices import FAILURE_POLICIES, MATCH_POLICIES, REINVOCATION_POLICIES, SIDE_EFFECT_CLASSES
from kubeactors.api.fielderrors import FieldError, duplicate, invalid, not_supported, required
from kubeactors.api.validation.admission.expressions import match_conditions_errors
from kubeactors.api.validation.admission.rules import (
    rule_errors,
)
from kubeactors.api.validation.common import duplicates, label_selector
from kubeactors.api.validation.names import dns1035_label_errors, dns1123_subdomain_errors
from kubeactors.api.validation.webhook import webhook_service_errors, webhook_url_errors

_NO_SIDE_EFFECTS: Final = ("None", "NoneOnDryRun")
_SIDE_EFFECTS: Final = tuple(sorted(SIDE_EFFECT_CLASSES))
_REVIEW_VERSIONS: Final = ("v1", "v1beta1")
_MAX_TIMEOUT: Final = 30

Webhooks = Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class _Demands:
    """What is asked of new configurations, and of old ones that satisfied it before."""

    no_side_effects: bool = True
    known_review_version: bool = True
    unique_names: bool = True


def webhooks_errors(configuration: Mapping[str, Any]) -> list[FieldError]:
    return _errors(configuration.get("webhooks") or (), _Demands())


def webhooks_update_errors(new: Mapping[str, Any], old: Mapping[str, Any]) -> list[FieldError]:
    before: Webhooks = old.get("webhooks") or ()
    names = [hook.get("name") for hook in before]
    demands = _Demands(
        all(hook.get("sideEffects") in _NO_SIDE_EFFECTS for hook in before),
        all(_knows_a_version(hook) for hook in before if hook.get("admissionReviewVersions")),
        len(set(names)) == len(names),
    )
    return _errors(new.get("webhooks") or (), demands)


def _errors(webhooks: Webhooks, demands: _Demands) -> list[FieldError]:
    errors: list[FieldError] = []
    names: set[str] = set()
    for i, hook in enumerate(webhooks):
        path = f"webhooks[{i}]"
        errors += _webhook_errors(hook, demands, path)
        errors += _version_errors(hook, demands, f"{path}.admissionReviewVersions")
        name = hook.get("name") or ""
        if demands.unique_names and name in names:
            errors.append(duplicate(f"{path}.name", name))
        if name:
            names.add(name)
    return errors


def _webhook_errors(hook: Mapping[str, Any], demands: _Demands, path: str) -> list[FieldError]:
    errors = _name_errors(hook.get("name") or "", f"{path}.name")
    for i, rule in enumerate(hook.get("rules") or ()):
        errors += rule_errors(rule, f"{path}.rules[{i}]")
    for field, supported in (("failurePolicy", FAILURE_POLICIES), ("matchPolicy", MATCH_POLICIES)):
        errors += _optional(hook, field, supported, path)
    allowed = _NO_SIDE_EFFECTS if demands.no_side_effects else _SIDE_EFFECTS
    if hook.get("sideEffects") is None:
        errors.append(required(f"{path}.sideEffects", f"must specify one of {', '.join(allowed)}"))
    errors += _optional(hook, "sideEffects", allowed, path)
    timeout = hook.get("timeoutSeconds")
    if timeout is not None and not 1 <= timeout <= _MAX_TIMEOUT:
        message = f"the timeout value must be between 1 and {_MAX_TIMEOUT} seconds"
        errors.append(invalid(f"{path}.timeoutSeconds", timeout, message))
    for field in ("namespaceSelector", "objectSelector"):
        errors += label_selector(hook.get(field), f"{path}.{field}")
    errors += _optional(hook, "reinvocationPolicy", REINVOCATION_POLICIES, path)
    errors += _client_errors(hook.get("clientConfig") or {}, f"{path}.clientConfig")
    return errors + match_conditions_errors(hook.get("matchConditions") or (), f"{path}.matchConditions")


def _client_errors(client: Mapping[str, Any], path: str) -> list[FieldError]:
    url, service = client.get("url"), client.get("service")
    if (url is None) == (service is None):
        return [required(path, "exactly one of url or service is required")]
    if url is not None:
        return webhook_url_errors(url, f"{path}.url", https=True)
    return webhook_service_errors(service or {}, f"{path}.service")


def _name_errors(name: str, path: str) -> list[FieldError]:
    if not name:
        return [required(path)]
    messages = dns1123_subdomain_errors(name)
    if messages:
        return [invalid(path, name, ",".join(messages))]
    if name.count(".") < 2:
        return [invalid(path, name, "should be a domain with at least three segments separated by dots")]
    return []


def _optional(hook: Mapping[str, Any], field: str, supported: tuple[str, ...], path: str) -> list[FieldError]:
    value = hook.get(field)
    if value is None or value in supported:
        return []
    return [not_supported(f"{path}.{field}", value, frozenset(supported))]


def _version_errors(hook: Mapping[str, Any], demands: _Demands, path: str) -> list[FieldError]:
    versions = hook.get("admissionReviewVersions") or []
    known = ", ".join(_REVIEW_VERSIONS)
    if not versions:
        return [required(path, f"must specify one of {known}")]
    errors: list[FieldError] = []
    twice = set(duplicates(versions))
    for i, version in enumerate(versions):
        if i in twice:
            errors.append(invalid(f"{path}[{i}]", version, "duplicate version"))
            continue
        errors += [invalid(f"{path}[{i}]", version, m) for m in dns1035_label_errors(version)]
    if demands.known_review_version and not _knows_a_version(hook):
        errors.append(invalid(path, versions, f"must include at least one of {known}"))
    return errors


def _knows_a_version(hook: Mapping[str, Any]) -> bool:
    return any(version in _REVIEW_VERSIONS for version in hook.get("admissionReviewVersions") or ())
