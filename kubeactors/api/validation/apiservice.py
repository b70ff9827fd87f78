"""Validation of APIServices."""

import base64
from collections.abc import Mapping
from typing import Any, Final

from kubeactors.api.choices import CONDITION_STATUSES
from kubeactors.api.fielderrors import FieldError, go_quote, invalid, not_supported, required
from kubeactors.api.validation.names import (
    dns1035_label_errors,
    dns1123_subdomain_errors,
    path_segment_errors,
    port_number_errors,
)

_MAX_GROUP_PRIORITY: Final = 20000
_MAX_VERSION_PRIORITY: Final = 1000


def api_service_name_errors(name: str, version: str, group: str) -> list[str]:
    """An APIService is named for what it serves."""
    wanted = f"{version}.{group}"
    if messages := path_segment_errors(name):
        return messages
    return [] if name == wanted else [f'must be `spec.version+"."+spec.group`: {go_quote(wanted)}']


def api_service_errors(obj: Mapping[str, Any]) -> list[FieldError]:
    spec = obj.get("spec") or {}
    group, version = spec.get("group") or "", spec.get("version") or ""
    errors: list[FieldError] = []
    if not group and version != "v1":
        errors.append(required("spec.group", "only v1 may have an empty group and it better be legacy kube"))
    if group:
        errors += [invalid("spec.group", group, m) for m in dns1123_subdomain_errors(group)]
    errors += [invalid("spec.version", version, m) for m in dns1035_label_errors(version)]
    limits = (("groupPriorityMinimum", _MAX_GROUP_PRIORITY), ("versionPriority", _MAX_VERSION_PRIORITY))
    for field, limit in limits:
        value = spec.get(field) or 0
        if not 0 < value <= limit:
            errors.append(invalid(f"spec.{field}", value, f"must be positive and less than {limit}"))
    return errors + _service_errors(spec)


def api_service_status_errors(new: Mapping[str, Any], old: Mapping[str, Any]) -> list[FieldError]:
    conditions = (new.get("status") or {}).get("conditions") or ()
    return [
        not_supported(f"status.conditions[{i}].status", condition.get("status") or "", CONDITION_STATUSES)
        for i, condition in enumerate(conditions)
        if condition.get("status") not in CONDITION_STATUSES
    ]


def _service_errors(spec: Mapping[str, Any]) -> list[FieldError]:
    service, bundle, insecure = spec.get("service"), spec.get("caBundle"), bool(spec.get("insecureSkipTLSVerify"))
    errors: list[FieldError] = []
    if service is None:
        if bundle:
            shown = f"{len(base64.b64decode(bundle))} bytes"
            errors.append(invalid("spec.caBundle", shown, "local APIServices may not have a caBundle"))
        if insecure:
            message = "local APIServices may not have insecureSkipTLSVerify"
            errors.append(invalid("spec.insecureSkipTLSVerify", True, message))
        return errors
    errors += [required(f"spec.service.{field}") for field in ("namespace", "name") if not service.get(field)]
    port = service.get("port") or 0
    errors += [invalid("spec.service.port", port, f"port is not valid: {m}") for m in port_number_errors(port)]
    if insecure and bundle:
        errors.append(invalid("spec.insecureSkipTLSVerify", True, "may not be true if caBundle is present"))
    return errors
