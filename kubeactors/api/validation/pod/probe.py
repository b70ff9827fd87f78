"""Validation of probes and lifecycle hooks."""

import re
from collections.abc import Mapping
from typing import Any, Final

from kubeactors.api.choices import URI_SCHEMES
from kubeactors.api.fielderrors import FieldError, forbidden, invalid, not_supported, required
from kubeactors.api.validation.common import not_negative, port_number, port_number_or_name
from kubeactors.api.validation.names import regex_message

_HANDLERS: Final = ("exec", "httpGet", "tcpSocket", "grpc", "sleep")
_COUNTS: Final = ("initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold")
_HEADER_PATTERN: Final = "[-A-Za-z0-9]+"
_HEADER_MESSAGE: Final = regex_message(
    "a valid HTTP header must consist of alphanumeric characters or '-'", _HEADER_PATTERN, "X-Header-Name"
)


def probe_errors(name: str, probe: Mapping[str, Any], grace: int, path: str) -> list[FieldError]:
    """Of the probe `livenessProbe`, `readinessProbe` or `startupProbe`."""
    errors = _handler_errors(probe, grace, path)
    for field in _COUNTS:
        errors += not_negative(probe.get(field) or 0, f"{path}.{field}")
    seconds = probe.get("terminationGracePeriodSeconds")
    if seconds is not None and seconds <= 0:
        errors.append(invalid(f"{path}.terminationGracePeriodSeconds", seconds, "must be greater than 0"))
    if name == "readinessProbe":
        if seconds is not None:
            message = "must not be set for readinessProbes"
            errors.append(invalid(f"{path}.terminationGracePeriodSeconds", seconds, message))
    elif (probe.get("successThreshold") or 0) != 1:
        errors.append(invalid(f"{path}.successThreshold", probe.get("successThreshold") or 0, "must be 1"))
    return errors


def lifecycle_errors(lifecycle: Mapping[str, Any], grace: int, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    for name in ("postStart", "preStop"):
        if lifecycle.get(name) is not None:
            errors += _handler_errors(lifecycle[name], grace, f"{path}.{name}")
    return errors


def _handler_errors(handler: Mapping[str, Any], grace: int, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    given = 0
    for name in _HANDLERS:
        action = handler.get(name)
        if action is None:
            continue
        given += 1
        if given > 1:
            errors.append(forbidden(f"{path}.{name}", "may not specify more than 1 handler type"))
        else:
            errors += _action_errors(name, action, grace, f"{path}.{name}")
    if not given:
        errors.append(required(path, "must specify a handler type"))
    return errors


def _action_errors(name: str, action: Mapping[str, Any], grace: int, path: str) -> list[FieldError]:
    if name == "exec":
        return [] if action.get("command") else [required(f"{path}.command")]
    if name == "tcpSocket":
        return port_number_or_name(action.get("port", 0), f"{path}.port")
    if name == "grpc":
        return port_number(action.get("port") or 0, f"{path}.port")
    if name == "sleep":
        seconds = action.get("seconds") or 0
        if 0 <= seconds <= grace:
            return []
        message = f"must be non-negative and less than terminationGracePeriodSeconds ({grace})"
        return [invalid(path, seconds, message)]
    return _http_errors(action, path)


def _http_errors(action: Mapping[str, Any], path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    if not action.get("path"):
        errors.append(required(f"{path}.path"))
    errors += port_number_or_name(action.get("port", 0), f"{path}.port")
    scheme = action.get("scheme") or ""
    if scheme not in URI_SCHEMES:
        errors.append(not_supported(f"{path}.scheme", scheme, URI_SCHEMES))
    for header in action.get("httpHeaders") or ():
        name = header.get("name") or ""
        if not re.fullmatch(_HEADER_PATTERN, name):
            errors.append(invalid(f"{path}.httpHeaders", name, _HEADER_MESSAGE))
    return errors
