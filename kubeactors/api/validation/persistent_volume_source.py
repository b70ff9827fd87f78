"""Validation of where a PersistentVolume's data are: one check for each kind of storage."""

import ipaddress
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from kubeactors.api.fielderrors import FieldError, forbidden, invalid, not_supported, required, too_long
from kubeactors.api.validation.common import (
    dns1123_label,
    dns1123_subdomain,
    no_backsteps,
    range_message,
)
from kubeactors.api.validation.names import dns1123_label_errors, dns1123_subdomain_errors
from kubeactors.api.validation.pod.volume import host_path_errors, nfs_errors

Source = Mapping[str, Any]
Check = Callable[[Source, str], list[FieldError]]

_CSI_DRIVER_MAX: Final = 63
_IQN: Final = re.compile(r"iqn\.\d{4}-\d{2}\.([0-9a-z.-]+)(:[^,;*&$|\s]+)?")
_EUI: Final = re.compile(r"eui\.[0-9A-Fa-f]{16}")
_NAA: Final = re.compile(r"naa\.[0-9A-Fa-f]{32}")
_MANAGED_DISK: Final = "/subscriptions/{sub-id}/resourcegroups/{group-name}/providers/microsoft.compute/disks/{disk-id}"
_BLOB_DISK: Final = "https://{account-name}.blob.core.windows.net/{container-name}/{disk-name}.vhd"


def source_errors(spec: Source, affine: bool, path: str) -> list[FieldError]:
    """Of the fields of a PersistentVolumeSource, of which there must be one. `affine`: there is a node affinity."""
    errors: list[FieldError] = []
    given = 0
    for name, check in _CHECKS.items():
        source = spec.get(name)
        if source is None:
            continue
        given += 1
        if given > 1:
            errors.append(forbidden(f"{path}.{name}", "may not specify more than 1 volume type"))
            continue
        errors += check(source, f"{path}.{name}")
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


def _need(*fields: str) -> Check:
    def check(source: Source, path: str) -> list[FieldError]:
        return [required(f"{path}.{field}") for field in fields if not source.get(field)]

    return check


def _disk(field: str) -> Check:
    """A disk of a cloud, with a partition."""

    def check(source: Source, path: str) -> list[FieldError]:
        errors = _need(field)(source, path)
        partition = source.get("partition") or 0
        if not 0 <= partition <= 255:
            errors.append(invalid(f"{path}.partition", partition, range_message(1, 255)))
        return errors

    return check


def _glusterfs(source: Source, path: str) -> list[FieldError]:
    errors = _need("endpoints", "path")(source, path)
    namespace = source.get("endpointsNamespace")
    at = f"{path}.endpointsNamespace"
    if namespace == "":
        message = "if the endpointnamespace is set, it must be a valid namespace name"
        errors.append(invalid(at, namespace, message))
    elif namespace is not None:
        errors += [invalid(at, namespace, m) for m in dns1123_label_errors(namespace)]
    return errors


def _flocker(source: Source, path: str) -> list[FieldError]:
    name, uuid = source.get("datasetName") or "", source.get("datasetUUID") or ""
    errors: list[FieldError] = []
    if not name and not uuid:
        errors.append(required(path, "one of datasetName and datasetUUID is required"))
    if name and uuid:
        message = "datasetName and datasetUUID can not be specified simultaneously"
        errors.append(invalid(path, "resource", message))
    if "/" in name:
        errors.append(invalid(f"{path}.datasetName", name, "must not contain '/'"))
    return errors


