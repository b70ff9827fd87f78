"""Validation of what CSI drivers say of themselves, of nodes and of their capacity."""

from collections.abc import Mapping
from typing import Any, Final

from kubeactors.api.fielderrors import FieldError, duplicate, invalid, not_supported, required
from kubeactors.api.internal_form import internal_form
from kubeactors.api.quantity import Quantity
from kubeactors.api.validation.common import (
    NOT_NEGATIVE,
    dns1123_subdomain,
    duplicates,
    immutable,
    label_selector,
    not_negative,
)
from kubeactors.api.validation.metadata import FIELD_IMMUTABLE
from kubeactors.api.validation.names import qualified_name_errors
from kubeactors.api.validation.persistent_volume_source import csi_driver_name_errors

_LIFECYCLE_MODES: Final = ("Persistent", "Ephemeral")
_GROUP_POLICIES: Final = ("File", "None", "ReadWriteOnceWithFSType")
_MIN_TOKEN_SECONDS: Final = 600
_MAX_TOKEN_SECONDS: Final = 2**32
_MIN_UPDATE_SECONDS: Final = 10
_NODE_ID_MAX: Final = 192


def csi_driver_errors(obj: Mapping[str, Any]) -> list[FieldError]:
    spec = obj.get("spec") or {}
    errors: list[FieldError] = []
    if spec.get("attachRequired") is None:
        errors.append(required("spec.attachedRequired"))
    errors += [required(f"spec.{f}") for f in ("podInfoOnMount", "storageCapacity") if spec.get(f) is None]
    policy = spec.get("fsGroupPolicy")
    if policy is None:
        errors.append(required("spec.fsGroupPolicy"))
    elif policy not in _GROUP_POLICIES:
        errors.append(not_supported("spec.fsGroupPolicy", policy, _GROUP_POLICIES))
    errors += _token_errors(spec.get("tokenRequests") or [], "spec.tokenRequests")
    for mode in spec.get("volumeLifecycleModes") or ():
        if mode not in _LIFECYCLE_MODES:
            errors.append(not_supported("spec.volumeLifecycleModes", mode, _LIFECYCLE_MODES))
    if spec.get("seLinuxMount") is None:
        errors.append(required("spec.seLinuxMount", "seLinuxMount is required"))
    seconds = spec.get("nodeAllocatableUpdatePeriodSeconds")
    if seconds is not None and seconds < _MIN_UPDATE_SECONDS:
        message = f"must be greater than or equal to {_MIN_UPDATE_SECONDS} seconds"
        errors.append(invalid("spec.nodeAllocatableUpdatePeriodSeconds", seconds, message))
    in_secrets = spec.get("serviceAccountTokenInSecrets")
    if in_secrets is not None and not spec.get("tokenRequests"):
        message = "serviceAccountTokenInSecrets is set but no tokenRequests are specified"
        errors.append(invalid("spec.serviceAccountTokenInSecrets", in_secrets, message))
    return errors


def csi_driver_update_errors(new: Mapping[str, Any], old: Mapping[str, Any]) -> list[FieldError]:
    after, before = new.get("spec") or {}, old.get("spec") or {}
    errors = csi_driver_errors(new)
    errors += immutable(after.get("attachRequired"), before.get("attachRequired"), "spec.attachedRequired")
    field = "volumeLifecycleModes"
    return errors + immutable(after.get(field), before.get(field), f"spec.{field}")


def _token_errors(requests: list[Mapping[str, Any]], path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    seen: set[str] = set()
    for i, request in enumerate(requests):
        audience, seconds = request.get("audience") or "", request.get("expirationSeconds")
        if audience in seen:
            errors.append(duplicate(f"{path}[{i}].audience", audience))
            continue
        seen.add(audience)
        at = f"{path}[{i}].expirationSeconds"
        if seconds is not None and seconds < _MIN_TOKEN_SECONDS:
            errors.append(invalid(at, seconds, "may not specify a duration less than 10 minutes"))
        if seconds is not None and seconds > _MAX_TOKEN_SECONDS:
            errors.append(invalid(at, seconds, "may not specify a duration larger than 2^32 seconds"))
    return errors


def csi_node_errors(obj: Mapping[str, Any]) -> list[FieldError]:
    errors: list[FieldError] = []
    seen: set[str] = set()
    for i, driver in enumerate((obj.get("spec") or {}).get("drivers") or ()):
        path = f"spec.drivers[{i}]"
        name, node = driver.get("name") or "", driver.get("nodeID") or ""
        errors += csi_driver_name_errors(name, f"{path}.name")
        if not node:
            errors.append(required(f"{path}.nodeID"))
        elif len(node.encode()) > _NODE_ID_MAX:
            errors.append(invalid(f"{path}.nodeID", node, f"must be {_NODE_ID_MAX} characters or less"))
        count = (driver.get("allocatable") or {}).get("count")
        errors += not_negative(count or 0, f"{path}.allocatable.count")
        if name in seen:
            errors.append(duplicate(f"{path}.name", name))
        seen.add(name)
        errors += _topology_key_errors(driver.get("topologyKeys") or [], path)
    return errors


def _topology_key_errors(keys: list[str], path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    twice = set(duplicates(keys))
    for i, key in enumerate(keys):
        if not key:
            errors.append(required(path))
        if i in twice:
            errors.append(duplicate(path, key))
        errors += [invalid(path, keys, m) for m in qualified_name_errors(key)]
    return errors


def csi_node_update_errors(new: Mapping[str, Any], old: Mapping[str, Any]) -> list[FieldError]:
    """What is said of a driver does not change while it is there, but for how many volumes it can have."""
    errors = csi_node_errors(new)
    before = {d.get("name"): _fixed(d) for d in (old.get("spec") or {}).get("drivers") or ()}
    for driver in (new.get("spec") or {}).get("drivers") or ():
        if before.get(driver.get("name"), _fixed(driver)) != _fixed(driver):
            shown = internal_form(driver, "io.k8s.api.storage.v1.CSINodeDriver")
            errors.append(invalid("CSINodeDriver", shown, FIELD_IMMUTABLE))
    return errors


def _fixed(driver: Mapping[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in driver.items() if k != "allocatable"}


def csi_storage_capacity_errors(obj: Mapping[str, Any]) -> list[FieldError]:
    errors = label_selector(obj.get("nodeTopology"), "nodeTopology")
    errors += dns1123_subdomain(obj.get("storageClassName") or "", "storageClassName")
    capacity = obj.get("capacity")
    if capacity is not None and Quantity.parse(capacity).nanos < 0:
        errors.append(invalid("capacity", str(capacity), NOT_NEGATIVE))
    return errors


def csi_storage_capacity_update_errors(new: Mapping[str, Any], old: Mapping[str, Any]) -> list[FieldError]:
    errors = csi_storage_capacity_errors(new)
    for field in ("nodeTopology", "storageClassName"):
        errors += immutable(new.get(field), old.get(field), field)
    return errors
