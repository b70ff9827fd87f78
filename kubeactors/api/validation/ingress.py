"""Validation of ingresses and ingress classes."""

import re
from collections.abc import Mapping
from typing import Any, Final

from kubeactors.api.choices import PATH_TYPES
from kubeactors.api.fielderrors import FieldError, forbidden, invalid, not_supported, required, too_long
from kubeactors.api.validation.addresses import legacy_ip_errors, sloppy_ip
from kubeactors.api.validation.common import dns1123_label, dns1123_subdomain, immutable, port_number
from kubeactors.api.validation.names import (
    dns1123_subdomain_errors,
    path_segment_errors,
    port_name_errors,
    regex_message,
    wildcard_subdomain_errors,
)

CLASS_ANNOTATION: Final = "kubernetes.io/ingress.class"
_PATH_TYPES: Final = frozenset(PATH_TYPES)
_SCOPES: Final = ("Cluster", "Namespace")
_BAD_SEQUENCES: Final = ("//", "/./", "/../", "%2f", "%2F")
_BAD_SUFFIXES: Final = ("/..", "/.")
_NOT_AN_IP: Final = "must be a DNS name, not an IP address"
_MAX_CONTROLLER: Final = 250
_HTTP_PATH: Final = r"[A-Za-z0-9/\-._~%!$&'()*+,;=:]+"


def ingress_create_errors(ingress: Mapping[str, Any]) -> list[FieldError]:
    errors = ingress_errors(ingress)
    annotation = ((ingress.get("metadata") or {}).get("annotations") or {}).get(CLASS_ANNOTATION)
    name = (ingress.get("spec") or {}).get("ingressClassName")
    if annotation is not None and name is not None and annotation != name:
        message = "must match `ingressClassName` when both are specified"
        errors.append(invalid(f"annotations.{CLASS_ANNOTATION}", annotation, message))
    return errors


def ingress_errors(ingress: Mapping[str, Any], old: Mapping[str, Any] | None = None) -> list[FieldError]:
    """What older releases let through is still taken where `old` has it."""
    spec = ingress.get("spec") or {}
    before = (old or {}).get("spec") or {}
    rules, default = spec.get("rules") or [], spec.get("defaultBackend")
    errors: list[FieldError] = []
    if not rules and default is None:
        errors.append(invalid("spec", rules or None, "either `defaultBackend` or `rules` must be specified"))
    if default is not None:
        errors += _backend_errors(default, "spec.defaultBackend")
    lax_wildcards = any("*" in (r.get("host") or "") and _rule_errors(r, "") for r in before.get("rules") or ())
    for i, rule in enumerate(rules):
        errors += _host_errors(rule.get("host") or "", f"spec.rules[{i}].host")
        if not (lax_wildcards and "*" in (rule.get("host") or "")):
            errors += _rule_errors(rule, f"spec.rules[{i}]")
    lax_secrets = any(_secret_name_errors(t.get("secretName") or "") for t in before.get("tls") or ())
    for i, tls in enumerate(spec.get("tls") or ()):
        errors += _tls_errors(tls, f"spec.tls[{i}]", lax_secrets)
    if spec.get("ingressClassName") is not None:
        errors += dns1123_subdomain(spec["ingressClassName"], "spec.ingressClassName")
    return errors


def ingress_status_errors(new: Mapping[str, Any], old: Mapping[str, Any]) -> list[FieldError]:
    """Of a write to the status: what the load balancer answers on."""
    errors: list[FieldError] = []
    existing = frozenset(point.get("ip") or "" for point in _points(old))
    for i, point in enumerate(_points(new)):
        path = f"status.loadBalancer.ingress[{i}]"
        if point.get("ip"):
            errors += legacy_ip_errors(point["ip"], f"{path}.ip", existing)
        host = point.get("hostname") or ""
        if host:
            errors += dns1123_subdomain(host, f"{path}.hostname")
            if sloppy_ip(host) is not None:
                errors.append(invalid(f"{path}.hostname", host, _NOT_AN_IP))
    return errors


def ingress_class_errors(ingress_class: Mapping[str, Any]) -> list[FieldError]:
    spec = ingress_class.get("spec") or {}
    controller = spec.get("controller") or ""
    errors: list[FieldError] = []
    if not controller:
        errors.append(required("spec.controller"))
    else:
        if len(controller.encode()) > _MAX_CONTROLLER:
            errors.append(too_long("spec.controller", _MAX_CONTROLLER))
        errors += domain_prefixed_path_errors(controller, "spec.controller")
    if spec.get("parameters") is not None:
        errors += _parameters_errors(spec["parameters"], "spec.parameters")
    return errors


def ingress_class_update_errors(new: Mapping[str, Any], old: Mapping[str, Any]) -> list[FieldError]:
    values = [(o.get("spec") or {}).get("controller") for o in (new, old)]
    return immutable(values[0], values[1], "spec.controller") + ingress_class_errors(new)


