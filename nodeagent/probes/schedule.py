"""When to probe next and what its answers amount to: pure.

kubelet probes once a period from an arbitrary moment. Here the first probe comes with the container, and until a
readiness or startup probe has succeeded for the first time it is also tried between, at growing distances; such early
tries can find success but are not counted as failures, so that failureThreshold times periodSeconds keeps its meaning.
"""

from dataclasses import dataclass, replace

from kubeactors.api.meta import Object
from nodeagent.probes.interface import Kind, Result

_FIRST_EARLY = 0.1
_LONGEST_EARLY = 2.0


@dataclass(frozen=True)
class Timing:
    """A probe's numbers, in seconds and counts, with the API's defaults."""

    initial_delay: float
    period: float
    timeout: float
    success_threshold: int
    failure_threshold: int


def timing_of(probe: Object) -> Timing:
    return Timing(
        initial_delay=float(probe.get("initialDelaySeconds") or 0),
        period=float(probe.get("periodSeconds") or 10),
        timeout=float(probe.get("timeoutSeconds") or 1),
        success_threshold=int(probe.get("successThreshold") or 1),
        failure_threshold=int(probe.get("failureThreshold") or 3),
    )


@dataclass(frozen=True)
class Progress:
    """How a probe of one run of a container stands."""

    #: What it amounts to: None while undecided (not yet probed often enough).
    decided: bool | None = None
    last: Result | None = None
    in_a_row: int = 0
    #: When the next probe that counts is due, and the next of any.
    due: float = 0.0
    next: float = 0.0
    early: float = _FIRST_EARLY


def begin(started_at: float, timing: Timing) -> Progress:
    first = started_at + timing.initial_delay
    return Progress(due=first, next=first)


def after(
    progress: Progress, kind: Kind, timing: Timing, result: Result, now: float, *, may_be_early: bool
) -> Progress:
    """The progress after a probe that was made at its `next` time and answered at `now`."""
    counts = progress.next >= progress.due
    due = progress.due
    while due <= now:
        due += timing.period
    if result == "unknown" or (result == "failure" and not counts):
        return _schedule(replace(progress, due=due), kind, now, may_be_early)
    in_a_row = progress.in_a_row + 1 if progress.last == result else 1
    decided = progress.decided
    if result == "success" and in_a_row >= timing.success_threshold:
        decided = True
    elif result == "failure" and in_a_row >= timing.failure_threshold:
        decided = False
    return _schedule(
        replace(progress, decided=decided, last=result, in_a_row=in_a_row, due=due), kind, now, may_be_early
    )


def _schedule(progress: Progress, kind: Kind, now: float, may_be_early: bool) -> Progress:
    if may_be_early and kind != "liveness" and progress.decided is None and now + progress.early < progress.due:
        early = min(progress.early * 2, _LONGEST_EARLY)
        return replace(progress, next=now + progress.early, early=early)
    return replace(progress, next=progress.due)
