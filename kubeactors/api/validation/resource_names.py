"""Names of resources (`cpu`, `requests.memory`, `example.com/gpu`) and which of them go where."""

from typing import Final

from kubeactors.api.fielderrors import FieldError, invalid, not_supported
from kubeactors.api.validation.names import qualified_name_errors

_COMPUTE: Final = frozenset({"cpu", "memory", "ephemeral-storage"})
_COUNTED: Final = frozenset(
    {
        "pods",
        "services",
        "replicationcontrollers",
        "resourcequotas",
        "secrets",
        "configmaps",
        "persistentvolumeclaims",
        "services.nodeports",
        "services.loadbalancers",
    }
)
_QUOTA: Final = (
    _COMPUTE
    | _COUNTED
    | {f"requests.{name}" for name in (*_COMPUTE, "storage")}
    | {f"limits.{name}" for name in _COMPUTE}
)
_STANDARD: Final = _QUOTA | {"storage"}
_HUGEPAGES: Final = "hugepages-"
_REQUESTED_HUGEPAGES: Final = "requests.hugepages-"
_NATIVE_DOMAIN: Final = "kubernetes.io/"
_REQUESTS: Final = "requests."


def is_standard(name: str) -> bool:
    """Whether a name without a domain is one of Kubernetes' own."""
    return name in _STANDARD or name.startswith((_HUGEPAGES, _REQUESTED_HUGEPAGES))


def is_standard_for_quota(name: str) -> bool:
    return name in _QUOTA or name.startswith((_HUGEPAGES, _REQUESTED_HUGEPAGES))


def is_standard_for_containers(name: str) -> bool:
    return name in _COMPUTE or name.startswith(_HUGEPAGES)


def is_native(name: str) -> bool:
    """Whether the resource is Kubernetes' own: without a domain or with kubernetes.io."""
    return "/" not in name or _NATIVE_DOMAIN in name


def is_extended(name: str) -> bool:
    """Whether it is a resource that nodes advertise under a domain of their own."""
    if is_native(name) or name.startswith(_REQUESTS):
        return False
    return not qualified_name_errors(_REQUESTS + name)


def is_counted(name: str) -> bool:
    """Whether only whole numbers of it make sense."""
    return name in _COUNTED or is_extended(name)


def may_overcommit(name: str) -> bool:
    return is_native(name) and not name.startswith(_HUGEPAGES)


def resource_name_errors(name: str, path: str) -> list[FieldError]:
    """Of a resource in any place: qualified, and standard when it has no domain."""
    errors = [invalid(path, name, m) for m in qualified_name_errors(name)]
    if not errors and "/" not in name and not is_standard(name):
        errors.append(invalid(path, name, "must be a standard resource type or fully qualified"))
    return errors


def container_resource_name_errors(name: str, path: str) -> list[FieldError]:
    errors = resource_name_errors(name, path)
    if qualified_name_errors(name):
        return errors
    if "/" not in name:
        if not is_standard_for_containers(name):
            errors.append(invalid(path, name, "must be a standard resource for containers"))
    elif not is_native(name) and not is_extended(name):
        errors.append(invalid(path, name, "doesn't follow extended resource name standard"))
    return errors


def pod_resource_name_errors(name: str, path: str) -> list[FieldError]:
    """Of a resource that a whole pod asks for."""
    errors = resource_name_errors(name, path)
    if not errors and name not in ("cpu", "memory") and not name.startswith(_HUGEPAGES):
        errors.append(not_supported(path, name, ("cpu", _HUGEPAGES, "memory")))
    return errors


def quota_resource_name_errors(name: str, path: str) -> list[FieldError]:
    errors = resource_name_errors(name, path)
    if qualified_name_errors(name):
        return errors
    if "/" not in name and not is_standard_for_quota(name):
        errors.append(invalid(path, name, "must be a standard resource for quota"))
    return errors
