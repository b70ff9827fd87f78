"""Requests for resources: from URL, headers and body to a `Request`, and from its `Response` to an answer."""

from __future__ import annotations

import asyncio
import dataclasses
import time

import orjson
from aiohttp import web

from kubeactors.api import errors
from kubeactors.api.kinds import Kind
from kubeactors.api.protobuf import ProtobufError, decode_object
from kubeactors.api.selectors import SelectorError, parse_field_selector
from kubeactors.apiserver.http.answer import Answer
from kubeactors.apiserver.http.body import read_body
from kubeactors.apiserver.http.deadline import deadline
from kubeactors.apiserver.http.encode import as_beta, long_answer, maybe_gzip, render, warning_headers
from kubeactors.apiserver.http.negotiate import JSON, PROTOBUF, YAML, MediaForm, NotAcceptable, negotiate, wants_pretty
from kubeactors.apiserver.http.query import Query
from kubeactors.apiserver.http.routes import ResourcePath
from kubeactors.apiserver.http.stream import (
    CHUNKED_BETA,
    CHUNKED_JSON_LINES,
    CHUNKED_PROTOBUF_EVENTS,
    PROTOBUF_EVENTS,
    send_stream,
    send_watch,
)
from kubeactors.apiserver.metrics import Metrics, request_key
from kubeactors.apiserver.openapi.definitions import META
from kubeactors.apiserver.options import parse_query
from kubeactors.apiserver.request import (
    APPLY_PATCH,
    JSON_LINES,
    JSON_PATCH,
    MERGE_PATCH,
    NO_OPTIONS,
    STRATEGIC_PATCH,
    ApiHandler,
    ConnectOptions,
    Form,
    Options,
    Request,
    Response,
    UserInfo,
    Verb,
    WatchEncoding,
)
from kubeactors.apiserver.streams import websocket_answers
from kubeactors.apiserver.streams.upgrade import wants_websocket
from kubeactors.apiserver.streams.websocket_answers import WEBSOCKET_EVENTS

_PATCHES = frozenset({JSON_PATCH, MERGE_PATCH, STRATEGIC_PATCH, APPLY_PATCH})
_CONSUMED = ("application/json", "application/yaml", "application/vnd.kubernetes.protobuf")
_STREAMS = frozenset({"log", "exec", "attach", "portforward", "proxy"})
_READ_VERBS = frozenset({"get", "list", "watch"})
_FORMS = {
    "Table": Form.TABLE,
    "PartialObjectMetadata": Form.PARTIAL,
    "PartialObjectMetadataList": Form.PARTIAL,
}


#: Larger answers than this (bytes of JSON) are made protobuf or YAML on another thread.
_OWN_THREAD = 64 * 1024
#: Where a request keeps what its answer is to warn of, whether it succeeds or not.
WARNINGS = web.RequestKey("warnings", tuple[str, ...])

_WITHOUT_TABLE = frozenset({"binding", "eviction", "token"})


