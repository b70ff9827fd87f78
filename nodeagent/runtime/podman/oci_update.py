"""Changing the limits of a running container through the OCI runtime itself."""

import asyncio
import contextlib
import os
import tempfile
from asyncio.subprocess import DEVNULL, PIPE, STDOUT
from typing import Any

import orjson

from nodeagent.runtime.interface import RuntimeFailure

_DEADLINE = 30.0  # seconds


async def oci_update(runtime: str, container_id: str, limits: dict[str, Any], run_dir: str) -> None:
    """Give the container these limits, `linux.resources` of the OCI specification. Raises RuntimeFailure or OSError."""
    path = await asyncio.to_thread(_write, orjson.dumps(limits), run_dir)
    try:
        command = (runtime, "update", "--resources", path, container_id)
        process = await asyncio.create_subprocess_exec(*command, stdin=DEVNULL, stdout=PIPE, stderr=STDOUT)
        try:
            async with asyncio.timeout(_DEADLINE):
                output, _ = await process.communicate()
        except TimeoutError as error:
            raise RuntimeFailure(f"{os.path.basename(runtime)} did not update the limits in {_DEADLINE:g} s") from error
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
    if process.returncode != 0:
        raise RuntimeFailure(output.decode(errors="replace").strip() or f"exit code {process.returncode}")


def _write(data: bytes, directory: str) -> str:
    descriptor, path = tempfile.mkstemp(prefix="update-", dir=directory)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(data)
    return path
