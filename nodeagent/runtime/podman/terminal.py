"""A pseudo-terminal on an asyncio loop: reading and writing its master side without blocking."""

import asyncio
import errno
import fcntl
import os
import struct
import termios
import tty
from collections.abc import Callable

_PIECE = 32 * 1024


class Terminal:
    """A pair of pseudo-terminals. `slave` is for the child; call `close_slave` once it has it."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._master, self.slave = os.openpty()
        os.set_blocking(self._master, False)
        # What is typed is echoed and edited by the terminal in the container; this one passes bytes on.
        tty.setraw(self.slave)

    def close_slave(self) -> None:
        if self.slave >= 0:
            os.close(self.slave)
            self.slave = -1

    def close(self) -> None:
        self.close_slave()
        if self._master >= 0:
            self._loop.remove_reader(self._master)
            self._loop.remove_writer(self._master)
            os.close(self._master)
            self._master = -1

    def resize(self, width: int, height: int) -> None:
        """Set the size in columns and rows."""
        if self._master >= 0:
            fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))

    async def read(self) -> bytes:
        """Some output; empty at the end."""
        while self._master >= 0:
            try:
                return os.read(self._master, _PIECE)
            except BlockingIOError:
                await self._ready(self._loop.add_reader, self._loop.remove_reader)
            except OSError as error:
                if error.errno == errno.EIO:  # nobody has the other side open any more
                    return b""
                raise
        return b""

    async def write(self, data: bytes) -> None:
        """Write all; nothing when the other side is gone."""
        view = memoryview(data)
        while view and self._master >= 0:
            try:
                view = view[os.write(self._master, view) :]
            except BlockingIOError:
                await self._ready(self._loop.add_writer, self._loop.remove_writer)
            except OSError as error:
                if error.errno == errno.EIO:
                    return
                raise

    async def _ready(self, add: Callable[..., None], remove: Callable[[int], bool]) -> None:
        ready = asyncio.Event()
        add(self._master, ready.set)
        try:
            await ready.wait()
        finally:
            if self._master >= 0:
                remove(self._master)
