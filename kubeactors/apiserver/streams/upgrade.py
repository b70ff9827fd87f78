"""Upgrading a request's connection: which upgrade is asked for, and the answer that grants it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import cast

from aiohttp import web

from kubeactors.api import errors
from kubeactors.apiserver.http.answer import TEXT, Answer
from kubeactors.apiserver.http.connection import Connection
from kubeactors.apiserver.http.raw import RawStream
from kubeactors.apiserver.http.stream import cancelled_when_lost
from kubeactors.apiserver.streams import channels

SPDY = "SPDY/3.1"

#: The largest WebSocket message that is taken, in bytes (golang.org/x/net/websocket, DefaultMaxPayloadBytes).
MAX_MESSAGE = 32 * 1024 * 1024
#: How long a client may take to read what is still to come after the end of a session, in seconds.
FINISH_TIMEOUT = 900.0


async def serve(
    http: web.BaseRequest, session: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Hold a session, which ends when the client's connection does. Raises StatusError (400) without an upgrade."""
    if not wants_upgrade(http):
        raise errors.bad_request("Upgrade request required")
    answer: web.StreamResponse = client_gone()
    with cancelled_when_lost(cast(Connection, http.protocol)):
        answer = await session(http)
    return answer


def wants_upgrade(http: web.BaseRequest) -> bool:
    """Whether any upgrade is asked for (httpstream.IsUpgradeRequest)."""
    return any("upgrade" in value.lower() for value in http.headers.getall("Connection", ()))


def wants_websocket(http: web.BaseRequest) -> bool:
    return wants_upgrade(http) and http.headers.get("Upgrade", "").strip().lower() == "websocket"


def wants_spdy(http: web.BaseRequest) -> bool:
    return wants_upgrade(http) and http.headers.get("Upgrade", "").strip().lower() == SPDY.lower()


def websocket_protocols(http: web.BaseRequest) -> list[str]:
    return channels.requested(http.headers.getall("Sec-WebSocket-Protocol", ()))


def text_answer(status: int, text: str, headers: tuple[tuple[str, str], ...] = ()) -> Answer:
    """An answer of kubelet's in plain text, where an upgrade was wanted: it ends the connection."""
    return Answer(status, text.encode(), TEXT, headers, close=True)


def websocket(protocol: str) -> web.WebSocketResponse[bool]:
    """A WebSocket that is to be prepared with the request; raises web.HTTPException then for a bad handshake."""
    return web.WebSocketResponse(
        protocols=(protocol,) if protocol else (),
        compress=False,
        max_msg_size=MAX_MESSAGE,
        timeout=FINISH_TIMEOUT,
        decode_text=False,
    )


def switch_protocols(http: web.BaseRequest, headers: tuple[tuple[str, str], ...]) -> tuple[Answer, RawStream]:
    """Answer 101 with these headers and take the connection over. The answer is what the handler returns at the end."""
    connection = cast(Connection, http.protocol)
    transport = connection.transport
    if transport is None:
        raise ConnectionResetError("the client is gone")
    raw = connection.take_over()
    lines = "".join(f"{name}: {value}\r\n" for name, value in (("Connection", "Upgrade"), *headers))
    transport.write(f"HTTP/1.1 101 Switching Protocols\r\n{lines}\r\n".encode("latin-1"))
    answer = Answer(101, None, "", close=True)
    answer.sent()
    return answer, raw


def choose_stream_protocol(http: web.BaseRequest, served: tuple[str, ...]) -> tuple[str, Answer | None]:
    """The protocol among those of X-Stream-Protocol-Version; with an answer when there is none that both speak.

    A client that names none gets the empty name (httpstream.Handshake).
    """
    wanted = channels.requested(http.headers.getall("X-Stream-Protocol-Version", ()))
    if not wanted:
        return "", None
    chosen = channels.choose(wanted, served)
    if chosen is None:
        text = (
            f"unable to upgrade: unable to negotiate protocol: client supports [{' '.join(wanted)}], "
            f"server accepts [{' '.join(served)}]\n"
        )
        accepted = tuple(("X-Accepted-Stream-Protocol-Versions", name) for name in served)
        return "", text_answer(403, text, accepted)
    return chosen, None


def client_gone() -> Answer:
    """What a handler returns whose client has gone: nothing more is sent."""
    answer = Answer(101, None, "", close=True)
    answer.sent()
    return answer


def missing_upgrade_headers(http: web.BaseRequest) -> Answer:
    """The answer to an upgrade to something else."""
    found = f"Connection: {http.headers.get('Connection', '')}, Upgrade: {http.headers.get('Upgrade', '')}"
    return text_answer(400, f"unable to upgrade: missing upgrade headers in request: {found}")
