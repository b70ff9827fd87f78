"""Leader election on a Lease, with client-go's semantics (k8s.io/client-go/tools/leaderelection)."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

from kubeactors.api import meta
from kubeactors.api.errors import StatusError
from kubeactors.client.async_client import AsyncClient
from kubeactors.client.results import Object

logger = logging.getLogger(__name__)

JITTER = 1.2
RESOURCE = "leases.coordination.k8s.io"


class LeaderElector:
    """Lets one of several processes lead at a time.

    A lease counts from when this process saw it change, by its own monotonic clock, so clocks need not agree; they
    must run at about the same speed. A leader that cannot renew within `renew_deadline` seconds stops leading, before
    others may take over after `lease_duration`.
    """

    def __init__(
        self,
        client: AsyncClient,
        name: str,
        namespace: str = "kube-system",
        *,
        identity: str,
        lease_duration: float = 15.0,
        renew_deadline: float = 10.0,
        retry_period: float = 2.0,
        on_new_leader: Callable[[str], None] | None = None,
        clock: Callable[[], float] | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        rand: Callable[[], float] = random.random,
    ) -> None:
        if not lease_duration > renew_deadline > retry_period * JITTER > 0:
            raise ValueError("leader election needs lease_duration > renew_deadline > 1.2 * retry_period > 0")
        if not identity:
            raise ValueError("leader election needs an identity")
        self.identity = identity
        self._client = client
        self._name = name
        self._namespace = namespace
        self._lease_duration = lease_duration
        self._renew_deadline = renew_deadline
        self._retry_period = retry_period
        self._on_new_leader = on_new_leader
        self._clock = clock
        self._now = now
        self._rand = rand
        self._observed: Object | None = None
        self._observed_at = 0.0
        self._renewed_at = 0.0
        self._reported = ""
        self._leading = False

    @property
    def is_leader(self) -> bool:
        """Whether `lead` runs here now."""
        return self._leading

    @property
    def leader(self) -> str:
        """The identity of the leader as last seen; empty when there is none."""
        return str((self._observed or {}).get("spec", {}).get("holderIdentity") or "")

    async def run(self, lead: Callable[[], Awaitable[None]]) -> None:
        """Waits to be the leader, then runs `lead()`; cancels it when leadership is lost and stands again.

        Returns when `lead` returns by itself, raises what it raises. The lease is released on every way out, so that
        another process takes over at once.
        """
        try:
            while True:
                await self._acquire()
                logger.info("%s leads %s/%s", self.identity, self._namespace, self._name)
                if await self._lead(lead):
                    return
                logger.warning("%s lost the lease %s/%s", self.identity, self._namespace, self._name)
        finally:
            await asyncio.shield(self._release())

    async def check(self) -> str:
        """For health checks: "ok", or that this process leads although its lease has run out."""
        if self._leading and self._time() - self._renewed_at > self._lease_duration:
            return f"the lease {self._namespace}/{self._name} was not renewed in time"
        return "ok"

    # -- the three phases --------------------------------------------------------------------------------------------

    async def _acquire(self) -> None:
        while True:
            if await self._try(self._retry_period):
                return
            await asyncio.sleep(self._retry_period * (1.0 + JITTER * self._rand()))

    async def _lead(self, lead: Callable[[], Awaitable[None]]) -> bool:
        """True when `lead` ended by itself, False when the lease was lost and `lead` was cancelled for it."""

        async def run() -> None:
            await lead()

        self._leading = True
        task = asyncio.create_task(run(), name=f"leader {self._name}")
        renewal = asyncio.create_task(self._renew(), name=f"renew {self._name}")
        try:
            await asyncio.wait({task, renewal}, return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                task.result()
                return True
            renewal.result()
            return False
        finally:
            for child in (renewal, task):
                child.cancel()
            await asyncio.gather(renewal, task, return_exceptions=True)
            self._leading = False

    async def _renew(self) -> None:
        """Renews every `retry_period`; returns when that has failed for `renew_deadline` seconds."""
        while True:
            await asyncio.sleep(self._retry_period)
            deadline = self._renewed_at + self._renew_deadline
            while not await self._try(max(0.1, deadline - self._time())):
                left = deadline - self._time()
                if left <= 0 or self.leader not in ("", self.identity):
                    return
                await asyncio.sleep(min(self._retry_period, left))

    async def _release(self) -> None:
        """Gives the lease up with a duration of one second, as client-go does, if it is ours."""
        for attempt in range(2):
            held = self._observed
            if held is None or self.leader != self.identity:
                return
            stamp = self._stamp()
            freed = {"holderIdentity": "", "leaseDurationSeconds": 1, "renewTime": stamp, "acquireTime": stamp}
            wanted = {**held, "spec": {**held["spec"], **freed}}
            try:
                self._see(await self._client.update(RESOURCE, wanted, timeout=2.0))
                return
            except StatusError as error:
                if attempt or error.reason != "Conflict":
                    logger.warning("cannot release the lease %s/%s: %s", self._namespace, self._name, error)
                    return
            # A renewal that was cut short has changed it after all.
            try:
                self._see(await self._client.get(RESOURCE, self._name, self._namespace, timeout=2.0))
            except StatusError as error:
                logger.warning("cannot release the lease %s/%s: %s", self._namespace, self._name, error)
                return

    # -- the lease ---------------------------------------------------------------------------------------------------

    async def _try(self, timeout: float) -> bool:
        """One attempt to acquire or renew (client-go's tryAcquireOrRenew)."""
        try:
            async with asyncio.timeout(timeout):
                return await self._try_once()
        except TimeoutError:
            logger.warning("no answer about the lease %s/%s within %.1f s", self._namespace, self._name, timeout)
        except StatusError as error:
            level = logging.DEBUG if error.reason in ("Conflict", "AlreadyExists") else logging.WARNING
            logger.log(level, "cannot acquire or renew the lease %s/%s: %s", self._namespace, self._name, error)
        return False

    async def _try_once(self) -> bool:
        asked_at = self._time()
        if self._observed is not None and self.leader == self.identity and self._valid(asked_at):
            # The fast path: the lease is ours, so no read first.
            try:
                wanted = {**self._observed, "spec": self._spec(self._observed["spec"])}
                self._see(await self._client.update(RESOURCE, wanted))
                self._renewed_at = asked_at
                return True
            except StatusError as error:
                if error.code not in (404, 409):
                    raise
        try:
            current = await self._client.get(RESOURCE, self._name, self._namespace)
        except StatusError as error:
            if error.code != 404:
                raise
            fresh = {"metadata": {"name": self._name, "namespace": self._namespace}, "spec": self._spec(None)}
            self._see(await self._client.create(RESOURCE, fresh))
            self._renewed_at = asked_at
            return True
        if self._observed is None or current.get("spec") != self._observed.get("spec"):
            self._see(current)
        if self.leader not in ("", self.identity) and self._valid(asked_at):
            return False
        self._see(await self._client.update(RESOURCE, {**current, "spec": self._spec(current.get("spec"))}))
        self._renewed_at = asked_at
        return True

    def _spec(self, before: dict[str, Any] | None) -> dict[str, Any]:
        """The lease's next spec; acquireTime and leaseTransitions move only when the holder changes."""
        old = before or {}
        ours = old.get("holderIdentity") == self.identity
        transitions = int(old.get("leaseTransitions") or 0)
        return {
            **old,
            "holderIdentity": self.identity,
            "leaseDurationSeconds": max(1, round(self._lease_duration)),
            "acquireTime": old.get("acquireTime") if ours else self._stamp(),
            "renewTime": self._stamp(),
            "leaseTransitions": transitions if ours or not old else transitions + 1,
        }

    def _valid(self, now: float) -> bool:
        spec = (self._observed or {}).get("spec") or {}
        return self._observed_at + float(spec.get("leaseDurationSeconds") or self._lease_duration) > now

    def _see(self, lease: Object) -> None:
        self._observed = lease
        self._observed_at = self._time()
        if self.leader and self.leader != self._reported:
            self._reported = self.leader
            if self._on_new_leader is not None:
                self._on_new_leader(self.leader)

    def _stamp(self) -> str:
        return meta.now_rfc3339_micro(self._now())

    def _time(self) -> float:
        return self._clock() if self._clock is not None else asyncio.get_running_loop().time()
