"""Passing an upgrade (a WebSocket, SPDY) on to a backend: after its consent bytes go both ways."""

from __future__ import annotations

import asyncio
import logging
import os
import re
from typing import cast

from aiohttp import web

from kubeactors.api import errors
from kubeactors.apiserver.http.connection import Connection
from kubeactors.apiserver.http.raw import RawStream
from kubeactors.apiserver.http.stream import cancelled_when_lost
from kubeactors.apiserver.streams.proxy.headers import to_backend_upgrading
from kubeactors.apiserver.streams.proxy.http import Passage
from kubeactors.apiserver.streams.proxy.urls import Location, encode_path
from kubeactors.apiserver.streams.upgrade import client_gone

logger = logging.getLogger(__name__)

CONNECT_TIMEOUT = 30.0
#: Seconds in which a backend must answer an upgrade.
ANSWER_TIMEOUT = 30.0
#: Seconds for the body of an answer that is no upgrade (util/proxy's deadline).
REFUSAL_TIMEOUT = 10.0
_MAX_HEAD = 64 * 1024
_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*([0-9]{1,15})[ \t]*\r\n", re.IGNORECASE)
_PIECE = 64 * 1024


async def pass_on(
    http: web.BaseRequest, location: Location, path: str, query: str, passage: Passage
) -> web.StreamResponse:
    """Ask the backend for the upgrade and join both connections. Raises StatusError (500) before it has answered."""
    with cancelled_when_lost(cast(Connection, http.protocol)):
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT):
                secure = location.scheme == "https"
                reader, writer = await asyncio.open_connection(
                    location.host,
                    location.tcp_port,
                    ssl=passage.tls if secure else None,
                    server_hostname=passage.server_name if secure else None,
                    limit=_MAX_HEAD,
                )
        except (OSError, TimeoutError) as error:
            number = getattr(error, "errno", None)
            reason = f"connect: {os.strerror(number).lower()}" if number else str(error) or "i/o timeout"
            raise errors.unknown(f"error dialing backend: dial tcp {location.authority}: {reason}") from error
        try:
            target = encode_path(path or "/") + (f"?{query}" if query else "")
            given = [(name, value) for name, value in http.headers.items()]
            sent = [*to_backend_upgrading(given, http.remote or ""), *(passage.identity or ())]
            headers = "".join(f"{n}: {v}\r\n" for n, v in sent)
            # As aiohttp has decoded what came.
            writer.write(f"{http.method} {target} HTTP/1.1\r\n{headers}\r\n".encode("utf-8", "surrogateescape"))
            head = await _head(reader)
            status = _status(head)
            if status != 101 and status < 400:
                raise errors.unknown(f"invalid upgrade response: status code {status}")
            raw = cast(Connection, http.protocol).take_over()
            await raw.write(head)
            if status == 101:
                await _join(raw, reader, writer)
            else:
                await _pass_refusal(raw, reader, head)
        except (ConnectionError, TimeoutError) as error:
            logger.info("a proxied upgrade broke off: %s", error)
        finally:
            writer.transport.abort()
    return client_gone()


async def _head(reader: asyncio.StreamReader) -> bytes:
    """The backend's answer up to its empty line."""
    try:
        async with asyncio.timeout(ANSWER_TIMEOUT):
            return await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, OSError, TimeoutError) as error:
        raise errors.unknown(f"error reading the backend's answer to an upgrade: {error or 'i/o timeout'}") from error


def _status(head: bytes) -> int:
    """Raises StatusError for what is no HTTP answer."""
    parts = head.split(b"\r\n", 1)[0].split(b" ")
    if len(parts) < 2 or not parts[0].startswith(b"HTTP/1.") or not parts[1].isdigit() or len(parts[1]) != 3:
        raise errors.unknown("malformed HTTP response")
    return int(parts[1])


async def _pass_refusal(client: RawStream, reader: asyncio.StreamReader, head: bytes) -> None:
    """Pass the body of an answer on that is no upgrade: as much as its length says, else what comes until its end."""
    found = _LENGTH.search(head)
    left = int(found.group(1)) if found else None
    async with asyncio.timeout(REFUSAL_TIMEOUT):
        while left != 0 and (data := await reader.read(_PIECE if left is None else min(left, _PIECE))):
            await client.write(data)
            left = left - len(data) if left is not None else None


async def _join(client: RawStream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Pass bytes both ways until one side ends."""

    async def to_client() -> None:
        while data := await reader.read(_PIECE):
            await client.write(data)

    async def to_backend() -> None:
        while data := await client.read():
            writer.write(data)
            await writer.drain()

    tasks = {asyncio.create_task(to_client()), asyncio.create_task(to_backend())}
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        for result in results:
            if isinstance(result, Exception) and not isinstance(result, OSError):
                logger.error("a proxied connection failed", exc_info=result)
