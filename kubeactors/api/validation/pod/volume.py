"""Validation of a pod's volumes."""

from collections.abc import Callable, Sequence
from typing import Final

from kubeactors.api.fielderrors import FieldError, duplicate, forbidden, invalid, required
from kubeactors.api.quantity import Quantity
from kubeactors.api.validation.common import (
    dns1123_label,
    dns1123_subdomain,
    local_path,
    local_path_below,
)
from kubeactors.api.validation.metadata import annotation_errors, label_errors
from kubeactors.api.validation.persistent_volume_claim import claim_spec_errors
from kubeactors.api.validation.pod.env import field_ref_errors, resource_field_errors
from kubeactors.api.validation.volume_source import (
    Source,
    azure_disk_errors,
    disk_errors,
    fc_errors,
    flex_volume_errors,
    flocker_errors,
    host_path_errors,
    iscsi_errors,
    need,
    nfs_errors,
    quobyte_errors,
)

_MODE: Final = "must be a number between 0 and 0777 (octal), both inclusive"
_VOLUME_FIELDS: Final = (
    "metadata.annotations",
    "metadata.labels",
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
)
_VOLUME_RESOURCES: Final = (
    "limits.cpu",
    "limits.ephemeral-storage",
    "limits.memory",
    "requests.cpu",
    "requests.ephemeral-storage",
    "requests.memory",
)


def volumes_errors(volumes: Sequence[Source], path: str) -> tuple[dict[str, Source], list[FieldError]]:
    """The volumes that are right, by name (mounts of others are not found), and what is wrong with the rest."""
    good: dict[str, Source] = {}
    errors: list[FieldError] = []
    for i, volume in enumerate(volumes):
        at = f"{path}[{i}]"
        name = volume.get("name") or ""
        own = _source_errors(volume, at)
        own += dns1123_label(name, f"{at}.name") if name else [required(f"{at}.name")]
        if name in good:
            own.append(duplicate(f"{at}.name", name))
        if own:
            errors += own
        else:
            good[name] = volume
    return good, errors


