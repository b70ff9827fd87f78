"""Between api.proto's messages and the handler's `Request` and `Response`. Pure functions."""

from __future__ import annotations

from typing import Any

import orjson

from kubeactors.api import errors
from kubeactors.api.kinds import Kind, KindRegistry
from kubeactors.apiserver.request import (
    JSON,
    NO_OPTIONS,
    LogOptions,
    Options,
    Request,
    Response,
    UserInfo,
    Verb,
    WatchEncoding,
)
from kubeactors.pb.api.v1 import api_pb2 as pb

_PATCHES = frozenset(
    {
        "application/json-patch+json",
        "application/merge-patch+json",
        "application/strategic-merge-patch+json",
        "application/apply-patch+yaml",
    }
)


def find_kind(registry: KindRegistry, key: pb.ObjectKey, verb: Verb) -> Kind:
    """The kind that a key names. Raises StatusError: 404 for an unknown one, 405 for a verb that it does not have."""
    kind = registry.by_resource(key.group, key.version, key.resource)
    if kind is None:
        raise errors.resource_not_found()
    verbs = kind.verbs
    if key.subresource:
        subresource = kind.subresource(key.subresource)
        if subresource is None:
            raise errors.resource_not_found()
        verbs = subresource.verbs
    if verb not in verbs:
        raise errors.method_not_allowed()
    if kind.namespaced and not key.namespace and verb not in ("list", "watch"):
        raise errors.bad_request(f"{kind.plural} are namespaced: the key must name a namespace")
    if not kind.namespaced and key.namespace:
        raise errors.bad_request(f"{kind.plural} are not namespaced: the key must not name a namespace")
    needs_name = verb in ("get", "update", "patch", "delete") or bool(key.subresource)
    if needs_name and not key.name:
        raise errors.bad_request("the key must name an object")
    return kind


def get_request(registry: KindRegistry, message: pb.GetRequest, user: UserInfo) -> Request:
    kind = find_kind(registry, message.key, "get")
    options = Options(resource_version=message.resource_version) if message.resource_version else NO_OPTIONS
    return _request("get", kind, message.key, user, options=options)


def list_request(registry: KindRegistry, message: pb.ListRequest, user: UserInfo) -> Request:
    kind = find_kind(registry, message.key, "list")
    options = Options(
        label_selector=message.label_selector,
        field_selector=message.field_selector,
        limit=message.limit,
        continue_=getattr(message, "continue"),
        resource_version=message.resource_version,
        resource_version_match=message.resource_version_match,
    )
    request = _request("list", kind, message.key, user, options=options)
    request.name = ""
    request.items = True
    return request


def watch_request(registry: KindRegistry, message: pb.WatchRequest, user: UserInfo) -> Request:
    kind = find_kind(registry, message.key, "watch")
    selector = message.field_selector
    if message.key.name:
        selector = ",".join(filter(None, (selector, f"metadata.name={message.key.name}")))
    options = Options(
        label_selector=message.label_selector,
        field_selector=selector,
        resource_version=message.resource_version,
        allow_watch_bookmarks=message.allow_watch_bookmarks,
        timeout_seconds=message.timeout_seconds or None,
    )
    request = _request("watch", kind, message.key, user, options=options)
    request.name = ""
    request.watch_encoding = WATCH_FRAMES
    return request


def create_request(registry: KindRegistry, message: pb.CreateRequest, user: UserInfo) -> Request:
    kind = find_kind(registry, message.key, "create")
    request = _request("create", kind, message.key, user, options=_write_options(message.options), body=message.json)
    if not message.key.subresource:
        request.name = ""
    return request


def update_request(registry: KindRegistry, message: pb.UpdateRequest, user: UserInfo) -> Request:
    kind = find_kind(registry, message.key, "update")
    return _request("update", kind, message.key, user, options=_write_options(message.options), body=message.json)


def patch_request(registry: KindRegistry, message: pb.PatchRequest, user: UserInfo) -> Request:
    kind = find_kind(registry, message.key, "patch")
    if message.content_type not in _PATCHES:
        raise errors.unsupported_media_type(None)
    options = _write_options(message.options, apply=message.content_type == "application/apply-patch+yaml")
    return _request(
        "patch", kind, message.key, user, options=options, body=message.patch, content_type=message.content_type
    )


def delete_request(registry: KindRegistry, message: pb.DeleteRequest, user: UserInfo) -> Request:
    return _request("delete", find_kind(registry, message.key, "delete"), message.key, user, body=message.options)


def delete_collection_request(registry: KindRegistry, message: pb.DeleteCollectionRequest, user: UserInfo) -> Request:
    kind = find_kind(registry, message.key, "deletecollection")
    options = Options(label_selector=message.label_selector, field_selector=message.field_selector)
    request = _request("deletecollection", kind, message.key, user, options=options, body=message.options)
    request.name = ""
    return request


def logs_request(registry: KindRegistry, message: pb.LogsRequest, user: UserInfo) -> Request:
    key = pb.ObjectKey(version="v1", resource="pods", namespace=message.namespace, name=message.pod, subresource="log")
    log = LogOptions(
        container=message.container,
        follow=message.follow,
        previous=message.previous,
        timestamps=message.timestamps,
        tail_lines=message.tail_lines if message.HasField("tail_lines") else None,
        since_seconds=message.since_seconds if message.HasField("since_seconds") else None,
        since_time=message.since_time,
        limit_bytes=message.limit_bytes if message.HasField("limit_bytes") else None,
    )
    return _request("get", find_kind(registry, key, "get"), key, user, options=Options(log=log))


def _write_options(options: pb.WriteOptions, *, apply: bool = False) -> Options:
    return Options(
        dry_run=("All",) if options.dry_run else (),
        field_manager=options.field_manager,
        field_validation=options.field_validation or "Warn",
        force=options.force if apply or options.force else None,
    )


def _request(
    verb: Verb,
    kind: Kind,
    key: pb.ObjectKey,
    user: UserInfo,
    *,
    options: Options = NO_OPTIONS,
    body: bytes = b"",
    content_type: str = JSON,
) -> Request:
    return Request(
        verb=verb,
        kind=kind,
        user=user,
        namespace=key.namespace,
        name=key.name,
        subresource=key.subresource,
        options=options,
        body=body,
        content_type=content_type,
    )


def object_reply(response: Response) -> pb.Object:
    """The answer to everything but a list."""
    return pb.Object(json=response.whole(), warnings=response.warnings)


def list_reply(response: Response) -> pb.ObjectList:
    """The answer to a list."""
    found = response.items
    if found is None:
        raise TypeError("the handler answered a list without its items")
    reply = pb.ObjectList(
        items=found.items,
        resource_version=found.resource_version,
        remaining_item_count=found.remaining_item_count or 0,
    )
    setattr(reply, "continue", found.continue_)
    return reply


def status_bytes(error: errors.StatusError) -> bytes:
    """The Status of a failed call, as JSON."""
    return orjson.dumps(error.status)


def _event(type_: str, object_: bytes) -> bytes:
    """One WatchFrame with one event, serialized: frames put one after the other are one frame with all events."""
    return pb.WatchFrame(events=[pb.WatchEvent(type=type_, object=object_)]).SerializeToString()


#: Watch events as the serialized messages that go on the stream.
WATCH_FRAMES = WatchEncoding("grpc-watch-frames", _event)

#: Which field of SessionCall is built by which function; the names are the proto's.
SESSION_CALLS: dict[str, Any] = {
    "get": get_request,
    "list": list_request,
    "create": create_request,
    "update": update_request,
    "patch": patch_request,
    "delete": delete_request,
    "delete_collection": delete_collection_request,
}
