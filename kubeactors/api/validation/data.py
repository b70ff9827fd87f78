"""Validation of config maps and secrets."""

import base64
from collections.abc import Mapping
from typing import Any, Final

import orjson

from kubeactors.api.fielderrors import FieldError, invalid, required, too_long
from kubeactors.api.go_json import syntax_error
from kubeactors.api.validation.common import immutable, immutable_data
from kubeactors.api.validation.names import config_map_key_errors

MAX_BYTES: Final = 1024 * 1024

_NEEDED: Final = {
    "kubernetes.io/service-account-token": (),
    "kubernetes.io/dockercfg": (".dockercfg",),
    "kubernetes.io/dockerconfigjson": (".dockerconfigjson",),
    "kubernetes.io/ssh-auth": ("ssh-privatekey",),
    "kubernetes.io/tls": ("tls.crt", "tls.key"),
}
_ACCOUNT_ANNOTATION: Final = "kubernetes.io/service-account.name"


def config_map_errors(obj: Mapping[str, Any]) -> list[FieldError]:
    errors: list[FieldError] = []
    data, binary = obj.get("data") or {}, obj.get("binaryData") or {}
    size = 0
    for key, text in data.items():
        errors += [invalid(f"data[{key}]", key, m) for m in config_map_key_errors(key)]
        if key in binary:
            errors.append(invalid(f"data[{key}]", key, "duplicate of key present in binaryData"))
        size += len(text.encode())
    for key, text in binary.items():
        errors += [invalid(f"binaryData[{key}]", key, m) for m in config_map_key_errors(key)]
        size += _decoded_size(text)
    if size > MAX_BYTES:
        # Kubernetes has no path for the whole object here, and prints an empty one.
        errors.append(too_long("[]", MAX_BYTES))
    return errors


def config_map_update_errors(new: Mapping[str, Any], old: Mapping[str, Any]) -> list[FieldError]:
    return immutable_data(new, old, ("data", "binaryData")) + config_map_errors(new)


def secret_errors(obj: Mapping[str, Any]) -> list[FieldError]:
    errors: list[FieldError] = []
    data = obj.get("data") or {}
    size = 0
    for key, text in data.items():
        errors += [invalid(f"data[{key}]", key, m) for m in config_map_key_errors(key)]
        size += _decoded_size(text)
    if size > MAX_BYTES:
        errors.append(too_long("data", MAX_BYTES))
    kind = obj.get("type") or ""
    if kind == "kubernetes.io/service-account-token":
        if not ((obj.get("metadata") or {}).get("annotations") or {}).get(_ACCOUNT_ANNOTATION):
            errors.append(required(f"metadata.annotations[{_ACCOUNT_ANNOTATION}]"))
    elif kind == "kubernetes.io/basic-auth":
        if "username" not in data and "password" not in data:
            errors += [required(f"data[{key}]") for key in ("username", "password")]
    else:
        errors += _typed_errors(kind, data)
    return errors


def secret_update_errors(new: Mapping[str, Any], old: Mapping[str, Any]) -> list[FieldError]:
    errors = immutable(new.get("type"), old.get("type"), "type")
    return errors + immutable_data(new, old, ("data",)) + secret_errors(new)


def _typed_errors(kind: str, data: Mapping[str, str]) -> list[FieldError]:
    errors: list[FieldError] = []
    for key in _NEEDED.get(kind, ()):
        if key not in data or (kind == "kubernetes.io/ssh-auth" and not data[key]):
            errors.append(required(f"data[{key}]"))
        elif kind in ("kubernetes.io/dockercfg", "kubernetes.io/dockerconfigjson"):
            errors += _json_errors(data[key], f"data[{key}]")
    return errors


def _json_errors(encoded: str, path: str) -> list[FieldError]:
    text = base64.b64decode(encoded)
    try:
        parsed = orjson.loads(text)
    except ValueError as error:
        return [invalid(path, "<secret contents redacted>", syntax_error(text) or str(error))]
    if parsed is not None and not isinstance(parsed, dict):
        return [invalid(path, "<secret contents redacted>", "must be a JSON object")]
    return []


def _decoded_size(base64_text: str) -> int:
    return len(base64_text) * 3 // 4 - base64_text[-2:].count("=")
