"""What every service needs: one request as an awaitable, errors as gRPC statuses, streams whose parts end together."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import NoReturn

import grpc
import grpc.aio
from google.protobuf.message import Message

from kubeactors.store.api import StoreApi
from kubeactors.store.errors import StoreError
from kubeactors.store.node import Done
from kubeactors.store.services import leader

_STATUS = {int(code.value[0]): code for code in grpc.StatusCode}


async def abort(context: grpc.aio.ServicerContext, error: StoreError) -> NoReturn:
    await context.abort(_STATUS[error.code], error.message)
    raise AssertionError("abort does not return")


async def outcome(start: Callable[[Done], None]) -> Message:
    """What `start` gives to the function that it is called with. Raises StoreError."""
    future: asyncio.Future[Message | StoreError] = asyncio.get_running_loop().create_future()

    def done(found: Message | StoreError) -> None:
        if not future.done():
            future.set_result(found)

    start(done)
    found = await future
    if isinstance(found, StoreError):
        raise found
    return found


async def ask(api: StoreApi, field: str, request: Message) -> Message:
    """Raises StoreError."""
    return await outcome(lambda done: api.submit(field, request, done))


async def answer(api: StoreApi, field: str, request: Message, context: grpc.aio.ServicerContext) -> Message:
    try:
        leader.check(api.node, context)
        return await ask(api, field, request)
    except StoreError as error:
        await abort(context, error)


async def run_stream(*parts: asyncio.Task[None]) -> None:
    """Until the first part of a stream ends, for whatever reason; then the others are ended. Raises what it raised."""
    try:
        done, _ = await asyncio.wait(parts, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for part in parts:
            part.cancel()
        await asyncio.gather(*parts, return_exceptions=True)
    for part in done:
        part.result()
