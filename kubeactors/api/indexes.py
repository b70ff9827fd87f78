"""Indexes of an Indexed Job's pods as text: `0,3-5,7` (KEP-2214)."""

import re
from collections import deque
from itertools import pairwise
from typing import Final

from kubeactors.api.fielderrors import go_quote

_MAX_DIGITS: Final = 18

Interval = tuple[int, int]


class IndexesError(ValueError):
    """A text that lists no indexes below the number of completions; the message says why."""


def parse_indexes(text: str, completions: int) -> list[Interval]:
    """The intervals, first and last index each, in rising order. Raises IndexesError."""
    intervals = [parse_interval(part, completions) for part in text.split(",")] if text else []
    for (_, last), (first, _) in pairwise(intervals):
        if last >= first:
            raise IndexesError(f"non-increasing order, previous: {last}, current: {first}")
    return intervals


def parse_interval(text: str, completions: int) -> Interval:
    """`3-5` or `7`. Raises IndexesError."""
    limits = text.split("-")
    if len(limits) > 2:
        raise IndexesError(
            f"the fragment {go_quote(text)} violates the requirement that an index interval can have at most two "
            "parts separated by '-'"
        )
    numbers = []
    for limit in limits:
        if not re.fullmatch("[+]?[0-9]+", limit) or len(limit) > _MAX_DIGITS:
            raise IndexesError(f"cannot convert string to integer for index: {go_quote(limit)}")
        if int(limit) >= completions:
            raise IndexesError(f"too large index: {go_quote(limit)}")
        numbers.append(int(limit))
    if len(numbers) == 2 and numbers[0] >= numbers[1]:
        raise IndexesError(f"non-increasing order, previous: {numbers[0]}, current: {numbers[1]}")
    return numbers[0], numbers[-1]


def overlap(one: str, other: str, completions: int) -> int | None:
    """The first index that two lists share; parts that are no intervals are passed over."""
    left, right = deque(_readable(one, completions)), deque(_readable(other, completions))
    while left and right:
        (first, last), (other_first, other_last) = left[0], right[0]
        if first <= other_last and other_first <= last:
            return max(first, other_first)
        if first <= other_first:
            left.popleft()
        else:
            right.popleft()
    return None


def _readable(text: str, completions: int) -> list[Interval]:
    found = []
    for part in text.split(",") if text else ():
        try:
            found.append(parse_interval(part, completions))
        except IndexesError:
            continue
    return found
