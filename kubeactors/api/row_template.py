"""A Table's row, made once for an object: what changes later are its ages, and these are put in when it is shown."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

import orjson

from kubeactors.api import duration
from kubeactors.api.duration import MARK_END, MARK_START, Marks, TimeNeeded
from kubeactors.api.kinds.kind import Kind
from kubeactors.api.meta import Object, parse_time
from kubeactors.api.table import make_row

_MARKS = re.compile(re.escape(MARK_START.encode()) + rb"([-+])([^|]*)" + re.escape(MARK_END.encode()))


@dataclass(frozen=True, slots=True)
class RowTemplate:
    """JSON of a row up to its object. `pieces` has one more than `times`, which stand between; each time comes with
    whether the age counts from it (else the time until it)."""

    kind: Kind
    pieces: tuple[bytes, ...]
    times: tuple[tuple[bool, datetime], ...]

    def render(self, now: datetime) -> bytes:
        """`{"cells":[…],"object":`: what follows is the object and a brace."""
        if len(self.times) == 1:
            return self.pieces[0] + _text(*self.times[0], now) + self.pieces[1]
        made = [self.pieces[0]]
        for time, piece in zip(self.times, self.pieces[1:], strict=True):
            made += (_text(*time, now), piece)
        return b"".join(made)


def row_template(kind: Kind, obj: Object) -> RowTemplate | None:
    """The template of an object's row; None for a kind whose cells depend on the time in another way than by ages."""
    try:
        row = make_row(kind, obj, Marks.now_unknown(), include_object="None")
    except TimeNeeded:
        return None
    text = orjson.dumps(row)
    found = _MARKS.split(text.removesuffix(b"null}"))
    times = tuple((sign == b"+", parse_time(at.decode())) for sign, at in zip(found[1::3], found[2::3], strict=True))
    return RowTemplate(kind, tuple(found[::3]), times)


def _text(since: bool, time: datetime, now: datetime) -> bytes:
    passed = (now - time).total_seconds()
    return duration.human(passed if since else -passed).encode()
