"""Is a history linearizable? Key by key, by Wing and Gong's search with Lowe's memory of what was tried.

J. Wing, C. Gong: Testing and Verifying Concurrent Objects (1993); G. Lowe: Testing for Linearizability (2017). Keys are
independent objects, and linearizability is local (Herlihy and Wing, 1990), so each key is searched alone.

Each operation becomes a `Step`: what must be there before it, and what is there after it. A step whose outcome is
unknown is optional: it may come at any time after its call, or never. Before the search, exact rules use that most
values are written once (`_reduce`): an unknown write that nobody saw is left out; one that somebody saw did happen,
before the first who saw it returned; and a write is over, at the latest, when the first who saw it returned. What is
left optional are deletions (absence has no name) and values written twice.

In the search three rules spare branches without losing an answer; each says at its place why.
"""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from math import inf

from tests.linearizability.history import Kind, Operation, Outcome, Unseen


class NotLinearizable(AssertionError):
    """What a client saw has no explanation by operations that each took effect at one moment during its call."""


class Undecided(Exception):
    """The search was given up at its limit: neither proved nor refuted."""


class Needs(Enum):
    ANYTHING = auto()
    VALUE = auto()  # exactly Step.needed
    OTHER = auto()  # anything but Step.needed
    SOMETHING = auto()  # any value, not absence


class Keep:
    """The step writes nothing."""


KEEP = Keep()
UNNAMED = "\0"  # stands for every value that no operation names


@dataclass(slots=True)
class Step:
    """One operation as the search sees it. `end` is infinite for an optional one."""

    op: Operation
    begin: float
    end: float
    needs: Needs
    needed: str | None
    writes: str | Keep | None
    optional: bool = False

    def possible(self, state: str | None) -> bool:
        if self.needs is Needs.ANYTHING:
            return True
        if self.needs is Needs.VALUE:
            return state == self.needed
        if self.needs is Needs.OTHER:
            return state != self.needed
        return state is not None


@dataclass(slots=True)
class Failure:
    """Why one key's history is not linearizable: the furthest the search came."""

    key: str
    reason: str
    operations: int
    order: list[Operation] = field(default_factory=list)
    state: str | None = None
    stuck: list[Operation] = field(default_factory=list)
    waiting: list[Operation] = field(default_factory=list)

    def __str__(self) -> str:
        lines = [f"key {self.key} ({self.operations} operations): {self.reason}"]
        if self.order:
            lines.append(f"  explained up to here, {len(self.order)} operations, the last of them:")
            lines += [f"    {op}" for op in self.order[-8:]]
            lines.append(f"  after which the value is {self.state}; none of these can come next:")
        lines += [f"    {op}" for op in self.stuck[:12]]
        if self.waiting:
            lines.append(f"  and these have yet to see {self.state}:")
            lines += [f"    {op}" for op in self.waiting[:4]]
        return "\n".join(lines)


def check(
    operations: Iterable[Operation], *, initial: Mapping[str, str] | None = None, seconds: float = 60.0
) -> list[Failure]:
    """The keys whose history is not linearizable; none: all are. Raises Undecided after `seconds` for one key.

    `initial`: what was there before the first operation. An operation that returned when another was called counts as
    concurrent with it.
    """
    keys: dict[str, list[Operation]] = defaultdict(list)
    for op in operations:
        keys[op.key].append(op)
    before = initial or {}
    failures = []
    for key, of_key in keys.items():
        failure = check_key(key, of_key, initial=before.get(key), seconds=seconds)
        if failure is not None:
            failures.append(failure)
    return failures


def assert_linearizable(
    operations: Iterable[Operation], *, initial: Mapping[str, str] | None = None, seconds: float = 60.0
) -> None:
    """Raises NotLinearizable, Undecided."""
    failures = check(operations, initial=initial, seconds=seconds)
    if failures:
        raise NotLinearizable("\n".join(str(failure) for failure in failures))


def check_key(
    key: str, operations: Sequence[Operation], *, initial: str | None = None, seconds: float = 60.0
) -> Failure | None:
    """One key's history. Raises Undecided."""
    steps = [step for op in operations if (step := _step(op)) is not None]
    found = _reduce(steps, initial)
    if isinstance(found, Step):
        if found.begin > found.end:
            reason = f"{found.needed} was seen before its write was called"
        else:
            reason = f"{found.needed} was seen, but nobody wrote it"
        return Failure(key, reason, len(operations), stuck=[found.op])
    return _Search(key, found, initial, seconds, len(operations)).run()


