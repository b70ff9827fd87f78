"""Validation of volume mounts and devices of a container."""

from collections.abc import Mapping
from typing import Any, Final

from kubeactors.api.choices import MOUNT_PROPAGATION_MODES
from kubeactors.api.fielderrors import FieldError, forbidden, invalid, not_found, not_supported, required
from kubeactors.api.validation.common import local_path

_PROPAGATION: Final = frozenset(MOUNT_PROPAGATION_MODES)
_RECURSIVE: Final = ("Disabled", "Enabled", "IfPossible")

Volumes = Mapping[str, Mapping[str, Any]]


def volume_mount_errors(container: Mapping[str, Any], volumes: Volumes, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    points: set[str] = set()
    devices = {d.get("name") or "": d.get("devicePath") or "" for d in container.get("volumeDevices") or ()}
    for i, mount in enumerate(container["volumeMounts"]):
        at = f"{path}[{i}]"
        name, target = mount.get("name") or "", mount.get("mountPath") or ""
        if not name:
            errors.append(required(f"{at}.name"))
        if name not in volumes:
            errors.append(not_found(f"{at}.name", name))
        if not target:
            errors.append(required(f"{at}.mountPath"))
        if target in points:
            errors.append(invalid(f"{at}.mountPath", target, "must be unique"))
        points.add(target)
        if name in devices:
            errors.append(invalid(f"{at}.name", name, "must not already exist in volumeDevices"))
        if target in devices.values():
            errors.append(invalid(f"{at}.mountPath", target, "must not already exist as a path in volumeDevices"))
        if mount.get("subPath"):
            # Kubernetes leaves the index out here and below.
            errors += local_path(mount["subPath"], f"{path}.subPath")
        if mount.get("subPathExpr"):
            if mount.get("subPath"):
                message = "subPathExpr and subPath are mutually exclusive"
                errors.append(invalid(f"{at}.subPathExpr", mount["subPathExpr"], message))
            errors += local_path(mount["subPathExpr"], f"{path}.subPathExpr")
        if mount.get("mountPropagation") is not None:
            errors += _propagation_errors(mount["mountPropagation"], container, path)
        if mount.get("recursiveReadOnly") is not None:
            errors += _recursive_errors(mount, f"{path}.recursiveReadOnly")
    return errors


def volume_device_errors(container: Mapping[str, Any], volumes: Volumes, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    mounts = {m.get("name") or "": m.get("mountPath") or "" for m in container.get("volumeMounts") or ()}
    paths: set[str] = set()
    names: set[str] = set()
    for i, device in enumerate(container["volumeDevices"]):
        at = f"{path}[{i}]"
        name, target = device.get("name") or "", device.get("devicePath") or ""
        if not name:
            errors.append(required(f"{at}.name"))
        if name in names:
            errors.append(invalid(f"{at}.name", name, "must be unique"))
        source = volumes.get(name)
        if source is None:
            errors.append(not_found(f"{at}.name", name))
        elif source.get("persistentVolumeClaim") is None and source.get("ephemeral") is None:
            message = "can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode"
            errors.append(invalid(f"{at}.name", name, message))
        if not target:
            errors.append(required(f"{at}.devicePath"))
        if target in paths:
            errors.append(invalid(f"{at}.devicePath", target, "must be unique"))
        if ".." in target.split("/"):
            errors.append(invalid(f"{at}.devicePath", target, "can not contain backsteps ('..')"))
        else:
            paths.add(target)
        if name in mounts:
            errors.append(invalid(f"{at}.name", name, "must not already exist in volumeMounts"))
        if target in mounts.values():
            errors.append(invalid(f"{at}.devicePath", target, "must not already exist as a path in volumeMounts"))
        if name:
            names.add(name)
    return errors


def _propagation_errors(value: str, container: Mapping[str, Any], path: str) -> list[FieldError]:
    errors = []
    if value not in _PROPAGATION:
        errors.append(not_supported(f"{path}.mountPropagation", value, _PROPAGATION))
    privileged = (container.get("securityContext") or {}).get("privileged")
    if value == "Bidirectional" and not privileged:
        message = "Bidirectional mount propagation is available only to privileged containers"
        errors.append(forbidden(f"{path}.mountPropagation", message))
    return errors


def _recursive_errors(mount: Mapping[str, Any], path: str) -> list[FieldError]:
    value = mount["recursiveReadOnly"]
    if value not in _RECURSIVE:
        return [not_supported(path, value, _RECURSIVE)]
    if value == "Disabled":
        return []
    errors = []
    if not mount.get("readOnly"):
        errors.append(forbidden(path, "may only be specified when readOnly is true"))
    propagation = mount.get("mountPropagation")
    if propagation not in (None, "None"):
        message = "may only be specified when mountPropagation is None or not specified"
        errors.append(forbidden(path, message))
    return errors
