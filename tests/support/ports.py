"""TCP ports that no other run of the tests on this machine has, below those of outgoing connections; its address."""

from __future__ import annotations

import contextlib
import itertools
import socket
from collections.abc import Iterator

from tests.support.numbers import reserve

FIRST, BLOCK, BLOCKS = 10_000, 10, 1_000


def free_port() -> int:
    """A port that nobody listens on; nobody else is given it while this process lives."""
    return next(_ports)


def free_ports(count: int) -> list[int]:
    """As many different ones."""
    return list(itertools.islice(_ports, count))


def machine_address() -> str:
    """An address of this machine that is not a loopback address: one that endpoints may have."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))
        found: str = probe.getsockname()[0]
        return found


def _reserved() -> Iterator[int]:
    while True:
        start = FIRST + BLOCK * reserve("ports", BLOCKS)
        yield from filter(_can_be_bound, range(start, start + BLOCK))


def _can_be_bound(port: int) -> bool:
    with socket.socket() as probe, contextlib.suppress(OSError):
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("", port))
        return True
    return False


_ports = _reserved()
