"""An API server in memory, beneath the real `AsyncClient`, for unit tests of components.

    api = FakeApi()
    api.seed({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "a"}})
    client = api.client()

It keeps what components rely on: resourceVersions and conflicts, watches with history and expiry, label and field
selectors, generateName, finalizers and grace periods, status, scale, binding and token subresources, dry run,
generations. There is no schema check, defaulting or validation, so objects need no more than what the component looks
at.
The methods that are not the client's (`seed`, `get`, `modify`, …) are synchronous, for arranging and asserting.
"""

from __future__ import annotations

import asyncio
import copy
import itertools
import uuid
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from kubeactors.api import errors, meta
from kubeactors.api.errors import FieldError
from kubeactors.api.kinds import Kind, Strategy, registry
from kubeactors.api.kinds.strategy import StatusStrategy
from kubeactors.api.managedfields import Trackers
from kubeactors.api.selectors import parse_field_selector, parse_label_selector
from kubeactors.client.arguments import APPLY_CONTENT_TYPE
from kubeactors.client.async_client import AsyncClient
from kubeactors.client.calls import (
    Call,
    CreateCall,
    DeleteCall,
    DeleteCollectionCall,
    GetCall,
    ListCall,
    ListReply,
    LogsCall,
    PatchCall,
    RawEvent,
    Reply,
    Target,
    UpdateCall,
    WatchCall,
)
from kubeactors.client.streams import CommandCall, CommandStream, PortCall, PortStream
from kubeactors.client.transport import ConnectionLost
from tests.support.fake_api_objects import has_grace, key_of, patched, reply_of, scale_of, verb_of
from tests.support.fake_api_watch import Change, Match, Watcher, tell

Object = dict[str, Any]


@dataclass
class _Failure:
    error: Exception
    verb: str | None
    resource: str | None
    name: str | None
    times: int


