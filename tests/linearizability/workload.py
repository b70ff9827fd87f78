"""Clients that read, write, swap and delete a few keys at once, each through one endpoint, and record what happens.

Every value is written once in a run. Every client is pinned to one member, so that a member which answers from the past
is found out by those who ask the others.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tests.linearizability.history import History, Kind, Operation
from tests.linearizability.register import Found, NoAnswer, Refused, Register


@dataclass(frozen=True, slots=True)
class Mix:
    """What clients do: the share of each kind, the keys, the pause between two calls of one client in seconds."""

    get: float = 0.45
    put: float = 0.25
    cas: float = 0.22
    delete: float = 0.08
    keys: int = 6
    prefix: str = "r/"
    pause: float = 0.01
    timeouts: Sequence[float] = (0.7, 2.0, 5.0)

    @property
    def key_names(self) -> list[str]:
        return [f"{self.prefix}{number}" for number in range(self.keys)]


class Client:
    """One caller: one call at a time. `number` is unique in the run, and so are the values it writes."""

    def __init__(
        self, number: int, connect: Callable[[int, str], Register], endpoint: str, history: History, mix: Mix, seed: int
    ) -> None:
        self._number = number
        self._connect = connect
        self.endpoint = endpoint
        self._register = connect(number, endpoint)
        self._history = history
        self._mix = mix
        self._chance = random.Random(f"{seed}/{number}")
        self._timeout = mix.timeouts[number % len(mix.timeouts)]
        self._written = 0
        self._last: dict[str, Found] = {}

    async def close(self) -> None:
        await self._register.close()

    async def move(self, endpoint: str) -> None:
        await self._register.close()
        self.endpoint = endpoint
        self._register = self._connect(self._number, endpoint)

    async def run(self, stop: asyncio.Event, endpoints: Callable[[], Sequence[str]]) -> None:
        """`endpoints` are the members now: one that is no longer among them is left for another."""
        mix, chance = self._mix, self._chance
        kinds = [Kind.GET, Kind.PUT, Kind.CAS, Kind.DELETE]
        weights = [mix.get, mix.put, mix.cas, mix.delete]
        while not stop.is_set():
            answered = await self.one(chance.choices(kinds, weights)[0], chance.choice(mix.key_names))
            # A member that is down refuses at once: ask it again a little later, and not as fast as one can.
            await asyncio.sleep(chance.uniform(0, 2 * mix.pause) if answered else chance.uniform(0.02, 0.1))
            present = endpoints()
            if self.endpoint not in present:
                await self.move(chance.choice(present))

    async def one(self, kind: Kind, key: str) -> bool:
        """One call, recorded. True when it was answered."""
        value = expected = None
        if kind in (Kind.PUT, Kind.CAS):
            self._written += 1
            value = f"{self._number}.{self._written}"
        last = self._last.get(key, Found(None, 0))
        if kind is Kind.CAS:
            if self._chance.random() < 0.5:
                last = Found(last.value, 0)
            expected = last.value
        op = self._history.call(self._number, kind, key, value=value, expected=expected)
        try:
            await self._ask(op, last)
        except Refused as error:
            self._history.failed(op, str(error))
        except NoAnswer as error:
            self._history.unknown(op, str(error))
        else:
            return True
        return False

    async def _ask(self, op: Operation, last: Found) -> None:
        register, key, done = self._register, op.key, self._history.done
        if op.kind is Kind.GET:
            found = await register.get(key, self._timeout)
            done(op, observed=found.value, revision=found.revision, mod_revision=found.mod_revision)
            self._last[key] = found
        elif op.kind is Kind.PUT:
            assert op.value is not None
            revision = await register.put(key, op.value, self._timeout)
            done(op, revision=revision)
            self._last[key] = Found(op.value, revision, revision)
        elif op.kind is Kind.CAS:
            assert op.value is not None
            succeeded, found = await register.cas(key, last, op.value, self._timeout)
            if succeeded:
                done(op, succeeded=True, revision=found.revision)
                self._last[key] = Found(op.value, found.revision, found.revision)
            else:
                done(
                    op,
                    succeeded=False,
                    observed=found.value,
                    revision=found.revision,
                    mod_revision=found.mod_revision,
                )
                self._last[key] = found
        else:
            found = await register.delete(key, self._timeout)
            done(
                op,
                succeeded=found.value is not None,
                observed=found.value,
                revision=found.revision,
                mod_revision=found.mod_revision,
            )
            self._last[key] = Found(None, found.revision)


class Workload:
    """`clients` clients over `endpoints`, from `start` to `stop`. `connect` makes a register for (client, endpoint)."""

    def __init__(
        self,
        endpoints: Callable[[], Sequence[str]],
        connect: Callable[[int, str], Register],
        *,
        clients: int = 10,
        mix: Mix | None = None,
        seed: int = 0,
    ) -> None:
        self.history = History()
        self.mix = mix or Mix()
        self._endpoints = endpoints
        self._connect = connect
        self._count = clients
        self._clients: list[Client] = []
        self._seed = seed
        self._stop = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        present = self._endpoints()
        for number in range(self._count):
            client = self._client(present[number % len(present)])
            self._tasks.append(asyncio.create_task(client.run(self._stop, self._endpoints), name=f"client-{number}"))

    def _client(self, endpoint: str) -> Client:
        client = Client(len(self._clients), self._connect, endpoint, self.history, self.mix, self._seed)
        self._clients.append(client)
        return client

    async def stop(self) -> None:
        """Returns when the last call was answered or given up. Raises what a client raised."""
        self._stop.set()
        try:
            await asyncio.gather(*self._tasks)
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            for client in self._clients:
                await client.close()

    async def read_all(self, patience: float = 30.0) -> None:
        """A read of every key through each member, repeated until answered. Raises TimeoutError."""
        async with asyncio.timeout(patience):
            for endpoint in self._endpoints():
                client = self._client(endpoint)
                try:
                    for key in self.mix.key_names:
                        while not await client.one(Kind.GET, key):  # noqa: ASYNC110
                            await asyncio.sleep(0.1)
                finally:
                    await client.close()
