"""Choosing an address or port from a range: pure functions of what is taken."""

from __future__ import annotations

import ipaddress
import random
from collections.abc import Callable
from dataclasses import dataclass

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Taken = Callable[[str], bool]

# How often a random choice is tried before the range is searched from a random place on.
_TRIES = 32


def static_band(size: int, least: int, divisor: int, most: int) -> int:
    """How much of a range's lower end is left for those who choose for themselves (KEP-3070, KEP-3668)."""
    return min(max(least, size // divisor), most) if size > least else 0


def choose(low: int, high: int, band: int, taken: Callable[[int], bool], rng: random.Random) -> int | None:
    """A free number of low…high, from the dynamic (upper) part while it lasts; None if all are taken."""
    for start, end in ((low + band, high), (low, low + band - 1)):
        if start > end:
            continue
        for _ in range(_TRIES):
            number = rng.randint(start, end)
            if not taken(number):
                return number
        first = rng.randint(start, end)
        for part in (range(first, end + 1), range(start, first)):
            for number in part:
                if not taken(number):
                    return number
    return None


@dataclass(frozen=True, slots=True)
class AddressRange:
    """The cluster addresses of a network: all but its own and the broadcast address."""

    network: Network

    @property
    def family(self) -> str:
        return "IPv4" if self.network.version == 4 else "IPv6"

    def refusal(self, address: str, *, dry_run: bool = False) -> str:
        """Why an address cannot be had from this range; empty if it can. Kubernetes words it otherwise on a dry run."""
        parsed = ipaddress.ip_address(address)
        first, last = self._bounds()
        if parsed.version == self.network.version and first <= int(parsed) <= last:
            return ""
        if not dry_run:
            return "the provided network does not match the current range"
        return f"the provided IP ({address}) is not in the valid range. The range of valid IPs is {self.network}"

    def choose(self, taken: Taken, rng: random.Random) -> str | None:
        first, last = self._bounds()
        band = static_band(last - first + 1, 16, 16, 256)
        make = ipaddress.IPv4Address if self.network.version == 4 else ipaddress.IPv6Address
        number = choose(first, last, band, lambda each: taken(str(make(each))), rng)
        return None if number is None else str(make(number))

    def _bounds(self) -> tuple[int, int]:
        first, last = int(self.network.network_address) + 1, int(self.network.broadcast_address)
        # IPv6 has no broadcast, and a range of more than 64 Ki addresses is enough for anyone.
        if self.network.version == 4:
            return first, last - 1
        return first, min(last, first + 0xFFFF)


@dataclass(frozen=True, slots=True)
class PortRange:
    """Node ports, both ends included."""

    low: int
    high: int

    def refusal(self, port: int) -> str:
        """Why a port cannot be had from this range; empty if it can."""
        if self.low <= port <= self.high:
            return ""
        return f"provided port is not in the valid range. The range of valid ports is {self.low}-{self.high}"

    def choose(self, taken: Taken, rng: random.Random) -> int | None:
        band = static_band(self.high - self.low + 1, 16, 32, 128)
        return choose(self.low, self.high, band, lambda each: taken(str(each)), rng)
