"""Validation of a pod's volumes."""

from collections.abc import Callable, Sequence
from typing import Final

from kubeactors.api.fielderrors import FieldError, duplicate, forbidden, go_quote, invalid, required
from kubeactors.api.quantity import Quantity
from kubeactors.api.validation.common import (
    dns1123_label,
    dns1123_subdomain,
    local_path,
    local_path_below,
)
from kubeactors.api.validation.metadata import annotation_errors, label_errors
from kubeactors.api.validation.names import dns1123_subdomain_errors
from kubeactors.api.validation.persistent_volume_claim import claim_spec_errors
from kubeactors.api.validation.persistent_volume_source import csi_driver_name_errors
from kubeactors.api.validation.pod.env import field_ref_errors, resource_field_errors
from kubeactors.api.validation.pod.images import pull_policy_errors
from kubeactors.api.validation.pod.trust_bundles import bundle_projection_errors
from kubeactors.api.validation.volume_source import (
    ISCSI_TOO_LONG,
    PATHS,
    PATHS_OF_ANOTHER,
    Source,
    azure_disk_errors,
    cinder_errors,
    disk_errors,
    fc_errors,
    flex_volume_errors,
    flocker_errors,
    host_path_errors,
    iscsi_errors,
    iscsi_name_too_long,
    need,
    nfs_errors,
    quobyte_errors,
    storage_os_errors,
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


def volumes_errors(
    volumes: Sequence[Source], path: str, pod: str | None = None
) -> tuple[dict[str, Source], list[FieldError]]:
    """The volumes that are right, by name (mounts of others are not found), and what is wrong with the rest.

    `pod`: the name of the pod; None in templates.
    """
    good: dict[str, Source] = {}
    errors: list[FieldError] = []
    own_claims = {f"{pod}-{v.get('name') or ''}" for v in volumes if pod and v.get("ephemeral") is not None}
    for i, volume in enumerate(volumes):
        at = f"{path}[{i}]"
        name = volume.get("name") or ""
        own = _source_errors(volume, at, pod)
        own += dns1123_label(name, f"{at}.name") if name else [required(f"{at}.name")]
        if name in good:
            own.append(duplicate(f"{at}.name", name))
        if own:
            errors += own
        else:
            good[name] = volume
        claim = (volume.get("persistentVolumeClaim") or {}).get("claimName") or ""
        if claim in own_claims:
            message = "must not reference a PVC that gets created for an ephemeral volume"
            errors.append(invalid(f"{at}.persistentVolumeClaim.claimName", claim, message))
    return good, errors


def _source_errors(volume: Source, path: str, pod: str | None) -> list[FieldError]:
    errors: list[FieldError] = []
    given = 0
    for name, check in _CHECKS.items():
        source = volume.get(name)
        if source is None:
            continue
        given += 1
        if given > 1:
            at = f"{path}.{PATHS_OF_ANOTHER.get(name, name)}"
            errors.append(forbidden(at, "may not specify more than 1 volume type"))
        else:
            errors += check(source, f"{path}.{PATHS.get(name, name)}")
            if name == "ephemeral":
                errors += _claim_name_errors(volume.get("name") or "", pod, f"{path}.name")
        if name == "iscsi" and iscsi_name_too_long(source, volume.get("name") or ""):
            errors.append(invalid(f"{path}.name", volume.get("name") or "", ISCSI_TOO_LONG))
    if not given:
        errors.append(required(path, "must specify a volume type"))
    return errors


def _claim_name_errors(name: str, pod: str | None, path: str) -> list[FieldError]:
    """Of the claim that is made for the pod's ephemeral volume."""
    if not pod or not name:
        return []
    claim = f"{pod}-{name}"
    return [invalid(path, name, f"PVC name {go_quote(claim)}: {m}") for m in dns1123_subdomain_errors(claim)]


def _git(source: Source, path: str) -> list[FieldError]:
    return need("repository")(source, path) + local_path(source.get("directory") or "", f"{path}.directory")


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


def _items_errors(source: Source, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    for i, item in enumerate(source.get("items") or ()):
        errors += _item_errors(item, f"{path}.items[{i}]")
    return errors


def _item_errors(item: Source, path: str) -> list[FieldError]:
    errors = [required(f"{path}.{f}") for f in ("key", "path") if not item.get(f)]
    return errors + local_path_below(item.get("path") or "", f"{path}.path") + _mode_errors(item, "mode", path)


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
    paths: set[str] = set()

    def conflict(target: str, shown: str) -> list[FieldError]:
        if target not in paths:
            paths.update([target] if target else [])
            return []
        return [invalid(path, shown, "conflicting duplicate paths")]

    for i, projection in enumerate(source.get("sources") or ()):
        at = f"{path}.sources[{i}]"
        given = [name for name in _PROJECTIONS if projection.get(name) is not None]
        for name in given:
            part = projection[name]
            if name == "serviceAccountToken":
                errors += _token(part, f"{at}.{name}", f"{path}.path")
                continue
            if name == "clusterTrustBundle":
                # Kubernetes calls the field as it was called once.
                errors += bundle_projection_errors(part, f"{at}.clusterTrustBundlePEM")
                target = part.get("path") or ""
                errors += conflict(target, target)
                continue
            if name != "downwardAPI" and not part.get("name"):
                errors.append(required(f"{at}.{name}.name"))
            for j, item in enumerate(part.get("items") or ()):
                target = item.get("path") or ""
                if name == "downwardAPI":
                    errors += _downward_file(item, f"{at}.{name}") + conflict(target, target)
                else:
                    errors += _item_errors(item, f"{at}.{name}.items[{j}]") + conflict(target, part.get("name") or "")
        if len(given) > 1:
            errors.append(forbidden(at, "may not specify more than 1 volume type per source"))
    return errors


def _token(source: Source, path: str, token_path: str) -> list[FieldError]:
    """`token_path`: the path that errors in the token's own path have."""
    errors: list[FieldError] = []
    seconds = source.get("expirationSeconds") or 0
    if seconds < 600:
        message = "may not specify a duration less than 10 minutes"
        errors.append(invalid(f"{path}.expirationSeconds", seconds, message))
    elif seconds > 2**32:
        message = "may not specify a duration larger than 2^32 seconds"
        errors.append(invalid(f"{path}.expirationSeconds", seconds, message))
    if not source.get("path"):
        return [*errors, required(token_path)]
    return errors + local_path_below(source["path"], token_path)


def _csi(source: Source, path: str) -> list[FieldError]:
    errors = csi_driver_name_errors(source.get("driver") or "", f"{path}.driver")
    reference = source.get("nodePublishSecretRef")
    if reference is not None:
        name = reference.get("name") or ""
        at = f"{path}.nodePublishSecretRef.name"
        errors += dns1123_subdomain(name, f"{path}.name") if name else [required(at)]
    return errors


def _ephemeral(source: Source, path: str) -> list[FieldError]:
    template, at = source.get("volumeClaimTemplate"), f"{path}.volumeClaimTemplate"
    if template is None:
        return [required(at)]
    meta = template.get("metadata") or {}
    errors = annotation_errors(meta.get("annotations"), f"{at}.metadata.annotations")
    errors += label_errors(meta.get("labels"), f"{at}.metadata.labels")
    errors += [forbidden(f"{at}.metadata.{shown}", "cannot be set") for f, shown in _NOT_OF_TEMPLATES if meta.get(f)]
    return errors + claim_spec_errors(template.get("spec") or {}, f"{at}.spec")


def _image(source: Source, path: str) -> list[FieldError]:
    return need("reference")(source, path) + pull_policy_errors(source.get("pullPolicy") or "", f"{path}.pullPolicy")


# In the order in which Kubernetes looks at them.
_CHECKS: Final[dict[str, Callable[[Source, str], list[FieldError]]]] = {
    "emptyDir": _empty_dir,
    "hostPath": host_path_errors,
    "gitRepo": _git,
    "gcePersistentDisk": disk_errors("pdName"),
    "awsElasticBlockStore": disk_errors("volumeID"),
    "secret": _secret,
    "nfs": nfs_errors,
    "iscsi": iscsi_errors,
    "glusterfs": need("endpoints", "path"),
    "flocker": flocker_errors,
    "persistentVolumeClaim": need("claimName"),
    "rbd": need("monitors", "image"),
    "cinder": cinder_errors("name"),
    "cephfs": need("monitors"),
    "quobyte": quobyte_errors,
    "downwardAPI": _downward,
    "fc": fc_errors,
    "flexVolume": flex_volume_errors,
    "configMap": _config_map,
    "azureFile": need("secretName", "shareName"),
    "vsphereVolume": need("volumePath"),
    "photonPersistentDisk": need("pdID"),
    "portworxVolume": need("volumeID"),
    "azureDisk": azure_disk_errors,
    "storageos": storage_os_errors("name"),
    "projected": _projected,
    "scaleIO": need("gateway", "system", "volumeName"),
    "csi": _csi,
    "ephemeral": _ephemeral,
    "image": _image,
}
# What counts as a source of a projected volume, in the order in which Kubernetes looks at it.
_PROJECTIONS: Final = ("secret", "configMap", "downwardAPI", "serviceAccountToken", "clusterTrustBundle")
# What metadata of templates cannot have, as Kubernetes calls the fields.
_NOT_OF_TEMPLATES: Final = (
    ("name", "name"),
    ("generateName", "generateName"),
    ("namespace", "namespace"),
    ("selfLink", "selfLink"),
    ("uid", "uID"),
    ("resourceVersion", "resourceVersion"),
    ("generation", "generation"),
    ("creationTimestamp", "creationTimestamp"),
    ("deletionTimestamp", "deletionTimestamp"),
    ("deletionGracePeriodSeconds", "deletionGracePeriodSeconds"),
    ("ownerReferences", "ownerReferences"),
    ("finalizers", "finalizers"),
    ("managedFields", "managedFields"),
)
