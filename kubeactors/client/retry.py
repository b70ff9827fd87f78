"""When a call that failed is made again.

Reads: until the deadline, whenever the connection failed or the server said that it cannot answer now. Writes: only
when the server surely has not seen them, or has refused them and asked to come back (429 and 5xx with
retryAfterSeconds, as client-go). Anything else would risk doing a thing twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from kubeactors.api.errors import StatusError
from kubeactors.client.backoff import Backoff
from kubeactors.client.calls import Call, ReadCalls, Reply
from kubeactors.client.errors import ApiUnavailable, OutcomeUnknown
from kubeactors.client.transport import ConnectionLost, Transport

T = TypeVar("T")

LAST_CHANCE = 0.05
"""Seconds before the deadline after which it is not worth while to try again."""


def may_repeat(error: StatusError, *, read: bool) -> bool:
    """Whether the server's answer allows the same call again."""
    if error.code == 429 or error.code >= 500:
        return bool(error.retry_after_seconds) or (read and error.code in (429, 503))
    return False


async def call(transport: Transport, request: Call, timeout: float) -> Reply:
    """The answer to `request` within `timeout` seconds. Raises StatusError, ApiUnavailable or OutcomeUnknown."""
    read = isinstance(request, ReadCalls)
    return await until(timeout, lambda left: transport.call(request, left), read=read)


async def until(timeout: float, attempt: Callable[[float], Awaitable[T]], *, read: bool) -> T:
    """What `attempt(seconds left)` answers, in at most `timeout` seconds. Raises as `call` does."""
    now = asyncio.get_running_loop().time
    deadline = now() + timeout
    backoff = Backoff(0.02, 2.0)
    while True:
        left = deadline - now()
        failure: StatusError
        try:
            return await attempt(left)
        except ConnectionLost as lost:
            if lost.sent and not read:
                raise OutcomeUnknown(f"{lost.message}; the request may have taken effect") from lost
            failure = ApiUnavailable(lost.message)
            if lost.final:
                raise failure from lost
            delay = min(backoff.next(), (deadline - now()) / 2)
        except StatusError as refused:
            if not may_repeat(refused, read=read):
                raise
            failure = refused
            delay = max(backoff.next(), float(refused.retry_after_seconds or 0))
        if now() + max(delay, LAST_CHANCE) >= deadline:
            raise failure
        await asyncio.sleep(delay)