def _step(op: Operation) -> Step | None:
    """None when the operation tells and changes nothing."""
    if op.outcome is Outcome.FAILED:
        return None
    unknown = op.outcome is Outcome.UNKNOWN
    end = inf if unknown or op.returned is None else op.returned
    seen = None if isinstance(op.observed, Unseen) else op.observed
    told = not isinstance(op.observed, Unseen) and not unknown

    def step(needs: Needs, needed: str | None, writes: str | Keep | None) -> Step:
        return Step(op, op.call, end, needs, needed, writes, unknown)

    if op.kind is Kind.GET:
        return None if unknown else step(Needs.VALUE, seen, KEEP)
    if op.kind is Kind.PUT:
        return step(Needs.VALUE if told else Needs.ANYTHING, seen, op.value)
    if op.kind is Kind.CAS:
        if unknown or op.succeeded:
            return step(Needs.VALUE, op.expected, op.value)
        if told and seen != op.expected:
            return step(Needs.VALUE, seen, KEEP)
        return step(Needs.OTHER, op.expected, KEEP)
    if told:
        return step(Needs.VALUE, seen, None)
    if op.succeeded is None or unknown:
        return step(Needs.ANYTHING, None, None)
    return step(Needs.SOMETHING, None, None) if op.succeeded else step(Needs.VALUE, None, KEEP)


def _reduce(steps: list[Step], initial: str | None) -> list[Step] | Step:
    """The steps of an equivalent history that is easier to search; or the step that cannot be, as its proof."""
    while True:
        seen = {step.needed for step in steps if step.needs is Needs.VALUE}
        vague = any(step.needs in (Needs.OTHER, Needs.SOMETHING) for step in steps)
        # Whoever came between an unseen optional write and the next write would have seen it, so it changes nothing
        # for anybody. (A vague observer may have seen it without naming it.)
        kept = [s for s in steps if not s.optional or s.writes in seen or vague]
        if len(kept) == len(steps):
            break
        steps = kept
    named = seen | {step.needed for step in steps if step.needs is Needs.OTHER}
    for step in steps:
        if isinstance(step.writes, str) and step.writes not in named:
            step.writes = UNNAMED  # it makes no difference which of these it is
    written = Counter(step.writes for step in steps if not isinstance(step.writes, Keep))
    writer = {
        s.writes: s for s in steps if isinstance(s.writes, str) and written[s.writes] == 1 and s.writes != initial
    }
    changed = True
    while changed:
        changed = False
        for step in steps:
            if step.needs is not Needs.VALUE or step.optional or step.needed is None:
                continue
            source = writer.get(step.needed)
            if source is None:
                if not written[step.needed] and step.needed != initial:
                    return step
                continue
            # Who saw it came after the write was called, and the write before the first who saw it returned.
            if source.end > step.end:
                source.end = step.end
                source.optional = False
                changed = True
            if step.begin < source.begin:
                step.begin = source.begin
                changed = True
            if step.begin > step.end:
                return step
    return steps


