"""Ranges of sizes and costs, within unsigned 64 bits: what would overflow stays at the end."""

import math
from dataclasses import dataclass
from typing import Final

MAX: Final = 2**64 - 1
_TWO_64: Final = 2.0**64


@dataclass(frozen=True, slots=True)
class Range:
    """At least and at most; of elements, characters or units of cost."""

    low: int
    high: int

    def plus(self, other: "Range") -> "Range":
        return Range(min(self.low + other.low, MAX), min(self.high + other.high, MAX))

    def times(self, other: "Range") -> "Range":
        return Range(min(self.low * other.low, MAX), min(self.high * other.high, MAX))

    def scaled(self, factor: float) -> "Range":
        """Rounded up."""
        return Range(_scaled(self.low, factor), _scaled(self.high, factor))

    def union(self, other: "Range") -> "Range":
        return Range(min(self.low, other.low), max(self.high, other.high))


def _scaled(value: int, factor: float) -> int:
    product = float(value) * factor
    if product >= _TWO_64:
        return MAX
    scaled = math.ceil(product)
    return MAX if scaled >= MAX else scaled


def fixed(value: int) -> Range:
    return Range(value, value)


UNKNOWN: Final = Range(0, MAX)
ZERO: Final = Range(0, 0)
ONE: Final = Range(1, 1)


@dataclass(frozen=True, slots=True)
class CallEstimate:
    """`size`: of the result, if it has one that is known."""

    cost: Range
    size: Range | None = None
