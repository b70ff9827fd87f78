"""What is asked of an authorizer: who wants to do what to what."""

from __future__ import annotations

from kubeactors.api import errors
from kubeactors.api.fielderrors import go_quote
from kubeactors.apiserver.request import Request, UserInfo


class Attributes:
    """One question. Of a resource when `path` is empty, else of that path. Never changed once made.

    A plain class with positional arguments: one is made with every request.
    """

    __slots__ = ("group", "name", "namespace", "path", "resource", "subresource", "user", "verb", "version")

    def __init__(
        self,
        user: UserInfo,
        verb: str,
        group: str = "",
        version: str = "",
        resource: str = "",
        subresource: str = "",
        namespace: str = "",
        name: str = "",
        path: str = "",
    ) -> None:
        self.user = user
        self.verb = verb
        self.group = group
        self.version = version
        self.resource = resource
        self.subresource = subresource
        self.namespace = namespace
        self.name = name
        self.path = path

    @classmethod
    def of(cls, request: Request) -> Attributes:
        """The question that a request for a resource is."""
        kind = request.kind
        return cls(
            request.user,
            request.verb,
            kind.group,
            kind.version,
            kind.plural,
            request.subresource,
            request.namespace,
            request.name,
        )

    def with_verb(self, verb: str) -> Attributes:
        """The same question about another verb."""
        return Attributes(
            self.user,
            verb,
            self.group,
            self.version,
            self.resource,
            self.subresource,
            self.namespace,
            self.name,
            self.path,
        )


def forbidden(attributes: Attributes, reason: str = "") -> errors.StatusError:
    """The answer to a user who may not, as Kubernetes words it; `reason` is the authorizer's."""
    user = go_quote(attributes.user.name)
    why = f": {reason}" if reason else ""
    if attributes.path:
        message = f"User {user} cannot {attributes.verb} path {go_quote(attributes.path)}{why}"
        error = errors.forbidden("", "", message)
        error.status["details"] = {}
        return error
    resource = attributes.resource
    if attributes.subresource:
        resource = f"{resource}/{attributes.subresource}"
    namespace = attributes.namespace
    where = f" in the namespace {go_quote(namespace)}" if namespace else " at the cluster scope"
    message = (
        f"User {user} cannot {attributes.verb} resource {go_quote(resource)} "
        f"in API group {go_quote(attributes.group)}{where}{why}"
    )
    qualified = f"{attributes.resource}.{attributes.group}" if attributes.group else attributes.resource
    return errors.forbidden(qualified, attributes.name, message)
