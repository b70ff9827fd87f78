"""Faults, one after another, chosen by a seed: each is done, lasts a while, and is undone.

A fault is an async function of the target, a source of chance and the seconds that it lasts. It leaves every member
running and every cut healed; `heal_all` does so whatever went wrong.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from typing import cast

from tests.linearizability.target import ChangeableTarget, Target, status_of

PATIENCE = 30.0  # seconds for a new member's start

Fault = Callable[[Target, random.Random, float], Awaitable[None]]


async def _kill(target: Target, names: Sequence[str], seconds: float) -> None:
    await asyncio.gather(*(target.kill(name) for name in names))
    await asyncio.sleep(seconds)
    await asyncio.gather(*(target.restart(name) for name in names))


async def _pause(target: Target, names: Sequence[str], seconds: float) -> None:
    for name in names:
        target.pause(name)
    try:
        await asyncio.sleep(seconds)
    finally:
        for name in names:
            target.go_on(name)


async def _cut(target: Target, pairs: Sequence[tuple[str, str]], seconds: float) -> None:
    for sender, receiver in pairs:
        target.cut(sender, receiver)
    try:
        await asyncio.sleep(seconds)
    finally:
        target.heal()


async def _leader(target: Target, chance: random.Random) -> str:
    return await target.leader() or chance.choice(target.names)


def _between(some: Sequence[str], others: Sequence[str]) -> list[tuple[str, str]]:
    return [pair for a in some for b in others if a != b for pair in ((a, b), (b, a))]


def _rest(target: Target, names: Sequence[str]) -> list[str]:
    return [name for name in target.names if name not in names]


def _majority(target: Target, chance: random.Random) -> list[str]:
    return chance.sample(target.names, len(target.names) // 2 + 1)


async def kill_one(target: Target, chance: random.Random, seconds: float) -> None:
    await _kill(target, [chance.choice(target.names)], seconds)


async def kill_leader(target: Target, chance: random.Random, seconds: float) -> None:
    await _kill(target, [await _leader(target, chance)], seconds)


async def kill_majority(target: Target, chance: random.Random, seconds: float) -> None:
    await _kill(target, _majority(target, chance), seconds)


async def kill_all(target: Target, chance: random.Random, seconds: float) -> None:
    await _kill(target, target.names, seconds)


async def pause_one(target: Target, chance: random.Random, seconds: float) -> None:
    await _pause(target, [chance.choice(target.names)], seconds)


async def pause_leader(target: Target, chance: random.Random, seconds: float) -> None:
    """It comes back and does not know yet that it leads no more: what it answers then must not be from the past."""
    await _pause(target, [await _leader(target, chance)], seconds)


async def pause_majority(target: Target, chance: random.Random, seconds: float) -> None:
    await _pause(target, _majority(target, chance), seconds)


async def isolate_one(target: Target, chance: random.Random, seconds: float) -> None:
    alone = [chance.choice(target.names)]
    await _cut(target, _between(alone, _rest(target, alone)), seconds)


async def isolate_leader(target: Target, chance: random.Random, seconds: float) -> None:
    alone = [await _leader(target, chance)]
    await _cut(target, _between(alone, _rest(target, alone)), seconds)


async def deafen_leader(target: Target, chance: random.Random, seconds: float) -> None:
    """One way: the others hear the leader, it does not hear them."""
    leader = await _leader(target, chance)
    await _cut(target, [(other, leader) for other in _rest(target, [leader])], seconds)


async def mute_leader(target: Target, chance: random.Random, seconds: float) -> None:
    """One way: the leader hears the others, they do not hear it."""
    leader = await _leader(target, chance)
    await _cut(target, [(leader, other) for other in _rest(target, [leader])], seconds)


async def one_way_cut(target: Target, chance: random.Random, seconds: float) -> None:
    sender, receiver = chance.sample(target.names, 2)
    await _cut(target, [(sender, receiver)], seconds)


async def halves(target: Target, chance: random.Random, seconds: float) -> None:
    """A majority and a minority."""
    majority = _majority(target, chance)
    await _cut(target, _between(majority, _rest(target, majority)), seconds)


async def bridge(target: Target, chance: random.Random, seconds: float) -> None:
    """Two parts that see each other only through one member."""
    names = chance.sample(target.names, len(target.names))
    middle, sides = names[0], names[1:]
    half = len(sides) // 2
    assert middle not in sides
    await _cut(target, _between(sides[:half], sides[half:]), seconds)


async def kill_and_cut(target: Target, chance: random.Random, seconds: float) -> None:
    """One member dies while another is cut off; the dead one comes back first."""
    dead, alone = chance.sample(target.names, 2)
    for sender, receiver in _between([alone], _rest(target, [alone])):
        target.cut(sender, receiver)
    try:
        await _kill(target, [dead], seconds)
        await asyncio.sleep(seconds / 2)
    finally:
        target.heal()


async def replace_one(target: Target, chance: random.Random, seconds: float) -> None:
    """Whichever it is, the leader too: out of the cluster, and a new member with no data in."""
    changeable = cast(ChangeableTarget, target)
    await changeable.remove(chance.choice(target.names))
    await asyncio.sleep(seconds)
    await _joined(target, await changeable.add())


async def grow_and_shrink(target: Target, chance: random.Random, seconds: float) -> None:
    """A new member in, and one of the old ones out."""
    changeable = cast(ChangeableTarget, target)
    old = chance.choice(target.names)
    await _joined(target, await changeable.add())
    await asyncio.sleep(seconds)
    await changeable.remove(old)


async def _joined(target: Target, name: str) -> None:
    """As etcd's, a new member compares the members it was told of with the cluster's: no other change before it has."""
    async with asyncio.timeout(PATIENCE):
        while await status_of(target.endpoint(name), target.tls) is None:
            assert target.running(name), f"{name} ended by itself:\n{target.log_tail(name)}"
            await asyncio.sleep(0.1)


KILLS: dict[str, Fault] = {
    "kill_one": kill_one,
    "kill_leader": kill_leader,
    "kill_majority": kill_majority,
    "kill_all": kill_all,
}
PAUSES: dict[str, Fault] = {"pause_one": pause_one, "pause_leader": pause_leader, "pause_majority": pause_majority}
CUTS: dict[str, Fault] = {
    "isolate_one": isolate_one,
    "isolate_leader": isolate_leader,
    "deafen_leader": deafen_leader,
    "mute_leader": mute_leader,
    "one_way_cut": one_way_cut,
    "halves": halves,
    "bridge": bridge,
    "kill_and_cut": kill_and_cut,
}
CHANGES: dict[str, Fault] = {"replace_one": replace_one, "grow_and_shrink": grow_and_shrink}
FAULTS: dict[str, Fault] = {**KILLS, **PAUSES, **CUTS, **CHANGES}


class Nemesis:
    """Does faults until `seconds` have passed. `done`: their names, in order. Which ones follows from `seed`."""

    def __init__(
        self,
        target: Target,
        faults: Sequence[str],
        *,
        seed: int = 0,
        lasting: tuple[float, float] = (0.5, 3.0),
        between: tuple[float, float] = (0.3, 2.0),
    ) -> None:
        self.done: list[str] = []
        self._target = target
        self._faults = list(faults)
        self._chance = random.Random(seed)
        self._lasting = lasting
        self._between = between

    async def run(self, seconds: float, at_least: int = 0) -> None:
        """For `seconds`, or longer for `at_least` faults. Each once, in an order by chance, before any comes twice."""
        end = asyncio.get_running_loop().time() + seconds
        left: list[str] = []
        try:
            while True:
                await asyncio.sleep(self._chance.uniform(*self._between))
                left = left or self._chance.sample(self._faults, len(self._faults))
                lasting = self._chance.uniform(*self._lasting)
                if asyncio.get_running_loop().time() + lasting > end and len(self.done) >= at_least:
                    return
                name = left.pop()
                self.done.append(name)
                await FAULTS[name](self._target, self._chance, lasting)
                for member in self._target.names:
                    ended = f"{member} ended by itself:\n{self._target.log_tail(member)}"
                    assert self._target.running(member), ended
        finally:
            await heal_all(self._target)


async def heal_all(target: Target) -> None:
    """Every member runs, every cut is healed."""
    target.heal()
    for name in target.names:
        if target.running(name):
            target.go_on(name)
        else:
            await target.restart(name)
