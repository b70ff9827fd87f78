"""What OpenAPI 3.0 documents say of fields, and the source of the definitions does not: their defaults.

Most follow from Go's types (`presence.json`): what a field that is no pointer is when it is missing. The others are
those that the types' comments give.
"""

from __future__ import annotations

from typing import Any, Final

from kubeactors.api.schema import overlay

Schema = dict[str, Any]

_API: Final = "io.k8s.api."
_ZEROS: Final[dict[str, Any]] = {"string": "", "integer": 0, "boolean": False, "number": 0}
# Structs that are one value in JSON.
_VALUES: Final = (".Time", ".MicroTime", ".RawExtension", ".IntOrString", ".Quantity")
_RBD: Final = {"keyring": "/etc/ceph/keyring", "pool": "rbd", "user": "admin"}
_SCALE_IO: Final = {"fsType": "xfs", "storageMode": "ThinProvisioned"}
# Of types that kubectl does not hold.
_WHOLE: Final = (
    "APIService",
    "APIServiceList",
    "CustomResourceDefinition",
    "CustomResourceDefinitionList",
    "CustomResourceDefinitionStatus",
)
_PARTS: Final = ("acceptedNames", "metadata", "spec", "status")
_NAME: Final = {"name": ""}
_EXPLICIT: Final[dict[str, dict[str, Any]]] = {
    f"{_API}autoscaling.v1.ScaleSpec": {"replicas": 0},
    f"{_API}core.v1.AzureDiskVolumeSource": {
        "cachingMode": "ReadWrite",
        "fsType": "ext4",
        "kind": "Shared",
        "readOnly": False,
    },
    f"{_API}core.v1.ConfigMapEnvSource": _NAME,
    f"{_API}core.v1.ConfigMapKeySelector": _NAME,
    f"{_API}core.v1.ConfigMapProjection": _NAME,
    f"{_API}core.v1.ConfigMapVolumeSource": _NAME,
    f"{_API}core.v1.ContainerPort": {"protocol": "TCP"},
    f"{_API}core.v1.FileKeySelector": {"optional": False},
    f"{_API}core.v1.GRPCAction": {"service": ""},
    f"{_API}core.v1.ISCSIPersistentVolumeSource": {"iscsiInterface": "default"},
    f"{_API}core.v1.ISCSIVolumeSource": {"iscsiInterface": "default"},
    f"{_API}core.v1.LocalObjectReference": _NAME,
    f"{_API}core.v1.RBDPersistentVolumeSource": _RBD,
    f"{_API}core.v1.RBDVolumeSource": _RBD,
    f"{_API}core.v1.ReplicationControllerSpec": {"minReadySeconds": 0, "replicas": 1},
    f"{_API}core.v1.ScaleIOPersistentVolumeSource": _SCALE_IO,
    f"{_API}core.v1.ScaleIOVolumeSource": _SCALE_IO,
    f"{_API}core.v1.SecretEnvSource": _NAME,
    f"{_API}core.v1.SecretKeySelector": _NAME,
    f"{_API}core.v1.SecretProjection": _NAME,
    f"{_API}core.v1.ServicePort": {"protocol": "TCP"},
    f"{_API}resource.v1.DeviceToleration": {"operator": "Equal"},
}


def add_defaults(name: str, schema: Schema) -> None:
    """Say what the fields of a definition's schema are by default. It is changed in place."""
    explicit = _EXPLICIT.get(name, {})
    required = schema.get("required") or ()
    known = overlay.is_known(name)
    for field, property_ in (schema.get("properties") or {}).items():
        if field in explicit:
            _set(property_, explicit[field])
            continue
        present = overlay.presence_of(name, field) == "a" if known else field in required
        target = _target(property_)
        if target:
            present = present or (not known and name.rpartition(".")[2] in _WHOLE and field in _PARTS)
            if present and not target.endswith(_VALUES):
                _set(property_, {})
        elif present and property_.get("format") != "byte" and property_.get("type") in _ZEROS:
            _set(property_, _ZEROS[property_["type"]])


def _target(property_: Schema) -> str:
    """The definition that a property refers to, alone or (with a description) in an allOf."""
    target: str = (property_.get("allOf") or [property_])[0].get("$ref", "")
    return target


def _set(property_: Schema, value: Any) -> None:
    if "$ref" in property_:
        property_["allOf"] = [{"$ref": property_.pop("$ref")}]
    property_["default"] = value
