"""Bytes on a connection, and what comes back until it is quiet or closed."""

from __future__ import annotations

import contextlib
import re
import socket
import ssl
from dataclasses import dataclass

from tests.fuzz.client import connect
from tests.fuzz.plane import Plane

_STATUS = re.compile(rb"HTTP/1\.1 ([0-9]{3}) ")


@dataclass(frozen=True)
class Reply:
    """All that came, and whether the server closed the connection."""

    data: bytes
    closed: bool

    @property
    def statuses(self) -> list[int]:
        """The status of each answer."""
        return [int(status) for status in _STATUS.findall(self.data)]


def exchange(plane: Plane, sent: bytes, *, user: str | None = "admin", quiet: float = 5.0, until: bytes = b"") -> Reply:
    """Send bytes; read until the server closes, `until` has come, or nothing comes for `quiet` seconds."""
    connection = connect(plane.address, plane.control.ssl_context(user))
    with connection:
        # Where it is refused before its end, what was answered can be read all the same.
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            connection.sendall(sent)
        return read(connection, quiet, until)


def read(connection: socket.socket, quiet: float, until: bytes = b"") -> Reply:
    """What comes until the end, `until`, or a pause."""
    connection.settimeout(quiet)
    data = b""
    try:
        while not until or until not in data:
            piece = connection.recv(1 << 16)
            if not piece:
                return Reply(data, True)
            data += piece
    except TimeoutError:
        return Reply(data, False)
    except (ConnectionError, ssl.SSLError):
        return Reply(data, True)
    return Reply(data, False)
