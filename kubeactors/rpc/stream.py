"""One call's state on its connection."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from kubeactors.rpc.headers import Metadata

Answered = Callable[[Any], None]


class Failure(Protocol):
    """An error as an answer. `code` is gRPC's."""

    @property
    def code(self) -> int: ...
    @property
    def message(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Direct:
    """A unary method that is no coroutine: `start(request, answered)` is called, and it calls `answered` once, now or
    later, with the response or with an instance of `failures`. No task is made for it. `admit(request, metadata)` may
    return one of `failures` before that, which then is the answer."""

    parse: Callable[[bytes], Any]
    start: Callable[[Any, Answered], None]
    failures: type[Exception]
    admit: Callable[[Any, Metadata], Exception | None] | None = None


@dataclass(frozen=True, slots=True)
class Method:
    """As grpc's RpcMethodHandler has it; typed as Any where that knows nothing of the messages. `run` is what the
    servicer offers."""

    name: str
    run: Callable[..., Any]
    request_streaming: bool
    response_streaming: bool
    parse: Callable[[bytes], Any] | None
    encode: Callable[[Any], bytes] | None


@dataclass(frozen=True, slots=True)
class Request:
    """What the headers of a call say. `seconds`: the caller's patience."""

    method: Direct | Method | None
    path: str
    metadata: Metadata
    seconds: float | None
    problem: str = ""


class Stream:
    """`window`: what may be sent. `held`: message bytes that it had no room for, `held_from` the first of them that is
    not sent yet; `trailers`: what comes after them. `parts`: of a message that lacks `missing` more bytes.
    `uncredited`: what arrived and the client was not given back as window; `queued`: bytes in `messages`, which are
    whole and wait to be read; or `listener` is called with each. `closed`: nothing is to be sent any more.
    `abandoned`: the peer has reset it, and its work goes on."""

    __slots__ = (
        "abandoned",
        "closed",
        "headers_sent",
        "held",
        "held_from",
        "listener",
        "messages",
        "missing",
        "number",
        "on_closed",
        "parts",
        "queued",
        "reader",
        "remote_closed",
        "request",
        "task",
        "trailers",
        "uncredited",
        "window",
        "writer",
    )

    def __init__(self, number: int, request: Request, window: int) -> None:
        self.number = number
        self.request = request
        self.window = window
        self.parts: list[bytes] = []
        self.missing = 0
        self.messages: deque[bytes] | None = None
        self.listener: Callable[[bytes], None] | None = None
        self.queued = 0
        self.uncredited = 0
        self.held = b""
        self.held_from = 0
        self.trailers: bytes | None = None
        self.headers_sent = False
        self.remote_closed = False
        self.closed = False
        self.abandoned = False
        self.task: asyncio.Task[None] | None = None
        self.reader: asyncio.Future[None] | None = None
        self.writer: asyncio.Future[None] | None = None
        self.on_closed: list[Callable[[], None]] | None = None

    def deliver(self, message: bytes) -> None:
        """A whole message has come: it is listened to, or waits to be read."""
        if self.listener is not None:
            self.listener(message)
            return
        assert self.messages is not None
        self.messages.append(message)
        self.queued += len(message)
        self.wake()

    def listen(self, listener: Callable[[bytes], None]) -> None:
        """Have it called with every message from now on, those that wait included."""
        self.listener = listener
        while self.messages:
            listener(self.messages.popleft())

    def wake(self) -> None:
        """Who waits to read should look again."""
        if self.reader is not None and not self.reader.done():
            self.reader.set_result(None)
