"""`Client`: the same verbs for code without asyncio. An AsyncClient lives on a loop in a thread of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Sequence
from os import PathLike
from types import TracebackType
from typing import Any, Self, TypeVar

from kubeactors.client.async_client import DEFAULT_TIMEOUT, USER_AGENT, AsyncClient
from kubeactors.client.kubeconfig import ClientConfig, in_cluster_config, load_kubeconfig
from kubeactors.client.sync_bridge import result_of
from kubeactors.client.sync_commands import SyncCommands
from kubeactors.client.sync_tasks import SyncTasks
from kubeactors.client.sync_verbs import SyncVerbs
from kubeactors.client.tls import TlsConfig
from kubeactors.client.transport import Transport

T = TypeVar("T")


class Client(SyncVerbs, SyncTasks, SyncCommands):
    """The synchronous twin of `AsyncClient`: same methods, same arguments, same errors. Safe to use from any thread.

    `iterate`, `watch` and `logs` return iterators; leave the loop, or call `close()` on the iterator, to end them. Use
    the client as a context manager or call `close()`.
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
        on_warning: Callable[[str], None] | None = None,
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
            on_warning=on_warning,
            config=config,
            transport=transport,
        )
        self._loop = asyncio.new_event_loop()
        self._thread: threading.Thread | None
        self._thread = threading.Thread(target=self._loop.run_forever, name="kubeactors client", daemon=True)
        self._thread.start()
        self._closed = False

    @classmethod
    def over(cls, client: AsyncClient, loop: asyncio.AbstractEventLoop) -> Self:
        """For the threads of a program whose `loop` runs already: the same connections as `client`, which stays open
        when this is closed. Not for use on the loop's own thread, which it would block."""
        made = cls.__new__(cls)
        made._async, made._loop, made._thread, made._closed = client, loop, None, False
        return made

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
        if self._thread is None:
            return
        asyncio.run_coroutine_threadsafe(self._shut(), self._loop).result(10.0)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10.0)
        self._loop.close()

    @property
    def default_namespace(self) -> str:
        return self._async.default_namespace

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        if self._closed:
            work.close()
            raise RuntimeError("the client is closed")
        return result_of(self._loop, work)

    async def _shut(self) -> None:
        await self._async.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await self._loop.shutdown_asyncgens()
