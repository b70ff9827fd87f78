"""Keeps one component running: builds it, starts it, and starts it anew with back-off when it fails.

Ray restarts an actor's process at once and for ever, and never one whose constructor raised. So back-off is ours, and
a component that cannot start leaves its actor alive and able to say why.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Protocol, runtime_checkable

logger = logging.getLogger(__name__)

FIRST_DELAY = 0.2
LONGEST_DELAY = 15.0


class Component(Protocol):
    """What every component of the control plane and of a node is."""

    async def start(self) -> None:
        """Begin to serve; return once serving. Raises when it cannot."""

    async def stop(self) -> None:
        """End every task and close every connection."""

    async def health(self) -> dict[str, str]:
        """Named checks; each is "ok" or says what is wrong."""


@runtime_checkable
class Purgeable(Protocol):
    """A component that runs things which outlive it."""

    async def purge(self) -> None:
        """Remove every process, container, namespace, link and rule of the cluster that it keeps on this machine."""


@runtime_checkable
class KeepsState(Protocol):
    """A component that keeps this machine's copy of the cluster's state."""

    def take(self, state: str) -> None:
        """Keep it, if it is newer. Raises ValueError when it is none."""


class Supervisor:
    """Runs one component until told to stop."""

    def __init__(self, name: str, build: Callable[[], Component]) -> None:
        self._name = name
        self._build = build
        self.component: Component | None = None
        self._failure = "starting"
        self._failures = 0
        self._stopping = asyncio.Event()

    async def run(self) -> None:
        """Build and start the component, again with growing delay while that fails; stop it in the end."""
        delay = FIRST_DELAY
        while not self._stopping.is_set():
            component: Component | None = None
            try:
                component = self._build()
                await component.start()
            except Exception as error:
                self._failures += 1
                self._failure = f"{type(error).__name__}: {error}"
                logger.exception(
                    "%s could not start (failure %d); next try in %.1f s", self._name, self._failures, delay
                )
                if component is not None:
                    await self._stop(component)
                await self._pause(delay)
                delay = min(delay * 2, LONGEST_DELAY)
                continue
            logger.info("%s runs", self._name)
            self.component = component
            await self._stopping.wait()
            self.component = None
            await self._stop(component)

    async def stop(self) -> None:
        """End the component; `run` returns."""
        self._stopping.set()

    async def health(self) -> dict[str, str]:
        """The component's checks, or why it does not run."""
        if self.component is None:
            return {self._name: self._failure}
        return await self.component.health()

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        except TimeoutError:
            return

    async def _stop(self, component: Component) -> None:
        try:
            async with asyncio.timeout(LONGEST_DELAY):
                await component.stop()
        except Exception:
            logger.exception("%s did not stop cleanly", self._name)