class _Search:
    """Depth first, without recursion. The steps not yet placed are a linked list in the order of their calls."""

    def __init__(self, key: str, steps: list[Step], initial: str | None, seconds: float, operations: int) -> None:
        self._key = key
        self._operations = operations
        self._deadline = time.monotonic() + seconds
        self._steps = sorted((s for s in steps if not s.optional), key=lambda s: (s.begin, s.end))
        # Optional steps that do the same differ only in when they may begin: use the earliest first, count them.
        groups: dict[tuple[Needs, str | None, str | Keep | None], list[Step]] = defaultdict(list)
        for step in sorted((s for s in steps if s.optional), key=lambda s: s.begin):
            groups[step.needs, step.needed, step.writes].append(step)
        self._groups = list(groups.values())
        self._used = [0] * len(self._groups)
        self._state = initial
        count = len(self._steps)
        self._next = [*range(1, count + 1), 0]  # index `count` is the list's head
        self._previous = [count, *range(count)]
        self._head = count
        self._placed = 0
        self._order: list[Step] = []
        # Of the steps not yet placed: how many must see a value, how many (optional ones too) would see it or write it,
        # how many see without naming what.
        self._must_see: Counter[str | None] = Counter()
        self._needed: Counter[str | None] = Counter()
        self._writers: Counter[str | None] = Counter()
        self._vague = 0
        for step in steps:
            self._count(step, 1)
        self._tried: set[tuple[int, int, str | None, tuple[int, ...]]] = set()

    def run(self) -> Failure | None:
        count = len(self._steps)
        # Each level: the choices that are left, and how to take back the one that was made.
        choices: list[list[int]] = [self._choices()]
        taken: list[tuple[int, str | None]] = []
        best = Failure(self._key, "no order explains it", self._operations)
        ticks = 0
        while len(self._order) - sum(self._used) < count:
            ticks += 1
            if not ticks % 1024 and time.monotonic() > self._deadline:
                raise Undecided(
                    f"key {self._key}: {self._operations} operations, undecided after {ticks} steps of the search"
                )
            if choices[-1]:
                choice = choices[-1].pop()
                taken.append((choice, self._state))
                self._place(choice)
                signature = self._signature()
                if signature in self._tried:
                    choices.append([])
                    continue
                self._tried.add(signature)
                choices.append(self._choices())
                continue
            if not best.stuck or len(self._order) > len(best.order):
                best.order = [step.op for step in self._order]
                best.state = self._state
                enabled = self._enabled()
                best.stuck = [self._steps[i].op for i in enabled]
                best.waiting = [s.op for i, s in enumerate(self._steps) if i not in enabled and self._waits(i, s)]
            choices.pop()
            if not taken:
                return best
            self._take_back(*taken.pop())
        return None

    def _waits(self, index: int, step: Step) -> bool:
        return not self._placed >> index & 1 and step.needs is Needs.VALUE and step.needed == self._state

    def _enabled(self) -> list[int]:
        """Steps that may come next: no other that is not placed returned before they were called."""
        found = []
        first_end = inf
        index = self._next[self._head]
        while index != self._head:
            step = self._steps[index]
            if step.begin > first_end:
                break
            first_end = min(first_end, step.end)
            found.append(index)
            index = self._next[index]
        return found

    def _choices(self) -> list[int]:
        """What to try next, the best last. An optional step of group g is -1 - g."""
        state = self._state
        enabled = self._enabled()
        if not enabled:
            return []
        fitting = [index for index in enabled if self._steps[index].possible(state)]
        for index in fitting:
            step = self._steps[index]
            # What fits and changes nothing may always come now: moved here from later, it disturbs nobody.
            if isinstance(step.writes, Keep) or (step.needs is Needs.VALUE and step.writes == state):
                return [index]
        if self._must_see[state] and not self._writers[state]:
            # Somebody has yet to see this value, and it cannot come again: only the last who sees it may overwrite it.
            return [i for i in fitting if self._steps[i].needs is Needs.VALUE] if self._must_see[state] == 1 else []
        if not self._vague and not self._needed[state]:
            for index in fitting:
                step = self._steps[index]
                # Nobody will see it and nobody misses what it overwrites: now is as good as ever.
                if step.needs is Needs.ANYTHING and not isinstance(step.writes, Keep) and not self._needed[step.writes]:
                    return [index]
        urgent = min((self._steps[i] for i in enabled), key=lambda s: s.end)
        optional = []
        for number, group in enumerate(self._groups):
            used = self._used[number]
            if used == len(group) or group[used].begin > urgent.end:
                continue
            step = group[used]
            useful = not isinstance(step.writes, Keep) and (self._needed[step.writes] or self._vague)
            if useful and step.writes != state and step.possible(state):
                optional.append(-1 - number)
        fitting.sort(key=lambda i: self._steps[i].end, reverse=True)
        choices = optional + fitting
        if urgent.needs is Needs.VALUE and urgent.needed != state:
            choices.sort(key=lambda choice: self._peek(choice).writes == urgent.needed)
        return choices

    def _peek(self, choice: int) -> Step:
        return self._steps[choice] if choice >= 0 else self._groups[-1 - choice][self._used[-1 - choice]]

    def _place(self, choice: int) -> None:
        step = self._peek(choice)
        if choice >= 0:
            before, after = self._previous[choice], self._next[choice]
            self._next[before], self._previous[after] = after, before
            self._placed |= 1 << choice
        else:
            self._used[-1 - choice] += 1
        self._count(step, -1)
        self._order.append(step)
        if not isinstance(step.writes, Keep):
            self._state = step.writes

    def _take_back(self, choice: int, state: str | None) -> None:
        step = self._order.pop()
        self._count(step, 1)
        self._state = state
        if choice >= 0:
            before, after = self._previous[choice], self._next[choice]
            self._next[before] = self._previous[after] = choice
            self._placed ^= 1 << choice
        else:
            self._used[-1 - choice] -= 1

    def _count(self, step: Step, change: int) -> None:
        if step.needs is Needs.VALUE:
            self._needed[step.needed] += change
            if not step.optional:
                self._must_see[step.needed] += change
        elif step.needs is not Needs.ANYTHING:
            self._vague += change
        if not isinstance(step.writes, Keep):
            self._writers[step.writes] += change

    def _signature(self) -> tuple[int, int, str | None, tuple[int, ...]]:
        """What decides all that can follow: which steps are placed, the value, which optional ones are used."""
        first = self._next[self._head]
        return first, self._placed >> first, self._state, tuple(self._used)
