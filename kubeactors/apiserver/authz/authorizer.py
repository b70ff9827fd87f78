"""The place of authorization in the chain."""

from __future__ import annotations

from typing import Protocol

from kubeactors.api import errors
from kubeactors.api.fielderrors import go_quote
from kubeactors.apiserver.request import Request


class Authorizer(Protocol):
    """Decides before anything else about the request is looked at."""

    async def authorize(self, request: Request) -> None:
        """Raises StatusError (403) if the user may not."""
        ...


class AllowAuthenticated:
    """Everyone who showed who they are may do everything."""

    async def authorize(self, request: Request) -> None:
        if "system:unauthenticated" in request.user.groups:
            raise forbidden(request)


def forbidden(request: Request) -> errors.StatusError:
    """The answer to a user who may not, as the real server words it."""
    kind = request.kind
    resource = f"{kind.plural}/{request.subresource}" if request.subresource else kind.plural
    where = f" in the namespace {go_quote(request.namespace)}" if request.namespace else " at the cluster scope"
    message = (
        f"User {go_quote(request.user.name)} cannot {request.verb} resource {go_quote(resource)} "
        f"in API group {go_quote(kind.group)}{where}"
    )
    return errors.forbidden(kind.qualified_resource, request.name, message)
