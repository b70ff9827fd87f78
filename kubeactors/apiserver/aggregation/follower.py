"""Looks after one remote group version: is its server there, and what does it serve?

Every API server does this for itself. All of them write the same condition, so it does not matter who is first.
"""

from __future__ import annotations

import asyncio
import logging
import random
import ssl
from collections.abc import Awaitable, Callable, Sequence

from kubeactors.api.errors import StatusError
from kubeactors.apiserver.aggregation import remote_discovery, remote_openapi
from kubeactors.apiserver.aggregation.availability import PASSED, Verdict, failed_check, judge
from kubeactors.apiserver.aggregation.backing import Backing
from kubeactors.apiserver.aggregation.front_proxy import Fetched, FrontProxy, Unanswered
from kubeactors.apiserver.aggregation.locations import Unresolvable, locations
from kubeactors.apiserver.aggregation.remote import Discovered, Document
from kubeactors.apiserver.aggregation.remote_discovery import Unreadable
from kubeactors.apiserver.aggregation.route import Route
from kubeactors.apiserver.streams.proxy.urls import Location
from kubeactors.store.errors import StoreError

logger = logging.getLogger(__name__)

#: Seconds between looks at a server of which nothing is heard.
RESYNC = 30.0
#: Seconds after which OpenAPI documents are asked for again.
OPENAPI_AGE = 60.0
_FIRST_RETRY = 0.2
#: How many endpoints are tried at once; one that answers is enough.
_ATTEMPTS = 5

# Brings the condition to the APIService of that name.
Tell = Callable[[str, Verdict], Awaitable[None]]


