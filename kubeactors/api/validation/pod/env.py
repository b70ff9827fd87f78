"""Validation of environment variables."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from kubeactors.api.fielderrors import FieldError, invalid, not_found, not_supported, required
from kubeactors.api.quantity import Quantity
from kubeactors.api.validation.common import dns1123_label, dns1123_subdomain, no_backsteps, qualified_name
from kubeactors.api.validation.names import (
    config_map_key_errors,
    dns1123_subdomain_errors,
    env_name_errors,
    is_env_name,
)

_ENV_FIELDS: Final = (
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "spec.nodeName",
    "spec.serviceAccountName",
    "status.hostIP",
    "status.hostIPs",
    "status.podIP",
    "status.podIPs",
)
_ENV_RESOURCES: Final = (
    "limits.cpu",
    "limits.ephemeral-storage",
    "limits.memory",
    "requests.cpu",
    "requests.ephemeral-storage",
    "requests.memory",
)
_BYTES: Final = ("1", "1k", "1M", "1G", "1T", "1P", "1E", "1Ki", "1Mi", "1Gi", "1Ti", "1Pi", "1Ei")
_DIVISORS: Final = {"cpu": ("1m", "1"), "memory": _BYTES, "ephemeral-storage": _BYTES, "hugepages": _BYTES}
_HUGEPAGES: Final = ("limits.hugepages-", "requests.hugepages-")
_SUBSCRIPT: Final = re.compile(r"(?P<path>metadata\.(?:labels|annotations))\['(?P<key>.*)'\]")
_SOURCES: Final = ("fieldRef", "resourceFieldRef", "configMapKeyRef", "secretKeyRef", "fileKeyRef")


def env_errors(env: Sequence[Mapping[str, Any]], path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    for i, variable in enumerate(env):
        name = variable.get("name") or ""
        if not name:
            errors.append(required(f"{path}[{i}].name"))
        elif not is_env_name(name):
            errors += [invalid(f"{path}[{i}].name", name, m) for m in env_name_errors(name)]
        source = variable.get("valueFrom")
        if source is not None:
            errors += _source_errors(source, bool(variable.get("value")), f"{path}[{i}].valueFrom")
    return errors


def env_from_errors(sources: Sequence[Mapping[str, Any]], path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    for i, source in enumerate(sources):
        at = f"{path}[{i}]"
        if source.get("prefix"):
            errors += [invalid(f"{at}.prefix", source["prefix"], m) for m in env_name_errors(source["prefix"])]
        given = 0
        for field in ("configMapRef", "secretRef"):
            reference = source.get(field)
            if reference is None:
                continue
            given += 1
            name = reference.get("name") or ""
            errors += _prefix_errors(name, f"{at}.{field}.name") if name else [required(f"{at}.{field}.name")]
        if not given:
            message = "must specify one of: `configMapRef` or `secretRef`"
            errors.append(invalid(path, "", message))
        elif given > 1:
            errors.append(invalid(path, "", "may not have more than one field specified at a time"))
    return errors


def _prefix_errors(name: str, path: str) -> list[FieldError]:
    """Of a name that may end with a dash, as if something came behind it."""
    masked = f"{name[:-2]}a" if len(name) > 1 and name.endswith("-") else name
    return [invalid(path, name, m) for m in dns1123_subdomain_errors(masked)]


def _source_errors(source: Mapping[str, Any], has_value: bool, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    given = [s for s in _SOURCES if source.get(s) is not None]
    if "fieldRef" in given:
        errors += field_ref_errors(source["fieldRef"], _ENV_FIELDS, f"{path}.fieldRef")
    if "resourceFieldRef" in given:
        errors += resource_field_errors(source["resourceFieldRef"], _ENV_RESOURCES, f"{path}.resourceFieldRef", False)
    for field in ("configMapKeyRef", "secretKeyRef"):
        if field in given:
            errors += _key_errors(source[field], f"{path}.{field}")
    if "fileKeyRef" in given:
        errors += _file_key_errors(source["fileKeyRef"], f"{path}.fileKeyRef")
    if not given:
        message = (
            "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`"
        )
        errors.append(invalid(path, "", message))
    elif has_value:
        errors.append(invalid(path, "", "may not be specified when `value` is not empty"))
    elif len(given) > 1:
        errors.append(invalid(path, "", "may not have more than one field specified at a time"))
    return errors


def field_ref_errors(reference: Mapping[str, Any], allowed: Sequence[str], path: str) -> list[FieldError]:
    """Of a reference to a field of the pod."""
    if not reference.get("apiVersion"):
        return [required(f"{path}.apiVersion")]
    field = reference.get("fieldPath") or ""
    if not field:
        return [required(f"{path}.fieldPath")]
    subscript = _SUBSCRIPT.fullmatch(field)
    if subscript:
        key = subscript["key"]
        if subscript["path"] == "metadata.annotations":
            return qualified_name(key.lower(), path)
        return qualified_name(key, path)
    if "[" in field:
        message = f"error converting fieldPath: field label does not support subscript: {field}"
        return [invalid(f"{path}.fieldPath", field, message)]
    if field in allowed:
        return []
    if _convertible(field):
        return [not_supported(f"{path}.fieldPath", field, allowed)]
    return [invalid(f"{path}.fieldPath", field, f"error converting fieldPath: field label not supported: {field}")]


def _convertible(field: str) -> bool:
    return field in (
        *_ENV_FIELDS,
        "metadata.labels",
        "metadata.annotations",
        "spec.restartPolicy",
        "spec.schedulerName",
        "spec.hostNetwork",
        "status.phase",
        "status.nominatedNodeName",
    )


def resource_field_errors(
    reference: Mapping[str, Any], allowed: Sequence[str], path: str, in_volume: bool
) -> list[FieldError]:
    """Of a reference to a container's resource."""
    resource = reference.get("resource") or ""
    errors: list[FieldError] = []
    if in_volume and not reference.get("containerName"):
        errors.append(required(f"{path}.containerName"))
    elif not resource:
        errors.append(required(f"{path}.resource"))
    elif resource not in allowed and not resource.startswith(_HUGEPAGES):
        errors.append(not_supported(f"{path}.resource", resource, allowed))
    divisor = reference.get("divisor")
    if divisor is None or not Quantity.parse(divisor).nanos:
        return errors
    plain = "hugepages" if resource.startswith(_HUGEPAGES) else resource.partition(".")[2]
    if (resource in allowed or plain == "hugepages") and str(Quantity.parse(divisor)) not in _DIVISORS[plain]:
        choices, named = ", ".join(_DIVISORS[plain]), plain
        if plain == "cpu":
            choices = " and ".join(_DIVISORS[plain])
        elif plain == "ephemeral-storage":
            named = "local ephemeral storage"
        message = f"only divisor's values {choices} are supported with the {named} resource"
        errors.append(invalid(f"{path}.divisor", resource, message))
    return errors


