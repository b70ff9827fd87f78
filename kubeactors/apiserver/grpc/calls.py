"""One call after the other half of its transport: who makes it, what it asks, the handler, and the counting."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

from kubeactors.api import errors
from kubeactors.api.errors import StatusError
from kubeactors.apiserver.grpc.caller import Caller
from kubeactors.apiserver.grpc.convert import Convert, Kinds
from kubeactors.apiserver.metrics import Metrics, request_key
from kubeactors.apiserver.request import APPLY_PATCH, ApiHandler, Request, Response
from kubeactors.apiserver.streams.connector import Connector

logger = logging.getLogger(__name__)

_READS = frozenset({"get", "list"})

#: Waits until kinds that were defined before the call are served.
Settle = Callable[[], Awaitable[None]]


class Calls:
    """Brings messages to the handler and counts them."""

    def __init__(
        self,
        handler: ApiHandler,
        registry: Kinds,
        metrics: Metrics,
        *,
        max_request_bytes: int,
        settle: Settle | None = None,
    ) -> None:
        self._handler = handler
        self._registry = registry
        self._metrics = metrics
        self._max_request_bytes = max_request_bytes
        self._settle = settle
        #: Errors that nobody expected.
        self.faults = 0

    async def request(self, convert: Convert, message: Any, caller: Caller) -> Request:
        """What a message asks for. Raises StatusError."""
        user = await caller.user()
        try:
            request = convert(self._registry, message, user)
        except StatusError as error:
            if error.code != 404 or self._settle is None:
                raise
            # The definition may have been made through another server a moment ago.
            await self._settle()
            request = convert(self._registry, message, user)
        await caller.take_over(request)
        return request

    async def answer(self, request: Request) -> Response:
        """The handler's answer to a call that is not a stream. Raises StatusError."""
        if len(request.body) > self._max_request_bytes:
            raise errors.too_large(f"limit is {self._max_request_bytes}")
        gauge = self._metrics.reading if request.verb in _READS else self._metrics.mutating
        started, code, size = time.perf_counter(), 500, 0
        gauge.value += 1
        try:
            response = await self._handler.handle(request)
            code, size = response.status, len(response.body)
            response.warnings = self._warnings(request, response)
            return response
        except StatusError as error:
            code = error.code
            raise
        finally:
            gauge.value -= 1
            apply = request.content_type == APPLY_PATCH
            key = request_key(
                request.verb, request.kind, request.subresource, request.namespace, request.name, apply=apply
            )
            dry_run = bool(request.options.dry_run)
            self._metrics.observe(key, code, time.perf_counter() - started, size, dry_run=dry_run)

    async def open(self, request: Request) -> Response:
        """The handler's answer to what is a stream. Raises StatusError."""
        response = await self._handler.handle(request)
        response.warnings = self._warnings(request, response)
        return response

    async def connect(self, request: Request) -> Connector:
        """What serves a connection. Raises StatusError."""
        response = await self._handler.handle(request)
        if response.connect is None:
            raise errors.internal(f"{request.kind.plural}/{request.subresource} answered no connection")
        return response.connect

    @contextlib.contextmanager
    def long_running(self, request: Request) -> Iterator[None]:
        """Count a stream for as long as it lasts."""
        key = request_key(request.verb, request.kind, request.subresource, request.namespace, request.name)
        gauge = self._metrics.long_running(key)
        gauge.value += 1
        try:
            yield
        finally:
            gauge.value -= 1

    def fault(self, error: Exception) -> StatusError:
        """An error that nobody expected: it is logged and counted, and the client is told no more than that."""
        self.faults += 1
        logger.error("unhandled error in a gRPC call", exc_info=error)
        return errors.internal("the server could not process the request")

    def _warnings(self, request: Request, response: Response) -> Any:
        kind = request.kind
        if not kind.deprecation:
            return response.warnings
        self._metrics.note_deprecated(kind, request.subresource)
        return (kind.deprecation, *response.warnings)
