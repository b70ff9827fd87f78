"""Operators as processes of their own."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator

from tests.integration.sdk.conftest import Cluster
from tests.support.control_plane import ROOT


@contextlib.asynccontextmanager
async def program(cluster: Cluster, *arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """Python with these arguments and the administrator's kubeconfig. Shows what it printed if it has to be killed."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *arguments,
        cwd=ROOT,
        env={**os.environ, "KUBECONFIG": str(cluster.plane.kubeconfig), "PYTHONPATH": str(ROOT)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            printed, _ = await process.communicate()
            print(printed.decode())
