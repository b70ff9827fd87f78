"""The in-memory API behind HTTP or HTTPS, for tests of the REST transport."""

from __future__ import annotations

import ssl
from typing import Any

import orjson
from aiohttp import web

from kubeactors.api.errors import StatusError
from kubeactors.api.kinds import Kind, registry
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
    Target,
    UpdateCall,
    WatchCall,
    WriteOptions,
)
from kubeactors.client.resource import Resource
from kubeactors.client.transport import ConnectionLost
from tests.support.fake_api import FakeApi


class FakeRestServer:
    """Serves `api` on 127.0.0.1. `seen` has method, path and headers of each request; `warning` goes with answers."""

    def __init__(self, api: FakeApi, *, port: int = 0, context: ssl.SSLContext | None = None) -> None:
        self.api = api
        self.port = port
        self.seen: list[tuple[str, str, dict[str, str]]] = []
        self.warning = ""
        self._context = context
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        app = web.Application(client_max_size=64 << 20)
        app.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(app, handle_signals=False, shutdown_timeout=0.1, handler_cancellation=True)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port, ssl_context=self._context)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    @property
    def url(self) -> str:
        return f"{'https' if self._context else 'http'}://127.0.0.1:{self.port}"

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        self.seen.append((request.method, request.path_qs, dict(request.headers)))
        if request.path == "/broken":
            return web.Response(status=502, text="bad gateway")
        try:
            target = _target(request.path)
            if target.subresource == "log":
                tail = request.query.get("tailLines")
                call = LogsCall(target.namespace, target.name, tail_lines=int(tail) if tail else None)
                return web.Response(body=self.api.logs(call))
            if request.query.get("watch"):
                return await self._watch(request, target)
            reply = self.api.handle(_call(request, target, await request.read()))
        except StatusError as error:
            headers = {"Retry-After": str(error.retry_after_seconds)} if error.retry_after_seconds else {}
            return web.json_response(error.status, status=error.code, headers=headers)
        if isinstance(reply, ListReply):
            return web.json_response(_list(target, reply))
        headers = {"Warning": f'299 - "{self.warning}"'} if self.warning else {}
        return web.Response(body=reply.body, content_type="application/json", headers=headers)

    async def _watch(self, request: web.Request, target: Target) -> web.StreamResponse:
        query = request.query
        call = WatchCall(
            target,
            query.get("labelSelector", ""),
            query.get("fieldSelector", ""),
            query.get("resourceVersion", ""),
            query.get("allowWatchBookmarks") == "true",
            int(query.get("timeoutSeconds", 0)),
        )
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        try:
            async for batch in self.api.watch(call):
                for event in batch:
                    # In two writes, so that lines come broken.
                    line = b'{"type":"%s","object":%s}\n' % (event.type.encode(), event.object)
                    await response.write(line[:40])
                    await response.write(line[40:])
        except ConnectionLost:
            if request.transport is not None:
                request.transport.abort()
        return response


def _list(target: Target, reply: ListReply) -> dict[str, Any]:
    items = [orjson.loads(item) for item in reply.items]
    for item in items:
        del item["kind"], item["apiVersion"]
    metadata: dict[str, Any] = {"resourceVersion": reply.resource_version}
    if reply.continue_:
        metadata.update({"continue": reply.continue_, "remainingItemCount": reply.remaining_item_count})
    kind = _kind(target)
    return {"kind": kind.list_kind, "apiVersion": kind.api_version, "metadata": metadata, "items": items}


def _kind(target: Target) -> Kind:
    resource = target.resource
    kind = registry.by_resource(resource.group, resource.version, resource.plural)
    if kind is None:
        raise LookupError(resource.plural)
    return kind


def _target(path: str) -> Target:
    parts = path.strip("/").split("/")
    group, parts = ("", parts[1:]) if parts[0] == "api" else (parts[1], parts[2:])
    version, parts = parts[0], parts[1:]
    namespace = ""
    if parts[0] == "namespaces" and len(parts) > 2:
        namespace, parts = parts[1], parts[2:]
    name, subresource = (*parts[1:], "", "")[:2]
    return Target(Resource(group, version, parts[0], "", bool(namespace)), namespace, name, subresource)


def _call(request: web.Request, target: Target, body: bytes) -> Call:
    query = request.query
    options = WriteOptions(dry_run=query.get("dryRun") == "All")
    if request.method == "GET" and target.name:
        return GetCall(target)
    if request.method == "GET":
        return ListCall(
            target,
            query.get("labelSelector", ""),
            query.get("fieldSelector", ""),
            int(query.get("limit", 0)),
            query.get("continue", ""),
        )
    if request.method == "POST":
        return CreateCall(target, body, options)
    if request.method == "PUT":
        return UpdateCall(target, body, options)
    if request.method == "PATCH":
        return PatchCall(target, request.content_type, body, options)
    if target.name:
        return DeleteCall(target, body)
    return DeleteCollectionCall(target, query.get("labelSelector", ""), query.get("fieldSelector", ""), body)
