"""Leader election in virtual time."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from kubeactors.api import errors
from kubeactors.client import LeaderElector
from tests.support.fake_api import FakeApi

pytestmark = pytest.mark.looptime


class Candidate:
    """An elector whose `lead` keeps when it led."""

    def __init__(self, api: FakeApi, identity: str) -> None:
        self.periods: list[tuple[float, float]] = []
        self.leaders: list[str] = []
        self.elector = LeaderElector(
            api.client(timeout=5), "scheduler", identity=identity, rand=lambda: 0.0, on_new_leader=self.leaders.append
        )
        self.task = asyncio.create_task(self.elector.run(self.lead))

    async def lead(self) -> None:
        now = asyncio.get_running_loop().time
        start = now()
        try:
            await asyncio.sleep(100_000)
        finally:
            self.periods.append((start, now()))

    def leads(self) -> bool:
        return self.elector.is_leader

    async def stop(self) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)


def lease(api: FakeApi) -> dict[str, Any]:
    found = api.get("leases", "scheduler", "kube-system")
    assert found is not None
    spec: dict[str, Any] = found["spec"]
    return spec


async def test_one_leads_and_renews_and_the_other_waits() -> None:
    api = FakeApi()
    a = Candidate(api, "a")
    await asyncio.sleep(1)
    b = Candidate(api, "b")
    await asyncio.sleep(100)
    assert (a.leads(), b.leads()) == (True, False)
    assert b.elector.leader == "a"
    assert (a.leaders, b.leaders) == (["a"], ["a"])
    spec = lease(api)
    assert (spec["holderIdentity"], spec["leaseDurationSeconds"], spec["leaseTransitions"]) == ("a", 15, 0)
    assert spec["acquireTime"] != spec["renewTime"]
    assert await a.elector.check() == "ok"
    await a.stop()
    await b.stop()


async def test_release_hands_over_within_a_retry_period() -> None:
    api = FakeApi()
    a = Candidate(api, "a")
    await asyncio.sleep(1)
    b = Candidate(api, "b")
    await asyncio.sleep(10)
    await a.stop()
    assert lease(api)["holderIdentity"] == ""
    await asyncio.sleep(3)
    assert b.leads()
    assert lease(api)["leaseTransitions"] == 1
    await b.stop()


async def test_a_dead_leader_is_replaced_after_its_lease_and_not_before() -> None:
    api = FakeApi()
    a = Candidate(api, "a")
    await asyncio.sleep(1)
    b = Candidate(api, "b")
    await asyncio.sleep(20)
    a.elector._release = lambda: asyncio.sleep(0)  # type: ignore[method-assign]
    await a.stop()  # as if killed: it releases nothing
    await asyncio.sleep(12)
    assert not b.leads()
    await asyncio.sleep(8)
    assert b.leads()
    assert lease(api)["holderIdentity"] == "b"
    await b.stop()


async def test_a_leader_cut_off_stops_before_another_may_start() -> None:
    api = FakeApi()
    a = Candidate(api, "a")
    await asyncio.sleep(10)
    cut = asyncio.get_running_loop().time()
    api.down = True
    await asyncio.sleep(30)
    assert not a.leads()
    assert 8 <= a.periods[0][1] - cut <= 11
    api.down = False
    await asyncio.sleep(20)
    assert a.leads()
    await a.stop()
    assert len(a.periods) == 2


async def test_a_leader_whose_lease_was_taken_stops_at_once() -> None:
    api = FakeApi()
    a = Candidate(api, "a")
    await asyncio.sleep(5)
    api.modify(
        "leases",
        "scheduler",
        lambda o: o["spec"].update(holderIdentity="thief", leaseDurationSeconds=15),
        "kube-system",
    )
    await asyncio.sleep(3)
    assert not a.leads()
    assert a.elector.leader == "thief"
    await asyncio.sleep(20)
    assert a.leads()
    assert lease(api)["leaseTransitions"] == 1
    await a.stop()


async def test_a_conflict_or_a_short_failure_does_not_cost_the_lead() -> None:
    api = FakeApi()
    a = Candidate(api, "a")
    await asyncio.sleep(5)
    api.modify("leases", "scheduler", lambda o: o["metadata"].update(labels={"x": "y"}), "kube-system")
    await asyncio.sleep(5)
    api.fail(errors.internal("disk"), verb="update", resource="leases", times=2)
    await asyncio.sleep(20)
    assert a.periods == []
    assert a.leads()
    await a.stop()


async def test_lead_that_returns_or_raises_ends_the_run_and_releases() -> None:
    api = FakeApi()
    client = api.client()

    async def done() -> None:
        return

    async def broken() -> None:
        raise RuntimeError("boom")

    await LeaderElector(client, "scheduler", identity="a").run(done)
    assert lease(api)["holderIdentity"] == ""
    with pytest.raises(RuntimeError, match="boom"):
        await LeaderElector(client, "scheduler", identity="a").run(broken)
    assert lease(api)["holderIdentity"] == ""


def test_impossible_times_are_refused() -> None:
    with pytest.raises(ValueError, match="lease_duration"):
        LeaderElector(FakeApi().client(), "x", identity="a", lease_duration=5, renew_deadline=10)
    with pytest.raises(ValueError, match="identity"):
        LeaderElector(FakeApi().client(), "x", identity="")
