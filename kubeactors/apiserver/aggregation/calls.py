"""Requests that came in another way than by HTTP, for kinds of other API servers: they become HTTP requests here."""

from __future__ import annotations

import asyncio
import random
from typing import Any, Final

import aiohttp
import orjson
from multidict import CIMultiDict
from yarl import URL

from kubeactors.api import errors
from kubeactors.api.errors import StatusError
from kubeactors.apiserver.aggregation.aggregator import Aggregator
from kubeactors.apiserver.aggregation.front_proxy import MAX_DOCUMENT
from kubeactors.apiserver.aggregation.identity import identity_headers
from kubeactors.apiserver.aggregation.kinds import RemoteKind
from kubeactors.apiserver.aggregation.locations import Unresolvable
from kubeactors.apiserver.aggregation.route import Route
from kubeactors.apiserver.authz import Attributes, Authorizer
from kubeactors.apiserver.authz.authorizer import check
from kubeactors.apiserver.http.deadline import MAX_SECONDS
from kubeactors.apiserver.options import query_of
from kubeactors.apiserver.request import JSON, ApiHandler, Form, ListItems, Request, Response
from kubeactors.apiserver.streams.proxy.http import failure_words
from kubeactors.apiserver.streams.proxy.urls import encode_path

_METHODS: Final = {
    "get": "GET",
    "list": "GET",
    "create": "POST",
    "update": "PUT",
    "patch": "PATCH",
    "delete": "DELETE",
    "deletecollection": "DELETE",
}


class RemoteCalls:
    """Implements `ApiHandler`: what is not for another server goes to `own`."""

    def __init__(self, own: ApiHandler, aggregator: Aggregator, authorizer: Authorizer) -> None:
        self._own = own
        self._aggregator = aggregator
        self._authorizer = authorizer

    async def handle(self, request: Request) -> Response:
        """Raises StatusError."""
        kind = request.kind
        if not isinstance(kind, RemoteKind) or kind.route is None:
            return await self._own.handle(request)
        await check(self._authorizer, Attributes.of(request))
        method = _METHODS.get(request.verb)
        if method is None or request.form is not Form.OBJECT:
            what = "watched" if method is None else "shown as tables or metadata"
            message = f"{kind.qualified_resource} are of another API server, and are {what} over HTTPS only"
            raise StatusError(errors.status_failure(501, "NotImplemented", message))
        status, body = await self._ask(method, kind.route, request)
        if status >= 400:
            raise StatusError(_failure(status, body))
        if request.verb == "list":
            return Response(status, items=_items(body, kind))
        return Response(status, body)

    async def _ask(self, method: str, route: Route, request: Request) -> tuple[int, bytes]:
        """Status and body of the answer. Raises StatusError."""
        try:
            location = random.choice(self._aggregator.locations(route))
            headers = CIMultiDict([("Accept", JSON), *identity_headers(request.user)])
        except (Unresolvable, ValueError) as error:
            raise errors.service_unavailable(f"{route.remote.name}: {error}") from error
        tls = await self._aggregator.tls(route) if route.available else None
        if tls is None:
            raise errors.service_unavailable(f"{route.remote.name} is not available")
        if request.user_agent:
            headers["User-Agent"] = request.user_agent
        if request.body:
            headers["Content-Type"] = request.content_type
        path = encode_path(request.kind.url(request.namespace, request.name, request.subresource))
        url = URL(f"https://{location.authority}{path}", encoded=True).with_query(query_of(request.options))
        try:
            async with (
                asyncio.timeout(MAX_SECONDS),
                self._aggregator.session.request(
                    method,
                    url,
                    headers=headers,
                    data=request.body or None,
                    ssl=tls,
                    server_hostname=route.remote.server_name,
                    allow_redirects=False,
                ) as answer,
            ):
                body = bytearray()
                async for piece in answer.content.iter_any():
                    body += piece
                    if len(body) > MAX_DOCUMENT:
                        raise errors.internal(f"the answer of {route.remote.name} is longer than {MAX_DOCUMENT} bytes")
                return answer.status, bytes(body)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            message = f"error trying to reach service: {failure_words(error, location)}"
            raise errors.service_unavailable(message) from error


def _failure(status: int, body: bytes) -> dict[str, Any]:
    """The Status in a failure's body, or one that says what else stands there."""
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        document = None
    if isinstance(document, dict) and document.get("kind") == "Status":
        return {**document, "code": status}
    text = body[:1024].decode(errors="replace").strip()
    reason = "ServiceUnavailable" if status == 503 else "InternalError" if status == 500 else ""
    return errors.status_failure(status, reason, text or f"the server answered with status {status}")


def _items(body: bytes, kind: RemoteKind) -> ListItems:
    """Raises StatusError (500) for what is no list."""
    try:
        document = orjson.loads(body)
        metadata = document["metadata"]
        typed = {"apiVersion": kind.api_version, "kind": kind.kind}
        items = [orjson.dumps({**typed, **item}) for item in document.get("items") or ()]
        continue_, remaining = metadata.get("continue") or "", metadata.get("remainingItemCount")
        return ListItems(items, str(metadata.get("resourceVersion") or ""), continue_, remaining)
    except (orjson.JSONDecodeError, LookupError, TypeError, AttributeError) as error:
        raise errors.internal(f"{kind.qualified_resource}: the other API server's answer is no list") from error
