"""The HTTPS and gRPC servers over one handler."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Protocol

from cryptography import x509

from kubeactors.api.kinds import KindRegistry
from kubeactors.apiserver.accounts.service import Accounts
from kubeactors.apiserver.aggregation.aggregator import Aggregator
from kubeactors.apiserver.aggregation.calls import RemoteCalls
from kubeactors.apiserver.aggregation.kinds import AllKinds
from kubeactors.apiserver.aggregation.remote_openapi import v3_path
from kubeactors.apiserver.authn.chain import AuthenticationChain
from kubeactors.apiserver.authn.request_header import FrontProxies
from kubeactors.apiserver.authn.tokens import Tokens
from kubeactors.apiserver.authn.x509 import X509Authenticator
from kubeactors.apiserver.authz import Authorizer
from kubeactors.apiserver.config import ApiServerConfig
from kubeactors.apiserver.discovery.documents import RemoteVersion
from kubeactors.apiserver.discovery.endpoints import Discovery
from kubeactors.apiserver.grpc.caller import Callers
from kubeactors.apiserver.grpc.calls import Calls
from kubeactors.apiserver.grpc.convert import Kinds
from kubeactors.apiserver.grpc.discovery import discover_reply
from kubeactors.apiserver.grpc.listener import GrpcListener
from kubeactors.apiserver.grpc.service import ResourcesService
from kubeactors.apiserver.http.front import HttpFront
from kubeactors.apiserver.http.health import Checks
from kubeactors.apiserver.http.listener import HttpsListener
from kubeactors.apiserver.http.resources import ResourceRequests
from kubeactors.apiserver.http.tls import HTTP_2, server_context
from kubeactors.apiserver.metrics import Metrics
from kubeactors.apiserver.openapi.endpoints import OpenApi, RemoteDocuments
from kubeactors.apiserver.request import ApiHandler
from kubeactors.pb.api.v1.api_pb2 import DiscoverReply

Settle = Callable[[], Awaitable[None]]


class Served(Protocol):
    """What the fronts bring requests to: `ApiCore`."""

    handler: ApiHandler
    authorizer: Authorizer
    tokens: Tokens
    accounts: Accounts | None

    @property
    def aggregator(self) -> Aggregator | None: ...


class Fronts:
    """Everything that clients connect to."""

    def __init__(
        self,
        config: ApiServerConfig,
        core: Served,
        registry: KindRegistry,
        checks: Checks,
        settle: Settle | None = None,
    ) -> None:
        self._config = config
        self.metrics = Metrics()
        authorities = x509.load_pem_x509_certificates(config.client_ca.read_bytes())
        authentication = AuthenticationChain(
            X509Authenticator(authorities, time.time), core.tokens, _front_proxies(config)
        )
        resources = ResourceRequests(
            core.handler,
            self.metrics,
            max_request_bytes=config.max_request_bytes,
            max_watch_buffer_bytes=config.max_watch_buffer_bytes,
        )
        self._registry = registry
        self._aggregator = core.aggregator
        self._discovery = Discovery(registry, self._remote_versions)
        self._openapi = OpenApi(registry, self._remote_documents)
        front = HttpFront(
            registry=registry,
            resources=resources,
            discovery=self._discovery,
            openapi=self._openapi,
            authentication=authentication,
            authorizer=core.authorizer,
            accounts=core.accounts,
            aggregator=core.aggregator,
            checks=checks,
            metrics=self.metrics,
            anonymous_auth=config.anonymous_auth,
            settle=settle,
        )
        handler: ApiHandler = core.handler
        kinds: Kinds = registry
        if core.aggregator is not None:
            handler = RemoteCalls(handler, core.aggregator, core.authorizer)
            kinds = AllKinds(registry, core.aggregator)
        calls = Calls(handler, kinds, self.metrics, max_request_bytes=config.max_request_bytes, settle=settle)
        service = ResourcesService(
            calls,
            Callers(authentication, core.authorizer),
            self._discovered,
            self._openapi,
            max_watch_buffer_bytes=config.max_watch_buffer_bytes,
            max_session_calls=config.max_session_calls,
        )
        client_cas = [each for each in (config.client_ca, config.requestheader_client_ca) if each is not None]
        self._https = HttpsListener(front.handle, server_context(config.tls_cert, config.tls_key, client_cas))
        grpc_context = server_context(config.tls_cert, config.tls_key, [config.client_ca], protocol=HTTP_2)
        self._grpc = GrpcListener(service, grpc_context)
        self.metrics.add_source(self._grpc.metrics)
        self.https_port = 0
        self.grpc_port = 0

    def kinds_changed(self) -> None:
        """Kinds came or went: discovery and OpenAPI are made anew."""
        self._discovery.changed()
        self._openapi.changed()

    def _remote_versions(self) -> list[RemoteVersion]:
        routes = self._aggregator.routes() if self._aggregator is not None else ()
        return [
            RemoteVersion(
                *each.remote.group_version,
                each.remote.group_priority,
                each.remote.version_priority,
                each.discovered.entry(),
            )
            for each in routes
        ]

    def _discovered(self) -> DiscoverReply:
        kinds = self._aggregator.kinds() if self._aggregator is not None else ()
        return discover_reply(self._registry, self._remote_versions(), kinds)

    def _remote_documents(self) -> list[RemoteDocuments]:
        routes = self._aggregator.routes() if self._aggregator is not None else ()
        return [RemoteDocuments(v3_path(each.remote), each.openapi_hash, each.swagger) for each in routes]

    async def start(self) -> None:
        """Listen on both ports. Raises OSError."""
        self.https_port = await self._https.start(self._config.bind_address, self._config.https_port)
        address = self._config.advertise_address
        host = f"[{address}]" if ":" in address else address
        self._discovery.server_address = f"{host}:{self.https_port}"
        self.grpc_port = await self._grpc.start(self._config.bind_address, self._config.grpc_port)

    async def stop(self) -> None:
        """End every request and connection, within the configured grace."""
        grace = self._config.shutdown_grace
        await asyncio.gather(self._https.stop(grace), self._grpc.stop(grace))


def _front_proxies(config: ApiServerConfig) -> FrontProxies | None:
    if config.requestheader_client_ca is None:
        return None
    authorities = x509.load_pem_x509_certificates(config.requestheader_client_ca.read_bytes())
    return FrontProxies(X509Authenticator(authorities, time.time), config.requestheader_allowed_names)
