"""Validation of the kinds of storage that pods' volumes and persistent volumes have in common."""

import ipaddress
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from kubeactors.api.choices import AZURE_DATA_DISK_CACHING_MODES, AZURE_DATA_DISK_KINDS, HOST_PATH_TYPES
from kubeactors.api.fielderrors import FieldError, invalid, not_supported, required
from kubeactors.api.validation.common import dns1123_label, no_backsteps, range_message

Source = Mapping[str, Any]
Check = Callable[[Source, str], list[FieldError]]

_HOST_PATH_TYPES: Final = frozenset(HOST_PATH_TYPES)
_ISCSI_NAMES: Final = {
    "iqn": re.compile(r"iqn\.[0-9]{4}-[0-9]{2}\.[0-9A-Za-z.-]+:[^,;*&$|\s]+\Z"),
    "eui": re.compile(r"^eui.[0-9A-Za-z]{16}\Z"),
    "naa": re.compile(r"^naa.[0-9A-Za-z]{32}\Z"),
}
_ISCSI_MAX: Final = 64
_ISCSI_FORM: Final = "must be valid format"
_ISCSI_KNOWN: Final = "must be valid format starting with iqn, eui, or naa"
ISCSI_TOO_LONG: Final = (
    "Total length of <volume name>:<iscsi.targetPortal> must be under 64 characters "
    "if iscsi.initiatorName is specified."
)
_MANAGED_DISK: Final = "/subscriptions/{sub-id}/resourcegroups/{group-name}/providers/microsoft.compute/disks/{disk-id}"
_BLOB_DISK: Final = "https://{account-name}.blob.core.windows.net/{container-name}/{disk-name}.vhd"


def need(*fields: str) -> Check:
    """A source that must have some fields."""

    def check(source: Source, path: str) -> list[FieldError]:
        return [required(f"{path}.{field}") for field in fields if not source.get(field)]

    return check


def host_path_errors(source: Source, path: str) -> list[FieldError]:
    value = source.get("path") or ""
    if not value:
        return [required(f"{path}.path")]
    errors = no_backsteps(value, f"{path}.path")
    kind = source.get("type")
    if kind is not None and kind not in _HOST_PATH_TYPES:
        errors.append(not_supported(f"{path}.type", kind, _HOST_PATH_TYPES))
    return errors


