"""Defaults of webhook configurations and admission policies."""

from typing import Any

from kubeactors.api.meta import Object

_WEBHOOK_PORT = 443
_WEBHOOK_TIMEOUT = 10


def default_webhooks(configuration: Object, *, mutating: bool) -> None:
    for hook in configuration.get("webhooks") or ():
        if hook.get("failurePolicy") is None:
            hook["failurePolicy"] = "Fail"
        _default_match(hook, "rules")
        if hook.get("timeoutSeconds") is None:
            hook["timeoutSeconds"] = _WEBHOOK_TIMEOUT
        if mutating and hook.get("reinvocationPolicy") is None:
            hook["reinvocationPolicy"] = "Never"
        service = (hook.get("clientConfig") or {}).get("service")
        if service is not None and service.get("port") is None:
            service["port"] = _WEBHOOK_PORT


def default_policy(policy: Object) -> None:
    spec = policy.get("spec")
    if spec is None:
        return
    if spec.get("failurePolicy") is None:
        spec["failurePolicy"] = "Fail"
    if spec.get("matchConstraints") is not None:
        _default_match(spec["matchConstraints"], "resourceRules", "excludeResourceRules")


def default_policy_binding(binding: Object) -> None:
    match = (binding.get("spec") or {}).get("matchResources")
    if match is not None:
        _default_match(match, "resourceRules", "excludeResourceRules")


def _default_match(match: dict[str, Any], *rules: str) -> None:
    if match.get("matchPolicy") is None:
        match["matchPolicy"] = "Equivalent"
    for selector in ("namespaceSelector", "objectSelector"):
        if match.get(selector) is None:
            match[selector] = {}
    for field in rules:
        for rule in match.get(field) or ():
            if rule.get("scope") is None:
                rule["scope"] = "*"
