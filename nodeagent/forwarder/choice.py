"""Which API server a connection goes to, and which connections are given up: pure decisions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum


@dataclass(frozen=True)
class Backend:
    """One API server. `local` is the one on this machine."""

    host: str
    local: bool = False


class State(IntEnum):
    """What the last check of a backend found; the smaller, the better."""

    READY = 0
    UNKNOWN = 1
    UNREADY = 2
    """It answers that it is not ready: its store is away."""
    SILENT = 3
    """No answer in time: hung, or its machine is gone."""
    DEAD = 4
    """Nothing listens: surely every connection to it is broken."""


def order(backends: Sequence[Backend], states: Mapping[Backend, State], turn: int) -> list[Backend]:
    """Whom to try, the best first.

    The local one before others that are as good. `turn` (any number, the machine's own) makes machines without a local
    one begin at different servers. Those that are not ready come last but are tried too: a check may be wrong, and a
    server without its store still says what is wrong.
    """
    start = turn % len(backends) if backends else 0
    rotated = [*backends[start:], *backends[:start]]
    return sorted(rotated, key=lambda backend: (states.get(backend, State.UNKNOWN), not backend.local))


def given_up(backends: Sequence[Backend], states: Mapping[Backend, State]) -> set[Backend]:
    """Backends whose open connections are closed, so that their clients reconnect to another.

    While no other is ready, only those of a dead one: a server that is slow is better than none.
    """
    ready = any(states.get(backend) is State.READY for backend in backends)
    worst = State.UNREADY if ready else State.DEAD
    return {backend for backend in backends if states.get(backend, State.UNKNOWN) >= worst}