def nfs_errors(source: Source, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    if not source.get("server"):
        errors.append(required(f"{path}.server"))
    target = source.get("path") or ""
    if not target:
        errors.append(required(f"{path}.path"))
    if not target.startswith("/"):
        errors.append(invalid(f"{path}.path", target, "must be an absolute path"))
    return errors


# Where messages name another field than the source's own: errors in it, and that it is one too many.
PATHS: Final = {"gcePersistentDisk": "persistentDisk"}
PATHS_OF_ANOTHER: Final = {"cephfs": "cephFS", "downwardAPI": "downwarAPI"}


def disk_errors(field: str) -> Check:
    """A disk of a cloud, with a partition."""

    def check(source: Source, path: str) -> list[FieldError]:
        errors = need(field)(source, path)
        partition = source.get("partition") or 0
        if not 0 <= partition <= 255:
            errors.append(invalid(f"{path}.partition", partition, range_message(1, 255)))
        return errors

    return check


def flocker_errors(source: Source, path: str) -> list[FieldError]:
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


def quobyte_errors(source: Source, path: str) -> list[FieldError]:
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
    return errors + need("volume")(source, path)


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


def iscsi_errors(source: Source, path: str) -> list[FieldError]:
    """Of a pod's volume."""
    return need("targetPortal")(source, path) + _iscsi_target_errors(source, path, _ISCSI_KNOWN)


def persistent_iscsi_errors(source: Source, volume: str, path: str) -> list[FieldError]:
    """Of the PersistentVolume with the name `volume`."""
    errors = need("targetPortal")(source, path)
    portal = source.get("targetPortal") or ""
    if iscsi_name_too_long(source, volume):
        errors.append(invalid(f"{path}.targetportal", portal, ISCSI_TOO_LONG))
    return errors + _iscsi_target_errors(source, path, _ISCSI_FORM)


def iscsi_name_too_long(source: Source, volume: str) -> bool:
    """Whether the volume's name and its portal are too long together for the interface named for both."""
    name = f"{volume}:{source.get('targetPortal') or ''}"
    return source.get("initiatorName") is not None and len(name.encode()) > _ISCSI_MAX


def _iscsi_target_errors(source: Source, path: str, unknown: str) -> list[FieldError]:
    """`unknown`: what is said of a name of no known form, which differs between pods' and persistent volumes."""
    name = source.get("iqn") or ""
    errors = _iscsi_name_errors(name, unknown, f"{path}.iqn") if name else [required(f"{path}.iqn")]
    lun = source.get("lun") or 0
    if not 0 <= lun <= 255:
        errors.append(invalid(f"{path}.lun", lun, range_message(0, 255)))
    chap, secret = source.get("chapAuthDiscovery") or source.get("chapAuthSession"), source.get("secretRef")
    if chap and secret is None:
        errors.append(required(f"{path}.secretRef"))
    if unknown == _ISCSI_FORM and secret is not None and not secret.get("name"):
        errors.append(required(f"{path}.secretRef.name"))
    if source.get("initiatorName") is not None:
        errors += _iscsi_name_errors(source["initiatorName"], unknown, f"{path}.initiatorname")
    return errors


def _iscsi_name_errors(name: str, unknown: str, path: str) -> list[FieldError]:
    pattern = _ISCSI_NAMES.get(name[:3])
    if pattern is None:
        return [invalid(path, name, unknown)]
    return [] if pattern.search(name) else [invalid(path, name, _ISCSI_FORM)]


def fc_errors(source: Source, path: str) -> list[FieldError]:
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


def flex_volume_errors(source: Source, path: str) -> list[FieldError]:
    errors = need("driver")(source, path)
    for key in sorted(source.get("options") or {}):
        domain = "." + key.partition("/")[0].lower()
        if domain.endswith((".kubernetes.io", ".k8s.io")):
            message = "kubernetes.io and k8s.io namespaces are reserved"
            errors.append(invalid(f"{path}.options[{key}]", key, message))
    return errors


def azure_disk_errors(source: Source, path: str) -> list[FieldError]:
    errors = need("diskName", "diskURI")(source, path)
    caching, kind, uri = source.get("cachingMode"), source.get("kind"), source.get("diskURI") or ""
    if caching is not None and caching not in AZURE_DATA_DISK_CACHING_MODES:
        errors.append(not_supported(f"{path}.cachingMode", caching, AZURE_DATA_DISK_CACHING_MODES))
    if kind is not None and kind not in AZURE_DATA_DISK_KINDS:
        errors.append(not_supported(f"{path}.kind", kind, frozenset(AZURE_DATA_DISK_KINDS)))
    if kind == "Managed" and not uri.startswith("/subscriptions/"):
        errors.append(not_supported(f"{path}.diskURI", uri, (_MANAGED_DISK,)))
    if kind is not None and kind != "Managed" and not uri.startswith("https://"):
        errors.append(not_supported(f"{path}.diskURI", uri, (_BLOB_DISK,)))
    return errors


def secret_reference_errors(source: Source, path: str, *keys: str) -> list[FieldError]:
    """Of a secretRef that must have some keys when it is there."""
    reference = source.get("secretRef")
    if reference is None:
        return []
    return [required(f"{path}.secretRef.{key}") for key in keys if not reference.get(key)]


def cinder_errors(*keys: str) -> Check:
    """`keys`: what the reference to a secret must have."""

    def check(source: Source, path: str) -> list[FieldError]:
        return need("volumeID")(source, path) + secret_reference_errors(source, path, *keys)

    return check


def storage_os_errors(*keys: str) -> Check:
    """`keys`: what the reference to a secret must have."""

    def check(source: Source, path: str) -> list[FieldError]:
        name, namespace = source.get("volumeName") or "", source.get("volumeNamespace") or ""
        errors = dns1123_label(name, f"{path}.volumeName") if name else [required(f"{path}.volumeName")]
        if namespace:
            errors += dns1123_label(namespace, f"{path}.volumeNamespace")
        return errors + secret_reference_errors(source, path, *keys)

    return check
