"""Answers as bytes on the wire.

aiohttp's own Response builds a multidict and serializes it for every answer, which costs more than the rest of a small
GET together. An answer of this server has few headers, so its head is made by hand and goes out with the body in one
write. `Answer` offers the part of `StreamResponse` that aiohttp's protocol uses.
"""

from __future__ import annotations

import asyncio
import itertools
import uuid
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from aiohttp import web
from multidict import istr

from kubeactors.apiserver.long_document import LongDocument

TEXT = "text/plain; charset=utf-8"
NO_CACHE = "no-cache, private"
#: Seconds that a client may take to make room for the next piece of a long answer.
DRAIN_TIMEOUT = 60.0

# Unique ids in the form of a UUID: random for this process, then counted. A fresh uuid4 each time costs 5 µs more.
_AUDIT_PREFIX = str(uuid.uuid4())[:24]
_AUDIT_HEADER = istr("Audit-ID")
_audit_numbers = itertools.count()

_STATUS_LINES = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n" for status in HTTPStatus}


class Answer(web.StreamResponse):
    """A whole answer, or (with `body=None`) the head of one whose body the handler writes itself.

    `headers` are further ("Name", "value") pairs. `close` ends the connection after this answer.
    """

    def __init__(
        self,
        status: int,
        body: bytes | LongDocument | None,
        content_type: str,
        headers: Sequence[tuple[str, str]] = (),
        *,
        cache_control: str = NO_CACHE,
        close: bool = False,
    ) -> None:
        # StreamResponse's own constructor is not called: it prepares the header multidict that this class replaces.
        self._answer_status = status
        self._answer_body = body
        self._content_type_header = content_type
        self._extra_headers = headers
        self._cache_control_header = cache_control
        self._close_after = close
        self._sent = False

    @property
    def status(self) -> int:
        return self._answer_status

    @property
    def size(self) -> int:
        """Bytes of the body; 0 for one that is streamed."""
        return len(self._answer_body or b"")

    @property
    def keep_alive(self) -> bool:
        return not self._close_after

    @property
    def prepared(self) -> bool:
        return self._sent

    def head(self, audit_id: str | None, *, chunked: bool = False) -> bytes:
        """Status line and headers, with the empty line after them. `audit_id`: the client's own, if it sent one."""
        audit = _clean(audit_id) if audit_id else f"{_AUDIT_PREFIX}{next(_audit_numbers):012x}"
        lines = [
            _STATUS_LINES.get(self._answer_status) or f"HTTP/1.1 {self._answer_status} \r\n",
            f"Audit-Id: {audit}\r\nCache-Control: {self._cache_control_header}\r\n",
        ]
        if self._content_type_header:
            lines.append(f"Content-Type: {self._content_type_header}\r\n")
        lines.extend(f"{name}: {_clean(value)}\r\n" for name, value in self._extra_headers)
        if self._answer_body is not None:
            lines.append(f"Content-Length: {len(self._answer_body)}\r\n")
        elif chunked:
            lines.append("Transfer-Encoding: chunked\r\n")
        if self._close_after:
            lines.append("Connection: close\r\n")
        lines.append("\r\n")
        return "".join(lines).encode("latin-1", "replace")

    async def prepare(self, request: web.BaseRequest) -> Any:
        """Send head and body, unless `start` has sent the head already."""
        if self._sent:
            return None
        self._sent = True
        if request.version < (1, 1) or not request.keep_alive:
            self._close_after = True
        transport = request.transport
        if transport is None:
            raise ConnectionResetError("the client is gone")
        body = self._answer_body or b""
        head = self.head(request.headers.get(_AUDIT_HEADER))
        if isinstance(body, LongDocument):
            transport.write(head)
            if request.method != "HEAD":
                await _send(request, body)
            return None
        if request.method == "HEAD":
            body = b""
        if len(body) > 65536:
            transport.write(head)
            transport.write(body)
            # Wait until the kernel has most of it, so that a client which does not read holds one answer, not many.
            await request.protocol._drain_helper()
        else:
            transport.write(head + body)
        return None

    async def write_eof(self, data: bytes = b"") -> None:
        """Nothing: `prepare` sends everything."""

    def sent(self) -> None:
        """The handler has sent this answer itself."""
        self._sent = True

    def start(self, request: web.BaseRequest, *, sized: bool = False) -> bool:
        """Send the head of a streamed body; returns whether the body is to be chunked (not to HTTP/1.0 clients).

        `sized`: the headers tell the body's length, or it has none."""
        chunked = request.version >= (1, 1) and not sized
        if not (chunked or sized) or not request.keep_alive:
            self._close_after = True
        self._sent = True
        transport = request.transport
        if transport is None:
            raise ConnectionResetError("the client is gone")
        transport.write(self.head(request.headers.get(_AUDIT_HEADER), chunked=chunked))
        return chunked


async def _send(request: web.BaseRequest, document: LongDocument) -> None:
    """Send piece by piece, no faster than the client takes them."""
    protocol = request.protocol
    for piece in document.pieces():
        transport = request.transport
        if transport is None:
            raise ConnectionResetError("the client is gone")
        transport.write(piece)
        try:
            async with asyncio.timeout(DRAIN_TIMEOUT):
                await protocol._drain_helper()
        except TimeoutError as error:
            transport.abort()
            raise ConnectionResetError("the client does not read") from error


def _clean(value: str) -> str:
    """A header's value without line ends, which would start another header."""
    return value.replace("\r", " ").replace("\n", " ")
