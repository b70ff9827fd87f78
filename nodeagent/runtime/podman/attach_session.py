"""A connection to a container's first process through its monitor (conmon), as Podman's own attach makes it.

conmon listens on a socket of packets in the container's bundle: what the process writes comes as packets that begin
with a byte for the stream, what is sent goes to its standard input, and the end of sending closes that
(https://github.com/containers/conmon, src/conn_sock.c).
"""

import asyncio
import contextlib
import os
import socket

from nodeagent.runtime.interface import Emit, OutputName, SessionResult

#: conmon reads and writes at most so many bytes at once; a longer packet would be cut.
_PACKET = 8192
_STREAMS: dict[int, OutputName] = {2: "stdout", 3: "stderr"}


class AttachSession:
    """Implements `Session`. Made by `start`."""

    def __init__(self, connection: socket.socket, userdata: str, *, stdin: bool, tty: bool) -> None:
        self._connection = connection
        self._userdata = userdata
        self._stdin = stdin
        self._tty = tty
        self._loop = asyncio.get_running_loop()

    @classmethod
    async def start(cls, userdata: str, *, stdin: bool, tty: bool) -> "AttachSession":
        """Connect to the monitor of the container whose bundle this is. Raises OSError."""
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
        try:
            # By the directory's descriptor: addresses of unix sockets are short.
            directory = os.open(userdata, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                connection.connect(f"/proc/self/fd/{directory}/attach")
            finally:
                os.close(directory)
        except BaseException:
            connection.close()
            raise
        return cls(connection, userdata, stdin=stdin, tty=tty)

    async def pump(self, emit: Emit) -> None:
        while True:
            try:
                packet = await self._loop.sock_recv(self._connection, _PACKET + 1)
            except ConnectionResetError:
                return
            if not packet:
                return
            stream = _STREAMS.get(packet[0])
            if stream is not None and len(packet) > 1:
                await emit("stdout" if self._tty else stream, packet[1:])

    async def write(self, data: bytes) -> None:
        if not self._stdin:
            return
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            for start in range(0, len(data), _PACKET):
                await self._loop.sock_sendall(self._connection, data[start : start + _PACKET])

    async def close_stdin(self) -> None:
        if self._stdin and not self._tty:
            with contextlib.suppress(OSError):  # it has ended
                self._connection.shutdown(socket.SHUT_WR)

    async def resize(self, width: int, height: int) -> None:
        if not self._tty:
            return
        # conmon's control pipe: "1 height width".
        with contextlib.suppress(OSError):  # it has ended
            descriptor = os.open(f"{self._userdata}/ctl", os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            try:
                os.write(descriptor, b"1 %d %d\n" % (height, width))
            finally:
                os.close(descriptor)

    async def result(self) -> SessionResult:
        return SessionResult(0)

    async def close(self) -> None:
        self._connection.close()