def domain_prefixed_path_errors(value: str, path: str) -> list[FieldError]:
    """`acme.io/foo`."""
    host, _, rest = value.partition("/")
    if not host or not rest:
        return [invalid(path, value, 'must be a domain-prefixed path (such as "acme.io/foo")')]
    errors = dns1123_subdomain(host, path)
    if not re.fullmatch(_HTTP_PATH, rest):
        errors.append(invalid(path, rest, regex_message("Invalid path", _HTTP_PATH)))
    return errors


def _points(ingress: Mapping[str, Any]) -> list[dict[str, Any]]:
    return ((ingress.get("status") or {}).get("loadBalancer") or {}).get("ingress") or []


def _host_errors(host: str, path: str) -> list[FieldError]:
    if not host:
        return []
    errors = [invalid(path, host, _NOT_AN_IP)] if sloppy_ip(host) is not None else []
    return errors + _name_errors(host, path)


def _name_errors(host: str, path: str) -> list[FieldError]:
    messages = wildcard_subdomain_errors(host) if "*" in host else dns1123_subdomain_errors(host)
    return [invalid(path, host, m) for m in messages]


def _tls_errors(tls: Mapping[str, Any], path: str, lax_secrets: bool) -> list[FieldError]:
    errors: list[FieldError] = []
    for i, host in enumerate(tls.get("hosts") or ()):
        errors += _name_errors(host, f"{path}.hosts[{i}]")
    name = tls.get("secretName") or ""
    if not lax_secrets:
        errors += [invalid(f"{path}.secretName", name, m) for m in _secret_name_errors(name)]
    return errors


def _secret_name_errors(name: str) -> list[str]:
    return dns1123_subdomain_errors(name) if name else []


def _rule_errors(rule: Mapping[str, Any], path: str) -> list[FieldError]:
    http = rule.get("http")
    if http is None:
        return []
    paths = http.get("paths") or []
    if not paths:
        return [required(f"{path}.http.paths")]
    errors: list[FieldError] = []
    for i, each in enumerate(paths):
        errors += _path_errors(each, f"{path}.http.paths[{i}]")
    return errors


def _path_errors(path: Mapping[str, Any], where: str) -> list[FieldError]:
    kind, text = path.get("pathType"), path.get("path") or ""
    if kind is None:
        return [required(f"{where}.pathType", "pathType must be specified")]
    errors: list[FieldError] = []
    if kind not in _PATH_TYPES:
        errors.append(not_supported(f"{where}.pathType", kind, _PATH_TYPES))
    elif not text.startswith("/") and (text or kind != "ImplementationSpecific"):
        errors.append(invalid(f"{where}.path", text, "must be an absolute path"))
    if kind in ("Exact", "Prefix"):
        errors += [invalid(f"{where}.path", text, f"must not contain '{s}'") for s in _BAD_SEQUENCES if s in text]
        errors += [invalid(f"{where}.path", text, f"cannot end with '{s}'") for s in _BAD_SUFFIXES if text.endswith(s)]
    return errors + _backend_errors(path.get("backend") or {}, f"{where}.backend")


def _backend_errors(backend: Mapping[str, Any], path: str) -> list[FieldError]:
    resource, service = backend.get("resource"), backend.get("service")
    if resource is not None and service is not None:
        return [invalid(path, "", "cannot set both resource and service backends")]
    if resource is not None:
        return _reference_errors(resource, f"{path}.resource")
    if service is None:
        return [invalid(path, "", "resource or service backend is required")]
    name = service.get("name") or ""
    errors = dns1123_label(name, f"{path}.service.name") if name else [required(f"{path}.service.name")]
    port = service.get("port") or {}
    port_name, number = port.get("name") or "", port.get("number") or 0
    if port_name and number:
        errors.append(invalid(path, "", "cannot set both port name & port number"))
    elif port_name:
        errors += [invalid(f"{path}.service.port.name", port_name, m) for m in port_name_errors(port_name)]
    elif number:
        errors += port_number(number, f"{path}.service.port.number")
    else:
        errors.append(required(path, "port name or number is required"))
    return errors


def _reference_errors(reference: Mapping[str, Any], path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    if reference.get("apiGroup") is not None:
        errors += dns1123_subdomain(reference["apiGroup"], f"{path}.apiGroup")
    for field in ("kind", "name"):
        value = reference.get(field) or ""
        if not value:
            errors.append(required(f"{path}.{field}"))
        errors += [invalid(f"{path}.{field}", value, m) for m in path_segment_errors(value)]
    return errors


def _parameters_errors(parameters: Mapping[str, Any], path: str) -> list[FieldError]:
    errors = _reference_errors(parameters, path)
    scope, namespace = parameters.get("scope"), parameters.get("namespace")
    if scope is None:
        errors.append(required(f"{path}.scope"))
    elif scope not in _SCOPES:
        errors.append(not_supported(f"{path}.scope", scope, _SCOPES))
    elif scope == "Cluster" and namespace is not None:
        errors.append(forbidden(f"{path}.namespace", "`parameters.scope` is set to 'Cluster'"))
    elif scope == "Namespace" and namespace is None:
        errors.append(required(f"{path}.namespace", "`parameters.scope` is set to 'Namespace'"))
    elif scope == "Namespace":
        errors += dns1123_label(namespace or "", f"{path}.namespace")
    return errors
