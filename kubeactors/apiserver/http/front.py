"""Every HTTPS request comes in here: who asks, what for, and the answer in the form asked for."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable

import orjson
from aiohttp import web

from kubeactors.api import errors
from kubeactors.api.errors import StatusError
from kubeactors.api.kinds import KindRegistry
from kubeactors.apiserver.accounts.service import Accounts
from kubeactors.apiserver.aggregation.aggregator import Aggregator
from kubeactors.apiserver.aggregation.remote_openapi import v3_path
from kubeactors.apiserver.aggregation.route import Route
from kubeactors.apiserver.authn.chain import AuthenticationChain
from kubeactors.apiserver.authn.impersonation import PREFIX, impersonate, wanted_user
from kubeactors.apiserver.authz import Attributes, Authorizer
from kubeactors.apiserver.authz.authorizer import check, is_public
from kubeactors.apiserver.authz.request_info import attributes_of
from kubeactors.apiserver.discovery.endpoints import CachedDocument, Discovery
from kubeactors.apiserver.http import health, negotiate
from kubeactors.apiserver.http.answer import TEXT, Answer
from kubeactors.apiserver.http.connection import Connection
from kubeactors.apiserver.http.deadline import allowed_seconds
from kubeactors.apiserver.http.encode import accepts_gzip, maybe_gzip, render, status_answer
from kubeactors.apiserver.http.negotiate import JSON, NotAcceptable
from kubeactors.apiserver.http.query import Target, split_target
from kubeactors.apiserver.http.resources import WARNINGS, ResourceRequests
from kubeactors.apiserver.http.routes import UnknownPathError, resource_path, verb_of
from kubeactors.apiserver.metrics import CONTENT_TYPE, Metrics
from kubeactors.apiserver.metrics.requests import path_key
from kubeactors.apiserver.openapi.endpoints import OpenApi, OpenApiDocument
from kubeactors.apiserver.request import ANONYMOUS, UserInfo
from kubeactors.apiserver.streams.channels import bearer_token, requested
from kubeactors.apiserver.version import version_info

logger = logging.getLogger(__name__)

# What Go's http.Error adds to plain text.
_NO_SNIFF = (("X-Content-Type-Options", "nosniff"),)
_AGGREGATED_CACHE = "public"
_IMMUTABLE_CACHE = "public, immutable"
_OPENAPI_V2_PROTOBUF = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf"
# What is sent is spelled otherwise than what is asked for: an "@" is not allowed there (RFC 9110).
_OPENAPI_V2_PROTOBUF_SENT = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
_JWKS = "application/jwk-set+json"
_KEEP_AN_HOUR = "public, max-age=3600"
_OPENID = ("/.well-known/openid-configuration", "/openid/v1/jwks")
_PATHS = ("/api", "/apis", "/healthz", "/livez", "/metrics", "/metrics/slis", "/openapi/v2", "/openapi/v3", "/readyz",
          "/version")  # fmt: skip


# Whose requests are counted under their path.
_COUNTED = health.ENDPOINTS | {"metrics", "openapi", "version"}


class HttpFront:
    """The handler of the HTTPS server."""

    def __init__(
        self,
        *,
        registry: KindRegistry,
        resources: ResourceRequests,
        discovery: Discovery,
        openapi: OpenApi,
        authentication: AuthenticationChain,
        authorizer: Authorizer,
        accounts: Accounts | None,
        aggregator: Aggregator | None,
        checks: health.Checks,
        metrics: Metrics,
        anonymous_auth: bool = False,
        settle: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        """`settle` waits until kinds that were defined before the call are served."""
        self._anonymous_auth = anonymous_auth
        self._registry = registry
        self._resources = resources
        self._discovery = discovery
        self._openapi = openapi
        self._authentication = authentication
        self._authorizer = authorizer
        self._accounts = accounts
        self._aggregator = aggregator
        self._checks = checks
        self._metrics = metrics
        self._settle = settle

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request; failures become a Status."""
        try:
            target = split_target(request._message.path)
        except ValueError:
            return Answer(400, b"400 Bad Request", TEXT, close=True)
        try:
            user = await self._user(request, target)
            try:
                return await self._dispatch(request, target, user)
            except UnknownPathError:
                if self._settle is None or target.segments[:1] != ["apis"] or len(target.segments) < 2:
                    raise
                # The definition may have been made through another server a moment ago.
                await self._settle()
                return await self._dispatch(request, target, user)
        except StatusError as error:
            if error.code in (408, 413, 504):
                self._metrics.note_termination(error.code)
            return self._failure(request, target, error)
        except NotAcceptable as error:
            return self._not_acceptable(request, target, error)
        except UnknownPathError:
            return Answer(404, b"404 page not found\n", TEXT, _NO_SNIFF)

    async def _user(self, request: web.BaseRequest, target: Target) -> UserInfo:
        connection = request.protocol
        chain = connection.certificates if isinstance(connection, Connection) else ()
        headers = request.headers
        authorization = headers.get("Authorization", "")
        if not authorization and "Sec-WebSocket-Protocol" in headers:
            token = bearer_token(requested(headers.getall("Sec-WebSocket-Protocol")))
            authorization = f"Bearer {token}" if token else ""
        user = await self._authentication.authenticate(chain, authorization, headers)
        if user is ANONYMOUS and not self._anonymous_auth and not is_public(_question(request, target, user)):
            raise errors.unauthorized()
        for name in headers:
            if name[0] in "Ii" and name.lower().startswith(PREFIX):
                wanted = wanted_user(headers.items())
                if wanted is not None:
                    user = await impersonate(self._authorizer, wanted, _question(request, target, user))
                break
        return user

    async def _authorize(self, request: web.BaseRequest, target: Target, user: UserInfo) -> None:
        """For what the handler does not see. Raises StatusError (403)."""
        await check(self._authorizer, _question(request, target, user))

    async def _dispatch(self, request: web.BaseRequest, target: Target, user: UserInfo) -> web.StreamResponse:
        segments = target.segments
        first = segments[0] if segments else ""
        if target.path.startswith("//"):
            raise UnknownPathError(target.path)
        route = self._route(segments)
        if route is not None and self._aggregator is not None:
            await self._authorize(request, target, user)
            return await self._aggregator.forward(request, route, user)
        if (first == "apis" and len(segments) > 3) or (first == "api" and len(segments) > 2):
            try:
                path = resource_path(segments, self._registry)
                verb = verb_of(request.method, path, watch=target.query.boolean("watch"))
            except (StatusError, UnknownPathError):
                # Who may not ask is not told what there is.
                await self._authorize(request, target, user)
                raise
            return await self._resources.handle(request, path, verb, target.query, user)
        await self._authorize(request, target, user)
        timeout = target.query.first("timeout")
        if timeout:
            allowed_seconds(timeout)  # none of what follows takes long
        if first in ("api", "apis"):
            return self._discover(request, target)
        started = time.perf_counter()
        answer = await self._other(request, target)
        if first in _COUNTED:
            key = path_key(request.method, "/" + "/".join(segments[:2] if first == "openapi" else segments[:1]))
            self._metrics.observe(key, answer.status, time.perf_counter() - started, answer.size)
        return answer

    def _route(self, segments: list[str]) -> Route | None:
        """The way to the API server that serves this path in the place of this one."""
        if self._aggregator is None or len(segments) < 3:
            return None
        if segments[0] == "apis":
            return self._aggregator.route(segments[1], segments[2])
        if segments[:3] == ["openapi", "v3", "apis"] and len(segments) == 5:
            return self._aggregator.route(segments[3], segments[4])
        return None

    async def _other(self, request: web.BaseRequest, target: Target) -> Answer:
        """What is neither a resource nor discovery."""
        segments = target.segments
        match segments:
            case [endpoint, *check] if endpoint in health.ENDPOINTS and not target.path.endswith("/"):
                return await self._health(endpoint, "/".join(check), target)
            case ["version"]:
                return self._document(request, target, orjson.dumps(version_info()), plain=True)
            case ["metrics"]:
                return await _metrics_answer(request, self._metrics.render())
            case ["metrics", "slis"]:
                return await _metrics_answer(request, self._metrics.render_slis())
            case [".well-known", "openid-configuration"] if self._accounts is not None:
                return _kept(self._accounts.configuration(self._discovery.server_address), JSON)
            case ["openid", "v1", "jwks"] if self._accounts is not None:
                return _kept(self._accounts.jwks, _JWKS)
            case ["openapi", "v2"]:
                if _OPENAPI_V2_PROTOBUF in request.headers.get("Accept", ""):
                    document = await self._openapi.v2_protobuf()
                    return _openapi_answer(request, document, content_type=_OPENAPI_V2_PROTOBUF_SENT)
                return _openapi_answer(request, await self._openapi.v2())
            case ["openapi", "v3", *rest]:
                return await self._openapi_v3(request, "/".join(rest), target)
            case [] | ["index.html"]:
                return self._document(request, target, orjson.dumps({"paths": self._paths()}), plain=True)
        raise UnknownPathError(target.path)

    def _paths(self) -> list[str]:
        served = [f"/{path}" for path in self._openapi.served_paths()]
        if self._aggregator is not None:
            served += [f"/{v3_path(route.remote)}" for route in self._aggregator.routes()]
        groups = {path.rsplit("/", 1)[0] for path in served if path.startswith("/apis/")}
        return sorted({*_PATHS, *(_OPENID if self._accounts is not None else ()), *served, *groups})

    def _discover(self, request: web.BaseRequest, target: Target) -> Answer:
        if request.method != "GET":
            raise errors.method_not_allowed()
        accept = request.headers.get("Accept", "")
        form = negotiate.negotiate_discovery(accept)
        if len(target.segments) > 1 and form.kind:
            form = negotiate.PLAIN
        found = self._discovery.find(target.segments, form)
        if found is None:
            # A group that is not served is unknown to the router; a version of a known group is a missing resource.
            group = target.segments[1] if target.segments[0] == "apis" else ""
            if group and (group not in self._registry.groups() or self._registry.is_custom_group(group)):
                raise UnknownPathError(target.path)
            raise errors.resource_not_found()
        if found.etag:
            return self._aggregated(request, found)
        return self._document(request, target, found.body, vary=True)

    def _aggregated(self, request: web.BaseRequest, found: CachedDocument) -> Answer:
        headers = (("Etag", found.etag), ("Vary", "Accept"))
        if request.headers.get("If-None-Match", "") == found.etag:
            return Answer(304, None, "", headers, cache_control=_AGGREGATED_CACHE)
        return Answer(200, found.body, found.content_type, headers, cache_control=_AGGREGATED_CACHE)

    def _document(
        self, request: web.BaseRequest, target: Target, body: bytes, *, vary: bool = False, plain: bool = False
    ) -> Answer:
        """`plain`: a document that is no object of the API, which is not written as protobuf."""
        if request.method != "GET":
            raise errors.method_not_allowed()
        form = negotiate.negotiate_discovery(request.headers.get("Accept", ""))
        if plain and form.protobuf:
            form = negotiate.PLAIN
        rendered, content_type = render(body, form, pretty=_pretty(request, target))
        return Answer(200, rendered, content_type, (("Vary", "Accept"),) if vary else ())

    async def _health(self, endpoint: str, check: str, target: Target) -> Answer:
        results = health.checks_of(endpoint, await self._checks())
        if not check or check in results:
            self._metrics.note_health(endpoint, {check: results[check]} if check else results)
        report = health.report(endpoint, check, results, target.query)
        if report is None:
            raise UnknownPathError(target.path)
        return Answer(report.status, report.text.encode(), TEXT, _NO_SNIFF)

    async def _openapi_v3(self, request: web.BaseRequest, path: str, target: Target) -> Answer:
        if request.method != "GET":
            raise errors.method_not_allowed()
        if not path:
            # Kubernetes answers the index as text/plain, and clients depend on no more than the JSON in it.
            index = await self._openapi.v3_index()
            return Answer(200, index.body, TEXT)
        document = await self._openapi.v3(path)
        if document is None:
            raise UnknownPathError(target.path)
        current = self._openapi.hash_of(path) or ""
        asked = target.query.first("hash")
        if asked and asked != current:
            return Answer(301, b"", "", (("Location", f"/openapi/v3/{path}?hash={current}"),))
        return _openapi_answer(request, document, immutable=bool(asked))

    def _failure(self, request: web.BaseRequest, target: Target, error: StatusError) -> Answer:
        # An answer before the body has been read ends the connection, unless the rest is small.
        close = error.code == 413
        form = negotiate.negotiate_failure(request.headers.get("Accept", ""))
        warnings = request.get(WARNINGS, ())
        return status_answer(error, media=form, pretty=_pretty(request, target), close=close, warnings=warnings)

    def _not_acceptable(self, request: web.BaseRequest, target: Target, error: NotAcceptable) -> Answer:
        status = errors.status_failure(406, "NotAcceptable", str(error), {} if error.routed else None)
        form = negotiate.PLAIN if error.routed else negotiate.negotiate_failure(request.headers.get("Accept", ""))
        return status_answer(StatusError(status), media=form, pretty=_pretty(request, target))


