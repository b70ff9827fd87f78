"""The chain after authentication: authorize, find the resource, carry out the verb."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping

from kubeactors.api import errors
from kubeactors.api.errors import StatusError
from kubeactors.api.fielderrors import go_quote
from kubeactors.api.kinds import Kind
from kubeactors.api.validation.names import path_segment_errors
from kubeactors.apiserver.authz import Attributes, Authorizer
from kubeactors.apiserver.authz.attributes import forbidden
from kubeactors.apiserver.long_yaml import LongYaml
from kubeactors.apiserver.registry.resource import Resource
from kubeactors.apiserver.request import Request, Response
from kubeactors.store.errors import StoreError

logger = logging.getLogger(__name__)

Verb = Callable[[Resource, Request], Awaitable[Response]]
#: A verb of a kind that is answered and never kept.
Answering = Callable[[Request], Awaitable[Response]]


class Handler:
    """Implements `request.ApiHandler`. `verbs` serve every resource; `subresources` are found by their name alone or,
    where it means something else for one kind, by (plural, name). `unstored` are the kinds that are never kept, by
    their qualified resource."""

    def __init__(
        self,
        resources: Mapping[Kind, Resource],
        authorizer: Authorizer,
        verbs: Mapping[str, Verb],
        subresources: Mapping[str | tuple[str, str], Mapping[str, Verb]],
        unstored: Mapping[str, Mapping[str, Answering]],
    ) -> None:
        self._resources = resources
        self._authorizer = authorizer
        self._verbs = verbs
        self._subresources = subresources
        self._unstored = unstored
        self._long_yaml = LongYaml()

    async def handle(self, request: Request) -> Response:
        """Raises StatusError and nothing else."""
        try:
            attributes = Attributes.of(request)
            decision = await self._authorizer.authorize(attributes)
            if not decision.allowed:
                raise forbidden(attributes, decision.reason)
            _check_path(request)
            if request.body:
                await self._long_yaml.read(request)
            resource = self._resources.get(request.kind)
            if resource is None:
                return await self._answer(request)(request)
            return await self._verb(resource, request)(resource, request)
        except StatusError:
            raise
        except StoreError as error:
            logger.warning("%s %s: the store failed: %s", request.verb, request.kind.plural, error)
            raise errors.internal(error.message) from error
        except Exception as error:
            logger.exception("%s of %s failed", request.verb, request.kind.qualified_resource)
            raise errors.internal(f"{type(error).__name__}: {error}") from error

    def _answer(self, request: Request) -> Answering:
        kind = request.kind
        if kind.stored or request.subresource:
            raise errors.resource_not_found()
        if request.verb not in kind.verbs:
            raise errors.method_not_allowed()
        found = self._unstored.get(kind.qualified_resource, {}).get(request.verb)
        if found is None:
            raise _not_served(kind.plural)
        return found

    def _verb(self, resource: Resource, request: Request) -> Verb:
        kind = resource.kind
        name = request.subresource
        if not name:
            if request.verb not in kind.verbs:
                raise errors.method_not_allowed()
            return self._verbs[request.verb]
        subresource = kind.subresource(name)
        if subresource is None:
            raise errors.resource_not_found()
        if request.verb not in subresource.verbs:
            raise errors.method_not_allowed()
        verbs = self._subresources.get((kind.plural, name)) or self._subresources.get(name)
        if verbs is None or request.verb not in verbs:
            raise _not_served(f"{kind.plural}/{name}")
        return verbs[request.verb]


def _check_path(request: Request) -> None:
    """Raises StatusError (400) for a name that no object can have because it would not be one segment of a path."""
    name = request.name
    if "%" in name or "/" in name or name in (".", ".."):
        raise errors.bad_request(f"Name parameter invalid: {go_quote(name)}: {';'.join(path_segment_errors(name))}")
    if "/" in request.namespace:
        raise errors.bad_request(f"Namespace parameter invalid: {go_quote(request.namespace)}: may not contain '/'")


def _not_served(what: str) -> StatusError:
    return StatusError(errors.status_failure(501, "NotImplemented", f"{what} is not served by this server yet"))
