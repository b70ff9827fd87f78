"""`Client`: the same verbs for code without asyncio. An AsyncClient lives on a loop in a thread of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence
from contextlib import aclosing
from os import PathLike
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

from kubeactors.client.async_client import DEFAULT_TIMEOUT, USER_AGENT, AsyncClient, PatchType
from kubeactors.client.kubeconfig import ClientConfig, in_cluster_config, load_kubeconfig
from kubeactors.client.resource import ResourceLike
from kubeactors.client.results import Object, ObjectList, WatchEvent
from kubeactors.client.sync_commands import SyncCommands, result_of
from kubeactors.client.tls import TlsConfig
from kubeactors.client.transport import Transport

T = TypeVar("T")

READ_AHEAD = 16
"""Items of a watch or log that wait for the reader."""


class Client(SyncCommands):
    """The synchronous twin of `AsyncClient`: same methods, same arguments, same errors. Safe to use from any thread.

    `watch` and `logs` return iterators; leave the loop, or call `close()` on the iterator, to end them. Use the client
    as a context manager or call `close()`.
    """

    def __init__(
        self,
        endpoints: Sequence[str] = (),
        tls: TlsConfig | None = None,
        *,
        user_agent: str = USER_AGENT,
        timeout: float = DEFAULT_TIMEOUT,
        default_namespace: str = "default",
        field_manager: str = "",
        config: ClientConfig | None = None,
        transport: Transport | None = None,
    ) -> None:
        self._async = AsyncClient(
            endpoints,
            tls,
            user_agent=user_agent,
            timeout=timeout,
            default_namespace=default_namespace,
            field_manager=field_manager,
            config=config,
            transport=transport,
        )
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="kubeactors client", daemon=True)
        self._thread.start()
        self._closed = False

    @classmethod
    def from_kubeconfig(
        cls, path: str | PathLike[str] | None = None, context: str | None = None, **options: Any
    ) -> Self:
        """See `AsyncClient.from_kubeconfig`."""
        return cls(config=load_kubeconfig(path, context), **options)

    @classmethod
    def in_cluster(cls, **options: Any) -> Self:
        """See `AsyncClient.in_cluster`."""
        return cls(config=in_cluster_config(), **options)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Ends open watches, closes the connections and ends the thread."""
        if self._closed:
            return
        self._closed = True
        asyncio.run_coroutine_threadsafe(self._shut(), self._loop).result(10.0)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10.0)
        self._loop.close()

    @property
    def default_namespace(self) -> str:
        return self._async.default_namespace

    def get(
        self,
        resource: ResourceLike,
        name: str,
        namespace: str | None = None,
        *,
        subresource: str | None = None,
        timeout: float | None = None,
    ) -> Object:
        """See `AsyncClient.get`."""
        return self._run(self._async.get(resource, name, namespace, subresource=subresource, timeout=timeout))

    def list(
        self,
        resource: ResourceLike,
        namespace: str | None = None,
        *,
        label_selector: str | None = None,
        field_selector: str | None = None,
        limit: int | None = None,
        continue_: str | None = None,
        resource_version: str | None = None,
        timeout: float | None = None,
    ) -> ObjectList:
        """See `AsyncClient.list`."""
        return self._run(
            self._async.list(
                resource,
                namespace,
                label_selector=label_selector,
                field_selector=field_selector,
                limit=limit,
                continue_=continue_,
                resource_version=resource_version,
                timeout=timeout,
            )
        )

    def watch(
        self,
        resource: ResourceLike,
        namespace: str | None = None,
        *,
        name: str | None = None,
        label_selector: str | None = None,
        field_selector: str | None = None,
        resource_version: str | None = None,
        timeout_seconds: int | None = None,
    ) -> SyncIterator[WatchEvent]:
        """See `AsyncClient.watch`."""
        return SyncIterator(
            self._loop,
            self._async.watch(
                resource,
                namespace,
                name=name,
                label_selector=label_selector,
                field_selector=field_selector,
                resource_version=resource_version,
                timeout_seconds=timeout_seconds,
            ),
        )

    def create(
        self,
        resource: ResourceLike,
        obj: Object,
        namespace: str | None = None,
        *,
        subresource: str | None = None,
        name: str | None = None,
        dry_run: bool = False,
        field_validation: str | None = None,
        timeout: float | None = None,
    ) -> Object:
        """See `AsyncClient.create`."""
        return self._run(
            self._async.create(
                resource,
                obj,
                namespace,
                subresource=subresource,
                name=name,
                dry_run=dry_run,
                field_validation=field_validation,
                timeout=timeout,
            )
        )

    def update(
        self,
        resource: ResourceLike,
        obj: Object,
        *,
        subresource: str | None = None,
        dry_run: bool = False,
        field_validation: str | None = None,
        timeout: float | None = None,
    ) -> Object:
        """See `AsyncClient.update`."""
        return self._run(
            self._async.update(
                resource,
                obj,
                subresource=subresource,
                dry_run=dry_run,
                field_validation=field_validation,
                timeout=timeout,
            )
        )

    def patch(
        self,
        resource: ResourceLike,
        name: str,
        patch: Object | Sequence[Object],
        namespace: str | None = None,
        *,
        patch_type: PatchType = "merge",
        subresource: str | None = None,
        dry_run: bool = False,
        timeout: float | None = None,
    ) -> Object:
        """See `AsyncClient.patch`."""
        return self._run(
            self._async.patch(
                resource,
                name,
                patch,
                namespace,
                patch_type=patch_type,
                subresource=subresource,
                dry_run=dry_run,
                timeout=timeout,
            )
        )

    def apply(
        self,
        obj: Object,
        *,
        field_manager: str | None = None,
        force: bool = False,
        subresource: str | None = None,
        resource: ResourceLike | None = None,
        dry_run: bool = False,
        field_validation: str | None = None,
        timeout: float | None = None,
    ) -> Object:
        """See `AsyncClient.apply`."""
        return self._run(
            self._async.apply(
                obj,
                field_manager=field_manager,
                force=force,
                subresource=subresource,
                resource=resource,
                dry_run=dry_run,
                field_validation=field_validation,
                timeout=timeout,
            )
        )

    def delete(
        self,
        resource: ResourceLike,
        name: str,
        namespace: str | None = None,
        *,
        grace_period_seconds: int | None = None,
        propagation_policy: str | None = None,
        preconditions: Mapping[str, str] | None = None,
        dry_run: bool = False,
        timeout: float | None = None,
    ) -> Object:
        """See `AsyncClient.delete`."""
        return self._run(
            self._async.delete(
                resource,
                name,
                namespace,
                grace_period_seconds=grace_period_seconds,
                propagation_policy=propagation_policy,
                preconditions=preconditions,
                dry_run=dry_run,
                timeout=timeout,
            )
        )

    def delete_collection(
        self,
        resource: ResourceLike,
        namespace: str | None = None,
        *,
        label_selector: str | None = None,
        field_selector: str | None = None,
        grace_period_seconds: int | None = None,
        propagation_policy: str | None = None,
        timeout: float | None = None,
    ) -> Object:
        """See `AsyncClient.delete_collection`."""
        return self._run(
            self._async.delete_collection(
                resource,
                namespace,
                label_selector=label_selector,
                field_selector=field_selector,
                grace_period_seconds=grace_period_seconds,
                propagation_policy=propagation_policy,
                timeout=timeout,
            )
        )

    def logs(
        self,
        pod: str,
        namespace: str | None = None,
        *,
        container: str | None = None,
        follow: bool = False,
        previous: bool = False,
        tail_lines: int | None = None,
        since_seconds: int | None = None,
        timestamps: bool = False,
    ) -> SyncIterator[bytes]:
        """See `AsyncClient.logs`."""
        return SyncIterator(
            self._loop,
            self._async.logs(
                pod,
                namespace,
                container=container,
                follow=follow,
                previous=previous,
                tail_lines=tail_lines,
                since_seconds=since_seconds,
                timestamps=timestamps,
            ),
        )

    def wait(
        self,
        resource: ResourceLike,
        name: str,
        namespace: str | None = None,
        *,
        condition: Callable[[Object | None], bool] | str,
        timeout: float,
    ) -> Object | None:
        """See `AsyncClient.wait`. A predicate runs on the client's thread."""
        return self._run(self._async.wait(resource, name, namespace, condition=condition, timeout=timeout))

    async def _shut(self) -> None:
        await self._async.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await self._loop.shutdown_asyncgens()


