"""What a controller's function works with: the cluster, and its object's children, status and events."""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from kubeactors.api import meta
from kubeactors.api.errors import NotFound
from kubeactors.api.patch.merge_patch import apply_merge_patch, create_merge_patch
from kubeactors.client.async_client import AsyncClient
from kubeactors.client.event_recorder import EventRecorder
from kubeactors.client.informer import Informer
from kubeactors.client.lister import Lister
from kubeactors.client.resource import Resource, ResourceLike
from kubeactors.client.results import Object
from kubeactors.operators.own_writes import OwnWrites

if TYPE_CHECKING:
    from kubeactors.client.sync_client import Client

BY_OWNER = "owner"
"""The index of informers of owned kinds: under the uid of the controlling owner."""


class PermanentError(Exception):
    """The function cannot succeed until its object changes: it is not called again before that."""


@dataclass(frozen=True)
class Workplace:
    """What all calls of one controller share."""

    client: AsyncClient
    resource: Resource
    manager: str
    informers: Mapping[Resource, Informer]
    names: Mapping[str, Resource]
    owned: Sequence[Resource]
    recorder: EventRecorder
    writes: OwnWrites
    now: Callable[[], datetime]


class AsyncContext:
    """For one call of an `async def` function."""

    def __init__(self, place: Workplace, obj: Object, retries: int) -> None:
        self._place = place
        self.client: AsyncClient = place.client
        self.object = obj
        """The object, which the function has too. Writes through the context change its status and version."""
        self.retries = retries
        """How often the function has failed for the object since it last succeeded."""
        self.log = _Log(logging.getLogger(f"kubeactors.operators.{place.manager}"), {"key": meta.key(obj)})

    @property
    def name(self) -> str:
        return meta.name(self.object)

    @property
    def namespace(self) -> str:
        """Empty for cluster-scoped objects."""
        return meta.namespace(self.object)

    def lister(self, resource: ResourceLike) -> Lister:
        """What the informer of the controller's kind, or one that it owns or watches, has in memory: never change the
        objects. Raises LookupError for others."""
        return _informer(self._place, resource).lister

    def children(self, resource: ResourceLike) -> list[Object]:
        """The objects of an owned kind that belong to this object, as last heard of. Copies: they may be changed."""
        found = _informer(self._place, resource)
        if found.resource not in self._place.owned:
            raise LookupError(f"the controller {self._place.manager} does not own {found.resource.qualified_name}")
        return copy.deepcopy([*found.lister.by_index(BY_OWNER, meta.uid(self.object))])

    async def apply(self, child: Object) -> Object:
        """Makes an object that belongs to this one as `child` says: server-side apply by the controller, over what
        others set. Its namespace is this object's; deleting this object deletes it.

        Raises ValueError for a child that cannot belong to this object, and what `AsyncClient.apply` raises.
        """
        resource = await self.client.resource_of(child)
        return await self.client.apply(
            owned(child, self.object, self._place.resource, resource),
            field_manager=self._place.manager,
            force=True,
            resource=resource,
        )

    async def set_children(self, children: Iterable[Object]) -> list[Object]:
        """Applies all of these, and deletes every other object of the kinds that the controller `owns` and that belongs
        to this object. Returns the applied ones. Raises LookupError, before anything is written, for a kind that the
        controller does not own: it could not be told of its changes. Otherwise as `apply`."""
        wanted = list(children)
        for child in wanted:
            resource = await self.client.resource_of(child)
            if resource not in self._place.owned:
                raise LookupError(f"the controller {self._place.manager} does not own {resource.qualified_name}")
        applied = [await self.apply(child) for child in wanted]
        kept = {meta.uid(child) for child in applied}
        for resource in self._place.owned:
            for child in self._place.informers[resource].lister.by_index(BY_OWNER, meta.uid(self.object)):
                if meta.uid(child) not in kept and not meta.is_deleting(child):
                    await self._delete(resource, child)
        return applied

    async def patch_status(self, fields: Object) -> Object:
        """Merges `fields` into the object's status (None removes one) and returns the status. Writes nothing when that
        changes nothing. Raises what `AsyncClient.patch` raises; NotFound also when the object is gone."""
        return await self._patch_status(fields, {})

    async def set_condition(self, type: str, status: bool | str, reason: str, message: str = "") -> None:
        """Sets an entry of status.conditions (API conventions, "Typical status properties"): its lastTransitionTime
        moves only when `status` (True, False or "Unknown") does. Raises as `patch_status`."""
        present = (self.object.get("status") or {}).get("conditions") or []
        draft: Object = {"status": {"conditions": copy.deepcopy(present)}}
        meta.set_condition(
            draft,
            type,
            status if isinstance(status, str) else str(status),
            now=self._place.now(),
            reason=reason,
            message=message,
            observedGeneration=meta.generation(self.object),
        )
        # A list is replaced as a whole: what others put into it meanwhile must not be lost.
        await self._patch_status(draft["status"], {"resourceVersion": meta.resource_version(self.object)})

    def event(self, reason: str, message: str, *, warning: bool = False) -> None:
        """Records an event about the object, in the background. `reason` is a CamelCase word."""
        self._place.recorder.event(self.object, "Warning" if warning else "Normal", reason, message)

    async def set_finalizer(self, finalizer: str, present: bool) -> None:
        """Adds or removes a finalizer. Raises Conflict when the object has changed meanwhile."""
        others = [each for each in meta.finalizers(self.object) if each != finalizer]
        finalizers = [*others, finalizer] if present else others
        wanted = copy.deepcopy(self.object)
        wanted["metadata"]["finalizers"] = finalizers
        patch = {"metadata": {"resourceVersion": meta.resource_version(self.object), "finalizers": finalizers or None}}
        await self._write(wanted, patch, None)

    async def _patch_status(self, fields: Object, metadata: Object) -> Object:
        wanted = apply_merge_patch(copy.deepcopy(self.object), {"status": copy.deepcopy(fields)})
        patch = create_merge_patch(self.object.get("status") or {}, wanted.get("status") or {})
        if patch:
            await self._write(wanted, {"metadata": metadata, "status": patch}, "status")
        status: Object = self.object.get("status") or {}
        return status

    async def _write(self, wanted: Object, patch: Object, subresource: str | None) -> None:
        metadata = {"uid": meta.uid(self.object), **patch.get("metadata", {})}
        answer = await self.client.patch(
            self._place.resource, self.name, {**patch, "metadata": metadata}, self.namespace, subresource=subresource
        )
        self._place.writes.wrote(meta.key(self.object), wanted, answer)
        for field in ("resourceVersion", "finalizers"):
            if field in answer["metadata"]:
                self.object["metadata"][field] = answer["metadata"][field]
            else:
                self.object["metadata"].pop(field, None)
        if "status" in answer:
            self.object["status"] = copy.deepcopy(answer["status"])

    async def _delete(self, resource: Resource, child: Object) -> None:
        try:
            await self.client.delete(
                resource, meta.name(child), meta.namespace(child), preconditions={"uid": meta.uid(child)}
            )
        except NotFound:
            self.log.debug("%s %s was gone already", resource.qualified_name, meta.key(child))