def _question(request: web.BaseRequest, target: Target, user: UserInfo) -> Attributes:
    watch = target.query.boolean("watch")
    return attributes_of(user, request.method, target.path, target.segments, watch=watch)


def _kept(body: bytes, content_type: str) -> Answer:
    """A document that others may keep for an hour."""
    return Answer(200, body, content_type, cache_control=_KEEP_AN_HOUR)


async def _metrics_answer(request: web.BaseRequest, text: bytes) -> Answer:
    body, headers = await maybe_gzip(text, request.headers.get("Accept-Encoding", ""))
    return Answer(200, body, CONTENT_TYPE, headers)


def _pretty(request: web.BaseRequest, target: Target) -> bool:
    asked = target.query.first("pretty")
    return negotiate.wants_pretty(asked, request.headers.get("User-Agent", ""))


def _openapi_answer(
    request: web.BaseRequest, document: OpenApiDocument, *, immutable: bool = False, content_type: str = JSON
) -> Answer:
    headers = [("Etag", document.etag), ("Vary", "Accept-Encoding, Accept")]
    cache = "no-cache, private"
    if immutable:
        cache = _IMMUTABLE_CACHE
        expires = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(time.time() + 365 * 86400))
        headers.append(("Expires", expires))
    if request.headers.get("If-None-Match", "") == document.etag:
        return Answer(304, None, "", headers, cache_control=cache)
    body = document.body
    if accepts_gzip(request.headers.get("Accept-Encoding", "")):
        body = document.compressed
        headers.append(("Content-Encoding", "gzip"))
    return Answer(200, body, content_type, headers, cache_control=cache)
