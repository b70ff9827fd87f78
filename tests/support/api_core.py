"""An API server core on a store, with calls as tests like to write them.

async with running_core(FakeStore()) as api:
    pod = await api.create("pods", {"metadata": {"name": "a"}, …}, namespace="default")
    watch = await api.watch("pods", resource_version="0")
    event = await watch.next()
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import orjson

from kubeactors.api.kinds import KindRegistry, registry
from kubeactors.api.meta import Object
from kubeactors.apiserver.core import ApiCore, CoreConfig
from kubeactors.apiserver.request import JSON, MERGE_PATCH, Options, Request, Response, UserInfo, Verb, WatchStream
from kubeactors.apiserver.storage.transactions import StoreApi

USER = UserInfo("tester", ("system:authenticated",))
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
POD_SPEC = {"containers": [{"name": "c", "image": "example/c:1"}]}


class Sink:
    """Takes a watch's frames; `full` makes it refuse them."""

    def __init__(self) -> None:
        self.frames: list[bytes] = []
        self.full = False
        self.drains = 0
        self._arrived = asyncio.Event()

    def deliver(self, frame: bytes) -> bool:
        if self.full:
            return False
        self.frames.append(frame)
        self._arrived.set()
        return True

    async def drain(self) -> None:
        self.drains += 1
        await asyncio.sleep(0)

    async def arrival(self) -> None:
        """Wait until there is a frame that was not taken."""
        async with asyncio.timeout(20):
            while not self.frames:
                self._arrived.clear()
                await self._arrived.wait()


class Watching:
    """A watch that runs in a task of its own."""

    def __init__(self, stream: WatchStream) -> None:
        self.sink = Sink()
        self.task = asyncio.create_task(stream.run(self.sink))
        self._events: list[Any] = []

    async def next(self) -> Any:
        """The next event, decoded."""
        while not self._events:
            await self.sink.arrival()
            for frame in self.sink.frames:
                self._events += [orjson.loads(line) for line in frame.splitlines()]
            self.sink.frames.clear()
        return self._events.pop(0)

    async def names(self, count: int) -> list[tuple[str, str]]:
        """(type, name) of so many events."""
        events = [await self.next() for _ in range(count)]
        return [(event["type"], event["object"]["metadata"].get("name", "")) for event in events]

    async def idle(self) -> bool:
        """Whether nothing has come after the loop went round some times."""
        for _ in range(20):
            await asyncio.sleep(0)
        return not self._events and not self.sink.frames

    async def ended(self) -> None:
        async with asyncio.timeout(20):
            await self.task

    async def close(self) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)


class Api:
    """Calls on a handler. They raise StatusError and give decoded bodies."""

    def __init__(self, core: ApiCore, kinds: KindRegistry = registry) -> None:
        self.core = core
        self.kinds = kinds
        self.watches: list[Watching] = []

    async def request(
        self,
        verb: Verb,
        resource: str,
        *,
        namespace: str = "",
        name: str = "",
        body: Any = None,
        content_type: str = JSON,
        subresource: str = "",
        options: Options | None = None,
        **more: Any,
    ) -> Response:
        request = Request(
            verb=verb,
            kind=self.kinds.lookup(resource),
            user=USER,
            namespace=namespace,
            name=name,
            subresource=subresource,
            options=options or Options(),
            body=body if isinstance(body, bytes) else b"" if body is None else orjson.dumps(body),
            content_type=content_type,
            **more,
        )
        return await self.core.handler.handle(request)

    async def call(self, verb: Verb, resource: str, **more: Any) -> Any:
        return orjson.loads((await self.request(verb, resource, **more)).body)

    async def create(self, resource: str, obj: Object, namespace: str = "", **more: Any) -> Object:
        made: Object = await self.call("create", resource, namespace=namespace, body=obj, **more)
        return made

    async def get(self, resource: str, name: str, namespace: str = "", **options: Any) -> Object:
        found: Object = await self.call("get", resource, namespace=namespace, name=name, options=Options(**options))
        return found

    async def list(self, resource: str, namespace: str = "", **options: Any) -> Object:
        found: Object = await self.call("list", resource, namespace=namespace, options=Options(**options))
        return found

    async def names(self, resource: str, namespace: str = "", **options: Any) -> list[str]:
        found = await self.list(resource, namespace, **options)
        return [item["metadata"]["name"] for item in found["items"]]

    async def update(self, resource: str, obj: Object, **more: Any) -> Object:
        metadata = obj["metadata"]
        made: Object = await self.call(
            "update", resource, namespace=metadata.get("namespace", ""), name=metadata["name"], body=obj, **more
        )
        return made

    async def patch(self, resource: str, name: str, patch: Any, namespace: str = "", **more: Any) -> Object:
        more.setdefault("content_type", MERGE_PATCH)
        made: Object = await self.call("patch", resource, namespace=namespace, name=name, body=patch, **more)
        return made

    async def delete(self, resource: str, name: str, namespace: str = "", **options: Any) -> Object:
        gone: Object = await self.call(
            "delete",
            resource,
            namespace=namespace,
            name=name,
            body=options.pop("body", None),
            options=Options(**options),
        )
        return gone

    async def watch(self, resource: str, namespace: str = "", **options: Any) -> Watching:
        more = {key: options.pop(key) for key in ("watch_encoding", "form") if key in options}
        response = await self.request("watch", resource, namespace=namespace, options=Options(**options), **more)
        assert response.watch is not None
        watching = Watching(response.watch)
        self.watches.append(watching)
        await asyncio.sleep(0)
        return watching

    async def namespace(self, name: str) -> None:
        await self.create("namespaces", {"metadata": {"name": name}})

    async def pod(self, name: str, namespace: str = "ns", **spec: Any) -> Object:
        return await self.create("pods", {"metadata": {"name": name}, "spec": {**POD_SPEC, **spec}}, namespace)

    async def config_map(self, name: str, namespace: str = "ns", **metadata: Any) -> Object:
        return await self.create("configmaps", {"metadata": {"name": name, **metadata}, "data": {"k": "v"}}, namespace)


@contextlib.asynccontextmanager
async def running_core(store: StoreApi, namespace: str = "ns", **config: Any) -> AsyncIterator[Api]:
    """A started core on a store, with one namespace (unless another core on the store made it)."""
    config.setdefault("disabled_plugins", ("ServiceAccount",))  # no controller makes accounts here
    # Each core has kinds of its own: custom resources come and go with it.
    kinds = KindRegistry(registry.all())
    core = ApiCore(store, kinds, CoreConfig(**config), now=lambda: NOW)
    await core.start()
    api = Api(core, kinds)
    try:
        if namespace and namespace not in await api.names("namespaces"):
            await api.namespace(namespace)
        yield api
    finally:
        for watching in api.watches:
            await watching.close()
        await core.stop()
