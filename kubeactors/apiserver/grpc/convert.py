"""Between api.proto's messages and the handler's `Request` and `Response`. Pure functions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal, Protocol

import orjson

from kubeactors.api import errors
from kubeactors.api.kinds import Kind
from kubeactors.api.table import check_include_object
from kubeactors.apiserver.request import (
    APPLY_PATCH,
    JSON,
    JSON_PATCH,
    MERGE_PATCH,
    NO_OPTIONS,
    STRATEGIC_PATCH,
    ConnectOptions,
    Form,
    IncludeObject,
    LogOptions,
    Options,
    Request,
    Response,
    UserInfo,
    Verb,
    WatchEncoding,
)
from kubeactors.pb.api.v1 import api_pb2 as pb

_PATCHES = frozenset({JSON_PATCH, MERGE_PATCH, STRATEGIC_PATCH, APPLY_PATCH})
_DRY_RUN = Options(dry_run=("All",))
_FORMS: dict[int, Form] = {
    pb.FORM_OBJECT: Form.OBJECT,
    pb.FORM_METADATA: Form.PARTIAL,
    pb.FORM_TABLE: Form.TABLE,
    pb.FORM_NONE: Form.OBJECT,
}


class Kinds(Protocol):
    """Every kind that there is: `KindRegistry`, or more."""

    def by_resource(self, group: str, version: str, plural: str) -> Kind | None: ...


#: Builds a Request of a message. Raises StatusError.
Convert = Callable[[Kinds, Any, UserInfo], Request]


def find_kind(registry: Kinds, key: pb.ObjectKey, verb: Verb) -> Kind:
    """The kind that a key names. Raises StatusError: 404 for an unknown one, 405 for a verb that it does not have."""
    kind = registry.by_resource(key.group, key.version, key.resource)
    if kind is None:
        raise errors.resource_not_found()
    verbs = kind.verbs
    if key.subresource:
        subresource = kind.subresource(key.subresource)
        if subresource is None:
            raise errors.resource_not_found()
        if subresource.connects or subresource.name == "log":
            raise errors.bad_request(f"{key.resource}/{key.subresource} is a stream: it has a method of its own")
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


def get_request(registry: Kinds, message: pb.GetRequest, user: UserInfo) -> Request:
    kind = find_kind(registry, message.key, "get")
    options = Options(resource_version=message.resource_version) if message.resource_version else NO_OPTIONS
    return _request("get", kind, message.key, user, options=options, form=message.form)


def list_request(registry: Kinds, message: pb.ListRequest, user: UserInfo) -> Request:
    kind = find_kind(registry, message.key, "list")
    options = Options(
        label_selector=message.label_selector,
        field_selector=_field_selector(message),
        limit=message.limit,
        continue_=getattr(message, "continue"),
        resource_version=message.resource_version,
        resource_version_match=message.resource_version_match,
        include_object=_include_object(message.include_object),
    )
    request = _request("list", kind, message.key, user, options=options, form=message.form)
    request.name = ""
    request.items = True
    return request


def watch_request(registry: Kinds, message: pb.WatchRequest, user: UserInfo) -> Request:
    kind = find_kind(registry, message.key, "watch")
    options = Options(
        label_selector=message.label_selector,
        field_selector=_field_selector(message),
        resource_version=message.resource_version,
        resource_version_match=message.resource_version_match,
        allow_watch_bookmarks=message.allow_watch_bookmarks,
        send_initial_events=message.send_initial_events if message.HasField("send_initial_events") else None,
        timeout_seconds=message.timeout_seconds or None,
        include_object=_include_object(message.include_object),
    )
    request = _request("watch", kind, message.key, user, options=options, form=message.form)
    request.name = ""
    request.watch_encoding = WATCH_FRAMES
    return request


def create_request(registry: Kinds, message: pb.CreateRequest, user: UserInfo) -> Request:
    kind = find_kind(registry, message.key, "create")
    options = message.options
    request = _request(
        "create", kind, message.key, user, options=_write_options(options), body=message.json, form=options.form
    )
    if not message.key.subresource:
        request.name = ""
    return request


def update_request(registry: Kinds, message: pb.UpdateRequest, user: UserInfo) -> Request:
    kind = find_kind(registry, message.key, "update")
    options = message.options
    return _request(
        "update", kind, message.key, user, options=_write_options(options), body=message.json, form=options.form
    )


def patch_request(registry: Kinds, message: pb.PatchRequest, user: UserInfo) -> Request:
    kind = find_kind(registry, message.key, "patch")
    if message.content_type not in _PATCHES:
        raise errors.unsupported_media_type(None)
    return _request(
        "patch",
        kind,
        message.key,
        user,
        options=_write_options(message.options, apply=message.content_type == APPLY_PATCH),
        body=message.patch,
        content_type=message.content_type,
        form=message.options.form,
    )


def delete_request(registry: Kinds, message: pb.DeleteRequest, user: UserInfo) -> Request:
    kind = find_kind(registry, message.key, "delete")
    options = _DRY_RUN if message.how.dry_run else NO_OPTIONS
    return _request("delete", kind, message.key, user, options=options, body=_delete_body(message), form=message.form)


def delete_collection_request(registry: Kinds, message: pb.DeleteCollectionRequest, user: UserInfo) -> Request:
    kind = find_kind(registry, message.key, "deletecollection")
    options = Options(
        label_selector=message.label_selector,
        field_selector=_field_selector(message),
        limit=message.limit,
        continue_=getattr(message, "continue"),
        resource_version=message.resource_version,
        resource_version_match=message.resource_version_match,
        dry_run=("All",) if message.how.dry_run else (),
    )
    request = _request("deletecollection", kind, message.key, user, options=options, body=_delete_body(message))
    request.name = ""
    return request


def logs_request(registry: Kinds, message: pb.LogsRequest, user: UserInfo) -> Request:
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
    return _pod_request(registry, "get", message.namespace, message.pod, "log", user, options=Options(log=log))


def command_request(
    subresource: Literal["exec", "attach"], registry: Kinds, message: pb.CommandStart, user: UserInfo
) -> Request:
    query = [("command", each) for each in message.command]
    query += [(name, str(getattr(message, name)).lower()) for name in ("stdin", "stdout", "stderr", "tty")]
    if message.container:
        query.append(("container", message.container))
    return _pod_request(registry, "create", message.namespace, message.pod, subresource, user, query=query)


def port_forward_request(registry: Kinds, message: pb.PortForwardStart, user: UserInfo) -> Request:
    query = [("ports", str(message.port))]
    return _pod_request(registry, "create", message.namespace, message.pod, "portforward", user, query=query)


def _pod_request(
    registry: Kinds,
    verb: Verb,
    namespace: str,
    name: str,
    subresource: str,
    user: UserInfo,
    *,
    options: Options = NO_OPTIONS,
    query: Sequence[tuple[str, str]] | None = None,
) -> Request:
    """A request for a stream of a pod; with `query` one that connects."""
    kind = registry.by_resource("", "v1", "pods")
    if kind is None:
        raise errors.resource_not_found()
    if not namespace or not name:
        raise errors.bad_request("the request must name a namespace and a pod")
    key = pb.ObjectKey(namespace=namespace, name=name, subresource=subresource)
    request = _request(verb, kind, key, user, options=options)
    if query is not None:
        request.connect = ConnectOptions(query)
    return request


def _field_selector(message: Any) -> str:
    """The message's selector. A name in its key selects by that name, too."""
    selector: str = message.field_selector
    name = message.key.name
    if not name:
        return selector
    return f"{selector},metadata.name={name}" if selector else f"metadata.name={name}"


