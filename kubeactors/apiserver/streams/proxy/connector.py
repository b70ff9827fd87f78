"""A proxied request: where it goes and how."""

from __future__ import annotations

from aiohttp import web

from kubeactors.apiserver.http.answer import Answer
from kubeactors.apiserver.http.query import split_target
from kubeactors.apiserver.streams.proxy import http as plain
from kubeactors.apiserver.streams.proxy import upgrade as upgraded
from kubeactors.apiserver.streams.proxy.urls import Location, backend_path
from kubeactors.apiserver.streams.upgrade import wants_upgrade


class ProxyConnector:
    """Implements `Connector`. `below` is the decoded path below `proxy`."""

    def __init__(self, backends: plain.Backends, location: Location, below: str) -> None:
        self._backends = backends
        self._location = location
        self._below = below

    async def serve(self, http: web.BaseRequest) -> web.StreamResponse:
        raw = http._message.path
        request_path = split_target(raw).path
        query = raw.partition("?")[2]
        path = backend_path(self._below, request_path)
        if wants_upgrade(http):
            return await upgraded.pass_on(http, self._location, path, query, self._backends.passage)
        if not path and http.method in ("GET", "HEAD"):
            # Relative links of the page must lead below the proxy.
            to = f"{request_path}/" + (f"?{query}" if query else "")
            return Answer(301, b"", "", (("Location", to),))
        return await plain.pass_on(http, self._backends, self._location, path, query, request_path)
