"""Trials of a cluster under load from many writers: members die, stop, are replaced, or all die at once.

Each trial returns its figures and raises AssertionError when anything acknowledged is lost, applied twice, or applied
though it was refused. Limits on the figures are for the tests that call these.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from kubeactors.store.client import StoreClient
from tests.linearizability.target import ChangeableTarget, Target, serving, status_of
from tests.linearizability.writers import Writers, read_log

PATIENCE = 30.0


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least `share` of all do not exceed."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


async def everything_is_there(target: Target, load: Writers) -> None:
    """While the writers pause: each member's log has all that was acknowledged since this was last looked at."""
    async with load.paused():
        await serving(target)
        client = StoreClient([target.endpoint(target.names[0])], target.tls)
        try:
            last = await client.revision(timeout=PATIENCE)
        finally:
            await client.close()
        first = load.ledger.verified + 1
        for name in target.names:
            load.ledger.check(await read_log(target.endpoint(name), target.tls, first, last), first, last)
        load.ledger.settle(last)


def writers_of(target: Target, count: int) -> Writers:
    return Writers([target.endpoint(name) for name in target.names], target.tls, count)


# ---- the leader dies ----


@dataclass(slots=True)
class LeaderKills:
    """Seconds from the kill until the first write called after it was acknowledged; until every writer had one."""

    first: list[float] = field(default_factory=list)
    everybody: list[float] = field(default_factory=list)
    writes: int = 0
    unknown: int = 0
    rate: float = 0.0

    def __str__(self) -> str:
        def figures(values: list[float]) -> str:
            return f"p50 {percentile(values, 0.5):.2f}, p99 {percentile(values, 0.99):.2f}, max {max(values):.2f} s"

        return (
            f"kill -9 of the leader x {len(self.first)}: writes again after {figures(self.first)}; "
            f"all writers after {figures(self.everybody)}; {self.writes} acknowledged ({self.rate:.0f}/s between), "
            f"{self.unknown} with unknown outcome, none lost"
        )


async def kill_leaders(target: Target, trials: int, *, writers: int = 64, before: float = 1.0) -> LeaderKills:
    """`before`: seconds of undisturbed load before each kill."""
    result = LeaderKills()
    async with writers_of(target, writers) as load:
        for _ in range(trials):
            await load.until_all_write(time.monotonic(), PATIENCE)
            started = time.monotonic()
            await asyncio.sleep(before)
            leader = await known_leader(target)
            killed = time.monotonic()
            result.rate += load.ledger.rate(started, killed) / trials
            await target.kill(leader)
            await load.until_all_write(killed, PATIENCE)
            await target.restart(leader)
            await serving(target)
            back, all_back = load.ledger.first_after(killed), load.ledger.all_after(killed, writers)
            assert back is not None and all_back is not None
            result.first.append(back)
            result.everybody.append(all_back)
            await everything_is_there(target, load)
            await load.clients[0].compact(load.ledger.verified, timeout=PATIENCE)
        result.writes, result.unknown = len(load.ledger.acks), load.unknown
    return result


async def known_leader(target: Target) -> str:
    """Raises TimeoutError when there is none for long."""
    async with asyncio.timeout(PATIENCE):
        while (leader := await target.leader()) is None:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    return leader


# ---- a follower lags ----


@dataclass(slots=True)
class LaggingFollower:
    """Rates in acknowledged writes a second. `catch_up`: seconds until the follower had applied what was there when it
    went on; `rate_catching_up` is taken over at least 3 s from there on, less says little. `by_snapshot`: whether it
    was sent one, None when this is not known."""

    writes: int
    rate_before: float
    rate_stopped: float
    rate_catching_up: float
    catch_up: float
    longest_gap: float
    by_snapshot: bool | None

    def __str__(self) -> str:
        how = {True: "by snapshot", False: "from the log", None: ""}[self.by_snapshot]
        return (
            f"a follower stopped for {self.writes} writes: caught up in {self.catch_up:.1f} s {how}; "
            "the others wrote "
            f"{self.rate_before:.0f}/s before, {self.rate_stopped:.0f}/s without it, {self.rate_catching_up:.0f}/s "
            f"while it caught up, never silent for longer than {self.longest_gap:.2f} s; none lost"
        )


