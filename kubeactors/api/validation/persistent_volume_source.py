"""Validation of where a PersistentVolume's data are: one check for each kind of storage."""

from typing import Final

from kubeactors.api.fielderrors import FieldError, forbidden, invalid, required, too_long
from kubeactors.api.validation.common import (
    dns1123_label,
    dns1123_subdomain,
    no_backsteps,
)
from kubeactors.api.validation.names import dns1123_label_errors, dns1123_subdomain_errors
from kubeactors.api.validation.volume_source import (
    PATHS,
    PATHS_OF_ANOTHER,
    Check,
    Source,
    azure_disk_errors,
    cinder_errors,
    disk_errors,
    fc_errors,
    flex_volume_errors,
    flocker_errors,
    host_path_errors,
    iscsi_errors,
    need,
    nfs_errors,
    persistent_iscsi_errors,
    quobyte_errors,
    storage_os_errors,
)

_CSI_DRIVER_MAX: Final = 63


def source_errors(spec: Source, volume: str, affine: bool, path: str) -> list[FieldError]:
    """Of the fields of a PersistentVolumeSource, of which there must be one.

    `volume`: the volume's name; `affine`: there is a node affinity.
    """
    errors: list[FieldError] = []
    given = 0
    for name, check in _CHECKS.items():
        source = spec.get(name)
        if source is None:
            continue
        given += 1
        if given > 1 and name != "flexVolume":  # which Kubernetes lets pass
            at = f"{path}.{PATHS_OF_ANOTHER.get(name, name)}"
            errors.append(forbidden(at, "may not specify more than 1 volume type"))
        elif name == "iscsi":
            errors += persistent_iscsi_errors(source, volume, f"{path}.iscsi")
        else:
            errors += check(source, f"{path}.{PATHS.get(name, name)}")
            if name == "local" and not affine:
                errors.append(required(f"{path}.nodeAffinity", "Local volume requires node affinity"))
    if not given:
        errors.append(required(path, "must specify a volume type"))
    return errors


def csi_driver_name_errors(name: str, path: str) -> list[FieldError]:
    if not name:
        return [required(path)]
    errors = [too_long(path, _CSI_DRIVER_MAX)] if len(name.encode()) > _CSI_DRIVER_MAX else []
    return errors + [invalid(path, name, m) for m in dns1123_subdomain_errors(name.lower())]


def _glusterfs(source: Source, path: str) -> list[FieldError]:
    errors = need("endpoints", "path")(source, path)
    namespace = source.get("endpointsNamespace")
    at = f"{path}.endpointsNamespace"
    if namespace == "":
        message = "if the endpointnamespace is set, it must be a valid namespace name"
        errors.append(invalid(at, namespace, message))
    elif namespace is not None:
        errors += [invalid(at, namespace, m) for m in dns1123_label_errors(namespace)]
    return errors


def _azure_file(source: Source, path: str) -> list[FieldError]:
    errors = need("secretName", "shareName")(source, path)
    if source.get("secretNamespace") == "":
        errors.append(required(f"{path}.secretNamespace"))
    return errors


def _local(source: Source, path: str) -> list[FieldError]:
    value = source.get("path") or ""
    return no_backsteps(value, f"{path}.path") if value else [required(f"{path}.path")]


_CSI_SECRETS: Final = (
    "controllerPublishSecretRef",
    "controllerExpandSecretRef",
    "nodePublishSecretRef",
    "nodeExpandSecretRef",
)


def _csi(source: Source, path: str) -> list[FieldError]:
    errors = csi_driver_name_errors(source.get("driver") or "", f"{path}.driver")
    errors += need("volumeHandle")(source, path)
    for field in _CSI_SECRETS:
        reference = source.get(field)
        if reference is None:
            continue
        at = f"{path}.{field}"
        name, namespace = reference.get("name") or "", reference.get("namespace") or ""
        errors += dns1123_subdomain(name, f"{at}.name") if name else [required(f"{at}.name")]
        errors += dns1123_label(namespace, f"{at}.namespace") if namespace else [required(f"{at}.namespace")]
    return errors


# In the order in which Kubernetes looks at them.
_CHECKS: Final[dict[str, Check]] = {
    "hostPath": host_path_errors,
    "gcePersistentDisk": disk_errors("pdName"),
    "awsElasticBlockStore": disk_errors("volumeID"),
    "glusterfs": _glusterfs,
    "flocker": flocker_errors,
    "nfs": nfs_errors,
    "rbd": need("monitors", "image"),
    "quobyte": quobyte_errors,
    "cephfs": need("monitors"),
    "iscsi": iscsi_errors,
    "cinder": cinder_errors("name", "namespace"),
    "fc": fc_errors,
    "flexVolume": flex_volume_errors,
    "azureFile": _azure_file,
    "vsphereVolume": need("volumePath"),
    "photonPersistentDisk": need("pdID"),
    "portworxVolume": need("volumeID"),
    "azureDisk": azure_disk_errors,
    "scaleIO": need("gateway", "system", "volumeName"),
    "local": _local,
    "storageos": storage_os_errors("name", "namespace"),
    "csi": _csi,
}
SOURCES: Final = tuple(_CHECKS)
