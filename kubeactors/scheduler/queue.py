"""The pods that wait for a node: ready to be tried, backing off after a failure, or waiting for something to happen.

A pod that fits nowhere is tried again when an event happens that concerns what refused it, but not before its
back-off has passed. Nothing here waits or does I/O; `clock` is monotonic, in seconds.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from itertools import count

from kubeactors.api.meta import Object
from kubeactors.scheduler.config import SchedulerConfig
from kubeactors.scheduler.framework import Event
from kubeactors.scheduler.shape import Shape


class Place(Enum):
    ACTIVE = "active"
    BACKOFF = "backing off"
    UNSCHEDULABLE = "unschedulable"
    GATED = "gated"
    IN_FLIGHT = "in flight"


@dataclass
class Waiting:
    """One pod in the queue. `since` and `last_attempt` are the queue's clock's."""

    uid: str
    pod: Object
    shape: Shape
    since: float
    ticket: int
    place: Place = Place.ACTIVE
    attempts: int = 0
    last_attempt: float = 0.0
    events: Event = Event.ANY
    entry: int = 0  # tells the valid entry in a heap from outdated ones


class SchedulingQueue:
    def __init__(self, config: SchedulerConfig, clock: Callable[[], float], on_ready: Callable[[], None]) -> None:
        """`on_ready` is called whenever a pod becomes ready to be tried."""
        self._config = config
        self._clock = clock
        self._on_ready = on_ready
        self._pods: dict[str, Waiting] = {}
        self._unschedulable: dict[str, Waiting] = {}
        self._active: list[tuple[int, int, int, str]] = []
        self._delayed: list[tuple[float, int, str]] = []
        self._tickets = count(1)
        self._entries = count(1)

    def __len__(self) -> int:
        return len(self._pods)

    def __contains__(self, uid: str) -> bool:
        return uid in self._pods

    def get(self, uid: str) -> Waiting | None:
        return self._pods.get(uid)

    def counts(self) -> dict[str, int]:
        """How many pods are in which state."""
        counted = {place.value: 0 for place in Place}
        for waiting in self._pods.values():
            counted[waiting.place.value] += 1
        return counted

    def put(self, uid: str, pod: Object, shape: Shape, gated: bool) -> None:
        """A pod that needs a node, new or changed. What changed it may have made it schedulable."""
        waiting = self._pods.get(uid)
        if waiting is None:
            waiting = self._pods[uid] = Waiting(uid, pod, shape, self._clock(), next(self._tickets))
            self._move(waiting, Place.GATED if gated else Place.ACTIVE)
            return
        changed = shape != waiting.shape
        waiting.pod, waiting.shape = pod, shape
        if waiting.place is Place.IN_FLIGHT:
            return
        if gated:
            self._move(waiting, Place.GATED)
        elif waiting.place is Place.GATED:
            self._move(waiting, Place.ACTIVE)
        elif changed and waiting.place is Place.UNSCHEDULABLE:
            self._retry(waiting)
        elif changed and waiting.place is Place.ACTIVE:
            self._move(waiting, Place.ACTIVE)  # its priority may have changed

    def remove(self, uid: str) -> None:
        """The pod is bound, finished or gone."""
        self._pods.pop(uid, None)
        self._unschedulable.pop(uid, None)

    def pop(self, limit: int) -> list[Waiting]:
        """Up to `limit` pods to try now: highest priority first, then longest waiting. They are in flight then."""
        self._release_due()
        popped: list[Waiting] = []
        while self._active and len(popped) < limit:
            _, _, entry, uid = heapq.heappop(self._active)
            waiting = self._pods.get(uid)
            if waiting is None or waiting.place is not Place.ACTIVE or waiting.entry != entry:
                continue
            waiting.place = Place.IN_FLIGHT
            waiting.attempts += 1
            waiting.last_attempt = self._clock()
            popped.append(waiting)
        return popped

    def unschedulable(self, waiting: Waiting, events: Event) -> None:
        """No node would do; one of `events` may change that."""
        if self._pods.get(waiting.uid) is waiting:
            waiting.events = events
            self._move(waiting, Place.UNSCHEDULABLE)

    def failed(self, waiting: Waiting) -> None:
        """The attempt went wrong for a reason that is not the cluster's state: try again after the back-off."""
        if self._pods.get(waiting.uid) is waiting:
            self._move(waiting, Place.BACKOFF)

    def happened(self, event: Event) -> None:
        """Have those tried again that this concerns."""
        for waiting in [w for w in self._unschedulable.values() if w.events & event]:
            self._retry(waiting)

    def next_due(self) -> float | None:
        """When (by the clock) a pod becomes ready by the passing of time; None if none will."""
        while self._delayed:
            due, entry, uid = self._delayed[0]
            waiting = self._pods.get(uid)
            if waiting is not None and waiting.entry == entry:
                return due
            heapq.heappop(self._delayed)
        return None

    def backoff(self, waiting: Waiting) -> float:
        """How long a pod rests after its last attempt, in seconds."""
        doubled = self._config.initial_backoff * 2.0 ** min(max(0, waiting.attempts - 1), 16)
        return float(min(self._config.max_backoff, doubled))

    def _retry(self, waiting: Waiting) -> None:
        rested = self._clock() - waiting.last_attempt
        self._move(waiting, Place.ACTIVE if rested >= self.backoff(waiting) else Place.BACKOFF)

    def _move(self, waiting: Waiting, place: Place) -> None:
        waiting.place = place
        waiting.entry = next(self._entries)
        self._unschedulable.pop(waiting.uid, None)
        if place is Place.ACTIVE:
            heapq.heappush(self._active, (-waiting.shape.priority, waiting.ticket, waiting.entry, waiting.uid))
            self._on_ready()
        elif place is Place.BACKOFF:
            self._delay(waiting, waiting.last_attempt + self.backoff(waiting))
        elif place is Place.UNSCHEDULABLE:
            self._unschedulable[waiting.uid] = waiting
            # Should an event be missed, the pod is not forgotten for ever.
            self._delay(waiting, waiting.last_attempt + self._config.unschedulable_timeout)

    def _delay(self, waiting: Waiting, due: float) -> None:
        heapq.heappush(self._delayed, (due, waiting.entry, waiting.uid))
        self._on_ready()  # so that the timer is set anew

    def _release_due(self) -> None:
        now = self._clock()
        while self._delayed and self._delayed[0][0] <= now:
            _, entry, uid = heapq.heappop(self._delayed)
            waiting = self._pods.get(uid)
            if waiting is not None and waiting.entry == entry:
                self._move(waiting, Place.ACTIVE)
