"""The part of `AsyncClient` that reads, writes, watches and waits: each verb of the API is one method."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing

import orjson

from kubeactors.api.errors import StatusError
from kubeactors.client import arguments, retry
from kubeactors.client.arguments import (
    APPLY_CONTENT_TYPE,
    FieldValidation,
    PatchType,
    PropagationPolicy,
    Selector,
    VersionMatch,
    delete_options,
    kind_of,
    name_of,
    one_name,
    patch_content_type,
    typed,
)
from kubeactors.client.backoff import Backoff
from kubeactors.client.calls import (
    Call,
    CreateCall,
    DeleteCall,
    DeleteCollectionCall,
    GetCall,
    ListCall,
    ListReply,
    ObjectReply,
    PatchCall,
    Reply,
    Target,
    UpdateCall,
    WatchCall,
    WriteOptions,
)
from kubeactors.client.conditions import Condition, compile_condition
from kubeactors.client.discovery import Discovery, ServedResource
from kubeactors.client.errors import WaitTimeout
from kubeactors.client.resource import Resource, ResourceLike
from kubeactors.client.results import Object, ObjectList, WatchEvent
from kubeactors.client.transport import ConnectionLost, Transport

logger = logging.getLogger(__name__)

# `list` is a method of the client, so its annotations cannot use the type by that name.
Events = list[WatchEvent]
Served = list[ServedResource]


class AsyncVerbs:
    """Base of `AsyncClient`."""

    default_namespace: str
    timeout: float
    _field_manager: str
    _transport: Transport
    _on_warning: Callable[[str], None]
    _discovery: Discovery

    async def resource(self, name: ResourceLike) -> Resource:
        """The resource that goes by `name`, asked of the server when this library does not know it (custom ones).

        Raises UnknownKindError (a LookupError) when there is none.
        """
        return name if isinstance(name, Resource) else await self._discovery.find(name)

    async def resource_of(self, obj: Object) -> Resource:
        """The resource that holds objects of this one's apiVersion and kind. Raises UnknownKindError as `resource`, and
        ValueError when it does not say them."""
        return await self._discovery.find_kind(*kind_of(obj))

    async def resources(self) -> Served:
        """Every resource that the server serves, with its verbs and subresources."""
        return await self._discovery.served()

    # -- reads ---------------------------------------------------------------------------------------------------

    async def get(
        self,
        resource: ResourceLike,
        name: str,
        namespace: str | None = None,
        *,
        subresource: str | None = None,
        resource_version: str | None = None,
        timeout: float | None = None,
    ) -> Object:
        """The object `name`, not older than `resource_version`. Raises NotFound when there is none."""
        target = self._named(await self.resource(resource), name, namespace, subresource)
        return await self._object(GetCall(target, resource_version or ""), timeout)

    async def list(
        self,
        resource: ResourceLike,
        namespace: str | None = None,
        *,
        label_selector: Selector | None = None,
        field_selector: Selector | None = None,
        limit: int | None = None,
        continue_: str | None = None,
        resource_version: str | None = None,
        resource_version_match: VersionMatch | None = None,
        timeout: float | None = None,
    ) -> ObjectList:
        """The objects that the selectors match, in all namespaces or one. With `limit`, a page; see `ObjectList`, and
        `iterate`, which reads page after page."""
        call = ListCall(
            Target(await self.resource(resource), namespace or ""),
            arguments.label_selector(label_selector),
            arguments.field_selector(field_selector),
            limit or 0,
            continue_ or "",
            resource_version or "",
            resource_version_match or "",
        )
        reply = await self._call(call, timeout)
        if not isinstance(reply, ListReply):
            raise TypeError(f"a list was answered by {type(reply).__name__}")
        items = [orjson.loads(item) for item in reply.items]
        return ObjectList(items, reply.resource_version, reply.continue_, reply.remaining_item_count)

    async def iterate(
        self,
        resource: ResourceLike,
        namespace: str | None = None,
        *,
        label_selector: Selector | None = None,
        field_selector: Selector | None = None,
        page_size: int = 500,
        timeout: float | None = None,
    ) -> AsyncGenerator[Object, None]:
        """The objects of `list`, one by one: a page is read when the one before it is used up, so that a large
        collection never is in memory as a whole.

        All pages show one state of the collection. Raises Expired when the server has forgotten it, after minutes.
        """
        token = ""
        while True:
            page = await self.list(
                resource,
                namespace,
                label_selector=label_selector,
                field_selector=field_selector,
                limit=page_size,
                continue_=token,
                timeout=timeout,
            )
            for item in page.items:
                yield item
            token = page.continue_
            if not token:
                return

    async def watch(
        self,
        resource: ResourceLike,
        namespace: str | None = None,
        *,
        name: str | None = None,
        label_selector: Selector | None = None,
        field_selector: Selector | None = None,
        resource_version: str | None = None,
        bookmarks: bool = False,
        timeout_seconds: int | None = None,
    ) -> AsyncGenerator[WatchEvent, None]:
        """Changes from `resource_version` on; without one, every present object as ADDED first.

        Goes on from the last seen change when the connection breaks, so that it ends only after `timeout_seconds`
        (None: never). With `bookmarks`, also events of type BOOKMARK, whose object is a resourceVersion alone: nothing
        up to it was missed. Raises Expired when the version is too old to go on from: list again.
        """
        now = asyncio.get_running_loop().time
        end = None if timeout_seconds is None else now() + timeout_seconds
        backoff = Backoff(0.05, 5.0)
        version = resource_version or ""
        while end is None or now() < end:
            started = now()
            stream = self.watch_batches(
                resource,
                namespace,
                name=name,
                label_selector=label_selector,
                field_selector=field_selector,
                resource_version=version,
                timeout_seconds=None if end is None else max(1, math.ceil(end - started)),
            )
            try:
                async with aclosing(stream):
                    async for batch in stream:
                        for event in batch:
                            version = event.object["metadata"]["resourceVersion"]
                            if bookmarks or event.type != "BOOKMARK":
                                yield event
            except ConnectionLost as error:
                logger.debug("watch of %s broke off: %s", resource, error)
            if now() - started > 5.0:
                backoff.reset()
            elif end is None or now() < end:
                await asyncio.sleep(backoff.next())

    async def watch_batches(
        self,
        resource: ResourceLike,
        namespace: str | None = None,
        *,
        name: str | None = None,
        label_selector: Selector | None = None,
        field_selector: Selector | None = None,
        resource_version: str | None = None,
        timeout_seconds: int | None = None,
    ) -> AsyncGenerator[Sequence[WatchEvent], None]:
        """One watch of the server, its events (BOOKMARKs too) in the batches in which they came; ends when it ends.

        The first batch is empty and says that the watch is under way.
        Raises StatusError for an ERROR event, and `ConnectionLost` when the connection broke. `watch` and `Informer`
        are built on this; use those.
        """
        if name is not None:
            of_name = f"metadata.name={name}"
            fields = arguments.field_selector(field_selector)
            field_selector = f"{fields},{of_name}" if fields else of_name
        call = WatchCall(
            Target(await self.resource(resource), namespace or ""),
            arguments.label_selector(label_selector),
            arguments.field_selector(field_selector),
            resource_version or "",
            allow_bookmarks=True,
            timeout_seconds=timeout_seconds or 0,
        )
        stream = self._transport.watch(call, self.timeout)
        async with aclosing(stream):
            async for raw in stream:
                events: Events = []
                for event in raw:
                    decoded = orjson.loads(event.object)
                    if event.type == "ERROR":
                        if events:
                            yield events
                        raise StatusError(decoded)
                    events.append(WatchEvent(event.type, decoded))
                yield events

    # -- writes --------------------------------------------------------------------------------------------------

    async def create(
        self,
        resource: ResourceLike,
        obj: Object,
        namespace: str | None = None,
        *,
        subresource: str | None = None,
        name: str | None = None,
        dry_run: bool = False,
        field_validation: FieldValidation | None = None,
        timeout: float | None = None,
    ) -> Object:
        """Creates `obj`. With `subresource`, posts to that of the object `name`: `create("pods", binding, ns,
        subresource="binding", name="web")`."""
        found = await self.resource(resource)
        metadata = obj.get("metadata", {})
        place = namespace or metadata.get("namespace")
        if subresource is None:
            target = Target(found, self._place(found, place))
        else:
            target = self._named(found, name or "", place, subresource)
        body = orjson.dumps(typed(obj, found) if subresource is None else obj)
        return await self._object(CreateCall(target, body, self._options(dry_run, field_validation)), timeout)

    async def update(
        self,
        resource: ResourceLike,
        obj: Object,
        *,
        subresource: str | None = None,
        dry_run: bool = False,
        field_validation: FieldValidation | None = None,
        timeout: float | None = None,
    ) -> Object:
        """Replaces the object (or its subresource "status", "scale", …). Raises StatusError with reason Conflict when
        its `metadata.resourceVersion` is not the newest."""
        found = await self.resource(resource)
        metadata = obj.get("metadata") or {}
        target = self._named(found, name_of(obj), metadata.get("namespace"), subresource)
        body = orjson.dumps(typed(obj, found))
        return await self._object(UpdateCall(target, body, self._options(dry_run, field_validation)), timeout)

    async def patch(
        self,
        resource: ResourceLike,
        name: str,
        patch: Object | Sequence[Object],
        namespace: str | None = None,
        *,
        patch_type: PatchType = "merge",
        subresource: str | None = None,
        dry_run: bool = False,
        field_validation: FieldValidation | None = None,
        timeout: float | None = None,
    ) -> Object:
        """Changes the object in place: a JSON merge patch (RFC 7386), a JSON patch (RFC 6902, a list of operations)
        or Kubernetes' strategic merge patch."""
        target = self._named(await self.resource(resource), name, namespace, subresource)
        options = self._options(dry_run, field_validation)
        call = PatchCall(target, patch_content_type(patch_type, patch), orjson.dumps(patch), options)
        return await self._object(call, timeout)

    async def apply(
        self,
        obj: Object,
        *,
        field_manager: str | None = None,
        force: bool = False,
        subresource: str | None = None,
        resource: ResourceLike | None = None,
        dry_run: bool = False,
        field_validation: FieldValidation | None = None,
        timeout: float | None = None,
    ) -> Object:
        """Makes the cluster's object as `obj` says, by server-side apply: creates it, or changes what differs.

        `obj` holds just the fields that this manager cares for. The API server notes whose they are: a field that an
        earlier apply of the same manager set and this one leaves out goes; what others set stays. A field that another
        manager set otherwise is a conflict (StatusError, 409), which names the manager; `force` takes it over.
        `field_manager` is the client's own when not given; `resource` where obj's apiVersion and kind do not tell.
        """
        found = await (self.resource_of(obj) if resource is None else self.resource(resource))
        metadata = obj.get("metadata") or {}
        target = self._named(found, name_of(obj), metadata.get("namespace"), subresource)
        if "managedFields" in metadata:
            # Of an object that was read; an applied one may not have them.
            metadata = {name: value for name, value in metadata.items() if name != "managedFields"}
        body = orjson.dumps({**typed(obj, found), "metadata": metadata})
        options = WriteOptions(dry_run, field_manager or self._field_manager, field_validation or "", force)
        return await self._object(PatchCall(target, APPLY_CONTENT_TYPE, body, options), timeout)

    async def delete(
        self,
        resource: ResourceLike,
        name: str,
        namespace: str | None = None,
        *,
        grace_period_seconds: int | None = None,
        propagation_policy: PropagationPolicy | None = None,
        preconditions: Mapping[str, str] | None = None,
        dry_run: bool = False,
        timeout: float | None = None,
    ) -> Object:
        """Asks for the object's deletion; returns the object while it terminates, else a Status.

        `preconditions` are `uid` and `resourceVersion`; `propagation_policy` is Background, Foreground or Orphan.
        """
        target = self._named(await self.resource(resource), name, namespace, None)
        options = delete_options(grace_period_seconds, propagation_policy, preconditions, dry_run)
        return await self._object(DeleteCall(target, options), timeout)

    async def delete_collection(
        self,
        resource: ResourceLike,
        namespace: str | None = None,
        *,
        label_selector: Selector | None = None,
        field_selector: Selector | None = None,
        grace_period_seconds: int | None = None,
        propagation_policy: PropagationPolicy | None = None,
        dry_run: bool = False,
        timeout: float | None = None,
    ) -> Object:
        """Deletes every object that the selectors match, of one namespace where the resource is namespaced."""
        found = await self.resource(resource)
        target = Target(found, self._place(found, namespace))
        options = delete_options(grace_period_seconds, propagation_policy, None, dry_run)
        call = DeleteCollectionCall(
            target, arguments.label_selector(label_selector), arguments.field_selector(field_selector), options
        )
        return await self._object(call, timeout)

    # -- waiting ------------------------------------------------------------------------------------------------

    async def wait(
        self,
        resource: ResourceLike,
        name: str,
        namespace: str | None = None,
        *,
        condition: Callable[[Object | None], bool] | str,
        timeout: float,
    ) -> Object | None:
        """Waits until the object meets `condition` and returns it (None when it is gone).

        `condition` is a predicate of the object (None: absent), or "condition=Ready", "condition=Ready=False",
        "create", "delete" as `kubectl wait --for` has them. Raises `WaitTimeout` after `timeout` seconds.
        """
        met: Condition = compile_condition(condition)
        found = await self.resource(resource)
        place = self._named(found, name, namespace, None).namespace
        last: Object | None = None
        try:
            async with asyncio.timeout(timeout):
                while True:
                    page = await self.list(found, place, field_selector=f"metadata.name={name}")
                    last = page.items[0] if page.items else None
                    if met(last):
                        return last
                    changes = self.watch(found, place, name=name, resource_version=page.resource_version)
                    try:
                        async with aclosing(changes):
                            async for event in changes:
                                last = None if event.type == "DELETED" else event.object
                                if met(last):
                                    return last
                    except StatusError as error:
                        if error.code != 410:
                            raise
        except TimeoutError as error:
            where = f"{place}/{name}" if place else name
            message = f"timed out after {timeout:g} s waiting for {condition} of {found.qualified_name} {where}"
            raise WaitTimeout(message, last) from error

    # -- plumbing ------------------------------------------------------------------------------------------------

    def _named(self, resource: Resource, name: str, namespace: str | None, subresource: str | None) -> Target:
        return Target(resource, self._place(resource, namespace), one_name(name, resource), subresource or "")

    def _place(self, resource: Resource, namespace: str | None) -> str:
        return (namespace or self.default_namespace) if resource.namespaced else ""

    def _options(self, dry_run: bool, field_validation: FieldValidation | None) -> WriteOptions:
        return WriteOptions(dry_run, self._field_manager, field_validation or "")

    async def _call(self, call: Call, timeout: float | None) -> Reply:
        return await retry.call(self._transport, call, self.timeout if timeout is None else timeout)

    async def _object(self, call: Call, timeout: float | None) -> Object:
        reply = await self._call(call, timeout)
        if not isinstance(reply, ObjectReply):
            raise TypeError(f"an object was answered by {type(reply).__name__}")
        for warning in reply.warnings:
            self._on_warning(warning)
        obj: Object = orjson.loads(reply.body)
        return obj