def _key_errors(reference: Mapping[str, Any], path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    name, key = reference.get("name") or "", reference.get("key") or ""
    errors += dns1123_subdomain(name, f"{path}.name")
    if not key:
        errors.append(required(f"{path}.key"))
    else:
        errors += [invalid(f"{path}.key", key, m) for m in config_map_key_errors(key)]
    return errors


def _file_key_errors(reference: Mapping[str, Any], path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    key, volume = reference.get("key") or "", reference.get("volumeName") or ""
    if not key:
        errors.append(required(f"{path}.key"))
    else:
        errors += [invalid(f"{path}.key", key, m) for m in env_name_errors(key)]
    errors += dns1123_label(volume, f"{path}.volumeName") if volume else [required(f"{path}.volumeName")]
    file = reference.get("path") or ""
    return errors + (no_backsteps(file, f"{path}.path") if file else [required(f"{path}.path")])


def file_volume_errors(spec: Mapping[str, Any], path: str) -> list[FieldError]:
    """Of the volumes with the files that a pod's variables come from: they are directories of the pod."""
    sources = {volume.get("name") or "": volume for volume in spec.get("volumes") or ()}
    errors: list[FieldError] = []
    for field in ("initContainers", "containers", "ephemeralContainers"):
        for i, container in enumerate(spec.get(field) or ()):
            for j, variable in enumerate(container.get("env") or ()):
                reference = (variable.get("valueFrom") or {}).get("fileKeyRef")
                if reference is None:
                    continue
                at = f"{path}.{field}[{i}].env[{j}].valueFrom.fileKeyRef.volumeName"
                name = reference.get("volumeName") or ""
                if name not in sources:
                    errors.append(not_found(at, name))
                elif sources[name].get("emptyDir") is None:
                    errors.append(invalid(at, name, "referenced volume must be of type emptyDir"))
    return errors
