"""Beginning a streaming call to a node agent, and wording its refusals as kubelet would."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import grpc
import grpc.aio

from kubeactors.api import errors
from kubeactors.apiserver.http.answer import Answer
from kubeactors.apiserver.streams.upgrade import text_answer

logger = logging.getLogger(__name__)

#: Seconds in which the agent must say whether it serves a call.
READY_TIMEOUT = 30.0


class AgentRefused(Exception):
    """The agent does not serve the call; `status` is kubelet's HTTP status, the text its answer."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status

    def answer(self) -> Answer:
        """What the client gets instead of an upgrade."""
        return text_answer(self.status, str(self))


_STATUSES = {
    grpc.StatusCode.NOT_FOUND: 404,
    grpc.StatusCode.INVALID_ARGUMENT: 400,
    grpc.StatusCode.FAILED_PRECONDITION: 400,
}


async def begin(call: Any, start: Any, address: str) -> None:
    """Send the first message of a bidirectional call and wait for `ready`.

    Raises AgentRefused, or StatusError (500) when the agent is not reached.
    """
    try:
        async with asyncio.timeout(READY_TIMEOUT):
            await call.write(start)
            first = await call.read()
            if first is grpc.aio.EOF or not first.HasField("ready"):
                raise await failure(call, address)
    except TimeoutError as error:
        call.cancel()
        raise errors.unknown(f"error dialing backend: {address} did not answer within {READY_TIMEOUT:g} s") from error
    except (grpc.aio.AioRpcError, asyncio.InvalidStateError) as error:
        raise await failure(call, address) from error
    except BaseException:
        call.cancel()
        raise


async def failure(call: Any, address: str) -> Exception:
    """Why a call ended."""
    code, details = await call.code(), await call.details() or ""
    if code in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED):
        return errors.unknown(f"error dialing backend: dial tcp {address}: {details}")
    if code is grpc.StatusCode.OK:
        return errors.unknown(f"error dialing backend: the agent at {address} ended the call")
    return AgentRefused(_STATUSES.get(code, 500), details)
