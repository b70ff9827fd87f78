"""Defaults of a pod's volumes."""

from typing import Any

from kubeactors.api.defaults.image import default_pull_policy

JsonObject = dict[str, Any]

_FILE_MODE = 0o644


def default_volumes(volumes: list[JsonObject]) -> None:
    """Each volume's defaults; a volume without a source is an emptyDir."""
    for volume in volumes:
        if len(volume) <= 1:
            volume["emptyDir"] = {}
        for source, default in _BY_SOURCE.items():
            found = volume.get(source)
            if found is not None:
                default(found)


def _mode(source: JsonObject) -> None:
    source.setdefault("defaultMode", _FILE_MODE)


def _downward(source: JsonObject) -> None:
    _mode(source)
    _downward_items(source)


def _downward_items(source: JsonObject) -> None:
    for item in source.get("items") or ():
        reference = item.get("fieldRef")
        if reference is not None and not reference.get("apiVersion"):
            reference["apiVersion"] = "v1"
        if item.get("resourceFieldRef") is not None:
            item["resourceFieldRef"].setdefault("divisor", "0")


def _projected(source: JsonObject) -> None:
    _mode(source)
    for projection in source.get("sources") or ():
        if "downwardAPI" in projection:
            _downward_items(projection["downwardAPI"])
        if "serviceAccountToken" in projection:
            projection["serviceAccountToken"].setdefault("expirationSeconds", 3600)
        if "podCertificate" in projection:
            projection["podCertificate"].setdefault("maxExpirationSeconds", 86400)


def _host_path(source: JsonObject) -> None:
    source.setdefault("type", "")


def _iscsi(source: JsonObject) -> None:
    if not source.get("iscsiInterface"):
        source["iscsiInterface"] = "default"


def _rbd(source: JsonObject) -> None:
    for field, value in (("pool", "rbd"), ("user", "admin"), ("keyring", "/etc/ceph/keyring")):
        if not source.get(field):
            source[field] = value


def _azure_disk(source: JsonObject) -> None:
    for field, value in (("cachingMode", "ReadWrite"), ("kind", "Shared"), ("fsType", "ext4"), ("readOnly", False)):
        source.setdefault(field, value)


def _scale_io(source: JsonObject) -> None:
    for field, value in (("storageMode", "ThinProvisioned"), ("fsType", "xfs")):
        if not source.get(field):
            source[field] = value


def default_persistent_volume(spec: JsonObject) -> None:
    """Of a PersistentVolume's spec, alone or within a VolumeAttachment: its source's fields."""
    for source, default in _BY_PERSISTENT_SOURCE.items():
        found = spec.get(source)
        if found is not None:
            default(found)


def _ephemeral(source: JsonObject) -> None:
    template = source.get("volumeClaimTemplate")
    if template is not None:
        default_claim_spec(template.setdefault("spec", {}))


def default_claim_spec(spec: JsonObject) -> None:
    """Of a PersistentVolumeClaim, alone or in a template."""
    spec.setdefault("volumeMode", "Filesystem")


def _image(source: JsonObject) -> None:
    if not source.get("pullPolicy"):
        source["pullPolicy"] = default_pull_policy(source.get("reference") or "")


_BY_SOURCE = {
    "secret": _mode,
    "configMap": _mode,
    "downwardAPI": _downward,
    "projected": _projected,
    "hostPath": _host_path,
    "ephemeral": _ephemeral,
    "image": _image,
    "iscsi": _iscsi,
    "rbd": _rbd,
    "azureDisk": _azure_disk,
    "scaleIO": _scale_io,
}
_BY_PERSISTENT_SOURCE = {
    "hostPath": _host_path,
    "iscsi": _iscsi,
    "rbd": _rbd,
    "azureDisk": _azure_disk,
    "scaleIO": _scale_io,
}
