"""A network that loses, doubles, delays and reorders, and whose links can be cut, each direction by itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any

from tests.sim.timeline import Timeline


@dataclass
class Weather:
    """Seconds and probabilities. `slow`: how often something takes up to `slowest` instead of up to `latency`."""

    latency: float = 0.002
    slow: float = 0.0
    slowest: float = 0.5
    loss: float = 0.0
    doubled: float = 0.0


class Network:
    def __init__(self, timeline: Timeline, rng: Random) -> None:
        self.weather = Weather()
        self.cut: set[tuple[int, int]] = set()
        """(from, to)"""
        self._timeline = timeline
        self._random = rng.random

    def carries(self, sender: int, to: int) -> bool:
        """Whether something that is sent now will arrive."""
        return (sender, to) not in self.cut and self._random() >= self.weather.loss

    def delay(self) -> float:
        weather, random = self.weather, self._random
        if weather.slow and random() < weather.slow:
            return random() * weather.slowest
        return weather.latency * (0.1 + random())

    def send(self, sender: int, to: int, deliver: Callable[..., None], *arguments: Any) -> bool:
        """False: it is lost."""
        if (self.cut and (sender, to) in self.cut) or (self.weather.loss and self._random() < self.weather.loss):
            return False
        self._timeline.after(self.delay(), deliver, *arguments)
        if self.weather.doubled and self._random() < self.weather.doubled:
            self._timeline.after(self.delay() + self._random() * self.weather.slowest, deliver, *arguments)
        return True

    def heal(self) -> None:
        self.cut.clear()
        self.weather = Weather()
