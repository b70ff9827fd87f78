"""kubelet's exponential back-off: 10 s, doubled to at most 300 s, forgotten after 600 s without trouble. Pure.

Source: k8s.io/client-go/util/flowcontrol.Backoff as kubelet uses it for restarts and for image pulls.
"""

from dataclasses import dataclass

INITIAL = 10.0
MAXIMUM = 300.0
#: After this long without trouble it is forgotten, whatever the longest delay is (KEP-4603).
FORGOTTEN = 600.0


@dataclass(frozen=True)
class BackOff:
    """`delay` seconds counted from the last trouble; `updated` is when the delay was set last."""

    delay: float
    updated: float

    def is_expired(self, event_time: float) -> bool:
        return event_time - self.updated > FORGOTTEN


def remaining(entry: BackOff | None, event_time: float, now: float) -> float:
    """Seconds still to wait after trouble at `event_time`; 0 when there is nothing to wait for."""
    if entry is None or entry.is_expired(event_time):
        return 0.0
    return max(0.0, entry.delay - (now - event_time))


def advance(entry: BackOff | None, event_time: float, now: float, *, maximum: float = MAXIMUM) -> BackOff:
    """The entry after another attempt that follows trouble at `event_time`."""
    if entry is None or entry.is_expired(event_time):
        return BackOff(min(INITIAL, maximum), now)
    return BackOff(min(entry.delay * 2, maximum), now)
