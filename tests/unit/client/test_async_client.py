"""What AsyncClient does above any transport: names, retries, watch, wait."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import Any

import pytest

from kubeactors.api import errors
from kubeactors.api.errors import StatusError
from kubeactors.client import ApiUnavailable, AsyncClient, OutcomeUnknown, WaitTimeout
from kubeactors.client.calls import CreateCall, GetCall, ListCall
from kubeactors.client.conditions import compile_condition
from kubeactors.client.transport import ConnectionLost
from tests.support.fake_api import FakeApi

POD: dict[str, Any] = {"metadata": {"name": "p"}, "spec": {"containers": []}}


@pytest.fixture
def api() -> FakeApi:
    return FakeApi()


@pytest.fixture
def client(api: FakeApi) -> AsyncClient:
    return api.client()


async def test_names_namespaces_and_types_are_filled_in(api: FakeApi) -> None:
    client = api.client(default_namespace="shop")
    made = await client.create("po", POD)
    assert (made["kind"], made["metadata"]["namespace"]) == ("Pod", "shop")
    assert await client.get("Pod", "p") == made
    assert len(await client.list("pods")) == 1
    assert len(await client.list("pods", "default")) == 0
    await client.create("nodes", {"metadata": {"name": "n"}})
    assert "namespace" not in (await client.get("nodes", "n"))["metadata"]
    with pytest.raises(LookupError, match="widgets"):
        await client.get("widgets", "x")
    assert "kind" not in POD


async def test_subresources(api: FakeApi, client: AsyncClient) -> None:
    pod = await client.create("pods", POD)
    await client.create("pods", {"target": {"kind": "Node", "name": "n"}}, subresource="binding", name="p")
    with pytest.raises(StatusError) as bound:
        await client.create("pods", {"target": {"kind": "Node", "name": "m"}}, subresource="binding", name="p")
    assert bound.value.reason == "Conflict"
    pod = await client.get("pods", "p")
    pod["status"] = {"phase": "Running"}
    pod["spec"]["nodeName"] = "other"
    updated = await client.update("pods", pod, subresource="status")
    assert (updated["status"]["phase"], updated["spec"]["nodeName"]) == ("Running", "n")
    deployment = {"metadata": {"name": "d"}, "spec": {"replicas": 1, "selector": {"matchLabels": {"a": "b"}}}}
    await client.create("deployments", deployment)
    scale = await client.get("deployments", "d", subresource="scale")
    assert (scale["kind"], scale["spec"]["replicas"], scale["status"]["selector"]) == ("Scale", 1, "a=b")
    await client.patch("deployments", "d", {"spec": {"replicas": 3}}, subresource="scale")
    assert (await client.get("deployments", "d"))["spec"]["replicas"] == 3


@pytest.mark.looptime
async def test_reads_are_repeated_until_the_deadline(api: FakeApi, client: AsyncClient) -> None:
    api.seed({"apiVersion": "v1", "kind": "Pod", **POD})
    api.fail(ConnectionLost("gone", sent=True), verb="get", times=3)
    assert await client.get("pods", "p")
    api.fail(errors.service_unavailable("starting"), verb="list", times=2)
    assert await client.list("pods")
    api.down = True
    started = asyncio.get_running_loop().time()
    with pytest.raises(ApiUnavailable) as gone:
        await client.get("pods", "p", timeout=10)
    assert 8 <= asyncio.get_running_loop().time() - started <= 10
    assert (gone.value.code, gone.value.reason) == (503, "ServiceUnavailable")


@pytest.mark.looptime
async def test_writes_are_repeated_only_when_they_surely_did_nothing(api: FakeApi, client: AsyncClient) -> None:
    api.fail(ConnectionLost("refused", sent=False), verb="create", times=3)
    await client.create("pods", POD)
    assert sum(isinstance(call, CreateCall) for call in api.calls) == 4
    api.calls.clear()
    api.fail(ConnectionLost("broke", sent=True), verb="create")
    with pytest.raises(OutcomeUnknown) as unknown:
        await client.create("pods", {"metadata": {"name": "q"}, "spec": {}})
    assert unknown.value.code == 504
    api.fail(errors.service_unavailable("no store"), verb="create")
    with pytest.raises(StatusError, match="no store"):
        await client.create("pods", {"metadata": {"name": "q"}, "spec": {}})
    assert len(api.calls) == 2
    api.fail(errors.too_many_requests("busy", 5), verb="create")
    started = asyncio.get_running_loop().time()
    await client.create("pods", {"metadata": {"name": "q"}, "spec": {}})
    assert 5 <= asyncio.get_running_loop().time() - started < 6


async def test_other_answers_are_not_repeated(api: FakeApi, client: AsyncClient) -> None:
    for error in (errors.not_found("pods", "p"), errors.internal("x"), errors.conflict("pods", "p")):
        api.calls.clear()
        api.fail(error, verb="get")
        with pytest.raises(StatusError):
            await client.get("pods", "p")
        assert [type(call) for call in api.calls] == [GetCall]


@pytest.mark.looptime
async def test_a_watch_goes_on_after_a_break_and_ends_in_time(api: FakeApi, client: AsyncClient) -> None:
    api.seed({"apiVersion": "v1", "kind": "Pod", **POD})
    seen = []
    loop = asyncio.get_running_loop()
    loop.call_later(1, api.break_watches)
    loop.call_later(2, lambda: api.modify("pods", "p", lambda p: p["spec"].update(x=1)))
    loop.call_later(3, api.end_watches)
    loop.call_later(4, lambda: api.remove("pods", "p"))
    started = loop.time()
    async for event in client.watch("pods", timeout_seconds=10):
        seen.append((event.type, round(loop.time() - started)))
    assert seen == [("ADDED", 0), ("MODIFIED", 2), ("DELETED", 4)]
    assert 10 <= loop.time() - started <= 11


async def test_a_watch_from_a_version_that_is_gone_raises(api: FakeApi, client: AsyncClient) -> None:
    api.seed({"apiVersion": "v1", "kind": "Pod", **POD})
    api.seed({"apiVersion": "v1", "kind": "Pod", **POD})
    api.compact()
    with pytest.raises(StatusError) as gone:
        async for _ in client.watch("pods", resource_version="1"):
            pass
    assert (gone.value.code, gone.value.reason) == (410, "Expired")


async def test_leaving_a_watch_closes_it(api: FakeApi, client: AsyncClient) -> None:
    api.seed({"apiVersion": "v1", "kind": "Pod", **POD})
    async with aclosing(client.watch("pods")) as events:
        async for _ in events:
            break
    assert api.watch_count == 0


@pytest.mark.looptime
async def test_wait_sees_the_change_and_gives_up_in_time(api: FakeApi, client: AsyncClient) -> None:
    loop = asyncio.get_running_loop()
    started = loop.time()
    pod = {"apiVersion": "v1", "kind": "Pod", **POD}
    ready = {"conditions": [{"type": "Ready", "status": "True"}]}
    loop.call_later(1, lambda: api.seed(pod))
    loop.call_later(2, lambda: api.modify("pods", "p", lambda p: p.update(status=ready)))
    loop.call_later(3, lambda: api.remove("pods", "p"))
    found = await client.wait("pods", "p", condition="create", timeout=30)
    assert found is not None and loop.time() - started == pytest.approx(1)
    found = await client.wait("pods", "p", condition="condition=Ready", timeout=30)
    assert found is not None and found["status"] == ready
    assert await client.wait("pods", "p", condition="delete", timeout=30) is None
    assert loop.time() - started == pytest.approx(3)
    api.seed(pod)
    with pytest.raises(WaitTimeout, match=r"timed out after 5 s waiting for condition=Ready of pods default/p") as late:
        await client.wait("pods", "p", condition="condition=Ready", timeout=5)
    assert late.value.last is not None
    assert sum(isinstance(call, ListCall) for call in api.calls) == 4  # one each: no polling
    assert api.watch_count == 0


@pytest.mark.looptime
async def test_wait_outlives_an_expired_version(api: FakeApi, client: AsyncClient) -> None:
    loop = asyncio.get_running_loop()
    api.seed({"apiVersion": "v1", "kind": "Pod", **POD})

    def lose() -> None:
        api.down = True
        api.break_watches()
        api.modify("pods", "p", lambda p: p.update(status={"phase": "Running"}))
        api.seed({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n"}})
        api.compact()

    def back() -> None:
        api.down = False

    loop.call_later(1, lose)
    loop.call_later(5, back)
    running = await client.wait(
        "pods", "p", condition=lambda p: p is not None and p.get("status", {}).get("phase") == "Running", timeout=30
    )
    assert running is not None


def test_condition_strings() -> None:
    pod = {"metadata": {"generation": 2}, "status": {"conditions": [{"type": "Ready", "status": "False"}]}}
    assert compile_condition("condition=Ready=false")(pod)
    assert not compile_condition("condition=Ready")(pod)
    assert not compile_condition("condition=Other")(None)
    behind = {
        "metadata": {"generation": 2},
        "status": {"observedGeneration": 1, "conditions": [{"type": "A", "status": "True"}]},
    }
    assert not compile_condition("condition=A")(behind)
    with pytest.raises(ValueError, match="unknown condition"):
        compile_condition("ready")
