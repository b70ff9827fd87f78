"""An API server of a group of its own, as sample-apiserver is: for tests of the aggregation layer.

It believes whom a front proxy names, if that shows a certificate of the authority which ConfigMap
kube-system/extension-apiserver-authentication tells of, and refuses everybody else. Flunders are kept in memory.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from aiohttp import web

from kubeactors.pki.authority import Authority, Identity

GROUP = "wardle.example.com"
VERSION = "v1alpha1"
NAME = f"{VERSION}.{GROUP}"
ROOT = f"/apis/{GROUP}/{VERSION}"
_VERBS = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"]
_AGGREGATED = "APIGroupDiscoveryList"
_SCHEMA = "com.example.wardle.v1alpha1.Flunder"
Object = dict[str, Any]


@dataclass(frozen=True)
class Seen:
    """A request that came in, and whom it was for."""

    method: str
    path: str
    user: str
    groups: list[str]
    headers: list[tuple[str, str]]


@dataclass
class ExtensionServer:
    """`files` are a directory of its own; `service` is the DNS name that its certificate has."""

    files: Path
    service: str
    authentication: dict[str, str]
    aggregated: bool = True
    broken: bool = False
    port: int = 0
    ca: bytes = b""
    seen: list[Seen] = field(default_factory=list)
    flunders: dict[tuple[str, str], Object] = field(default_factory=dict)
    _revision: int = 100
    _events: list[tuple[int, str, Object]] = field(default_factory=list)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)
    _runner: web.AppRunner | None = None

    async def start(self, host: str) -> None:
        application = web.Application(middlewares=[self._authenticate])
        application.add_routes(
            [
                web.get("/apis", self._groups),
                web.get("/openapi/v3", self._openapi_index),
                web.get(f"/openapi/v3{ROOT}", self._openapi_v3),
                web.get("/openapi/v2", self._openapi_v2),
                web.get(ROOT, self._resources),
                web.get(f"{ROOT}/flunders", self._list),
                web.get(f"{ROOT}/namespaces/{{ns}}/flunders", self._list),
                web.post(f"{ROOT}/namespaces/{{ns}}/flunders", self._create),
                web.delete(f"{ROOT}/namespaces/{{ns}}/flunders", self._delete_all),
                web.get(f"{ROOT}/namespaces/{{ns}}/flunders/{{name}}", self._get),
                web.put(f"{ROOT}/namespaces/{{ns}}/flunders/{{name}}", self._put),
                web.patch(f"{ROOT}/namespaces/{{ns}}/flunders/{{name}}", self._patch),
                web.delete(f"{ROOT}/namespaces/{{ns}}/flunders/{{name}}", self._delete),
                web.get(f"{ROOT}/namespaces/{{ns}}/flunders/{{name}}/echo", self._echo),
                web.get(f"{ROOT}/namespaces/{{ns}}/flunders/{{name}}/elsewhere", self._redirect),
            ]
        )
        self._runner = web.AppRunner(application, shutdown_timeout=1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, host, self.port, ssl_context=self._tls())
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    def _tls(self) -> ssl.SSLContext:
        authority = Authority.create("extension-ca", datetime.now(UTC))
        pair = authority.issue(Identity("extension", names=(self.service,), server=True), datetime.now(UTC))
        self.ca = authority.certificate
        certificate, key, clients = (self.files / name for name in ("tls.crt", "tls.key", "clients.crt"))
        certificate.write_bytes(pair.certificate)
        key.write_bytes(pair.key)
        clients.write_text(self.authentication["requestheader-client-ca-file"])
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=clients)
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_cert_chain(certificate, key)
        return context

    @web.middleware
    async def _authenticate(self, request: web.Request, handler: Any) -> web.StreamResponse:
        assert request.transport is not None
        certificate = request.transport.get_extra_info("peercert")
        names = [value for part in certificate["subject"] for key, value in part if key == "commonName"]
        headers = [(name, value) for name, value in request.headers.items()]
        (user,) = json.loads(self.authentication["requestheader-username-headers"])
        (group,) = json.loads(self.authentication["requestheader-group-headers"])
        if names[0] not in json.loads(self.authentication["requestheader-allowed-names"]) or not request.headers[user]:
            return _status(401, "Unauthorized", "Unauthorized")
        who = request.headers[user]
        self.seen.append(Seen(request.method, request.path, who, request.headers.getall(group, []), headers))
        if self.broken:
            return _status(500, "InternalError", "broken")
        answer: web.StreamResponse = await handler(request)
        return answer

    # --- documents

    async def _groups(self, request: web.Request) -> web.StreamResponse:
        if not self.aggregated or _AGGREGATED not in request.headers.get("Accept", ""):
            version = {"groupVersion": f"{GROUP}/{VERSION}", "version": VERSION}
            group = {"name": GROUP, "versions": [version], "preferredVersion": version}
            return web.json_response({"kind": "APIGroupList", "apiVersion": "v1", "groups": [group]})
        flunders = {
            "resource": "flunders",
            "responseKind": {"group": GROUP, "version": VERSION, "kind": "Flunder"},
            "scope": "Namespaced",
            "singularResource": "flunder",
            "shortNames": ["fl"],
            "verbs": _VERBS,
        }
        versions = [{"version": VERSION, "resources": [flunders], "freshness": "Current"}]
        items = [{"metadata": {"name": GROUP}, "versions": versions}]
        document = {"kind": _AGGREGATED, "apiVersion": "apidiscovery.k8s.io/v2", "metadata": {}, "items": items}
        content_type = f"application/json;g=apidiscovery.k8s.io;v=v2;as={_AGGREGATED}"
        return web.Response(body=json.dumps(document), headers={"Content-Type": content_type, "Etag": '"one"'})

    async def _resources(self, request: web.Request) -> web.StreamResponse:
        flunders = {
            "name": "flunders",
            "singularName": "flunder",
            "namespaced": True,
            "kind": "Flunder",
            "shortNames": ["fl"],
            "verbs": _VERBS,
        }
        return web.json_response(
            {
                "kind": "APIResourceList",
                "apiVersion": "v1",
                "groupVersion": f"{GROUP}/{VERSION}",
                "resources": [flunders],
            }
        )

    async def _openapi_index(self, request: web.Request) -> web.StreamResponse:
        link = {"serverRelativeURL": f"/openapi/v3{ROOT}?hash=F1"}
        return web.json_response({"paths": {ROOT.strip("/"): link, "version": {"serverRelativeURL": "/x?hash=2"}}})

    async def _openapi_v3(self, request: web.Request) -> web.StreamResponse:
        kind = {"group": GROUP, "version": VERSION, "kind": "Flunder"}
        read = {"x-kubernetes-action": "get", "x-kubernetes-group-version-kind": kind, "responses": {}}
        return web.json_response(
            {
                "openapi": "3.0.0",
                "info": {"title": "wardle", "version": "1"},
                "paths": {f"{ROOT}/namespaces/{{namespace}}/flunders/{{name}}": {"get": read}},
                "components": {"schemas": {_SCHEMA: _schema()}},
            }
        )

    async def _openapi_v2(self, request: web.Request) -> web.StreamResponse:
        answers = {"200": {"description": "OK", "schema": {"$ref": f"#/definitions/{_SCHEMA}"}}}
        path = {"get": {"operationId": "readFlunder", "produces": ["application/json"], "responses": answers}}
        return web.json_response(
            {
                "swagger": "2.0",
                "info": {"title": "wardle", "version": "1"},
                "paths": {f"{ROOT}/namespaces/{{namespace}}/flunders/{{name}}": path, "/version/": path},
                "definitions": {_SCHEMA: _schema()},
            }
        )

    # --- flunders

    def _put_object(self, ns: str, name: str, obj: Object, kind: str) -> Object:
        self._revision += 1
        obj["metadata"]["resourceVersion"] = str(self._revision)
        if kind == "DELETED":
            self.flunders.pop((ns, name))
        else:
            self.flunders[ns, name] = obj
        self._events.append((self._revision, kind, obj))
        self._changed.set()
        return obj

    def _found(self, request: web.Request) -> Object | None:
        return self.flunders.get((request.match_info["ns"], request.match_info["name"]))

    def _selected(self, request: web.Request) -> list[Object]:
        ns = request.match_info.get("ns")
        key, _, value = request.query.get("labelSelector", "").partition("=")
        found = [obj for (namespace, _), obj in self.flunders.items() if ns in (None, namespace)]
        return [obj for obj in found if not key or obj["metadata"].get("labels", {}).get(key) == value]

    async def _list(self, request: web.Request) -> web.StreamResponse:
        if request.query.get("watch") in ("1", "true"):
            return await self._watch(request)
        metadata = {"resourceVersion": str(self._revision)}
        kind, version = "FlunderList", f"{GROUP}/{VERSION}"
        document = {"kind": kind, "apiVersion": version, "metadata": metadata, "items": self._selected(request)}
        return web.json_response(document)

    async def _watch(self, request: web.Request) -> web.StreamResponse:
        since = int(request.query.get("resourceVersion") or 0)
        answer = web.StreamResponse(headers={"Content-Type": "application/json"})
        await answer.prepare(request)
        try:
            async with asyncio.timeout(float(request.query.get("timeoutSeconds") or 60)):
                while True:
                    self._changed.clear()
                    for revision, kind, obj in list(self._events):
                        if revision > since:
                            since = revision
                            await answer.write(json.dumps({"type": kind, "object": obj}).encode() + b"\n")
                    await self._changed.wait()
        except (TimeoutError, ConnectionError):
            return answer

    async def _create(self, request: web.Request) -> web.StreamResponse:
        obj = await request.json()
        ns, metadata = request.match_info["ns"], obj["metadata"]
        if (ns, metadata["name"]) in self.flunders:
            return _status(409, "AlreadyExists", f'flunders.{GROUP} "{metadata["name"]}" already exists')
        metadata |= {"namespace": ns, "uid": str(uuid.uuid4()), "creationTimestamp": "2026-01-01T00:00:00Z"}
        return web.json_response(self._put_object(ns, metadata["name"], obj, "ADDED"), status=201)

    async def _get(self, request: web.Request) -> web.StreamResponse:
        found = self._found(request)
        return web.json_response(found) if found is not None else _absent(request)

    async def _put(self, request: web.Request) -> web.StreamResponse:
        if self._found(request) is None:
            return _absent(request)
        obj = await request.json()
        return web.json_response(
            self._put_object(request.match_info["ns"], request.match_info["name"], obj, "MODIFIED")
        )

    async def _patch(self, request: web.Request) -> web.StreamResponse:
        found = self._found(request)
        if found is None:
            return _absent(request)
        changed = json.loads(json.dumps(found))
        _merge(changed, await request.json())
        return web.json_response(
            self._put_object(request.match_info["ns"], request.match_info["name"], changed, "MODIFIED")
        )

    async def _delete(self, request: web.Request) -> web.StreamResponse:
        found = self._found(request)
        if found is None:
            return _absent(request)
        self._put_object(request.match_info["ns"], request.match_info["name"], dict(found), "DELETED")
        return web.json_response({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"})

    async def _delete_all(self, request: web.Request) -> web.StreamResponse:
        for obj in self._selected(request):
            self._put_object(request.match_info["ns"], obj["metadata"]["name"], dict(obj), "DELETED")
        return web.json_response({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"})

    async def _echo(self, request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for message in socket:
            await socket.send_str(f"{request.headers['X-Remote-User']}: {message.data}")
        return socket

    async def _redirect(self, request: web.Request) -> web.StreamResponse:
        return web.Response(status=302, headers={"Location": "https://elsewhere.example/"})


def _schema() -> Object:
    return {
        "type": "object",
        "description": "Flunder is an example kind.",
        "properties": {
            "spec": {"type": "object", "properties": {"reference": {"type": "string", "description": "A name."}}}
        },
        "x-kubernetes-group-version-kind": [{"group": GROUP, "version": VERSION, "kind": "Flunder"}],
    }


def _merge(target: Object, change: Object) -> None:
    for key, value in change.items():
        if value is None:
            target.pop(key, None)
        elif isinstance(value, dict) and isinstance(target.get(key), dict):
            _merge(target[key], value)
        else:
            target[key] = value


def _absent(request: web.Request) -> web.StreamResponse:
    return _status(404, "NotFound", f'flunders.{GROUP} "{request.match_info["name"]}" not found')


def _status(code: int, reason: str, message: str) -> web.Response:
    status = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure"}
    return web.json_response({**status, "message": message, "reason": reason, "code": code}, status=code)


def flunder(name: str, **labels: str) -> Object:
    """A flunder to create."""
    return {"apiVersion": f"{GROUP}/{VERSION}", "kind": "Flunder", "metadata": {"name": name, "labels": labels}}
