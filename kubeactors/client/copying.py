"""Files into and out of containers, by the `tar` that the container has, as `kubectl cp`."""

from __future__ import annotations

import asyncio
import shutil
import tarfile
import tempfile
from collections.abc import AsyncIterator, Sequence
from pathlib import Path, PurePosixPath
from typing import IO

from kubeactors.client.command import CommandSession

_PIECE = 256 * 1024
_MAX_TOLD = 4096
"""Characters of what tar says that an error repeats."""


class CopyFailed(OSError):
    """tar in the container failed, or sent something that is not taken; says why."""


def unpack_command(target: str) -> Sequence[str]:
    """What unpacks an archive from standard input so that its one entry, named for the target, lies there."""
    return ("tar", "-x", "-m", "-f", "-", "-C", str(PurePosixPath(target).parent))


def pack_command(source: str) -> Sequence[str]:
    """What packs a file or directory to standard output, under its name."""
    path = PurePosixPath(source)
    return ("tar", "-c", "-f", "-", "-C", str(path.parent), path.name)


async def send(session: CommandSession, source: Path, target: str) -> None:
    """Packs `source` (on disk: it may be large) and feeds it to `unpack_command(target)`."""
    with tempfile.TemporaryFile() as archive:
        await asyncio.to_thread(_pack, archive, source, PurePosixPath(target).name)
        archive.seek(0)

        async def feed() -> None:
            async for piece in _pieces(archive):
                await session.write(piece)
            await session.close_stdin()

        feeding = asyncio.create_task(feed())
        told = b""
        try:
            async for output in session:
                told += output.data[: _MAX_TOLD - len(told)]
        finally:
            feeding.cancel()
            # tar that fails reads no more: its own words say why, below.
            await asyncio.gather(feeding, return_exceptions=True)
    _check(session, told)


async def receive(session: CommandSession, source: str, target: Path) -> None:
    """Takes what `pack_command(source)` sends and puts it at `target`.

    Nothing is written outside of it: names with "..", links that lead out, devices and the like are refused.
    """
    with tempfile.TemporaryFile() as archive:
        told = b""
        async for output in session:
            if output.stream == "stdout":
                await asyncio.to_thread(archive.write, output.data)
            else:
                told += output.data[: _MAX_TOLD - len(told)]
        _check(session, told)
        archive.seek(0)
        await asyncio.to_thread(_unpack, archive, PurePosixPath(source).name, target)


def _check(session: CommandSession, told: bytes) -> None:
    if session.exit_code:
        text = told.decode(errors="replace").strip()
        raise CopyFailed(f"tar in the container ended with {session.exit_code}: {text}")


def _pack(archive: IO[bytes], source: Path, name: str) -> None:
    with tarfile.open(fileobj=archive, mode="w") as tar:
        tar.add(source, arcname=name)


def _unpack(archive: IO[bytes], name: str, target: Path) -> None:
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".copy-") as directory:
        try:
            with tarfile.open(fileobj=archive) as tar:
                tar.extractall(directory, filter="data")
        except tarfile.TarError as error:
            raise CopyFailed(f"what the container sent is not taken: {error}") from error
        if target.is_dir() and not target.is_symlink():
            shutil.rmtree(target)
        Path(directory, name).replace(target)


async def _pieces(archive: IO[bytes]) -> AsyncIterator[bytes]:
    while piece := await asyncio.to_thread(archive.read, _PIECE):
        yield piece