class ResourceRequests:
    """Brings HTTP requests for resources to the handler and its answers back."""

    def __init__(
        self, handler: ApiHandler, metrics: Metrics, *, max_request_bytes: int, max_watch_buffer_bytes: int
    ) -> None:
        self._handler = handler
        self._metrics = metrics
        self._max_request_bytes = max_request_bytes
        self._max_watch_buffer_bytes = max_watch_buffer_bytes

    async def handle(
        self, request: web.BaseRequest, path: ResourcePath, verb: Verb, query: Query, user: UserInfo
    ) -> web.StreamResponse:
        """Answer a request for a resource. Raises StatusError or `NotAcceptable`."""
        if path.kind.deprecation:
            request[WARNINGS] = (path.kind.deprecation,)
            self._metrics.note_deprecated(path.kind, path.subresource)
        apply = request.headers.get("Content-Type", "").startswith(APPLY_PATCH) if verb == "patch" else False
        key = request_key(verb, path.kind, path.subresource, path.namespace, path.name, apply=apply)
        started = time.perf_counter()
        code, size = 500, 0
        long = verb == "watch" or path.subresource in _STREAMS
        gauge = self._metrics.reading if verb in _READ_VERBS else self._metrics.mutating
        if long:
            gauge = self._metrics.long_running(key)
        gauge.value += 1
        try:
            if path.connects:
                connected = await self._connect(request, path, verb, query, user)
                code = connected.status
                return connected
            timeout = query.first("timeout") if query.pairs and not long else ""
            if timeout:
                async with deadline(timeout):
                    answer = await self._answer(request, path, verb, query, user)
            else:
                answer = await self._answer(request, path, verb, query, user)
            code, size = answer.status, answer.size if isinstance(answer, Answer) else 0
            return answer
        except errors.StatusError as error:
            code = error.code
            raise
        except NotAcceptable:
            code = 406
            raise
        finally:
            gauge.value -= 1
            dry_run = bool(query.pairs) and "dryRun" in query
            self._metrics.observe(key, code, time.perf_counter() - started, size, dry_run=dry_run)

    async def _connect(
        self, http: web.BaseRequest, path: ResourcePath, verb: Verb, query: Query, user: UserInfo
    ) -> web.StreamResponse:
        """Serve a connection. What the handler answers serves the client itself."""
        response = await self._handler.handle(
            Request(
                verb=verb,
                kind=path.kind,
                user=user,
                namespace=path.namespace,
                name=path.name,
                subresource=path.subresource,
                user_agent=http.headers.get("User-Agent", ""),
                connect=ConnectOptions(query.pairs, path.below),
            )
        )
        if response.connect is None:
            raise errors.internal(f"{path.kind.plural}/{path.subresource} answered no connection")
        return await response.connect.serve(http)

    async def _answer(
        self, http: web.BaseRequest, path: ResourcePath, verb: Verb, query: Query, user: UserInfo
    ) -> web.StreamResponse:
        headers = http.headers
        media = self._negotiate(headers.get("Accept", ""), path, verb)
        log = path.subresource == "log"
        options = parse_query(query.pairs, logs=log) if query.pairs or log else NO_OPTIONS
        form = _FORMS[media.kind] if media.kind else Form.OBJECT
        name = path.name
        if verb == "watch" and name:
            options, name = _watch_one(options, name), ""
        body, content_type = b"", JSON
        if verb not in _READ_VERBS:
            content_type = _content_type(headers.get("Content-Type", ""), verb)
            body = await read_body(http, self._max_request_bytes)
            if not content_type and body:
                raise errors.unsupported_media_type(_CONSUMED)
            if content_type == PROTOBUF and path.kind.custom and verb in ("create", "update"):
                raise errors.unsupported_media_type(_CONSUMED[:2])
            if content_type == PROTOBUF:
                body, content_type = _from_protobuf(body, path, verb), JSON
        response = await self._handler.handle(
            Request(
                verb=verb,
                kind=path.kind,
                user=user,
                namespace=path.namespace,
                name=name,
                subresource=path.subresource,
                options=options,
                body=body,
                content_type=content_type or JSON,
                form=form,
                watch_encoding=_watch_encoding(http, media) if verb == "watch" else JSON_LINES,
                user_agent=headers.get("User-Agent", ""),
            )
        )
        if response.watch is not None:
            if wants_websocket(http):
                return await websocket_answers.send_watch(http, response.watch, self._max_watch_buffer_bytes)
            content_type = f"{PROTOBUF};stream=watch" if media.protobuf else JSON
            answer = Answer(200, None, content_type, _warnings(http, response))
            return await send_watch(http, response.watch, answer, self._max_watch_buffer_bytes)
        if response.stream is not None:
            if wants_websocket(http):
                return await websocket_answers.send_log(http, response.stream)
            answer = Answer(200, None, response.content_type, _warnings(http, response))
            return await send_stream(http, response.stream, answer)
        return await _encode(http, query, media, response, compress=verb in ("get", "list"))

    def _negotiate(self, accept: str, path: ResourcePath, verb: Verb) -> MediaForm:
        collection = not path.name
        if path.subresource == "log":
            return MediaForm()
        media = negotiate(
            accept,
            collection=collection,
            watch=verb == "watch",
            # What is only created has no columns.
            tables="list" in path.kind.verbs and path.subresource not in _WITHOUT_TABLE,
            protobuf=not path.kind.custom or path.subresource == "scale",
        )
        if media.kind in (None, "Table") or verb in ("watch", "delete"):
            return media
        lists = verb in ("list", "deletecollection")
        if lists and media.kind == "PartialObjectMetadata":
            message = f"you requested {media.kind}, but the requested object is a list (*{_go_type(path.kind)}List)"
            raise NotAcceptable(message, routed=False)
        if not lists and media.kind == "PartialObjectMetadataList":
            message = f"you requested {media.kind}, but the requested object is not a list (*{_go_type(path.kind)})"
            raise NotAcceptable(message, routed=False)
        return media


