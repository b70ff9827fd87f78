"""What a probe answers, and how its handler is chosen."""

from dataclasses import dataclass
from typing import Literal, Protocol

from kubeactors.api.meta import Object

Result = Literal["success", "failure", "unknown"]
Kind = Literal["liveness", "readiness", "startup"]


@dataclass(frozen=True)
class Answer:
    result: Result
    output: str = ""  # kubelet's words, for the Unhealthy event
    is_error: bool = False  # the probe itself could not be made: neither success nor failure


@dataclass(frozen=True)
class Target:
    """What is probed."""

    pod: Object
    container: Object
    container_id: str
    ip: str


class Handler(Protocol):
    """One way to probe. Never raises but for cancellation; keeps to `timeout` seconds."""

    async def probe(self, action: Object, target: Target, timeout: float) -> Answer: ...


def resolve_port(port: int | str, container: Object) -> int:
    """A port number, or the number of a named container port. Raises ValueError."""
    if isinstance(port, int):
        return port
    if port.isdigit():
        return int(port)
    for candidate in container.get("ports") or ():
        if candidate.get("name") == port:
            return int(candidate["containerPort"])
    raise ValueError(f"unable to find named port {port}")
