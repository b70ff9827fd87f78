"""Reading request bodies, never more than the limit and never for ever."""

from __future__ import annotations

import asyncio

from aiohttp import web

from kubeactors.api import errors

#: Seconds in which a body must arrive.
BODY_TIMEOUT = 60.0


async def read_body(request: web.BaseRequest, limit: int) -> bytes:
    """The whole body. Raises StatusError 413 beyond `limit` bytes, 408-like 504 when it does not arrive in time."""
    if not request.can_read_body:
        return b""
    length = request.content_length
    if length is not None and length > limit:
        raise errors.too_large(f"limit is {limit}")
    content = request.content
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
