"""Claims with admin access to devices are made only in namespaces that are labelled for them (KEP-5018)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from kubeactors.api import errors
from kubeactors.api.fielderrors import forbidden
from kubeactors.api.kinds import Kind
from kubeactors.api.meta import Object, labels
from kubeactors.apiserver.admission.chain import Attributes, Operation

_LABEL: Final = "resource.kubernetes.io/admin-access"


class DeviceAdminAccess:
    """`find(name, live)` gives a namespace's object."""

    def __init__(self, find: Callable[[str, bool], Awaitable[Object | None]]) -> None:
        self._find = find

    def handles(self, operation: Operation, kind: Kind, subresource: str) -> bool:
        claims = kind.group == "resource.k8s.io" and kind.plural in ("resourceclaims", "resourceclaimtemplates")
        return claims and operation == "CREATE" and not subresource

    async def admit(self, attributes: Attributes) -> None:
        return

    async def validate(self, attributes: Attributes) -> None:
        path = _admin_path(attributes.obj or {})
        if not path:
            return
        namespace = await self._find(attributes.namespace, False)
        if namespace is None or labels(namespace).get(_LABEL) != "true":
            message = f"admin access to devices requires the `{_LABEL}: true` label on the containing namespace"
            raise errors.invalid(attributes.kind.qualified_kind, attributes.name, [forbidden(path, message)])


def _admin_path(obj: Object) -> str:
    """Where the first request for admin access is; empty: there is none. Subrequests cannot have it."""
    spec = obj.get("spec") or {}
    devices = (spec.get("spec") or spec).get("devices") or {}
    for i, request in enumerate(devices.get("requests") or ()):
        if (request.get("exactly") or {}).get("adminAccess"):
            return f"spec.devices.requests[{i}].adminAccess"
    return ""