class Follower:
    """`changed` is called when the route's discovery or OpenAPI documents changed. `monotonic` returns seconds."""

    def __init__(
        self,
        route: Route,
        backing: Backing,
        proxy: FrontProxy,
        tell: Tell,
        changed: Callable[[], None],
        monotonic: Callable[[], float],
    ) -> None:
        self.route = route
        self._backing = backing
        self._proxy = proxy
        self._tell = tell
        self._changed = changed
        self._monotonic = monotonic
        self._wake = asyncio.Event()
        self._documents_at = float("-inf")
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name=f"api-service-{self.route.remote.name}")

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    def look(self) -> None:
        """Something that it depends on has changed."""
        self.route.locations = None
        self._wake.set()

    def end(self) -> asyncio.Task[None] | None:
        """Begin to stop; the task that ends."""
        if self._task is not None:
            self._task.cancel()
        return self._task

    async def _run(self) -> None:
        retry = _FIRST_RETRY
        while True:
            self._wake.clear()
            try:
                again = await self._check()
            except (StatusError, StoreError) as error:
                logger.warning("APIService %s: %s; trying again", self.route.remote.name, error)
                again = True
            except Exception:
                logger.exception("APIService %s; trying again", self.route.remote.name)
                again = True
            wait = retry if again else RESYNC
            retry = min(retry * 2, RESYNC) if again else _FIRST_RETRY
            try:
                async with asyncio.timeout(wait):
                    await self._wake.wait()
            except TimeoutError:
                continue

    async def _check(self) -> bool:
        """Look once; whether to look again soon."""
        route = self.route
        service, slices = self._backing.find(route.remote)
        verdict = judge(route.remote, service, slices)
        unanswered = False
        if verdict is None:
            try:
                verdict = await self._ask(locations(route.remote, service, slices))
            except Unresolvable as error:
                verdict = failed_check(str(error))
            unanswered = not verdict.available
        if not verdict.available:
            self._became_stale()
        route.reason = "" if verdict.available else verdict.reason
        await self._tell(route.remote.name, verdict)
        return unanswered

    async def _ask(self, found: Sequence[Location]) -> Verdict:
        """Whether the server answers at one of the addresses; if so, what it serves is noted."""
        tls = await asyncio.to_thread(self._proxy.unchecked)
        chosen = random.sample(found, min(_ATTEMPTS, len(found)))
        asked = [asyncio.create_task(self._probe(location, tls)) for location in chosen]
        try:
            failure = Unanswered("")
            for each in asyncio.as_completed(asked):
                try:
                    location = await each
                except Unanswered as error:
                    failure = error
                    continue
                await self._discover(location)
                return PASSED
            return failed_check(str(failure))
        finally:
            for task in asked:
                task.cancel()
            await asyncio.gather(*asked, return_exceptions=True)

    async def _probe(self, location: Location, tls: ssl.SSLContext) -> Location:
        path = f"/{remote_openapi.v3_path(self.route.remote)}"
        url = f"https://{location.authority}{path}"
        try:
            answer = await self._get(location, path, tls)
        except Unanswered as error:
            raise Unanswered(f"failing or missing response from {url}: {error}") from error
        if not 200 <= answer.status < 300:
            raise Unanswered(f"failing or missing response from {url}: bad status from {url}: {answer.status}")
        return location

    async def _get(
        self, location: Location, path: str, tls: ssl.SSLContext, accept: str = "", etag: str = ""
    ) -> Fetched:
        name = self.route.remote.server_name
        return await self._proxy.get(location, path, tls, name, accept=accept, etag=etag)

    # --- documents

    async def _discover(self, location: Location) -> None:
        """What the server tells of itself is believed only if it shows the right certificate."""
        tls = await self._proxy.prepare(self.route)
        if tls is None:
            self._became_stale()
            return
        try:
            document = await self._discovery(location, tls)
        except (Unanswered, Unreadable) as error:
            logger.info("APIService %s: discovery failed: %s", self.route.remote.name, error)
            self._became_stale()
            return
        self._became(Discovered(document, True))
        if self._monotonic() - self._documents_at >= OPENAPI_AGE:
            try:
                await self._openapi(location, tls)
            except Unanswered as error:
                logger.info("APIService %s: no OpenAPI: %s", self.route.remote.name, error)
            else:
                self._documents_at = self._monotonic()

    async def _discovery(self, location: Location, tls: ssl.SSLContext) -> Document:
        """Raises Unanswered, Unreadable."""
        route = self.route
        answer = await self._get(location, "/apis", tls, remote_discovery.ACCEPT, route.etag)
        if answer.status == 304:
            return dict(route.discovered.document)
        if answer.status == 200:
            document = remote_discovery.from_aggregated(answer.body, route.remote)
            if document is not None:
                route.etag = answer.etag
                return document
        elif answer.status not in (404, 406):
            raise Unanswered(f"/apis: status {answer.status}")
        path = f"/{remote_openapi.v3_path(route.remote)}"
        answer = await self._get(location, path, tls, "application/json")
        if answer.status != 200:
            raise Unanswered(f"{path}: status {answer.status}")
        return remote_discovery.from_resource_list(answer.body, route.remote)

    async def _openapi(self, location: Location, tls: ssl.SSLContext) -> None:
        """Raises Unanswered."""
        route = self.route
        index = await self._get(location, "/openapi/v3", tls, "application/json")
        found = remote_openapi.v3_hash(index.body, route.remote) if index.status == 200 else ""
        changed = found != route.openapi_hash
        route.openapi_hash = found
        swagger = await self._get(location, "/openapi/v2", tls, "application/json", route.swagger_etag)
        if swagger.status != 304:
            part = None
            if swagger.status == 200:
                part = await asyncio.to_thread(remote_openapi.swagger_part, swagger.body, route.remote)
            changed = changed or part != route.swagger
            route.swagger, route.swagger_etag = part, swagger.etag
        if changed:
            self._changed()

    def _became(self, discovered: Discovered) -> None:
        if discovered != self.route.discovered:
            self.route.discovered = discovered
            self._changed()

    def _became_stale(self) -> None:
        self._became(Discovered(self.route.discovered.document, False))