class SyncIterator(Generic[T]):
    """An iterator over an async generator that runs on the client's thread, in one task from beginning to end."""

    def __init__(self, loop: asyncio.AbstractEventLoop, source: AsyncGenerator[T, None]) -> None:
        self._loop = loop
        self._stream: _Stream[T] | None = _Stream(source)

    def __iter__(self) -> Iterator[T]:
        return self

    def __next__(self) -> T:
        if self._stream is None:
            raise StopIteration
        try:
            found = result_of(self._loop, self._stream.next())
        except BaseException:
            self._stream = None
            raise
        if found is None:
            self._stream = None
            raise StopIteration
        return found[0]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __del__(self) -> None:
        stream, self._stream = self._stream, None
        if stream is not None and not self._loop.is_closed():
            # `for` that was left early: end the stream; nobody is left to wait for it.
            asyncio.run_coroutine_threadsafe(stream.close(), self._loop)

    def close(self) -> None:
        """Ends the stream."""
        stream, self._stream = self._stream, None
        if stream is not None and not self._loop.is_closed():
            result_of(self._loop, stream.close())


class _Stream(Generic[T]):
    """Lives on the client's thread. Reads a few items ahead."""

    def __init__(self, source: AsyncGenerator[T, None]) -> None:
        self._source = source
        self._items: asyncio.Queue[tuple[T] | Exception | None] = asyncio.Queue(READ_AHEAD)
        self._task: asyncio.Task[None] | None = None

    async def next(self) -> tuple[T] | None:
        """An item, or None at the end. Raises what the generator raised."""
        if self._task is None:
            self._task = asyncio.create_task(self._pump())
        found = await self._items.get()
        if isinstance(found, Exception):
            raise found
        return found

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._source.aclose()

    async def _pump(self) -> None:
        end: Exception | None = None
        try:
            async with aclosing(self._source):
                async for item in self._source:
                    await self._items.put((item,))
        except Exception as error:  # noqa: BLE001 - it is raised where the item was asked for
            end = error
        await self._items.put(end)