class FakeApi:
    """The state. `client()` gives any number of clients of it; `calls` has every call that they made, oldest first.

    `now` is the clock of creationTimestamp and deletionTimestamp. `down = True` refuses connections and breaks none.
    """

    def __init__(self, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.calls: list[Call | WatchCall | LogsCall] = []
        self.down = False
        self._now = now
        self._objects: dict[Kind, dict[str, Object]] = {}
        self._version = 0
        self._oldest = 0
        self._history: list[Change] = []
        self._watchers: list[Watcher] = []
        self._failures: list[_Failure] = []
        self._logs: dict[tuple[str, str, str], bytes] = {}
        self._pages: dict[str, tuple[list[bytes], int]] = {}
        self._numbers = itertools.count(1)
        self._trackers = Trackers()

    def client(self, **options: Any) -> AsyncClient:
        """A client; `options` are AsyncClient's keywords."""
        return AsyncClient(transport=_FakeTransport(self), **options)

    # -- arranging and asserting -------------------------------------------------------------------------------------

    def seed(self, *objs: Object) -> list[Object]:
        """Stores objects just as they are, status and all (uid, creationTimestamp filled in), created or replaced."""
        stored = []
        for obj in objs:
            kind = registry.by_gvk(obj["apiVersion"], obj["kind"])
            if kind is None:
                raise LookupError(f"unknown kind {obj['apiVersion']} {obj['kind']}")
            new = copy.deepcopy(obj)
            if kind.namespaced:
                new["metadata"].setdefault("namespace", "default")
            self._identify(new)
            stored.append(self._commit(kind, self._table(kind).get(meta.key(new)), new))
        return copy.deepcopy(stored)

    def get(self, resource: str, name: str, namespace: str | None = "default") -> Object | None:
        """A copy of the object, or None."""
        kind = registry.lookup(resource)
        return copy.deepcopy(self._table(kind).get(key_of(kind, namespace or "", name)))

    def objects(self, resource: str, namespace: str | None = None) -> list[Object]:
        """Copies of a kind's objects, in order of creation."""
        held = self._table(registry.lookup(resource)).values()
        return [copy.deepcopy(obj) for obj in held if namespace is None or meta.namespace(obj) == namespace]

    def modify(self, resource: str, name: str, change: Callable[[Object], None], namespace: str = "default") -> Object:
        """Changes an object in place as some other client would: `change` gets a copy, which is then stored."""
        kind = registry.lookup(resource)
        old = self._table(kind)[key_of(kind, namespace, name)]
        new = copy.deepcopy(old)
        change(new)
        return copy.deepcopy(self._commit(kind, old, new))

    def remove(self, resource: str, name: str, namespace: str = "default") -> None:
        """Removes an object at once, whatever its finalizers and grace period."""
        kind = registry.lookup(resource)
        self._commit(kind, self._table(kind)[key_of(kind, namespace, name)], None)

    def fail(
        self,
        error: Exception,
        *,
        verb: str | None = None,
        resource: str | None = None,
        name: str | None = None,
        times: int = 1,
    ) -> None:
        """Raises `error` (StatusError or ConnectionLost) from the next `times` calls that match.

        `verb`: get, list, create, update, patch, delete, deletecollection, watch; `resource`: the plural.
        """
        self._failures.append(_Failure(error, verb, resource, name, times))

    def writes(self, resource: str | None = None) -> list[tuple[str, str]]:
        """(verb, "resource[/subresource] [namespace/]name") of every write so far."""
        found = []
        for call in self.calls:
            if isinstance(call, (GetCall, ListCall, WatchCall, LogsCall)):
                continue
            target = call.target
            if resource is not None and target.resource.plural != registry.lookup(resource).plural:
                continue
            name = target.name
            if isinstance(call, CreateCall) and not name:
                name = meta.name(orjson.loads(call.body)) or "(generated)"
            place = f"{target.resource.plural}{'/' + target.subresource if target.subresource else ''}"
            found.append((verb_of(call), f"{place} {target.namespace + '/' if target.namespace else ''}{name}"))
        return found

    def set_log(self, namespace: str, pod: str, container: str, data: bytes) -> None:
        """What `logs` answers."""
        self._logs[namespace, pod, container] = data

    def break_watches(self) -> None:
        """Ends every watch as a lost connection does."""
        for watcher in self._watchers:
            watcher.queue.put_nowait(ConnectionLost("the connection broke (test)", sent=True))

    def end_watches(self) -> None:
        """Ends every watch as a server's timeout does."""
        for watcher in self._watchers:
            watcher.queue.put_nowait(None)

    def compact(self) -> None:
        """Forgets all history: watches from older versions get 410 Expired."""
        self._oldest = self._version
        self._history.clear()

    def bookmark(self) -> None:
        """Sends a BOOKMARK of the current version to every watch that takes them."""
        for watcher in self._watchers:
            if watcher.bookmarks:
                body = {
                    "kind": watcher.kind.kind,
                    "apiVersion": watcher.kind.api_version,
                    "metadata": {"resourceVersion": str(self._version)},
                }
                watcher.queue.put_nowait(RawEvent("BOOKMARK", orjson.dumps(body)))

    @property
    def watch_count(self) -> int:
        """Watches that are open."""
        return len(self._watchers)

    # -- the calls ---------------------------------------------------------------------------------------------------

    def handle(self, call: Call) -> Reply:
        """Answers a call, or raises as the server would."""
        self._admit(call, verb_of(call), call.target)
        kind = self._kind(call.target)
        match call:
            case GetCall(target):
                current = self._find(kind, target)
                return reply_of(scale_of(current) if target.subresource == "scale" else current)
            case ListCall():
                return self._list(kind, call)
            case CreateCall(target):
                body = orjson.loads(call.body)
                if target.subresource == "binding":
                    return reply_of(self._bind(kind, target, body))
                if target.subresource == "token":
                    return reply_of(self._token(kind, target, body))
                return reply_of(self._create(kind, target, body, call.options.dry_run))
            case UpdateCall(target):
                return reply_of(self._update(kind, target, orjson.loads(call.body), call.options.dry_run))
            case PatchCall(target) if call.content_type == APPLY_CONTENT_TYPE:
                return reply_of(self._apply(kind, target, call))
            case PatchCall(target):
                current = self._find(kind, target)
                shown = scale_of(current) if target.subresource == "scale" else current
                wanted = patched(call.content_type, shown, call.body, kind)
                given = meta.uid(wanted)
                if given != meta.uid(current):
                    frozen = FieldError("FieldValueInvalid", "metadata.uid", "field is immutable", given)
                    raise errors.invalid(kind.qualified_kind, target.name, [frozen])
                return reply_of(self._update(kind, target, wanted, call.options.dry_run))
            case DeleteCall(target):
                options = orjson.loads(call.options) if call.options else {}
                return reply_of(self._delete(kind, self._find(kind, target), options))
            case DeleteCollectionCall(target):
                options = orjson.loads(call.options) if call.options else {}
                match_ = self._matcher(kind, target, call.label_selector, call.field_selector)
                doomed = [obj for obj in self._table(kind).values() if match_(obj)]
                for obj in doomed:
                    self._delete(kind, obj, options)
                return reply_of({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"})

    async def watch(self, call: WatchCall) -> AsyncGenerator[Sequence[RawEvent], None]:
        self._admit(call, "watch", call.target)
        kind = self._kind(call.target)
        match_ = self._matcher(kind, call.target, call.label_selector, call.field_selector)
        watcher = Watcher(kind, match_, call.allow_bookmarks)
        since = int(call.resource_version or 0)
        if 0 < since < self._oldest:
            expired = errors.expired(f"too old resource version: {since} ({self._oldest})")
            yield [RawEvent("ERROR", orjson.dumps(expired.status))]
            return
        if since == 0:
            for obj in self._table(kind).values():
                if match_(obj):
                    watcher.queue.put_nowait(RawEvent("ADDED", orjson.dumps(obj)))
        for change in self._history:
            if 0 < since < change.version:
                tell(watcher, change)
        self._watchers.append(watcher)
        now = asyncio.get_running_loop().time
        end = now() + call.timeout_seconds if call.timeout_seconds else None
        try:
            yield ()
            while True:
                left = None if end is None else max(0.0, end - now())
                # Not wait_for: in Python 3.11 it can swallow a cancellation that comes together with an item.
                async with asyncio.timeout(left):
                    batch = [await watcher.queue.get()]
                while not watcher.queue.empty():
                    batch.append(watcher.queue.get_nowait())
                events = [event for event in batch if isinstance(event, RawEvent)]
                if events:
                    yield events
                for other in batch:
                    if other is None:
                        return
                    if isinstance(other, Exception):
                        raise other
        except TimeoutError:
            return
        finally:
            self._watchers.remove(watcher)

    def logs(self, call: LogsCall) -> bytes:
        self.calls.append(call)
        if call.pod not in {meta.name(pod) for pod in self.objects("pods", call.namespace)}:
            raise errors.not_found("pods", call.pod)
        data = self._logs.get((call.namespace, call.pod, call.container), b"")
        if call.tail_lines is not None:
            data = b"".join(data.splitlines(keepends=True)[-call.tail_lines :]) if call.tail_lines else b""
        return data

    # -- verbs -------------------------------------------------------------------------------------------------------

    def _list(self, kind: Kind, call: ListCall) -> ListReply:
        if call.continue_:
            if call.continue_ not in self._pages:
                raise errors.bad_request("continue key is not valid")
            bodies, version = self._pages.pop(call.continue_)
        else:
            match_ = self._matcher(kind, call.target, call.label_selector, call.field_selector)
            held = sorted(self._table(kind).items())
            bodies, version = [orjson.dumps(obj) for _, obj in held if match_(obj)], self._version
        if not call.limit or len(bodies) <= call.limit:
            return ListReply(tuple(bodies), str(version))
        token = f"page-{next(self._numbers)}"
        self._pages[token] = (bodies[call.limit :], version)
        return ListReply(tuple(bodies[: call.limit]), str(version), token, len(bodies) - call.limit)

    def _create(self, kind: Kind, target: Target, body: Object, dry_run: bool) -> Object:
        metadata = body.setdefault("metadata", {})
        if kind.namespaced and metadata.setdefault("namespace", target.namespace) != target.namespace:
            text = "the namespace of the provided object does not match the namespace of the request"
            raise errors.bad_request(text)
        if not metadata.get("name"):
            if not metadata.get("generateName"):
                missing = FieldError("FieldValueRequired", "metadata.name", "name or generateName is required")
                raise errors.invalid(kind.qualified_kind, "", [missing])
            metadata["name"] = f"{metadata['generateName']}{next(self._numbers):05d}"
        if metadata.pop("resourceVersion", None):
            raise errors.bad_request("resourceVersion should not be set on objects to be created")
        if key_of(kind, target.namespace, metadata["name"]) in self._table(kind):
            raise errors.already_exists(kind.qualified_resource, metadata["name"])
        for owned in ("uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds"):
            metadata.pop(owned, None)
        self._identify(body)
        # The common base's: those of the kinds rely on defaults.
        Strategy.prepare_for_create(kind.strategy, body, self._now())
        if kind.plural == "namespaces":
            body.setdefault("spec", {}).setdefault("finalizers", ["kubernetes"])
            body["status"] = {"phase": "Active"}
        elif kind.plural == "pods":
            body["status"] = {"phase": "Pending"}
        return body if dry_run else self._commit(kind, None, body)

    def _apply(self, kind: Kind, target: Target, call: PatchCall) -> Object:
        live = self._table(kind).get(key_of(kind, target.namespace, target.name))
        if live is None and target.subresource:
            raise errors.not_found(kind.qualified_resource, target.name)
        strategy = kind.strategy_for(target.subresource)
        assert strategy is not None
        tracker = self._trackers.of(kind, target.subresource, strategy)
        options, now = call.options, meta.now_rfc3339(self._now())
        wanted = tracker.apply(live, orjson.loads(call.body), options.field_manager, now, force=options.force)
        write = self._create if live is None else self._update
        return write(kind, target, wanted, options.dry_run)

    def _update(self, kind: Kind, target: Target, body: Object, dry_run: bool) -> Object:
        if target.subresource == "scale":
            current = self._find(kind, target)
            body = {
                **current,
                "metadata": {**current["metadata"], "resourceVersion": meta.resource_version(body)},
                "spec": {**current.get("spec", {}), "replicas": body["spec"].get("replicas", 0)},
            }
        elif kind.create_on_update and key_of(kind, target.namespace, target.name) not in self._table(kind):
            return self._create(kind, target, body, dry_run)
        old = self._find(kind, target)
        new = copy.deepcopy(body)
        if kind.namespaced:
            new["metadata"].setdefault("namespace", target.namespace)
        given = meta.resource_version(new)
        if given and given != meta.resource_version(old):
            raise errors.conflict(kind.qualified_resource, target.name)
        if meta.uid(new) and meta.uid(new) != meta.uid(old):
            wrong = f"Precondition failed: UID in precondition: {meta.uid(new)}, UID in object meta: {meta.uid(old)}"
            raise errors.conflict(kind.qualified_resource, target.name, wrong)
        if target.subresource == "finalize":
            new = {**copy.deepcopy(old), "spec": {**old.get("spec", {}), **new.get("spec", {})}}
        else:
            strategy = kind.strategy
            if target.subresource not in ("", "scale"):
                if kind.strategy_for(target.subresource) is None:
                    raise errors.resource_not_found()
                strategy = StatusStrategy(kind.strategy)
            kept = copy.deepcopy(old)
            if isinstance(strategy, StatusStrategy):
                strategy.prepare_for_update(new, kept, self._now())
            else:
                Strategy.prepare_for_update(strategy, new, kept, self._now())
        new["metadata"]["resourceVersion"] = meta.resource_version(old)
        if new == old:
            return scale_of(old) if target.subresource == "scale" else old
        if not dry_run:
            finished = meta.is_deleting(new) and not meta.finalizers(new) and not has_grace(kind, new)
            new = self._commit(kind, old, new)
            if finished:
                self._commit(kind, new, None)
        return scale_of(new) if target.subresource == "scale" else new

    def _delete(self, kind: Kind, old: Object, options: Object) -> Object:
        name = meta.name(old)
        for wanted, have in (("uid", meta.uid(old)), ("resourceVersion", meta.resource_version(old))):
            given = options.get("preconditions", {}).get(wanted)
            if given is not None and given != have:
                word = "UID" if wanted == "uid" else "ResourceVersion"
                text = f"Precondition failed: {word} in precondition: {given}, {word} in object meta: {have}"
                raise errors.conflict(kind.qualified_resource, name, text)
        if options.get("dryRun"):
            return old
        new = copy.deepcopy(old)
        finalizers = [f for f in meta.finalizers(new) if f not in ("orphan", "foregroundDeletion")]
        extra = {"Orphan": ["orphan"], "Foreground": ["foregroundDeletion"]}.get(
            options.get("propagationPolicy", ""), []
        )
        if finalizers + extra:
            new["metadata"]["finalizers"] = finalizers + extra
        grace = self._grace(kind, old, options.get("gracePeriodSeconds"))
        if kind.plural == "namespaces" and new.get("spec", {}).get("finalizers"):
            new.setdefault("status", {})["phase"] = "Terminating"
        elif not meta.finalizers(new) and not grace:
            self._commit(kind, old, None)
            return old
        if not meta.is_deleting(old) or grace < (old["metadata"].get("deletionGracePeriodSeconds") or 0):
            due = self._now() + timedelta(seconds=grace)
            new["metadata"]["deletionTimestamp"] = meta.now_rfc3339(due)
            new["metadata"]["deletionGracePeriodSeconds"] = grace
        return old if new == old else self._commit(kind, old, new)

    def _grace(self, kind: Kind, obj: Object, asked: int | None) -> int:
        """Only pods that run on a node have a grace period."""
        spec, status = obj.get("spec", {}), obj.get("status", {})
        if kind.plural != "pods" or not spec.get("nodeName") or status.get("phase") in ("Succeeded", "Failed"):
            return 0
        return int(spec.get("terminationGracePeriodSeconds", 30) if asked is None else asked)

    def _bind(self, kind: Kind, target: Target, binding: Object) -> Object:
        old = self._find(kind, target)
        if meta.is_deleting(old):
            text = f"pod {target.name} is being deleted, cannot be assigned to a host"
            raise errors.conflict("pods/binding", target.name, text)
        if old["spec"].get("nodeName"):
            text = f"pod {target.name} is already assigned to node {old['spec']['nodeName']!r}".replace("'", '"')
            raise errors.conflict("pods/binding", target.name, text)
        new = copy.deepcopy(old)
        new["spec"]["nodeName"] = binding["target"]["name"]
        meta.set_condition(new, "PodScheduled", "True", now=self._now())
        self._commit(kind, old, new)
        return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}

    def _token(self, kind: Kind, target: Target, request: Object) -> Object:
        self._find(kind, target)
        spec = request["spec"]
        ends = self._now() + timedelta(seconds=spec["expirationSeconds"])
        audience = ",".join(spec["audiences"])
        token = f"{target.namespace}/{target.name} for {audience} #{next(self._numbers)}"
        return {**request, "status": {"token": token, "expirationTimestamp": meta.now_rfc3339(ends)}}

    # -- state -------------------------------------------------------------------------------------------------------

    def _admit(self, call: Call | WatchCall, verb: str, target: Target) -> None:
        self.calls.append(call)
        for failure in self._failures:
            if (
                failure.verb in (None, verb)
                and failure.resource in (None, target.resource.plural)
                and failure.name in (None, target.name)
            ):
                failure.times -= 1
                if failure.times <= 0:
                    self._failures.remove(failure)
                raise failure.error

    def _kind(self, target: Target) -> Kind:
        resource = target.resource
        kind = registry.by_resource(resource.group, resource.version, resource.plural)
        if kind is None:
            raise errors.resource_not_found()
        return kind

    def _table(self, kind: Kind) -> dict[str, Object]:
        return self._objects.setdefault(kind, {})

    def _find(self, kind: Kind, target: Target) -> Object:
        found = self._table(kind).get(key_of(kind, target.namespace, target.name))
        if found is None:
            raise errors.not_found(kind.qualified_resource, target.name)
        return found

    def _identify(self, obj: Object) -> None:
        obj["metadata"].setdefault("uid", str(uuid.uuid4()))
        obj["metadata"].setdefault("creationTimestamp", meta.now_rfc3339(self._now()))

    def _commit(self, kind: Kind, old: Object | None, new: Object | None) -> Object:
        """Stores (or with None removes) an object under the next version, and tells the watches."""
        self._version += 1
        table = self._table(kind)
        if new is None:
            if old is None:
                raise AssertionError("nothing to remove")
            del table[meta.key(old)]
            gone = {**old, "metadata": {**old["metadata"], "resourceVersion": str(self._version)}}
            change = Change(self._version, kind, gone, None)
        else:
            stored = {"apiVersion": kind.api_version, "kind": kind.kind, **new}
            stored["metadata"] = {**new["metadata"], "resourceVersion": str(self._version)}
            table[meta.key(stored)] = stored
            change = Change(self._version, kind, old, stored)
        self._history.append(change)
        for watcher in self._watchers:
            tell(watcher, change)
        return change.new or change.old or {}

    def _matcher(self, kind: Kind, target: Target, labels: str, fields: str) -> Match:
        by_label = parse_label_selector(labels) if labels else None
        by_field = parse_field_selector(fields).transformed(kind.convert_field) if fields else None

        def matches(obj: Object) -> bool:
            return (
                (not target.namespace or meta.namespace(obj) == target.namespace)
                and (by_label is None or by_label.matches(meta.labels(obj)))
                and (by_field is None or by_field.matches(kind.selectable_fields(obj)))
            )

        return matches


class _FakeTransport:
    def __init__(self, api: FakeApi) -> None:
        self._api = api

    async def call(self, call: Call, timeout: float) -> Reply:
        await asyncio.sleep(0)
        self._check()
        return self._api.handle(call)

    async def watch(self, call: WatchCall, timeout: float) -> AsyncGenerator[Sequence[RawEvent], None]:
        self._check()
        async with aclosing(self._api.watch(call)) as batches:
            async for batch in batches:
                yield batch

    async def logs(self, call: LogsCall, timeout: float) -> AsyncGenerator[bytes, None]:
        self._check()
        yield self._api.logs(call)

    async def command(self, call: CommandCall, timeout: float) -> CommandStream:
        raise errors.method_not_supported("pods", "connect")

    async def port(self, call: PortCall, timeout: float) -> PortStream:
        raise errors.method_not_supported("pods", "connect")

    async def discover(self, timeout: float) -> None:
        """It knows the built-in kinds alone."""

    async def close(self) -> None:
        """The state outlives its clients."""

    def _check(self) -> None:
        if self._api.down:
            raise ConnectionLost("the API server is down (test)", sent=False)