async def _encode(
    http: web.BaseRequest, query: Query, media: MediaForm, response: Response, *, compress: bool
) -> Answer:
    if response.status == 204:
        return Answer(204, None, "", _warnings(http, response))
    body = response.body
    pretty = media.pretty or wants_pretty(query.first("pretty"), http.headers.get("User-Agent", ""))
    extra = _warnings(http, response)
    document = response.document
    if document is not None:
        if not (media.yaml or media.protobuf or pretty or media.version == "v1beta1"):
            return await long_answer(response.status, document, http.headers.get("Accept-Encoding", ""), extra)
        body = document.whole()
    if media.version == "v1beta1":
        body = as_beta(body)
    if (media.protobuf or media.yaml) and len(body) > _OWN_THREAD:
        body, content_type = await asyncio.to_thread(render, body, media, pretty=pretty)
    else:
        body, content_type = render(body, media, pretty=pretty)
    if compress:
        body, encoding = await maybe_gzip(body, http.headers.get("Accept-Encoding", ""))
        extra = (*extra, *encoding)
    return Answer(response.status, body, content_type, extra)


def _warnings(http: web.BaseRequest, response: Response) -> tuple[tuple[str, str], ...]:
    if WARNINGS in http:
        return warning_headers((*http[WARNINGS], *response.warnings))
    return warning_headers(response.warnings) if response.warnings else ()


def _content_type(header: str, verb: Verb) -> str:
    """The media type of a body, empty for one that cannot be read. Raises StatusError 415 for an unknown patch."""
    bare, *parameters = (part.strip() for part in header.split(";"))
    if verb == "patch":
        if bare not in _PATCHES:
            raise errors.unsupported_media_type(None)
        return bare
    if not header:
        return JSON
    bare = bare.lower()
    if any("=" not in parameter for parameter in parameters if parameter):
        return ""
    return bare if bare in (JSON, YAML, PROTOBUF) else ""


def _from_protobuf(body: bytes, path: ResourcePath, verb: Verb) -> bytes:
    """The same object as JSON. Raises StatusError 400 for a body that is not what the path takes."""
    schema = path.kind.schema
    if verb in ("delete", "deletecollection"):
        schema = META + "DeleteOptions"
    elif path.subresource:
        subresource = path.kind.subresource(path.subresource)
        schema = (subresource.schema if subresource is not None else "") or schema
    if not body:
        return body
    try:
        return orjson.dumps(decode_object(body, schema))
    except ProtobufError as error:
        kind = schema.rpartition(".")[2]
        message = f"the object provided is unrecognized (must be of type {kind}): protobuf: {error}"
        raise errors.bad_request(message) from error


def _watch_one(options: Options, name: str) -> Options:
    """A watch on one object is a watch on the collection, selected by name. Raises StatusError (400)."""
    if not options.field_selector:
        return dataclasses.replace(options, field_selector=f"metadata.name={name}")
    try:
        selected = parse_field_selector(options.field_selector).required_value("metadata.name")
    except SelectorError as error:
        raise errors.bad_request(str(error)) from error
    if selected != name:
        raise errors.bad_request("fieldSelector metadata.name doesn't match requested name")
    return options


def _go_type(kind: Kind) -> str:
    """What Kubernetes' message calls the type; it quotes its programming language."""
    return f"{kind.group.split('.')[0] or 'core'}.{kind.kind}"


def _watch_encoding(http: web.BaseRequest, media: MediaForm) -> WatchEncoding:
    if wants_websocket(http):
        return WEBSOCKET_EVENTS
    if media.protobuf:
        return PROTOBUF_EVENTS if http.version < (1, 1) else CHUNKED_PROTOBUF_EVENTS
    if http.version < (1, 1):
        return JSON_LINES
    return CHUNKED_BETA if media.version == "v1beta1" else CHUNKED_JSON_LINES
