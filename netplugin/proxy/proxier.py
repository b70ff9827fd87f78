"""The proxy's loop: informers → dirty Services → the table → the backend.

The first change is written at once; while changes keep coming they are collected, so that a burst costs a bounded
share of the processor. Before the first complete list of Services and EndpointSlices nothing is written: rules of an
earlier process stay in force until then, and afterwards only differences are.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable

from kubeactors.api import meta
from kubeactors.api.meta import Object
from kubeactors.client import InformerFactory
from netplugin.interface import PodRequest
from netplugin.proxy.backend import Backend, BackendError
from netplugin.proxy.table import SERVICE_NAME_LABEL, Rules, host_port_rules, merge, service_rules
from netplugin.threads import NodeThreads

logger = logging.getLogger(__name__)

_RESYNC = 60.0  # seconds after which the kernel's tables are checked although nothing changed
_SHARE = 4.0  # pause after a sync as a multiple of its duration: at most a fifth of a processor in a burst
_MAX_PAUSE = 1.0
_RETRY_FIRST, _RETRY_MOST = 0.5, 30.0
_BY_SERVICE = "service"


def slices_service(endpoint_slice: Object) -> list[str]:
    """The key of the Service that an EndpointSlice belongs to."""
    name = meta.labels(endpoint_slice).get(SERVICE_NAME_LABEL)
    return [f"{meta.namespace(endpoint_slice)}/{name}"] if name else []


class Proxier:
    """Keeps the node's service rules.

    The backend is made in the proxy's own thread, where all its calls happen. `purge_others` (given its name) removes
    what other backends left, when the node's mode has changed; it is called once, after the first complete sync.
    """

    def __init__(
        self,
        informers: InformerFactory,
        make_backend: Callable[[], Backend],
        *,
        node_name: str,
        min_sync_interval: float,
        purge_others: Callable[[str], None],
        namespace: str | None = None,
    ) -> None:
        self._make_backend = make_backend
        self._purge_others = purge_others
        self._node_name = node_name
        self._min_interval = min_sync_interval
        self._threads = NodeThreads("proxy", 1, namespace)
        self._services = informers.informer("services")
        self._slices = informers.informer("endpointslices.discovery.k8s.io", indexers={_BY_SERVICE: slices_service})
        self._backend: Backend | None = None
        self._task: asyncio.Task[None] | None = None
        self._wake = asyncio.Event()
        self._changes = 0  # that anybody told of
        self._written = -1  # how many of them the kernel has
        self._dirty: set[str] = set()
        self._owned: dict[str, Rules] = {}  # rules by who wants them: a Service's key, or "pod <uid>"
        self._problem = ""  # with the kernel
        self._waiting = "no list of services yet"  # for the API server
        self._conflicts: list[str] = []

    async def start(self, *, serve: bool = True) -> None:
        """Base rules now, service rules (if `serve`) once the informers have their lists. Raises BackendError."""
        backend = await self._threads.run(self._make_backend)
        self._backend = backend
        await self._threads.run(backend.prepare)
        if not serve:
            self._waiting = ""
            return
        self._services.add_handler(self._on_service, lambda _, new: self._on_service(new), self._on_service)
        self._slices.add_handler(self._on_slice, self._on_slice_update, self._on_slice)
        self._task = asyncio.create_task(self._run(backend), name="service proxy")

    async def stop(self) -> None:
        """End the loop; rules stay in the kernel."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None
        if self._backend is not None:
            await self._threads.run(self._backend.close)
            self._backend = None
        await self._threads.close()

    async def health(self) -> dict[str, str]:
        """Whether the kernel takes the rules. An API server that is away is no fault of this node: see `warnings`."""
        name = self._backend.name if self._backend is not None else "none"
        return {f"service proxy ({name})": self._problem or "ok"}

    def warnings(self) -> dict[str, str]:
        """What is impaired, by name."""
        return {"service proxy": self._waiting} if self._waiting else {}

    def set_host_ports(self, pod: PodRequest, addresses: Iterable[str]) -> None:
        """Lead the pod's hostPorts to it."""
        rules = host_port_rules(f"{pod.namespace}/{pod.name}", addresses, pod.host_ports)
        if rules and self._owned.get(f"pod {pod.uid}") != rules:
            self._owned[f"pod {pod.uid}"] = rules
            self._changed()

    def remove_host_ports(self, uid: str) -> None:
        if self._owned.pop(f"pod {uid}", None):
            self._changed()

    @property
    def idle(self) -> bool:
        """Whether the kernel has all that the informers told so far."""
        return self._written == self._changes

    # -- events ----------------------------------------------------------------------------------------------------

    def _on_service(self, service: Object) -> None:
        self._dirty.add(meta.key(service))
        self._changed()

    def _on_slice(self, endpoint_slice: Object) -> None:
        self._dirty.update(slices_service(endpoint_slice))
        self._changed()

    def _on_slice_update(self, old: Object, new: Object) -> None:
        self._on_slice(old)
        self._on_slice(new)

    def _changed(self) -> None:
        self._changes += 1
        self._wake.set()

    # -- the loop --------------------------------------------------------------------------------------------------

    async def _run(self, backend: Backend) -> None:
        while True:
            try:
                await asyncio.gather(self._services.wait_synced(), self._slices.wait_synced())
                break
            except TimeoutError as error:
                self._waiting = str(error)
        now = asyncio.get_running_loop().time
        retry = _RETRY_FIRST
        while True:
            self._wake.clear()
            started = now()
            try:
                pending = await self._sync(backend)
                self._problem, self._waiting, retry = "", "", _RETRY_FIRST
            except (BackendError, OSError) as error:
                self._problem = str(error)
                logger.error("service rules could not be written, next attempt in %.1f s: %s", retry, error)
                pending, retry = retry, min(2 * retry, _RETRY_MOST)
            except Exception as error:
                self._problem = repr(error)
                logger.exception("service rules could not be written, next attempt in %.1f s", retry)
                pending, retry = retry, min(2 * retry, _RETRY_MOST)
            await asyncio.sleep(min(max(self._min_interval, _SHARE * (now() - started)), _MAX_PAUSE))
            try:
                async with asyncio.timeout(pending):
                    await self._wake.wait()
            except TimeoutError:
                continue

    async def _sync(self, backend: Backend) -> float:
        """Write the table; returns the seconds until the next sync if nothing changes."""
        told = self._changes
        self._recompute()
        rules, conflicts = merge(self._owned.items())
        for conflict in conflicts:
            if conflict not in self._conflicts:
                logger.warning("%s", conflict)
        self._conflicts = conflicts

        def write() -> float:
            backend.sync(rules)
            pending = backend.pending()
            if self._written < 0:
                self._purge_others(backend.name)
            return _RESYNC if pending is None else min(pending, _RESYNC)

        pending = await self._threads.run(write)
        self._written = told
        return pending

    def _recompute(self) -> None:
        dirty, self._dirty = self._dirty, set()
        for key in sorted(dirty):
            service = self._services.lister.get_by_key(key)
            slices = self._slices.lister.by_index(_BY_SERVICE, key)
            rules = service_rules(service, slices, self._node_name) if service is not None else {}
            old = self._owned.get(key, {})
            # Rules that are equal stay the same objects: backends compare by identity first.
            rules = {front: old[front] if old.get(front) == rule else rule for front, rule in rules.items()}
            if rules:
                self._owned[key] = rules
            else:
                self._owned.pop(key, None)
