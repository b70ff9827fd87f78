"""The query of exec, attach and port-forward (PodExecOptions, PodAttachOptions, PodPortForwardOptions). Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from kubeactors.api import errors
from kubeactors.api.fielderrors import go_quote

Pairs = Sequence[tuple[str, str]]

#: Each port of a WebSocket has two channels, and channels are numbered by a byte.
MAX_PORTS = 127


@dataclass(frozen=True, slots=True)
class CommandOptions:
    """What is to be run, and which streams the client wants."""

    container: str = ""
    command: tuple[str, ...] = ()
    stdin: bool = False
    stdout: bool = False
    stderr: bool = False
    tty: bool = False

    @property
    def any_stream(self) -> bool:
        return self.stdin or self.stdout or self.stderr


def command_options(query: Pairs, *, attach: bool = False) -> CommandOptions:
    """The options of exec, or of attach, which by default shows the output (core/v1 defaults)."""
    tty = _flag(query, "tty", False)
    return CommandOptions(
        container=_first(query, "container"),
        command=tuple(value for name, value in query if name == "command"),
        stdin=_flag(query, "stdin", False),
        stdout=_flag(query, "stdout", True),
        # A terminal has one output.
        stderr=_flag(query, "stderr", True) and not tty,
        tty=tty,
    )


def forwarded_ports(query: Pairs) -> tuple[int, ...]:
    """The ports that a WebSocket's channels stand for. Raises StatusError (400)."""
    ports: list[int] = []
    for name, value in query:
        if name != "ports":
            continue
        for text in value.split(","):
            if not (text.isascii() and text.isdigit()):
                raise errors.bad_request(f"unable to parse {go_quote(value)} as a port: invalid syntax")
            if not 0 < int(text[:6]) < 65536:
                raise errors.bad_request(f"port {go_quote(value)} must be > 0 and < 65536")
            ports.append(int(text))
    if len(ports) > MAX_PORTS:
        raise errors.bad_request(f"at most {MAX_PORTS} ports can be forwarded by one WebSocket")
    return tuple(ports)


def _first(query: Pairs, name: str) -> str:
    return next((value for key, value in query if key == name), "")


def _flag(query: Pairs, name: str, default: bool) -> bool:
    """A boolean as apimachinery's queryparams read it."""
    for key, value in query:
        if key == name:
            return value.lower() not in ("false", "0")
    return default
