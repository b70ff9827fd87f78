"""Calls ↔ the messages of protos/kubeactors/api/v1/api.proto."""

from __future__ import annotations

from collections.abc import Sequence

import grpc
import orjson

from kubeactors.api.errors import StatusError, status_failure
from kubeactors.client.calls import (
    Call,
    CreateCall,
    DeleteCall,
    DeleteCollectionCall,
    GetCall,
    ListCall,
    ListReply,
    LogsCall,
    ObjectReply,
    PatchCall,
    RawEvent,
    Reply,
    Target,
    UpdateCall,
    WatchCall,
    WriteOptions,
)
from kubeactors.client.discovery import ServedResource
from kubeactors.client.resource import Resource
from kubeactors.client.transport import ConnectionLost
from kubeactors.pb.api.v1 import api_pb2 as pb

STATUS_METADATA = "kubeactors-status-bin"

# Codes that a server means, or that its gRPC library answers for it. All others are the connection's.
_FAULTS = {
    grpc.StatusCode.UNKNOWN: (500, "InternalError"),
    grpc.StatusCode.INVALID_ARGUMENT: (400, "BadRequest"),
    grpc.StatusCode.UNAUTHENTICATED: (401, "Unauthorized"),
    grpc.StatusCode.PERMISSION_DENIED: (403, "Forbidden"),
    grpc.StatusCode.NOT_FOUND: (404, "NotFound"),
    grpc.StatusCode.RESOURCE_EXHAUSTED: (413, "RequestEntityTooLarge"),
    grpc.StatusCode.UNIMPLEMENTED: (404, "NotFound"),
}


def object_key(target: Target) -> pb.ObjectKey:
    resource = target.resource
    return pb.ObjectKey(
        group=resource.group,
        version=resource.version,
        resource=resource.plural,
        namespace=target.namespace,
        name=target.name,
        subresource=target.subresource,
    )


def session_call(number: int, call: Call) -> pb.SessionCall:
    """The call as one of a session, answered under `number`."""
    key = object_key(call.target)
    match call:
        case GetCall():
            return pb.SessionCall(id=number, get=pb.GetRequest(key=key, resource_version=call.resource_version))
        case ListCall():
            return pb.SessionCall(id=number, list=list_request(call))
        case CreateCall():
            create = pb.CreateRequest(key=key, json=call.body, options=_options(call.options))
            return pb.SessionCall(id=number, create=create)
        case UpdateCall():
            update = pb.UpdateRequest(key=key, json=call.body, options=_options(call.options))
            return pb.SessionCall(id=number, update=update)
        case PatchCall():
            patch = pb.PatchRequest(
                key=key, content_type=call.content_type, patch=call.body, options=_options(call.options)
            )
            return pb.SessionCall(id=number, patch=patch)
        case DeleteCall():
            return pb.SessionCall(id=number, delete=pb.DeleteRequest(key=key, options=call.options))
        case DeleteCollectionCall():
            delete_collection = pb.DeleteCollectionRequest(
                key=key,
                label_selector=call.label_selector,
                field_selector=call.field_selector,
                options=call.options,
            )
            return pb.SessionCall(id=number, delete_collection=delete_collection)


def list_request(call: ListCall) -> pb.ListRequest:
    request = pb.ListRequest(
        key=object_key(call.target),
        label_selector=call.label_selector,
        field_selector=call.field_selector,
        limit=call.limit,
        resource_version=call.resource_version,
        resource_version_match=call.resource_version_match,
    )
    if call.continue_:
        setattr(request, "continue", call.continue_)
    return request


def watch_request(call: WatchCall) -> pb.WatchRequest:
    return pb.WatchRequest(
        key=object_key(call.target),
        label_selector=call.label_selector,
        field_selector=call.field_selector,
        resource_version=call.resource_version,
        allow_watch_bookmarks=call.allow_bookmarks,
        timeout_seconds=call.timeout_seconds,
    )


def logs_request(call: LogsCall) -> pb.LogsRequest:
    return pb.LogsRequest(
        namespace=call.namespace,
        pod=call.pod,
        container=call.container,
        follow=call.follow,
        previous=call.previous,
        timestamps=call.timestamps,
        tail_lines=call.tail_lines,
        since_seconds=call.since_seconds,
        since_time=call.since_time,
        limit_bytes=call.limit_bytes,
    )


def session_reply(reply: pb.SessionReply) -> Reply:
    """What a session answered. Raises StatusError when the call failed."""
    which = reply.WhichOneof("reply")
    if which == "object":
        return ObjectReply(reply.object.json, tuple(reply.object.warnings))
    if which == "list":
        return list_reply(reply.list)
    if which == "status":
        raise StatusError(orjson.loads(reply.status))
    raise ConnectionLost("the server's answer is of a kind that this client does not know", sent=True)


def list_reply(reply: pb.ObjectList) -> ListReply:
    return ListReply(tuple(reply.items), reply.resource_version, getattr(reply, "continue"), reply.remaining_item_count)


def raw_events(frame: pb.WatchFrame | pb.WatchUpdate) -> Sequence[RawEvent]:
    return [RawEvent(event.type, event.object) for event in frame.events]


def failure(error: grpc.aio.AioRpcError, endpoint: str) -> StatusError | ConnectionLost:
    """What a failed RPC means: the server's Status where it sent one, a lost connection, or a fault of the server."""
    for key, value in error.trailing_metadata() or ():
        if key == STATUS_METADATA:
            return StatusError(orjson.loads(value))
    text = f"{endpoint}: {error.details() or error.code().name}"
    code, reason = _FAULTS.get(error.code(), (0, ""))
    return StatusError(status_failure(code, reason, text)) if code else ConnectionLost(text, sent=True)


def status_error(message: pb.Status) -> StatusError:
    """The refusal that the message tells of."""
    status = status_failure(message.code, message.reason, message.message)
    found = message.details
    details = {
        "name": found.name,
        "group": found.group,
        "kind": found.kind,
        "uid": found.uid,
        "causes": [
            {name: text for name, text in texts.items() if text}
            for cause in found.causes
            for texts in ({"reason": cause.reason, "message": cause.message, "field": cause.field},)
        ],
        "retryAfterSeconds": found.retry_after_seconds,
    }
    if present := {name: value for name, value in details.items() if value}:
        status["details"] = present
    return StatusError(status)


def _options(options: WriteOptions) -> pb.WriteOptions:
    return pb.WriteOptions(
        dry_run=options.dry_run,
        field_manager=options.field_manager,
        field_validation=options.field_validation,
        force=options.force,
    )


def served_resources(reply: pb.DiscoverReply) -> list[ServedResource]:
    """What a server says that it serves; of a group, the version that it prefers first."""
    return [
        ServedResource(
            Resource(each.group, each.version, each.resource, each.kind, each.namespaced),
            each.singular,
            tuple(each.short_names),
            frozenset(each.verbs),
            tuple(subresource.name for subresource in each.subresources),
        )
        for each in sorted(reply.resources, key=lambda each: not each.preferred)
    ]
