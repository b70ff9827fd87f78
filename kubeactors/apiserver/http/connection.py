"""One client connection: aiohttp's protocol plus what this server must know of a connection.

Extends aiohttp's RequestHandler in four points: the certificate's user is worked out once per connection, a handler
that streams hears at once when its client is gone, a message that is not HTTP is answered with a Status, and the
headers of a request come in time and are not too many.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from aiohttp import web
from aiohttp.http_exceptions import BadHttpMethod, LineTooLong
from aiohttp.web_protocol import RequestHandler

from kubeactors.api import errors
from kubeactors.apiserver.http.answer import TEXT, Answer
from kubeactors.apiserver.http.encode import status_answer
from kubeactors.apiserver.http.raw import RawStream
from kubeactors.apiserver.http.tls import peer_chain

if TYPE_CHECKING:
    import asyncio

logger = logging.getLogger(__name__)

#: Seconds that a connection may be idle, as Kubernetes has it.
IDLE_TIMEOUT = 90.0
#: Seconds in which the headers of a request must come, from the first byte on; of the first, from the connection on.
HEADER_TIMEOUT = 32.0
#: Bytes of all headers of a request with its first line together (DefaultMaxHeaderBytes of Go's net/http).
MAX_HEADER_BYTES = 1 << 20
_REFUSED_LINGER = 0.5  # seconds in which a client that is still sending may read why it is refused
_TOO_LARGE = b"431 Request Header Fields Too Large"
_REFUSAL = b"HTTP/1.1 %b\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n%b" % (
    _TOO_LARGE,
    _TOO_LARGE,
)


class Connection(RequestHandler):
    """The server's end of a connection."""

    __slots__ = ("_body", "_header_bytes", "_header_timer", "_on_lost", "_raw", "_refused", "certificates")

    def __init__(self, manager: web.Server, *, loop: asyncio.AbstractEventLoop, **options: Any) -> None:
        super().__init__(manager, loop=loop, **options)
        self._on_lost: Callable[[], None] | None = None
        self._raw: RawStream | None = None
        self._body: Any = None  # of the request that was read last
        self._header_bytes = 0  # of the request that is being read
        self._header_timer: asyncio.TimerHandle | None = None
        self._refused = False
        #: The client's certificate and its intermediates (DER), not verified yet; empty without one.
        self.certificates: tuple[bytes, ...] = ()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        tls = transport.get_extra_info("ssl_object")
        if tls is not None:
            self.certificates = peer_chain(tls)
        super().connection_made(transport)
        self._header_timer = self._loop.call_later(HEADER_TIMEOUT, self._headers_late)

    def connection_lost(self, exc: BaseException | None) -> None:
        callback, self._on_lost = self._on_lost, None
        self._stop_header_timer()
        if self._raw is not None:
            self._raw.end()
        super().connection_lost(exc)
        if callback is not None:
            callback()

    def data_received(self, data: bytes) -> None:
        if self._raw is not None:
            self._raw.feed(data)
        elif not self._refused:
            before = self._request_count
            super().data_received(data)
            if self._request_count != before:
                # Most requests come as a whole: then there is nothing to count or to wait for.
                self._body = self._messages[-1][1]
                self._header_bytes = 0
                if self._header_timer is not None:
                    self._stop_header_timer()
            elif data and (self._body is None or self._body.is_eof()) and not self._upgraded:
                self._headers_continue(len(data))

    def _headers_continue(self, size: int) -> None:
        if self._header_timer is None:
            self._header_timer = self._loop.call_later(HEADER_TIMEOUT, self._headers_late)
        self._header_bytes += size
        if self._header_bytes <= MAX_HEADER_BYTES:
            return
        self._refused = True
        self._stop_header_timer()
        if self.transport is None:
            return
        if self._current_request is None and not self._messages:
            self.transport.write(_REFUSAL)
        self._header_timer = self._loop.call_later(_REFUSED_LINGER, self.force_close)

    def _headers_late(self) -> None:
        """As Go's server does: who does not say what is wanted is not answered."""
        self._header_timer = None
        if self._raw is None and self._current_request is None and not self._messages:
            self.force_close()

    def _stop_header_timer(self) -> None:
        if self._header_timer is not None:
            self._header_timer.cancel()
            self._header_timer = None

    def take_over(self) -> RawStream:
        """The connection's bytes from here on, for the handler of the request under way; HTTP ends with it."""
        if self._raw is None:
            self._raw = RawStream(self)
            early, self._message_tail = self._message_tail, b""
            if early:
                self._raw.feed(early)
            if self._buffer_paused:
                self._resume_reading_for_buffer()
        return self._raw

    def when_lost(self, callback: Callable[[], None] | None) -> None:
        """Call this when the client has gone or the server stops. One at a time; None forgets it."""
        self._on_lost = callback

    def end_stream(self) -> None:
        """The server stops: let a stream without an end come to one."""
        callback, self._on_lost = self._on_lost, None
        if callback is not None:
            callback()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """The answer to what the parser refuses, or to a fault in this server. Closes the connection."""
        if status < 500:
            if isinstance(exc, LineTooLong):
                return Answer(431, b"431 Request Header Fields Too Large", TEXT, close=True)
            # An unknown method is a request that Kubernetes' router answers; other errors are not HTTP.
            if isinstance(exc, BadHttpMethod):
                return status_answer(errors.method_not_allowed(), close=True)
            return Answer(400, b"400 Bad Request", TEXT, close=True)
        if isinstance(exc, ConnectionError):
            answer = Answer(400, b"", TEXT, close=True)
            answer.sent()  # nobody is there to read it
            return answer
        logger.error("unhandled error at %s %s", request.method, request.path, exc_info=exc)
        return status_answer(errors.internal("the server could not process the request"), close=True)


class ConnectionServer(web.Server):
    """Makes a `Connection` for each client that connects."""

    def end_streams(self) -> None:
        """End every watch and log."""
        for connection in self.connections:
            if isinstance(connection, Connection):
                connection.end_stream()

    def __call__(self) -> RequestHandler:
        return Connection(
            self,
            loop=self._loop,
            keepalive_timeout=IDLE_TIMEOUT,
            access_log=None,
            auto_decompress=False,
            # Request targets hold selectors and continue tokens, which may be long.
            max_line_size=65536,
            max_field_size=65536,
            # A front proxy and kubectl's --as-group send a header for each group of a user.
            max_headers=256,
        )
