"""The actor around one component. It holds no state: killing it at any moment loses nothing."""

from __future__ import annotations

import asyncio
import logging
import os

from kubeactors.actors.components import build
from kubeactors.actors.logs import log_to_file
from kubeactors.actors.paths import Paths
from kubeactors.actors.settings import ComponentSettings
from kubeactors.actors.supervisor import Component, KeepsState, Purgeable, Supervisor

logger = logging.getLogger(__name__)


class ComponentActor:
    """Runs one component under a supervisor. Its constructor never raises, for Ray would not restart it then."""

    def __init__(self, settings: ComponentSettings) -> None:
        self._settings = settings
        self._prepared = False
        self._supervisor = Supervisor(settings.component, self._build)
        self._running = asyncio.get_running_loop().create_task(self._supervisor.run(), name=settings.component)

    def _build(self) -> Component:
        paths = Paths.from_environment(self._settings.root_dir)
        if not self._prepared:
            log_to_file(paths.log / f"{self._settings.component}.log")
            _lift_priority()
            self._prepared = True
        return build(self._settings, paths)

    async def report(self) -> tuple[int, dict[str, str]]:
        """The process that the component runs in, and its checks; each is "ok" or says what is wrong."""
        if self._running.done():
            error = None if self._running.cancelled() else self._running.exception()
            return os.getpid(), {"supervisor": f"ended: {error}"}
        return os.getpid(), await self._supervisor.health()

    async def take(self, state: str) -> None:
        """Hand the cluster's state to a component that keeps a copy."""
        component: object = self._supervisor.component
        if isinstance(component, KeepsState):
            component.take(state)

    def environment(self) -> dict[str, str]:
        """Ray's settings that this machine's `ray start` was given."""
        return {name: value for name, value in os.environ.items() if name.startswith("RAY_gcs_")}

    async def stop(self) -> None:
        """End the component and leave what it runs (containers, the store's process)."""
        await self._supervisor.stop()
        await self._running

    async def purge(self) -> None:
        """End the component and remove what it runs on this machine. Raises what the component raises."""
        await self.stop()
        component: object = self._build()
        if isinstance(component, Purgeable):
            await component.purge()

    async def delete_data(self) -> None:
        """Delete everything that the cluster keeps on this machine. Raises OSError."""
        await asyncio.to_thread(Paths.from_environment(self._settings.root_dir).delete_but_ray)


def _lift_priority() -> None:
    """Undo the niceness at which Ray runs its workers by default: requests wait for this process."""
    try:
        os.setpriority(os.PRIO_PROCESS, 0, 0)
    except PermissionError:
        logger.warning("cannot raise the process's priority; requests may wait when the machine is busy")
