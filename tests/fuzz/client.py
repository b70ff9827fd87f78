"""A plain blocking HTTP/1.1 client over TLS which sends what it is told, right or wrong, and never waits for ever."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import ssl
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

#: Seconds in which every answer must have come, but for those that were asked to take longer.
DEADLINE = 30.0
# An object may have as many problems as that, each of which is a header of the answer.
http.client._MAXHEADERS = 1000  # type: ignore[attr-defined]
_LARGEST = 64 * 1024 * 1024
JSON = "application/json"


@dataclass(frozen=True)
class Answer:
    """What came back. `status` 0: the server closed the connection without an answer."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    def json(self) -> Any:
        return json.loads(self.body)


class Client:
    """One connection that is kept open, and opened again whenever it is closed."""

    def __init__(self, host: str, port: int, context: ssl.SSLContext) -> None:
        self._address = (host, port)
        self._context = context
        self._socket: ssl.SSLSocket | None = None

    def request(
        self,
        method: str,
        target: str | bytes,
        body: bytes | None = None,
        headers: Iterable[tuple[str, str | bytes]] = (),
        content_type: str = JSON,
        deadline: float = DEADLINE,
        stream: bool = False,
    ) -> Answer:
        """Send a request and read the whole answer, or of one with `stream` that is granted (200) the head alone.

        Raises TimeoutError past the deadline (seconds).
        """
        raw = target if isinstance(target, bytes) else target.encode("utf-8", "surrogateescape")
        lines = [method.encode() + b" " + raw + b" HTTP/1.1", b"Host: localhost"]
        lines += [
            name.encode() + b": " + (value if isinstance(value, bytes) else value.encode("utf-8", "surrogateescape"))
            for name, value in headers
        ]
        if body is not None:
            lines += [b"Content-Type: " + content_type.encode(), b"Content-Length: %d" % len(body)]
        message = b"\r\n".join(lines) + b"\r\n\r\n" + (body or b"")
        if self._socket is not None:
            # An idle connection may end at any time.
            with contextlib.suppress(ConnectionError, ssl.SSLError):
                answer = self._exchange(method, message, deadline, stream)
                if answer.status:
                    return answer
        return self._exchange(method, message, deadline, stream)

    def json(self, method: str, target: str, value: Any = None, **more: Any) -> Answer:
        """The same with a JSON document."""
        return self.request(method, target, None if value is None else json.dumps(value).encode(), **more)

    def _exchange(self, method: str, message: bytes, deadline: float, stream: bool) -> Answer:
        until = time.monotonic() + deadline
        ends = True  # what is left of an answer that was given up would be taken for the next one
        try:
            connection = self._connected(deadline)
            connection.settimeout(deadline)
            connection.sendall(message)
            answer, ends = read_answer(connection, until, method, stream)
            return answer
        finally:
            if ends:
                self.close()

    def _connected(self, deadline: float) -> ssl.SSLSocket:
        if self._socket is None:
            self._socket = connect(self._address, self._context, deadline)
        return self._socket

    def close(self) -> None:
        """Close the connection; the next request opens another."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def connect(address: tuple[str, int], context: ssl.SSLContext, timeout: float = DEADLINE) -> ssl.SSLSocket:
    """A connection after its TLS handshake."""
    plain = socket.create_connection(address, timeout)
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        return context.wrap_socket(plain, server_hostname=address[0])
    except BaseException:
        plain.close()
        raise


def read_answer(
    connection: socket.socket, until: float, method: str = "GET", stream: bool = False
) -> tuple[Answer, bool]:
    """The next answer, and whether the connection ends with it. Raises TimeoutError at `until` (monotonic)."""
    response = http.client.HTTPResponse(_Timed(connection, until), method=method)  # type: ignore[arg-type]
    try:
        response.begin()
        if stream and response.status == 200:
            return Answer(200), True
        pieces = []
        size = 0
        while piece := response.read1(1 << 16):
            pieces.append(piece)
            size += len(piece)
            assert size <= _LARGEST, f"an answer of more than {_LARGEST} bytes"
        headers = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, headers, b"".join(pieces)), response.will_close
    except http.client.RemoteDisconnected:
        return Answer(0), True
    finally:
        response.close()


class _Timed:
    """A socket for HTTPResponse whose reads all end at one time."""

    def __init__(self, connection: socket.socket, until: float) -> None:
        self._connection = connection
        self._until = until

    def makefile(self, mode: str) -> Any:
        left = self._until - time.monotonic()
        if left <= 0:
            raise TimeoutError("no answer in time")
        self._connection.settimeout(left)
        return cast(Any, self._connection).makefile(mode)
