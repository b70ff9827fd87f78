"""Ending one run of a container: preStop, stop signal, SIGKILL at the deadline. What a KillContainer action does."""

import asyncio
import logging
import signal

from kubeactors.api.meta import Object
from nodeagent.pods.context import NodeContext
from nodeagent.pods.hooks import HookFailure, run_hook
from nodeagent.pods.planner import MINIMUM_GRACE
from nodeagent.pods.state import Run
from nodeagent.probes.interface import Target
from nodeagent.runtime.interface import RuntimeFailure
from nodeagent.waiting import wait_event

logger = logging.getLogger(__name__)

#: How long the kernel may take to end a process after SIGKILL before we try again, in seconds.
_KILL_PATIENCE = 10.0


class Ending:
    """The end of one run. The deadline may be moved forward while it goes on."""

    def __init__(self, context: NodeContext, run: Run, deadline: float) -> None:
        self._context = context
        self._run = run
        self._deadline = deadline
        self._changed = asyncio.Event()
        self._ended = asyncio.Event()
        if run.status == "exited":
            self._ended.set()

    def ended(self) -> None:
        """The run has exited."""
        self._ended.set()
        self._changed.set()

    def hasten(self, deadline: float) -> None:
        """End it at `deadline` (seconds since the epoch) at the latest."""
        if deadline < self._deadline:
            self._deadline = deadline
            self._changed.set()

    async def run(self, hook: Object | None, target: Target) -> str | None:
        """Do it; returns what was wrong with the preStop hook, if anything."""
        complaint = None
        if hook and not self._ended.is_set():
            complaint = await self._run_hook(hook, target)
            # A hook that took all the time still leaves the process a moment to end by itself.
            self._deadline = max(self._deadline, self._context.clock() + MINIMUM_GRACE)
        await self._signal(self._run.stop_signal)
        await self._wait_until_deadline()
        while not self._ended.is_set():
            await self._signal(signal.SIGKILL)
            if not await wait_event(self._ended, _KILL_PATIENCE):
                logger.warning("container %s does not end after SIGKILL", self._run.id[:12])
        return complaint

    async def _run_hook(self, hook: Object, target: Target) -> str | None:
        left = max(MINIMUM_GRACE, self._deadline - self._context.clock())
        running = asyncio.create_task(run_hook(hook, target, self._context.runtime, self._context.handlers, left))
        try:
            while not running.done():
                # The run may end under its hook, or be wanted sooner.
                changed = asyncio.create_task(self._changed.wait())
                left = max(0.0, self._deadline - self._context.clock())
                try:
                    await asyncio.wait({running, changed}, timeout=left, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    changed.cancel()
                if self._ended.is_set() or self._context.clock() >= self._deadline:
                    break
                self._changed.clear()
            if running.done():
                running.result()
                return None
            return None if self._ended.is_set() else "preStop hook did not end within the grace period"
        except HookFailure as error:
            return str(error)
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    async def _wait_until_deadline(self) -> None:
        while not self._ended.is_set():
            left = self._deadline - self._context.clock()
            if left <= 0:
                return
            self._changed.clear()
            if self._ended.is_set():
                return
            await wait_event(self._changed, left)

    async def _signal(self, number: int) -> None:
        if self._ended.is_set():
            return
        try:
            await self._context.runtime.signal(self._run.id, number)
        except RuntimeFailure as error:
            logger.warning("signal %d to container %s: %s", number, self._run.id[:12], error)
