"""Changes that the server makes by itself to an object's status."""

from __future__ import annotations

from collections.abc import Callable

from kubeactors.api import errors
from kubeactors.api.errors import StatusError
from kubeactors.api.meta import Object
from kubeactors.apiserver.bootstrap import LOOPBACK_USER
from kubeactors.apiserver.registry.resource import Resource
from kubeactors.apiserver.registry.writes import Writer
from kubeactors.apiserver.request import Request


async def update_status(writer: Writer, resource: Resource, name: str, change: Callable[[Object], bool]) -> None:
    """Change a cluster-scoped object as the server itself. One that is gone is left alone. Raises StatusError."""
    request = Request(
        verb="update",
        kind=resource.kind,
        user=LOOPBACK_USER,
        name=name,
        subresource="status",
        user_agent="kube-apiserver",
    )

    def wanted(old: Object | None) -> Object:
        if old is None:
            raise errors.not_found(resource.kind.qualified_resource, name)
        change(old)
        return old

    try:
        await writer.apply(resource, request, wanted)
    except StatusError as error:
        if error.reason != "NotFound":
            raise
