"""A component that cannot start is tried again with growing pauses, and its supervisor says why."""

import asyncio

import pytest

from kubeactors.actors.supervisor import LONGEST_DELAY, Supervisor


class Flaky:
    """Starts at the nth attempt."""

    def __init__(self, failures: int) -> None:
        self.failures = failures
        self.attempts: list[float] = []
        self.stopped = 0

    async def start(self) -> None:
        self.attempts.append(asyncio.get_running_loop().time())
        if len(self.attempts) <= self.failures:
            raise OSError("the disk is full")

    async def stop(self) -> None:
        self.stopped += 1

    async def health(self) -> dict[str, str]:
        return {"flaky": "ok"}


@pytest.mark.looptime
async def test_it_is_started_again_with_growing_pauses() -> None:
    flaky = Flaky(failures=9)
    supervisor = Supervisor("flaky", lambda: flaky)
    running = asyncio.create_task(supervisor.run())
    await asyncio.sleep(1)
    assert await supervisor.health() == {"flaky": "OSError: the disk is full"}
    await asyncio.sleep(60)
    assert await supervisor.health() == {"flaky": "ok"}
    pauses = [later - earlier for earlier, later in zip(flaky.attempts, flaky.attempts[1:], strict=False)]
    assert pauses == sorted(pauses)
    assert pauses[0] == pytest.approx(0.2)
    assert pauses[-1] == pytest.approx(LONGEST_DELAY)
    assert flaky.stopped == 9  # what a failed start left is cleaned up
    await supervisor.stop()
    await running
    assert flaky.stopped == 10


@pytest.mark.looptime
async def test_a_pause_ends_when_it_is_told_to_stop() -> None:
    flaky = Flaky(failures=1000)
    supervisor = Supervisor("flaky", lambda: flaky)
    running = asyncio.create_task(supervisor.run())
    await asyncio.sleep(30)
    before = asyncio.get_running_loop().time()
    await supervisor.stop()
    await running
    assert asyncio.get_running_loop().time() - before < 0.1


async def test_a_builder_that_raises_counts_as_a_failed_start() -> None:
    def build() -> Flaky:
        raise KeyError("no such component")

    supervisor = Supervisor("flaky", build)
    running = asyncio.create_task(supervisor.run())
    await asyncio.sleep(0)
    assert "no such component" in (await supervisor.health())["flaky"]
    await supervisor.stop()
    await running