def _quobyte(source: Source, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    registry, tenant = source.get("registry") or "", source.get("tenant") or ""
    if not registry:
        errors.append(required(f"{path}.registry", "must be a host:port pair or multiple pairs separated by commas"))
    elif len(tenant) >= 65:
        message = "must be a UUID and may not exceed a length of 64 characters"
        errors.append(required(f"{path}.tenant", message))
    else:
        for host in registry.split(","):
            if not _is_host_port(host):
                message = "must be a host:port pair or multiple pairs separated by commas"
                errors.append(invalid(f"{path}.registry", registry, message))
    return errors + _need("volume")(source, path)


def _is_host_port(text: str) -> bool:
    host, colon, _ = text.rpartition(":")
    if not colon:
        return False
    if host.startswith("["):
        try:
            ipaddress.IPv6Address(host[1:-1])
        except ValueError:
            return False
        return host.endswith("]")
    return ":" not in host


def _iscsi(source: Source, path: str) -> list[FieldError]:
    errors = _need("targetPortal")(source, path)
    name = source.get("iqn") or ""
    errors += _iscsi_name_errors(name, f"{path}.iqn") if name else [required(f"{path}.iqn")]
    lun = source.get("lun") or 0
    if not 0 <= lun <= 255:
        errors.append(invalid(f"{path}.lun", lun, range_message(0, 255)))
    chap, secret = source.get("chapAuthDiscovery") or source.get("chapAuthSession"), source.get("secretRef")
    if chap and secret is None:
        errors.append(required(f"{path}.secretRef"))
    if secret is not None and not secret.get("name"):
        errors.append(required(f"{path}.secretRef.name"))
    if source.get("initiatorName") is not None:
        errors += _iscsi_name_errors(source["initiatorName"], f"{path}.initiatorname")
    return errors


def _iscsi_name_errors(name: str, path: str) -> list[FieldError]:
    for prefix, pattern in (("iqn", _IQN), ("eui", _EUI), ("naa", _NAA)):
        if name.startswith(prefix):
            return [] if pattern.fullmatch(name) else [invalid(path, name, "must be valid format")]
    return [invalid(path, name, "must be valid format starting with iqn, eui, or naa")]


def _secret_ref(source: Source, field: str, path: str) -> list[FieldError]:
    """Of a reference that must have a name and a namespace when it is there."""
    reference = source.get(field)
    if reference is None:
        return []
    return [required(f"{path}.{field}.{key}") for key in ("name", "namespace") if not reference.get(key)]


def _cinder(source: Source, path: str) -> list[FieldError]:
    return _need("volumeID")(source, path) + _secret_ref(source, "secretRef", path)


def _fc(source: Source, path: str) -> list[FieldError]:
    targets, ids = source.get("targetWWNs") or [], source.get("wwids") or []
    at = f"{path}.targetWWNs"
    errors: list[FieldError] = []
    if not targets and not ids:
        errors.append(required(at, "must specify either targetWWNs or wwids, but not both"))
    if targets and ids:
        errors.append(invalid(at, targets, "targetWWNs and wwids can not be specified simultaneously"))
    if targets:
        lun = source.get("lun")
        if lun is None:
            errors.append(required(f"{path}.lun", "lun is required if targetWWNs is specified"))
        elif not 0 <= lun <= 255:
            errors.append(invalid(f"{path}.lun", lun, range_message(0, 255)))
    return errors


def _flex(source: Source, path: str) -> list[FieldError]:
    errors = _need("driver")(source, path)
    for key in sorted(source.get("options") or {}):
        domain = "." + key.partition("/")[0].lower()
        if domain.endswith((".kubernetes.io", ".k8s.io")):
            message = "kubernetes.io and k8s.io namespaces are reserved"
            errors.append(invalid(f"{path}.options[{key}]", key, message))
    return errors


def _azure_file(source: Source, path: str) -> list[FieldError]:
    errors = _need("secretName", "shareName")(source, path)
    if source.get("secretNamespace") == "":
        errors.append(required(f"{path}.secretNamespace"))
    return errors


def _azure_disk(source: Source, path: str) -> list[FieldError]:
    errors = _need("diskName", "diskURI")(source, path)
    caching, kind, uri = source.get("cachingMode"), source.get("kind"), source.get("diskURI") or ""
    if caching is not None and caching not in ("None", "ReadOnly", "ReadWrite"):
        errors.append(not_supported(f"{path}.cachingMode", caching, ("None", "ReadOnly", "ReadWrite")))
    if kind is not None and kind not in ("Dedicated", "Managed", "Shared"):
        errors.append(not_supported(f"{path}.kind", kind, ("Dedicated", "Managed", "Shared")))
    if kind == "Managed" and not uri.startswith("/subscriptions/"):
        errors.append(not_supported(f"{path}.diskURI", uri, (_MANAGED_DISK,)))
    if kind is not None and kind != "Managed" and not uri.startswith("http"):
        errors.append(not_supported(f"{path}.diskURI", uri, (_BLOB_DISK,)))
    return errors


def _local(source: Source, path: str) -> list[FieldError]:
    value = source.get("path") or ""
    return no_backsteps(value, f"{path}.path") if value else [required(f"{path}.path")]


def _storage_os(source: Source, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    name, namespace = source.get("volumeName") or "", source.get("volumeNamespace") or ""
    errors += dns1123_label(name, f"{path}.volumeName") if name else [required(f"{path}.volumeName")]
    if namespace:
        errors += dns1123_label(namespace, f"{path}.volumeNamespace")
    return errors + _secret_ref(source, "secretRef", path)


_CSI_SECRETS: Final = (
    "controllerPublishSecretRef",
    "controllerExpandSecretRef",
    "nodePublishSecretRef",
    "nodeExpandSecretRef",
)


def _csi(source: Source, path: str) -> list[FieldError]:
    errors = csi_driver_name_errors(source.get("driver") or "", f"{path}.driver")
    errors += _need("volumeHandle")(source, path)
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
    "gcePersistentDisk": _disk("pdName"),
    "awsElasticBlockStore": _disk("volumeID"),
    "glusterfs": _glusterfs,
    "flocker": _flocker,
    "nfs": nfs_errors,
    "rbd": _need("monitors", "image"),
    "quobyte": _quobyte,
    "cephfs": _need("monitors"),
    "iscsi": _iscsi,
    "cinder": _cinder,
    "fc": _fc,
    "flexVolume": _flex,
    "azureFile": _azure_file,
    "vsphereVolume": _need("volumePath"),
    "photonPersistentDisk": _need("pdID"),
    "portworxVolume": _need("volumeID"),
    "azureDisk": _azure_disk,
    "scaleIO": _need("gateway", "system", "volumeName"),
    "local": _local,
    "storageos": _storage_os,
    "csi": _csi,
}
SOURCES: Final = tuple(_CHECKS)
