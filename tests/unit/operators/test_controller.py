"""Controllers on an API in memory: config maps that own secrets stand for custom resources and their children."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any

import pytest

from kubeactors import AsyncContext, Conflict, Context, Controller, Object, Operator, PermanentError, controller
from kubeactors.api import errors
from kubeactors.client.lister import Lister
from tests.support.eventually import eventually
from tests.support.fake_api import FakeApi


@contextlib.asynccontextmanager
async def serving(api: FakeApi, *controllers: Controller, **options: Any) -> AsyncIterator[Operator]:
    operator = Operator(*controllers)
    client = api.client()
    serve = asyncio.create_task(operator.serve(client, **{"leader_election": False, **options}))
    try:
        ready = asyncio.create_task(operator.wait_ready())
        await asyncio.wait({serve, ready}, return_when=asyncio.FIRST_COMPLETED, timeout=10)
        ready.cancel()
        yield operator
        operator.stop()
        await asyncio.wait_for(serve, 30)
    finally:
        serve.cancel()
        await asyncio.gather(serve, return_exceptions=True)
        await client.close()
    assert api.watch_count == 0


def parent(name: str, **data: str) -> Object:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "default"}, "data": data}


def secret(name: str, **data: str) -> Object:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": data}


def names(api: FakeApi, resource: str) -> list[str]:
    return sorted(each["metadata"]["name"] for each in api.objects(resource))


@pytest.fixture
def api() -> FakeApi:
    return FakeApi()


async def test_children_follow_their_owner(api: FakeApi) -> None:
    calls: list[str] = []

    @controller("configmaps", owns=["secrets"])
    async def copies(obj: Object, ctx: AsyncContext) -> None:
        calls.append(ctx.name)
        await ctx.set_children([secret(f"{ctx.name}-{key}") for key in obj.get("data", {})])

    api.seed(parent("a", x="1", y="1"), secret("other") | {"metadata": {"name": "other", "namespace": "default"}})
    async with serving(api, copies):
        await eventually(lambda: names(api, "secrets") == ["a-x", "a-y", "other"])
        made = api.get("secrets", "a-x") or {}
        [reference] = made["metadata"]["ownerReferences"]
        assert (reference["kind"], reference["name"], reference["controller"]) == ("ConfigMap", "a", True)
        assert {each["manager"] for each in made["metadata"]["managedFields"]} == {"copies"}

        api.modify("configmaps", "a", lambda a: a.update(data={"y": "1", "z": "1"}))
        await eventually(lambda: names(api, "secrets") == ["a-y", "a-z", "other"])

        api.remove("secrets", "a-y")
        await eventually(lambda: names(api, "secrets") == ["a-y", "a-z", "other"])

        api.seed(parent("b", q="1"))
        await eventually(lambda: "b-q" in names(api, "secrets"))
    assert set(calls) == {"a", "b"}


async def test_a_kind_that_owns_its_like(api: FakeApi) -> None:
    @controller("configmaps", label_selector="root=yes", owns=["configmaps"])
    async def tree(obj: Object, ctx: AsyncContext) -> None:
        await ctx.set_children([parent(f"{ctx.name}-{key}") for key in obj.get("data", {})])

    root = parent("a", x="1", y="1")
    root["metadata"]["labels"] = {"root": "yes"}
    api.seed(root)
    async with serving(api, tree):
        await eventually(lambda: names(api, "configmaps") == ["a", "a-x", "a-y"])
        api.modify("configmaps", "a", lambda a: a.update(data={"x": "1"}))
        await eventually(lambda: names(api, "configmaps") == ["a", "a-x"])


async def test_own_writes_do_not_call_again(api: FakeApi) -> None:
    calls: list[Object] = []

    @controller("pods")
    async def starter(obj: Object, ctx: AsyncContext) -> None:
        calls.append(obj.get("status", {}).get("seen"))
        await ctx.patch_status({"seen": obj["metadata"]["labels"]["n"]})
        await ctx.set_condition("Seen", True, "Looked", "seen once")
        assert obj["status"]["conditions"][0]["reason"] == "Looked", "the function's object has what it wrote"

    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "labels": {"n": "1"}}, "spec": {}}
    api.seed(pod)
    async with serving(api, starter):
        await eventually(lambda: (api.get("pods", "p") or {}).get("status", {}).get("conditions"))
        api.modify("pods", "p", lambda p: p["metadata"].update(labels={"n": "2"}))
        await eventually(lambda: (api.get("pods", "p") or {})["status"]["seen"] == "2")
        [before] = (api.get("pods", "p") or {})["status"]["conditions"]
        # A write of another, of the status alone, does call.
        api.modify("pods", "p", lambda p: p["status"].update(seen="9"))
        await eventually(lambda: (api.get("pods", "p") or {})["status"]["seen"] == "2")
        assert (api.get("pods", "p") or {})["status"]["conditions"] == [before]
    assert calls == [None, "1", "9"]


async def test_a_plain_function_runs_in_a_thread(api: FakeApi) -> None:
    threads: set[str] = set()

    @controller("configmaps", owns=["secrets"], workers=2)
    def plain(obj: Object, ctx: Context) -> float | None:
        threads.add(threading.current_thread().name)
        [made] = ctx.set_children([secret(f"{ctx.name}-s")])
        ctx.event("Made", f"made {made['metadata']['name']}")
        assert ctx.client.get("secrets", f"{ctx.name}-s")["metadata"]["uid"] == made["metadata"]["uid"]
        return None if ctx.children("secrets") else 0.01

    api.seed(parent("a"))
    async with serving(api, plain):
        await eventually(lambda: [each["reason"] for each in api.objects("events")] == ["Made"])
    assert threads and all(name.startswith("plain") for name in threads)


async def test_failures_come_back_later_and_are_told(api: FakeApi, caplog: pytest.LogCaptureFixture) -> None:
    seen: list[int] = []

    @controller("configmaps")
    async def shaky(obj: Object, ctx: AsyncContext) -> None:
        seen.append(ctx.retries)
        if ctx.retries < 2:
            raise RuntimeError("not yet")

    api.seed(parent("a"))
    async with serving(api, shaky) as operator:
        await eventually(lambda: seen == [0, 1, 2])
        await eventually(lambda: api.objects("events"))
        text = operator.metrics.text().decode()
        assert 'controller_runtime_reconcile_total{controller="shaky",result="error"} 2.0' in text
    event = api.objects("events")[0]
    assert (event["type"], event["reason"], event["message"]) == ("Warning", "ReconcileFailed", "RuntimeError: not yet")
    assert event["source"]["component"] == "shaky"


async def test_a_permanent_error_waits_for_a_change(api: FakeApi, caplog: pytest.LogCaptureFixture) -> None:
    seen: list[str] = []

    @controller("configmaps")
    async def strict(obj: Object, ctx: AsyncContext) -> None:
        seen.append(obj["data"]["x"])
        if obj["data"]["x"] != "good":
            raise PermanentError("x must be good")

    api.seed(parent("a", x="bad"))
    with caplog.at_level(logging.WARNING):
        async with serving(api, strict):
            await eventually(lambda: [each["message"] for each in api.objects("events")] == ["x must be good"])
            await asyncio.sleep(0.1)
            assert seen == ["bad"]
            api.modify("configmaps", "a", lambda a: a["data"].update(x="good"))
            await eventually(lambda: seen == ["bad", "good"])
    assert "default/a waits for a change: x must be good" in caplog.text


async def test_cleaning_up_before_an_object_goes(api: FakeApi) -> None:
    done: list[str] = []
    cleaned = asyncio.Event()

    @controller("configmaps")
    async def careful(obj: Object, ctx: AsyncContext) -> None:
        assert obj["metadata"]["finalizers"] == ["kubeactors/careful"], "nothing is made that would not be cleaned up"
        done.append("made")

    @careful.on_delete
    async def clean(obj: Object, ctx: AsyncContext) -> float | None:
        done.append("asked")
        return None if cleaned.is_set() else 0.02

    api.seed(parent("a"))
    client = api.client()
    async with serving(api, careful):
        await eventually(lambda: done == ["made"])
        await client.delete("configmaps", "a")
        await eventually(lambda: len(done) >= 3)
        assert api.get("configmaps", "a") is not None
        cleaned.set()
        await eventually(lambda: api.get("configmaps", "a") is None)
    assert set(done[1:]) == {"asked"}


async def test_a_finalizer_that_is_no_longer_needed_goes(api: FakeApi) -> None:
    @controller("configmaps")
    async def careless(obj: Object, ctx: AsyncContext) -> None: ...

    left = parent("a")
    left["metadata"]["finalizers"] = ["kubeactors/careless", "example.com/other"]
    api.seed(left)
    async with serving(api, careless):
        await eventually(lambda: (api.get("configmaps", "a") or {})["metadata"]["finalizers"] == ["example.com/other"])


async def test_watched_objects_call_those_that_the_mapping_names(api: FakeApi) -> None:
    seen: list[tuple[str, int]] = []

    def of_secret(changed: Object, maps: Lister) -> Iterable[Object | str]:
        return [each for each in maps.list("default") if each["data"]["secret"] == changed["metadata"]["name"]]

    @controller("configmaps", watches={"secrets": of_secret})
    async def reader(obj: Object, ctx: AsyncContext) -> None:
        found = ctx.lister("secrets").get("default", obj["data"]["secret"])
        seen.append((ctx.name, 0 if found is None else len(found["stringData"])))

    api.seed(parent("a", secret="s"), parent("b", secret="t"))
    async with serving(api, reader):
        await eventually(lambda: sorted(seen) == [("a", 0), ("b", 0)])
        made = secret("s", x="1")
        made["metadata"]["namespace"] = "default"
        api.seed(made)
        await eventually(lambda: seen[2:] == [("a", 1)])


async def test_selectors_namespaces_and_intervals(api: FakeApi) -> None:
    seen: list[str] = []

    @controller("configmaps", label_selector="mine=yes", every=0.02)
    async def narrow(obj: Object, ctx: AsyncContext) -> None:
        seen.append(f"{ctx.namespace}/{ctx.name}")

    for name, namespace, labels in (
        ("a", "default", {"mine": "yes"}),
        ("b", "default", {}),
        ("c", "x", {"mine": "yes"}),
    ):
        made = parent(name)
        made["metadata"].update(namespace=namespace, labels=labels)
        api.seed(made)
    async with serving(api, narrow, namespace="default"):
        await eventually(lambda: len(seen) >= 3)
    assert set(seen) == {"default/a"}


async def test_stopping_lets_calls_end(api: FakeApi) -> None:
    begun, go, ended = asyncio.Event(), asyncio.Event(), []

    @controller("configmaps")
    async def slow(obj: Object, ctx: AsyncContext) -> None:
        begun.set()
        await go.wait()
        ended.append(ctx.name)

    api.seed(parent("a"))
    async with serving(api, slow) as operator:
        await begun.wait()
        operator.stop()
        asyncio.get_running_loop().call_later(0.05, go.set)
    assert ended == ["a"]


async def test_calls_that_do_not_end_are_cut_off(api: FakeApi, caplog: pytest.LogCaptureFixture) -> None:
    @controller("configmaps")
    async def endless(obj: Object, ctx: AsyncContext) -> None:
        await asyncio.Event().wait()

    api.seed(parent("a"))
    operator, client = Operator(endless, grace=0.05), api.client()
    serve = asyncio.create_task(operator.serve(client, leader_election=False))
    await operator.wait_ready()
    await asyncio.sleep(0)
    operator.stop()
    await asyncio.wait_for(serve, 30)
    assert "have not ended after 0.05 s: endless default/a" in caplog.text


@pytest.mark.looptime
async def test_one_copy_leads_and_the_next_takes_over(api: FakeApi) -> None:
    seen: list[str] = []

    def copy(which: str) -> Controller:
        @controller("configmaps", name="shared")
        async def shared(obj: Object, ctx: AsyncContext) -> None:
            seen.append(which)

        return shared

    api.seed(parent("a"))
    async with serving(api, copy("first"), leader_election=True):
        await eventually(lambda: seen == ["first"])
        second, client = Operator(copy("second")), api.client()
        waiting = asyncio.create_task(second.serve(client))
        await eventually(lambda: len([call for call in api.calls if "leases" in str(call)]) > 3)
        assert not second.is_leading
    await asyncio.wait_for(second.wait_ready(), 30)
    await eventually(lambda: seen == ["first", "second"])
    second.stop()
    await asyncio.wait_for(waiting, 30)


async def test_conflicts_are_retried_without_a_word(api: FakeApi) -> None:
    seen: list[int] = []

    @controller("configmaps")
    async def unlucky(obj: Object, ctx: AsyncContext) -> None:
        seen.append(ctx.retries)
        if not ctx.retries:
            raise errors.conflict("configmaps", "a")

    assert isinstance(errors.conflict("configmaps", "a"), Conflict)
    api.seed(parent("a"))
    async with serving(api, unlucky):
        await eventually(lambda: seen == [0, 1])
    assert api.objects("events") == []


Call = Callable[[], object]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: controller("pods", workers=0)(_nothing), "at least one worker"),
        (lambda: controller("pods", every=0)(_nothing), "more than 0"),
        (lambda: Operator(), "needs a controller"),
    ],
)
def test_what_cannot_be(make: Call, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


async def _nothing(obj: Object, ctx: AsyncContext) -> None: ...


async def test_children_that_cannot_belong(api: FakeApi) -> None:
    told: list[str] = []

    @controller("configmaps", owns=["secrets"])
    async def wrong(obj: Object, ctx: AsyncContext) -> None:
        far = secret("x")
        far["metadata"]["namespace"] = "elsewhere"
        for child in (far, {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n"}}):
            with pytest.raises(ValueError, match="cannot belong") as error:
                await ctx.apply(child)
            told.append(str(error.value))
        with pytest.raises(LookupError, match="neither owns nor watches pods"):
            ctx.lister("pods")
        with pytest.raises(LookupError, match="does not own configmaps"):
            await ctx.set_children([secret("x"), parent("y")])
        assert names(api, "secrets") == []

    api.seed(parent("a"))
    async with serving(api, wrong):
        await eventually(lambda: told)
    assert told == [
        "Secret elsewhere/x cannot belong to an object of default",
        "Node has no namespace: it cannot belong to an object of default",
    ]
