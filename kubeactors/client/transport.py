"""The seam between the client's verbs and the wire: gRPC, HTTPS and tests' in-memory API stand behind it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from typing import Protocol

from kubeactors.client.calls import Call, LogsCall, RawEvent, Reply, WatchCall
from kubeactors.client.discovery import ServedResource
from kubeactors.client.streams import CommandCall, CommandStream, PortCall, PortStream


class ConnectionLost(Exception):
    """A call ended without an answer.

    `sent` is False when the server surely has not seen the call, so that it may be repeated whatever it was. `final`
    is True when repeating it is no use: the server's certificate is not trusted, a key cannot be read.
    """

    def __init__(self, message: str, *, sent: bool, final: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.sent = sent
        self.final = final


class Transport(Protocol):
    """Carries calls. Every method raises `StatusError` for the server's refusals, `ConnectionLost` for the wire's."""

    async def call(self, call: Call, timeout: float) -> Reply:
        """One call's answer. Waits for a connection; ConnectionLost also when `timeout` seconds have passed."""
        ...

    def watch(self, call: WatchCall, timeout: float) -> AsyncGenerator[Sequence[RawEvent], None]:
        """Batches of events until the server ends the watch; an empty one first, when it is under way.

        `timeout` bounds only the wait for a connection.
        """
        ...

    def logs(self, call: LogsCall, timeout: float) -> AsyncGenerator[bytes, None]:
        """A container's log. `timeout` bounds only the wait for a connection."""
        ...

    async def command(self, call: CommandCall, timeout: float) -> CommandStream:
        """Runs or joins a command in a container. `timeout` bounds only its beginning."""
        ...

    async def port(self, call: PortCall, timeout: float) -> PortStream:
        """A connection to a port of a pod. `timeout` bounds only its beginning."""
        ...

    async def discover(self, timeout: float) -> Sequence[ServedResource] | None:
        """Everything that the server serves; None where it cannot tell that at once."""
        ...

    async def close(self) -> None:
        """Ends every call and releases the connections."""
        ...