async def lagging_follower(
    target: ChangeableTarget, writes: int, *, writers: int = 64, seconds: float = 3.0
) -> LaggingFollower:
    """SIGSTOP to a follower until `writes` more are acknowledged, then SIGCONT. `seconds` of load before."""
    leader = await known_leader(target)
    follower = next(name for name in target.names if name != leader)
    # How soon a client leaves a member that hangs is another matter: these know only the others.
    others = [target.endpoint(name) for name in target.names if name != follower]
    async with Writers(others, target.tls, writers) as load:
        await load.until_all_write(time.monotonic(), PATIENCE)
        begin = time.monotonic()
        await asyncio.sleep(seconds)
        received = target.snapshots_received(follower)
        stopped = time.monotonic()
        target.pause(follower)
        try:
            await load.until_acknowledged(writes, 60 + writes / 200)
        finally:
            target.go_on(follower)
        went_on = time.monotonic()
        wanted = max(load.ledger.acknowledged)
        await caught_up(target, follower, wanted, 60 + writes / 1000)
        there = time.monotonic()
        await asyncio.sleep(max(0.0, 3.0 - (there - went_on)))
        end = time.monotonic()
        ledger = load.ledger
        received_now = target.snapshots_received(follower)
        result = LaggingFollower(
            writes=writes,
            rate_before=ledger.rate(begin, stopped),
            rate_stopped=ledger.rate(stopped, went_on),
            rate_catching_up=ledger.rate(went_on, max(there, went_on + 3.0)),
            catch_up=there - went_on,
            longest_gap=ledger.longest_gap(went_on, end),
            by_snapshot=None if received is None or received_now is None else received_now > received,
        )
        await everything_is_there(target, load)
    return result


async def caught_up(target: Target, name: str, revision: int, patience: float) -> None:
    """Until the member itself has applied `revision`. Raises TimeoutError."""
    async with asyncio.timeout(patience):
        while True:
            status = await status_of(target.endpoint(name), target.tls)
            if status is not None and status.revision >= revision:
                return
            await asyncio.sleep(0.05)


# ---- a member is replaced ----


@dataclass(slots=True)
class Replacement:
    """Seconds. `gap`: the longest without an acknowledged write, from the removal to the new member's catching up."""

    what: str
    removed: float
    added: float
    caught_up: float
    gap: float
    rate_before: float
    rate_meanwhile: float

    def __str__(self) -> str:
        return (
            f"{self.what} removed ({self.removed:.2f} s) and a new member added ({self.added:.2f} s), which caught up "
            f"after {self.caught_up:.1f} s: {self.rate_before:.0f} writes/s before, {self.rate_meanwhile:.0f}/s "
            f"meanwhile, never silent for longer than {self.gap:.2f} s; none lost"
        )


async def replace_member(
    target: ChangeableTarget, load: Writers, *, of_leader: bool, seconds: float = 2.0
) -> Replacement:
    """`seconds` of undisturbed load before."""
    await load.until_all_write(time.monotonic(), PATIENCE)
    begin = time.monotonic()
    await asyncio.sleep(seconds)
    leader = await known_leader(target)
    victim = leader if of_leader else next(name for name in target.names if name != leader)
    begun = time.monotonic()
    await target.remove(victim)
    removed = time.monotonic()
    new = await target.add()
    added = time.monotonic()
    await caught_up(target, new, max(load.ledger.acknowledged), PATIENCE)
    there = time.monotonic()
    await load.until_all_write(there, PATIENCE)
    end = time.monotonic()
    ledger = load.ledger
    result = Replacement(
        what="the leader" if of_leader else "a follower",
        removed=removed - begun,
        added=added - removed,
        caught_up=there - added,
        gap=ledger.longest_gap(begun, end),
        rate_before=ledger.rate(begin, begun),
        rate_meanwhile=ledger.rate(begun, end),
    )
    await everything_is_there(target, load)
    return result


# ---- all die at once ----


@dataclass(slots=True)
class AllKilled:
    """Seconds from the restart of the processes until the first write after it was acknowledged."""

    back: list[float] = field(default_factory=list)
    writes: int = 0
    unknown: int = 0

    def __str__(self) -> str:
        return (
            f"all killed at once x {len(self.back)}: writes again at most {max(self.back):.2f} s after the restart; "
            f"{self.writes} acknowledged, {self.unknown} with unknown outcome, none lost"
        )


async def kill_all_at_once(target: Target, trials: int, *, writers: int = 64, before: float = 1.5) -> AllKilled:
    """Kills every member under load, restarts all, and looks for every acknowledged write, by each member's own log."""
    result = AllKilled()
    async with writers_of(target, writers) as load:
        for _ in range(trials):
            await load.until_all_write(time.monotonic(), PATIENCE)
            await asyncio.sleep(before)
            await asyncio.gather(*(target.kill(name) for name in target.names))
            restarted = time.monotonic()
            await asyncio.gather(*(target.restart(name) for name in target.names))
            await load.until_all_write(restarted, PATIENCE)
            back = load.ledger.first_after(restarted)
            assert back is not None
            result.back.append(back)
            await everything_is_there(target, load)
        result.writes, result.unknown = len(load.ledger.acks), load.unknown
    return result
