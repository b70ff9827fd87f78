"""Validation of volume attachments."""

from collections.abc import Mapping
from typing import Any, Final

from kubeactors.api.fielderrors import FieldError, forbidden, invalid, required, too_long
from kubeactors.api.validation.common import dns1123_subdomain, immutable, not_negative
from kubeactors.api.validation.persistent_volume import persistent_volume_spec_errors
from kubeactors.api.validation.persistent_volume_source import csi_driver_name_errors

_ONE_SOURCE: Final = "must specify exactly one of inlineVolumeSpec and persistentVolumeName"
_MAX_METADATA_BYTES: Final = 256 * 1024
_MAX_MESSAGE_BYTES: Final = 1024


def volume_attachment_errors(obj: Mapping[str, Any]) -> list[FieldError]:
    spec = obj.get("spec") or {}
    errors = csi_driver_name_errors(spec.get("attacher") or "", "spec.attacher")
    errors += _source_errors(spec.get("source") or {}, "spec.source")
    errors += dns1123_subdomain(spec.get("nodeName") or "", "spec.nodeName")
    return errors + _status_errors(obj.get("status") or {})


def volume_attachment_update_errors(new: Mapping[str, Any], old: Mapping[str, Any]) -> list[FieldError]:
    errors = volume_attachment_errors(new)
    return errors + immutable(new.get("spec"), old.get("spec"), "spec", "io.k8s.api.storage.v1.VolumeAttachmentSpec")


def _source_errors(source: Mapping[str, Any], path: str) -> list[FieldError]:
    volume, inline = source.get("persistentVolumeName"), source.get("inlineVolumeSpec")
    if volume is None and inline is None:
        return [required(path, _ONE_SOURCE)]
    if volume is not None and inline is not None:
        return [forbidden(path, _ONE_SOURCE)]
    if inline is not None:
        return persistent_volume_spec_errors(inline, "", f"{path}.inlineVolumeSpec", inline=True)
    at = f"{path}.persistentVolumeName"
    return (
        dns1123_subdomain(volume or "", at) if volume else [required(at, "must specify non empty persistentVolumeName")]
    )


def _status_errors(status: Mapping[str, Any]) -> list[FieldError]:
    errors: list[FieldError] = []
    metadata = status.get("attachmentMetadata") or {}
    errors += [invalid("status.attachmentMetadata", k, "field can not be empty.") for k in metadata if not k]
    if sum(len(k.encode()) + len(v.encode()) for k, v in metadata.items()) > _MAX_METADATA_BYTES:
        errors.append(too_long("status.attachmentMetadata", _MAX_METADATA_BYTES))
    for field in ("attachError", "detachError"):
        problem = status.get(field) or {}
        if len((problem.get("message") or "").encode()) > _MAX_MESSAGE_BYTES:
            errors.append(too_long(f"status.{field}.message", _MAX_MESSAGE_BYTES))
        errors += not_negative(problem.get("errorCode") or 0, f"status.{field}.errorCode")
    return errors
