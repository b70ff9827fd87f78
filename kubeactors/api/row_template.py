"""A Table's row, made once for an object: what changes later are its ages, and these are put in when it is shown."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import orjson

from kubeactors.api import duration
from kubeactors.api.duration import MARK_END, MARK_START, Marks, TimeNeeded
from kubeactors.api.kinds.kind import Kind
from kubeactors.api.meta import Object, parse_time
from kubeactors.api.table import make_row

_MARKS = re.compile(re.escape(MARK_START.encode()) + rb"([-+])([^|]*)" + re.escape(MARK_END.encode()))


class Ages:
    """Ages as texts, at one moment. Many objects are of the same second."""

    def __init__(self, now: datetime) -> None:
        self.now = now
        self._texts: dict[tuple[bool, datetime], bytes] = {}

    def text(self, time: tuple[bool, datetime]) -> bytes:
        """`time`: whether the age counts from it (else the time until it), and when it is."""
        found = self._texts.get(time)
        if found is None:
            since, at = time
            passed = (self.now - at).total_seconds()
            found = self._texts[time] = duration.human(passed if since else -passed).encode()
        return found


@dataclass(frozen=True, slots=True)
class RowTemplate:
    """JSON of a row up to its object. `pieces` has one more than `times` (see `Ages`), which stand between."""

    kind: Kind
    pieces: tuple[bytes, ...]
    times: tuple[tuple[bool, datetime], ...]

    def render(self, ages: Ages) -> Sequence[bytes]:
        """The parts of `{"cells":[…],"object":`: what follows is the object and a brace."""
        pieces, times = self.pieces, self.times
        if len(times) == 1:
            return pieces[0], ages.text(times[0]), pieces[1]
        made = [pieces[0]]
        for time, piece in zip(times, pieces[1:], strict=True):
            made += (ages.text(time), piece)
        return made


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