def _source_errors(volume: Source, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    given = 0
    for name in _ORDER:
        source = volume.get(name)
        if source is None:
            continue
        given += 1
        if given > 1:
            errors.append(forbidden(f"{path}.{name}", "may not specify more than 1 volume type"))
            continue
        check = _CHECKS.get(name)
        if check is not None:
            errors += check(source, f"{path}.{name}")
    if not given:
        errors.append(required(path, "must specify a volume type"))
    return errors


def _empty_dir(source: Source, path: str) -> list[FieldError]:
    limit = source.get("sizeLimit")
    if limit is not None and Quantity.parse(limit).nanos < 0:
        return [forbidden(f"{path}.sizeLimit", "SizeLimit field must be a valid resource quantity")]
    return []


def _secret(source: Source, path: str) -> list[FieldError]:
    errors = [] if source.get("secretName") else [required(f"{path}.secretName")]
    return errors + _mode_errors(source, "defaultMode", path) + _items_errors(source, path)


def _config_map(source: Source, path: str) -> list[FieldError]:
    errors = [] if source.get("name") else [required(f"{path}.name")]
    return errors + _mode_errors(source, "defaultMode", path) + _items_errors(source, path)


def _projection(source: Source, path: str) -> list[FieldError]:
    errors = [] if source.get("name") else [required(f"{path}.name")]
    return errors + _items_errors(source, path)


def _items_errors(source: Source, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    for i, item in enumerate(source.get("items") or ()):
        at = f"{path}.items[{i}]"
        if not item.get("key"):
            errors.append(required(f"{at}.key"))
        if not item.get("path"):
            errors.append(required(f"{at}.path"))
        errors += local_path_below(item.get("path") or "", f"{at}.path")
        errors += _mode_errors(item, "mode", at)
    return errors


def _mode_errors(source: Source, field: str, path: str) -> list[FieldError]:
    mode = source.get(field)
    return [] if mode is None or 0 <= mode <= 0o777 else [invalid(f"{path}.{field}", mode, _MODE)]


def _downward(source: Source, path: str) -> list[FieldError]:
    errors = _mode_errors(source, "defaultMode", path)
    for item in source.get("items") or ():
        errors += _downward_file(item, path)
    return errors


def _downward_file(item: Source, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    if not item.get("path"):
        errors.append(required(f"{path}.path"))
    errors += local_path_below(item.get("path") or "", f"{path}.path")
    reference, resource = item.get("fieldRef"), item.get("resourceFieldRef")
    if reference is not None:
        errors += field_ref_errors(reference, _VOLUME_FIELDS, f"{path}.fieldRef")
        if resource is not None:
            errors.append(
                invalid(path, "resource", "fieldRef and resourceFieldRef can not be specified simultaneously")
            )
    elif resource is not None:
        errors += resource_field_errors(resource, _VOLUME_RESOURCES, f"{path}.resourceFieldRef", True)
    else:
        errors.append(required(path, "one of fieldRef and resourceFieldRef is required"))
    return errors + _mode_errors(item, "mode", path)


def _projected(source: Source, path: str) -> list[FieldError]:
    errors = _mode_errors(source, "defaultMode", path)
    for i, projection in enumerate(source.get("sources") or ()):
        at = f"{path}.sources[{i}]"
        given = 0
        for name in ("secret", "configMap", "downwardAPI", "serviceAccountToken", "clusterTrustBundle"):
            part = projection.get(name)
            if part is None:
                continue
            given += 1
            if given > 1:
                errors.append(forbidden(f"{at}.{name}", "may not specify more than 1 volume type per source"))
            elif name in ("secret", "configMap"):
                errors += _projection(part, f"{at}.{name}")
            elif name == "downwardAPI":
                for item in part.get("items") or ():
                    errors += _downward_file(item, f"{at}.downwardAPI")
            elif name == "serviceAccountToken":
                errors += _token(part, f"{at}.{name}")
    return errors


def _token(source: Source, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    seconds = source.get("expirationSeconds")
    if seconds is not None and seconds < 600:
        message = "may not specify a duration less than 10 minutes"
        errors.append(invalid(f"{path}.expirationSeconds", seconds, message))
    elif seconds is not None and seconds > 2**32:
        message = "may not specify a duration larger than 2^32 seconds"
        errors.append(invalid(f"{path}.expirationSeconds", seconds, message))
    if not source.get("path"):
        errors.append(required(f"{path}.path"))
        return errors
    return errors + local_path(source["path"], f"{path}.path")


def _csi(source: Source, path: str) -> list[FieldError]:
    driver = source.get("driver") or ""
    if not driver:
        return [required(f"{path}.driver")]
    return dns1123_subdomain(driver.lower(), f"{path}.driver")


def _ephemeral(source: Source, path: str) -> list[FieldError]:
    template, at = source.get("volumeClaimTemplate"), f"{path}.volumeClaimTemplate"
    if template is None:
        return [required(at)]
    meta = template.get("metadata") or {}
    errors = annotation_errors(meta.get("annotations"), f"{at}.metadata.annotations")
    errors += label_errors(meta.get("labels"), f"{at}.metadata.labels")
    return errors + claim_spec_errors(template.get("spec") or {}, f"{at}.spec")


_CHECKS: Final[dict[str, Callable[[Source, str], list[FieldError]]]] = {
    "emptyDir": _empty_dir,
    "hostPath": host_path_errors,
    "gitRepo": need("repository"),
    "gcePersistentDisk": disk_errors("pdName"),
    "awsElasticBlockStore": disk_errors("volumeID"),
    "secret": _secret,
    "nfs": nfs_errors,
    "iscsi": iscsi_errors,
    "glusterfs": need("endpoints", "path"),
    "persistentVolumeClaim": need("claimName"),
    "rbd": need("monitors", "image"),
    "cinder": need("volumeID"),
    "cephfs": need("monitors"),
    "downwardAPI": _downward,
    "configMap": _config_map,
    "azureFile": need("secretName", "shareName"),
    "vsphereVolume": need("volumePath"),
    "quobyte": quobyte_errors,
    "azureDisk": azure_disk_errors,
    "photonPersistentDisk": need("pdID"),
    "portworxVolume": need("volumeID"),
    "projected": _projected,
    "scaleIO": need("gateway", "system", "volumeName"),
    "csi": _csi,
    "ephemeral": _ephemeral,
    "image": need("reference"),
    "fc": fc_errors,
    "flocker": flocker_errors,
    "flexVolume": flex_volume_errors,
}
_ORDER: Final = (*_CHECKS, "storageos")
