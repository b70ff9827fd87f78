"""All group versions of other API servers: which there are, and passing requests for them on."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Callable, Coroutine
from datetime import datetime
from typing import Any

import aiohttp
from aiohttp import web

from kubeactors.api import meta
from kubeactors.api.errors import StatusError
from kubeactors.api.meta import Object
from kubeactors.apiserver.aggregation import forwarding
from kubeactors.apiserver.aggregation.availability import LOCAL, Verdict
from kubeactors.apiserver.aggregation.backing import SERVICE_NAME, Backing
from kubeactors.apiserver.aggregation.follower import Follower
from kubeactors.apiserver.aggregation.front_proxy import FrontProxy
from kubeactors.apiserver.aggregation.kinds import RemoteKind, kinds_of
from kubeactors.apiserver.aggregation.remote import AVAILABLE, GroupVersion, is_available, remote_of
from kubeactors.apiserver.aggregation.route import Route
from kubeactors.apiserver.metrics.families import Counter, Family, Gauge
from kubeactors.apiserver.registry.own_status import update_status
from kubeactors.apiserver.registry.resource import Resource
from kubeactors.apiserver.registry.writes import Writer
from kubeactors.apiserver.request import UserInfo
from kubeactors.apiserver.streams.proxy.urls import Location
from kubeactors.apiserver.watchcache.record import Change
from kubeactors.store.errors import StoreError

logger = logging.getLogger(__name__)


class Aggregator:
    """Serves between `start`, which comes after the watch cache's, and `stop`.

    `changed` is called when what discovery and OpenAPI say of remote group versions changed. `monotonic` returns
    seconds.
    """

    def __init__(
        self,
        api_services: Resource,
        backing: Backing,
        proxy: FrontProxy,
        writer: Writer,
        now: Callable[[], datetime],
        monotonic: Callable[[], float],
    ) -> None:
        self._api_services = api_services
        self._backing = backing
        self._proxy = proxy
        self._writer = writer
        self._now = now
        self._monotonic = monotonic
        self.changed: Callable[[], None] = lambda: None
        self._followers: dict[str, Follower] = {}
        self._routes: dict[GroupVersion, Route] = {}
        # Namespace and name of a Service → the names of the APIServices that it backs.
        self._backed: dict[tuple[str, str], set[str]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._unavailable: dict[str, bool] = {}
        self._turned = Counter(
            "aggregator_unavailable_apiservice_total",
            "Counter of APIServices which are marked as unavailable broken down by APIService name and reason.",
            ("name", "reason"),
        )
        api_services.cache.listeners.append(self._noted)
        backing.services.cache.listeners.append(self._service_noted)
        backing.slices.cache.listeners.append(self._slice_noted)
        self._running = False

    # --- life

    async def start(self) -> None:
        self._running = True
        for record in self._api_services.cache.everything():
            self._put(record.decode())

    async def stop(self) -> None:
        self._running = False
        ending = [follower.end() for follower in self._followers.values()]
        for task in self._tasks:
            task.cancel()
        waiting = [task for task in (*ending, *self._tasks) if task is not None]
        await asyncio.gather(*waiting, return_exceptions=True)
        self._followers.clear()
        self._routes.clear()
        self._backed.clear()
        self._tasks.clear()

    # --- what the fronts ask

    def route(self, group: str, version: str) -> Route | None:
        """The route of a group version that is not this server's own."""
        return self._routes.get((group, version)) if self._routes else None

    def routes(self) -> list[Route]:
        """All of them, in an order that is the same on every server."""
        return [self._routes[key] for key in sorted(self._routes)]

    async def forward(self, http: web.BaseRequest, route: Route, user: UserInfo) -> web.StreamResponse:
        """Have the other server answer a request of `user`, who was allowed it."""
        return await forwarding.forward(http, route, user, self._backing, self._proxy)

    def locations(self, route: Route) -> list[Location]:
        """Where its server is. Raises Unresolvable."""
        return forwarding.known_locations(route, self._backing)

    async def tls(self, route: Route) -> ssl.SSLContext | None:
        """What its server is reached with; None where that cannot be."""
        return await self._proxy.prepare(route)

    @property
    def session(self) -> aiohttp.ClientSession:
        """For requests of this server's own making."""
        return self._proxy.backends.session

    def kind(self, group: str, version: str, plural: str) -> RemoteKind | None:
        """A kind of another server."""
        route = self.route(group, version)
        if route is None:
            return None
        return next((kind for kind in kinds_of(route) if kind.plural == plural), None)

    def kinds(self) -> list[RemoteKind]:
        """All that the other servers have."""
        return [kind for route in self.routes() for kind in kinds_of(route)]

    def metrics(self) -> list[Family]:
        """Which APIServices are not available, and how often and why each became so."""
        gauge = Gauge(
            "aggregator_unavailable_apiservice",
            "Gauge of APIServices which are marked as unavailable broken down by APIService name.",
            ("name",),
        )
        for name, unavailable in sorted(self._unavailable.items()):
            gauge.child(name).value = float(unavailable)
        return [gauge, self._turned]

    # --- APIServices that come and go

    def _noted(self, change: Change) -> None:
        if not self._running:
            return
        if change.record is None:
            self._remove(change.subject.name)
        else:
            self._put(change.record.decode())

    def _put(self, api_service: Object) -> None:
        name = meta.name(api_service)
        remote = remote_of(api_service)
        if remote is None:
            self._remove(name)
            self._unavailable[name] = False
            if _differs(api_service, LOCAL):
                self._own(self._keep_local(name))
            return
        follower = self._followers.get(name)
        if follower is None or follower.route.remote != remote:
            route = Route(remote)
            if follower is not None:
                route.inherit(follower.route)
            self._remove(name)
            follower = Follower(route, self._backing, self._proxy, self._tell, lambda: self.changed(), self._monotonic)
            self._followers[name] = follower
            self._routes[remote.group_version] = follower.route
            self._backed.setdefault((remote.namespace, remote.service), set()).add(name)
            follower.start()
            self.changed()
            logger.info("%s is served by %s/%s", name, remote.namespace, remote.service)
        follower.route.available = is_available(api_service)
        follower.look()

    def _remove(self, name: str) -> None:
        self._unavailable.pop(name, None)
        follower = self._followers.pop(name, None)
        if follower is None:
            return
        remote = follower.route.remote
        self._routes.pop(remote.group_version, None)
        backed = self._backed[remote.namespace, remote.service]
        backed.discard(name)
        if not backed:
            del self._backed[remote.namespace, remote.service]
        self._own(follower.stop())
        self.changed()
        logger.info("%s is no longer served by %s/%s", name, remote.namespace, remote.service)

    def _service_noted(self, change: Change) -> None:
        if self._backed:
            self._look(change.subject.namespace, change.subject.name)

    def _slice_noted(self, change: Change) -> None:
        if not self._backed:
            return
        for record in (change.previous, change.record):
            if record is not None:
                self._look(record.namespace, record.labels.get(SERVICE_NAME, ""))

    def _look(self, namespace: str, service: str) -> None:
        for name in self._backed.get((namespace, service), ()):
            self._followers[name].look()

    # --- conditions

    async def _tell(self, name: str, verdict: Verdict) -> None:
        """Raises StatusError, StoreError."""
        record = self._api_services.cache.get("", name)
        if record is None:
            return
        before = self._unavailable.get(name, False)
        self._unavailable[name] = not verdict.available
        if not verdict.available and not before:
            self._turned.child(name, verdict.reason).value += 1
        if not _differs(record.decode(), verdict):
            return
        now = self._now()
        await update_status(self._writer, self._api_services, name, lambda found: _set(found, verdict, now))

    async def _keep_local(self, name: str) -> None:
        try:
            now = self._now()
            await update_status(self._writer, self._api_services, name, lambda found: _set(found, LOCAL, now))
        except (StatusError, StoreError) as error:
            logger.warning("APIService %s: its condition could not be written: %s", name, error)

    def _own(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _differs(api_service: Object, verdict: Verdict) -> bool:
    found = meta.get_condition(api_service, AVAILABLE) or {}
    given = (found.get("status"), found.get("reason") or "", found.get("message") or "")
    return given != (verdict.status, verdict.reason, verdict.message)


def _set(api_service: Object, verdict: Verdict, now: datetime) -> bool:
    return meta.set_condition(
        api_service, AVAILABLE, verdict.status, now=now, reason=verdict.reason, message=verdict.message
    )
