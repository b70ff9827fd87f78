"""Reading request bodies, never more than the limit and never for ever."""

from __future__ import annotations

import asyncio

from aiohttp import hdrs, web

from kubeactors.api import errors

#: Seconds in which a body must arrive.
BODY_TIMEOUT = 60.0


def tell_to_continue(request: web.BaseRequest) -> None:
    """Tell a client that waits for it to send the body (RFC 9110, section 10.1.1)."""
    if request.headers.get(hdrs.EXPECT, "").strip().lower() != "100-continue" or request.version < (1, 1):
        return
    if request.transport is not None:
        request.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")


async def read_body(request: web.BaseRequest, limit: int) -> bytes:
    """The whole body. Raises StatusError 413 beyond `limit` bytes, 408-like 504 when it does not arrive in time."""
    if not request.can_read_body:
        return b""
    length = request.content_length
    if length is not None and length > limit:
        raise errors.too_large(f"limit is {limit}")
    tell_to_continue(request)
    content = request.content
    if content.is_eof():  # it came with the headers, as small ones do
        body = content.read_nowait()
        if len(body) > limit:
            raise errors.too_large(f"limit is {limit}")
        return body
    try:
        async with asyncio.timeout(BODY_TIMEOUT):
            pieces: list[bytes] = []
            size = 0
            while not content.at_eof():
                piece = await content.readany()
                size += len(piece)
                if size > limit:
                    raise errors.too_large(f"limit is {limit}")
                pieces.append(piece)
            return pieces[0] if len(pieces) == 1 else b"".join(pieces)
    except TimeoutError as error:
        raise errors.timeout(f"the request's body did not arrive within {BODY_TIMEOUT:.0f} seconds") from error