class Context:
    """For one call of a plain function, which runs in a thread: the twin of `AsyncContext`."""

    def __init__(self, context: AsyncContext, client: Client) -> None:
        self._async = context
        self.client = client
        self.object = context.object
        self.retries = context.retries
        self.log = context.log

    @property
    def name(self) -> str:
        return self._async.name

    @property
    def namespace(self) -> str:
        """See `AsyncContext.namespace`."""
        return self._async.namespace

    def lister(self, resource: ResourceLike) -> Lister:
        """See `AsyncContext.lister`. It changes while the function runs."""
        return self._async.lister(resource)

    def children(self, resource: ResourceLike) -> list[Object]:
        """See `AsyncContext.children`."""

        async def read() -> list[Object]:
            return self._async.children(resource)

        return self.client._run(read())

    def apply(self, child: Object) -> Object:
        """See `AsyncContext.apply`."""
        return self.client._run(self._async.apply(child))

    def set_children(self, children: Iterable[Object]) -> list[Object]:
        """See `AsyncContext.set_children`."""
        return self.client._run(self._async.set_children(list(children)))

    def patch_status(self, fields: Object) -> Object:
        """See `AsyncContext.patch_status`."""
        return self.client._run(self._async.patch_status(fields))

    def set_condition(self, type: str, status: bool | str, reason: str, message: str = "") -> None:
        """See `AsyncContext.set_condition`."""
        self.client._run(self._async.set_condition(type, status, reason, message))

    def event(self, reason: str, message: str, *, warning: bool = False) -> None:
        """See `AsyncContext.event`."""

        async def record() -> None:
            self._async.event(reason, message, warning=warning)

        self.client._run(record())


class _Log(logging.LoggerAdapter[logging.Logger]):
    """Puts the object's key before each message."""

    def process(self, msg: object, kwargs: object) -> tuple[object, object]:  # type: ignore[override]
        return f"{(self.extra or {})['key']}: {msg}", kwargs


def owned(child: Object, owner: Object, owner_resource: Resource, resource: Resource) -> Object:
    """`child` with `owner` as its controller, in the owner's namespace. Raises ValueError where that cannot be."""
    metadata = dict(child.get("metadata") or {})
    place, given = meta.namespace(owner), metadata.get("namespace")
    if owner_resource.namespaced:
        if not resource.namespaced:
            raise ValueError(f"{resource.kind} has no namespace: it cannot belong to an object of {place}")
        if given not in (None, "", place):
            raise ValueError(f"{resource.kind} {given}/{metadata.get('name')} cannot belong to an object of {place}")
        metadata["namespace"] = place
    elif resource.namespaced and not given:
        raise ValueError(f"{resource.kind} {metadata.get('name')} needs a namespace: its owner has none")
    reference = meta.controller_ref(owner, owner_resource.api_version, owner_resource.kind)
    others = [each for each in metadata.get("ownerReferences") or () if each.get("uid") != reference["uid"]]
    metadata["ownerReferences"] = [*others, reference]
    return {**child, "metadata": metadata}


def _informer(place: Workplace, resource: ResourceLike) -> Informer:
    found = resource if isinstance(resource, Resource) else place.names.get(resource.lower())
    if found is None or found not in place.informers:
        raise LookupError(f"the controller {place.manager} neither owns nor watches {resource}")
    return place.informers[found]
