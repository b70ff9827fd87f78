"""The Batch method: many writes in one message, each for itself.

What is written at once shares the store's frames and its log's syncs (`kubeactors/store/client/session.py`), and a
message for all of them costs far less than a message for each.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import orjson

from kubeactors.api import errors
from kubeactors.pb.api.v1 import api_pb2 as pb

MAX_OPERATIONS = 1000
#: Operations of one batch that are carried out at once: enough to share what is shared, and others get their turn.
WORKERS = 64

#: Carries one operation out. Does not raise.
Perform = Callable[[pb.BatchOperation], Awaitable[pb.BatchResult]]


async def run_batch(message: pb.BatchRequest, perform: Perform) -> pb.BatchReply:
    """Carry all operations out. Raises StatusError for a batch that is too large or makes no sense."""
    operations = message.operations
    if len(operations) > MAX_OPERATIONS:
        raise errors.too_large(f"a batch has at most {MAX_OPERATIONS} operations, not {len(operations)}")
    if message.stop_on_failure and not message.ordered:
        raise errors.bad_request("stop_on_failure needs ordered")
    if message.ordered:
        results = await _one_by_one(operations, perform, stop=message.stop_on_failure)
    else:
        results = await _at_once(operations, perform)
    failures = sum(result.WhichOneof("result") == "failure" for result in results)
    return pb.BatchReply(results=results, failures=failures)


async def _one_by_one(operations: Sequence[pb.BatchOperation], perform: Perform, *, stop: bool) -> list[pb.BatchResult]:
    results: list[pb.BatchResult] = []
    for operation in operations:
        if stop and results and results[-1].WhichOneof("result") != "object":
            results.append(pb.BatchResult(skipped=pb.BatchSkipped()))
        else:
            results.append(await perform(operation))
    return results


async def _at_once(operations: Sequence[pb.BatchOperation], perform: Perform) -> list[pb.BatchResult]:
    results: list[pb.BatchResult] = [pb.BatchResult()] * len(operations)
    chains = iter(chained(operations))

    async def work() -> None:
        for chain in chains:
            for index in chain:
                results[index] = await perform(operations[index])

    async with asyncio.TaskGroup() as group:
        for _ in range(min(WORKERS, len(operations))):
            group.create_task(work())
    return results


def chained(operations: Sequence[pb.BatchOperation]) -> list[list[int]]:
    """The operations' indexes: those on the same object in one chain, in the order given."""
    chains: list[list[int]] = []
    of_object: dict[tuple[str, str, str, str], list[int]] = {}
    for index, operation in enumerate(operations):
        found = _object_of(operation)
        chain = of_object.get(found) if found is not None else None
        if chain is None:
            chain = []
            chains.append(chain)
            if found is not None:
                of_object[found] = chain
        chain.append(index)
    return chains


def _object_of(operation: pb.BatchOperation) -> tuple[str, str, str, str] | None:
    """Which object an operation is about; None: one that is not known before (its name is generated, or not found).

    Whatever the version: a group's versions show the same objects.
    """
    which = operation.WhichOneof("operation")
    if which is None:
        return None
    message = getattr(operation, which)
    key = message.key
    name: object = key.name
    if which == "create" and not key.subresource:
        try:
            name = orjson.loads(message.json)["metadata"]["name"]
        except (ValueError, TypeError, KeyError, IndexError):
            return None
    return (key.group, key.resource, key.namespace, name) if isinstance(name, str) and name else None