def _include_object(text: str) -> IncludeObject:
    if not text:
        return IncludeObject.METADATA
    check_include_object(text)
    return IncludeObject(text)


def _delete_body(message: Any) -> bytes:
    """A DeleteOptions document. Raises StatusError (400)."""
    if not message.HasField("how"):
        body: bytes = message.options
        return body
    if message.options:
        raise errors.bad_request("a deletion has either options or how, not both")
    how = message.how
    document: dict[str, Any] = {}
    if how.HasField("grace_period_seconds"):
        document["gracePeriodSeconds"] = how.grace_period_seconds
    if how.propagation_policy:
        document["propagationPolicy"] = how.propagation_policy
    if how.dry_run:
        document["dryRun"] = ["All"]
    preconditions = {"uid": how.uid, "resourceVersion": how.resource_version}
    if any(preconditions.values()):
        document["preconditions"] = {key: value for key, value in preconditions.items() if value}
    return orjson.dumps(document)


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
    form: int = 0,
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
        form=_FORMS.get(form, Form.OBJECT) if form else Form.OBJECT,
    )


def object_reply(response: Response, message: Any) -> pb.Object:
    """The answer to everything but a list."""
    reply = pb.Object(warnings=response.warnings)
    if response.status != 200:
        reply.code = response.status
    if not _wants_nothing(message):
        reply.json = response.whole()
    return reply


def _wants_nothing(message: Any) -> bool:
    """Whether a write's answer is to be without the object."""
    options = getattr(message, "options", None)
    form: int = options.form if isinstance(options, pb.WriteOptions) else getattr(message, "form", 0)
    return form == pb.FORM_NONE


def list_reply(response: Response, message: Any) -> pb.ObjectList:
    """The answer to a list."""
    found = response.items
    if found is None:
        raise TypeError("the handler answered a list without its items")
    reply = pb.ObjectList(
        items=found.items,
        resource_version=found.resource_version,
        remaining_item_count=found.remaining_item_count or 0,
        table=response.whole(),
        warnings=response.warnings,
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

#: Which field of SessionCall and BatchOperation is built by which function; the names are the proto's.
CALLS: dict[str, Convert] = {
    "get": get_request,
    "list": list_request,
    "create": create_request,
    "update": update_request,
    "patch": patch_request,
    "delete": delete_request,
    "delete_collection": delete_collection_request,
}
