"""How long a request may take: the query parameter `timeout`, as k8s.io/apiserver's WithRequestDeadline reads it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from kubeactors.api import duration, errors

#: Seconds for a request that is not long-running; what clients ask for beyond it is cut.
MAX_SECONDS = 60.0


def allowed_seconds(timeout: str) -> float:
    """The seconds that a `timeout` such as `30s` or `1m` allows; 0 asks for the most. Raises StatusError (400)."""
    try:
        asked = duration.parse_go(timeout).total_seconds()
    except ValueError as error:
        raise errors.bad_request(f"invalid timeout specified in the request URL - {error}") from error
    return asked if 0 < asked < MAX_SECONDS else MAX_SECONDS


@contextlib.asynccontextmanager
async def deadline(timeout: str) -> AsyncIterator[None]:
    """Cancel the block when its time is over. Raises StatusError: 504 then, 400 for a `timeout` that cannot be read."""
    try:
        async with asyncio.timeout(allowed_seconds(timeout)):
            yield
    except TimeoutError as error:
        message = "request did not complete within requested timeout - context deadline exceeded"
        raise errors.timeout(message) from error
