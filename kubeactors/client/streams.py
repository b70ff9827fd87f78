"""Commands and ports of pods as the SDK sees them, whichever transport carries them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

from kubeactors.api.errors import StatusError


@dataclass(frozen=True, slots=True)
class CommandCall:
    """A command to run (`exec`), or the first process to join (`attach`). An empty container: the pod's only one."""

    kind: Literal["exec", "attach"]
    namespace: str
    pod: str
    container: str = ""
    command: tuple[str, ...] = ()
    stdin: bool = False
    tty: bool = False


@dataclass(frozen=True, slots=True)
class PortCall:
    """A connection to a pod's TCP port."""

    namespace: str
    pod: str
    port: int


@dataclass(frozen=True)
class Output:
    """Some output of a command."""

    stream: Literal["stdout", "stderr"]
    data: bytes


@dataclass(frozen=True)
class Ended:
    """The end of a command: its exit code, or why there is none."""

    exit_code: int
    failure: StatusError | None = None


class CommandStream(Protocol):
    """A command under way. Every method raises ApiUnavailable once the connection is gone, StatusError where the server
    says why. A call of one that is cancelled leaves the stream whole."""

    async def send(self, data: bytes) -> None:
        """To standard input. Waits while the command does not read."""
        ...

    async def end_input(self) -> None: ...

    async def resize(self, width: int, height: int) -> None: ...

    async def receive(self) -> Output | Ended: ...

    async def close(self) -> None:
        """Leave, whatever state it is in."""
        ...


class PortStream(Protocol):
    """One connection to a port. Raises as `CommandStream` does."""

    async def send(self, data: bytes) -> None:
        """Waits while the other side does not read."""
        ...

    async def end_input(self) -> bool:
        """Nothing more will be sent. Returns False where the protocol cannot say that."""
        ...

    async def receive(self) -> bytes:
        """Empty at the end. StatusError: the port did not answer."""
        ...

    async def close(self) -> None:
        """Leave, whatever state it is in."""
        ...
