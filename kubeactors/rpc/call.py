"""What a service sees of its call: the methods of grpc.aio.ServicerContext, so that services are written for either.

It is no subclass: grpc adds abstract methods to that class from one version to the next.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from typing import Any, NoReturn

import grpc
import grpc.aio
from google.protobuf.message import DecodeError

from kubeactors.rpc import headers
from kubeactors.rpc.connection import Connection
from kubeactors.rpc.stream import Method, Stream

_CODES = {int(code.value[0]): code for code in grpc.StatusCode}


class Unreadable(Exception):
    """What came is no message of the method's type."""


def parsed(method: Method, message: bytes) -> Any:
    """The message. Raises Unreadable."""
    if method.parse is None:
        return message
    try:
        return method.parse(message)
    except DecodeError as error:
        raise Unreadable(f"the message cannot be read: {error}") from error


class Call:
    """One call of a method that is a coroutine or an async generator. Typed as Any are its messages, whose classes only
    its servicer knows, and what grpc takes in more than one form."""

    def __init__(self, connection: Connection, stream: Stream, method: Method) -> None:
        self._connection = connection
        self._stream = stream
        self._method = method
        self._loop = asyncio.get_running_loop()
        seconds = stream.request.seconds
        self._deadline = None if seconds is None else self._loop.time() + seconds
        self._code: grpc.StatusCode | None = None
        self._details = ""
        self._trailing: tuple[tuple[str, str | bytes], ...] = ()
        if stream.messages is None:
            stream.messages = deque()

    # ---- messages ----

    async def read(self) -> Any:
        stream = self._stream
        messages = stream.messages
        assert messages is not None
        while not messages:
            if stream.remote_closed or stream.closed:
                return grpc.aio.EOF
            stream.reader = self._loop.create_future()
            await stream.reader
        message = messages.popleft()
        self._connection.consumed(stream, len(message))
        return parsed(self._method, message)

    async def requests(self) -> AsyncIterator[Any]:
        while (message := await self.read()) is not grpc.aio.EOF:
            yield message

    async def write(self, message: Any) -> None:
        """Of a call that is over, what is written goes nowhere: its task is being cancelled."""
        encode = self._method.encode
        connection, stream = self._connection, self._stream
        connection.send_message(stream, message if encode is None else encode(message))
        await connection.wait_for_room(stream)

    @property
    def writable(self) -> bool:
        """`write` would not wait."""
        return self._connection.writable(self._stream)

    def put(self, message: Any) -> None:
        """`write` without waiting: while `writable`."""
        encode = self._method.encode
        self._connection.send_message(self._stream, message if encode is None else encode(message))

    def put_now(self, message: Any) -> None:
        """As `put`; it leaves at once and not with what else is written in this turn of the loop."""
        self._connection.urgent = True
        self.put(message)

    def unblocked(self) -> asyncio.Future[None]:
        """Done when `writable` is to be asked again, or the call is over."""
        return self._connection.unblocked(self._stream)

    def listen(self, received: Callable[[Any], None]) -> None:
        """Have `received` called with every message from now on, as it comes; `read` then only waits for the end."""
        method, stream = self._method, self._stream

        def take(data: bytes) -> None:
            try:
                message = parsed(method, data)
            except Unreadable as error:
                self.finish(grpc.StatusCode.INTERNAL, str(error))
                if stream.task is not None:
                    stream.task.cancel()
            else:
                received(message)

        stream.listen(take)

    async def send_initial_metadata(self, initial_metadata: Iterable[tuple[str, Any]]) -> None:
        self._connection.send_headers(self._stream, headers.fields(initial_metadata))

    # ---- the end ----

    async def abort(
        self, code: grpc.StatusCode, details: str = "", trailing_metadata: Iterable[tuple[str, Any]] = ()
    ) -> NoReturn:
        self._code, self._details = code, details
        self._trailing = tuple(trailing_metadata) or self._trailing
        raise grpc.aio.AbortError("the call was aborted")

    async def abort_with_status(self, status: Any) -> NoReturn:
        await self.abort(status.code, status.details, status.trailing_metadata or ())

    def finish(self, code: grpc.StatusCode | None = None, details: str = "") -> None:
        """Send the status: what is given here, else what the service has set."""
        status = code or self._code or grpc.StatusCode.OK
        text = details if code is not None else self._details
        self._connection.finish(self._stream, headers.trailers(int(status.value[0]), text, self._trailing))

    def set_trailing_metadata(self, trailing_metadata: Iterable[tuple[str, Any]]) -> None:
        self._trailing = tuple(trailing_metadata)

    def trailing_metadata(self) -> Any:
        return self._trailing

    def set_code(self, code: Any) -> None:
        self._code = code if isinstance(code, grpc.StatusCode) else _CODES[code]

    def code(self) -> grpc.StatusCode | None:
        return self._code

    def set_details(self, details: str) -> None:
        self._details = details

    def details(self) -> str:
        return self._details

    # ---- the caller ----

    def invocation_metadata(self) -> Any:
        return self._stream.request.metadata

    def peer(self) -> str:
        transport = self._connection.transport
        address = transport.get_extra_info("peername") if transport is not None else None
        if not isinstance(address, tuple):
            return "unknown"
        return f"ipv6:[{address[0]}]:{address[1]}" if ":" in address[0] else f"ipv4:{address[0]}:{address[1]}"

    def peer_identities(self) -> Iterable[bytes] | None:
        return self.auth_context().get("x509_common_name")

    def peer_identity_key(self) -> str | None:
        return "x509_common_name" if self.auth_context() else None

    def auth_context(self) -> Mapping[str, Sequence[bytes]]:
        transport = self._connection.transport
        certificate = transport.get_extra_info("peercert") if transport is not None else None
        if not certificate:
            return {}
        names = [value for part in certificate.get("subject", ()) for key, value in part if key == "commonName"]
        secured = transport.get_extra_info("ssl_object") if transport is not None else None
        whole = secured.getpeercert(binary_form=True) if secured is not None else None
        return {
            "transport_security_type": [b"ssl"],
            "x509_common_name": [name.encode() for name in names],
            "x509_pem_cert": [ssl.DER_cert_to_PEM_cert(whole).encode()] if whole else [],
        }

    def time_remaining(self) -> float | None:
        return None if self._deadline is None else max(0.0, self._deadline - self._loop.time())

    @property
    def connection(self) -> Connection:
        """What carries the call."""
        return self._connection

    # ---- its life ----

    def cancelled(self) -> bool:
        return self._stream.closed

    def done(self) -> bool:
        return self._stream.closed

    def add_done_callback(self, callback: Callable[[Any], None]) -> None:
        closed = self._stream.on_closed
        if closed is None:
            closed = self._stream.on_closed = []
        closed.append(lambda: callback(self))

    def set_compression(self, compression: grpc.Compression) -> None:
        """Messages are never compressed."""

    def disable_next_message_compression(self) -> None:
        """Messages are never compressed."""
