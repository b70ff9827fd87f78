"""The rules of batches, and Status documents in gRPC's metadata."""

from __future__ import annotations

import asyncio

import orjson
import pytest
from google.rpc import status_pb2

from kubeactors.api import errors, fielderrors
from kubeactors.apiserver.grpc.batch import MAX_OPERATIONS, WORKERS, chained, run_batch
from kubeactors.apiserver.grpc.errors import message_of, shortened, trailing_metadata
from kubeactors.pb.api.v1 import api_pb2 as pb


def create(name: str, resource: str = "configmaps") -> pb.BatchOperation:
    document = orjson.dumps({"metadata": {"name": name}})
    return pb.BatchOperation(create=pb.CreateRequest(key=pb.ObjectKey(resource=resource, namespace="a"), json=document))


def delete(name: str, **key: str) -> pb.BatchOperation:
    where = {"resource": "configmaps", "namespace": "a", **key}
    return pb.BatchOperation(delete=pb.DeleteRequest(key=pb.ObjectKey(name=name, **where)))


def test_operations_on_one_object_are_a_chain() -> None:
    generated = pb.BatchOperation(create=pb.CreateRequest(json=b'{"metadata":{"generateName":"x-"}}'))
    broken = pb.BatchOperation(create=pb.CreateRequest(json=b"{"))
    binding = pb.BatchOperation(
        create=pb.CreateRequest(
            key=pb.ObjectKey(resource="configmaps", namespace="a", name="x", subresource="s"), json=b"{}"
        )
    )
    operations = [
        create("x"),
        create("y"),
        delete("x"),
        delete("x", namespace="b"),
        delete("x", version="v1beta1", subresource="status"),
        create("x", "secrets"),
        *(generated, generated, broken, broken, pb.BatchOperation()),
        binding,
    ]
    assert chained(operations) == [[0, 2, 4, 11], [1], [3], [5], [6], [7], [8], [9], [10]]


async def test_chains_run_at_once_and_in_order() -> None:
    running = most = 0
    done: list[str] = []

    async def perform(operation: pb.BatchOperation) -> pb.BatchResult:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1
        done.append(operation.WhichOneof("operation") or "")
        return pb.BatchResult(object=pb.Object(json=operation.create.json))

    operations = [create(f"c{number}") for number in range(200)]
    reply = await run_batch(pb.BatchRequest(operations=operations), perform)
    assert [result.object.json for result in reply.results] == [each.create.json for each in operations]
    assert most == WORKERS
    done.clear()
    await run_batch(pb.BatchRequest(operations=[delete("z"), create("z"), delete("z")]), perform)
    assert done == ["delete", "create", "delete"]
    assert not (await run_batch(pb.BatchRequest(), perform)).results


async def test_an_ordered_batch_may_stop_at_a_failure() -> None:
    async def perform(operation: pb.BatchOperation) -> pb.BatchResult:
        if operation.HasField("delete"):
            return pb.BatchResult(failure=pb.Status(code=404))
        return pb.BatchResult(object=pb.Object())

    operations = [create("a"), delete("b"), create("c"), create("d")]
    reply = await run_batch(pb.BatchRequest(operations=operations, ordered=True), perform)
    assert [each.WhichOneof("result") for each in reply.results] == ["object", "failure", "object", "object"]
    reply = await run_batch(pb.BatchRequest(operations=operations, ordered=True, stop_on_failure=True), perform)
    assert [each.WhichOneof("result") for each in reply.results] == ["object", "failure", "skipped", "skipped"]
    assert reply.failures == 1
    with pytest.raises(errors.StatusError, match="needs ordered"):
        await run_batch(pb.BatchRequest(operations=operations, stop_on_failure=True), perform)
    with pytest.raises(errors.StatusError, match="at most"):
        await run_batch(pb.BatchRequest(operations=[create("a")] * (MAX_OPERATIONS + 1)), perform)


def test_metadata_stay_small() -> None:
    causes = [fielderrors.required(f"spec.containers[{number}].image", "é" * 100) for number in range(500)]
    error = errors.invalid("Pod", "p", causes)
    metadata = dict(trailing_metadata(error))
    assert sum(len(value) for value in metadata.values()) + len(message_of(error).encode()) < 5000
    status = orjson.loads(metadata["kubeactors-status-bin"])
    assert (status["code"], status["reason"]) == (422, "Invalid")
    assert 0 < len(status["details"]["causes"]) < 10
    found = status_pb2.Status.FromString(metadata["grpc-status-details-bin"])
    told = pb.Status()
    assert found.details[0].Unpack(told)
    assert told.details.causes[0].field == "spec.containers[0].image"
    small = errors.not_found("pods", "p")
    assert shortened(small.status) is small.status
