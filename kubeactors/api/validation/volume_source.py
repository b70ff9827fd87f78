"""Validation of the kinds of storage that pods' volumes and persistent volumes have in common."""

import ipaddress
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from kubeactors.api.choices import AZURE_DATA_DISK_CACHING_MODES, AZURE_DATA_DISK_KINDS, HOST_PATH_TYPES
from kubeactors.api.fielderrors import FieldError, invalid, not_supported, required
from kubeactors.api.validation.common import no_backsteps, range_message

Source = Mapping[str, Any]
Check = Callable[[Source, str], list[FieldError]]

_HOST_PATH_TYPES: Final = frozenset(HOST_PATH_TYPES)
_IQN: Final = re.compile(r"iqn\.\d{4}-\d{2}\.([0-9a-z.-]+)(:[^,;*&$|\s]+)?")
_EUI: Final = re.compile(r"eui\.[0-9A-Fa-f]{16}")
_NAA: Final = re.compile(r"naa\.[0-9A-Fa-f]{32}")
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
    errors = need("targetPortal")(source, path)
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
    if kind is not None and kind != "Managed" and not uri.startswith("http"):
        errors.append(not_supported(f"{path}.diskURI", uri, (_BLOB_DISK,)))
    return errors
