"""What a peer may ask for without taking the answer: bounds on calls that are opened and reset, and on answers to
control frames that nobody reads (CVE-2023-44487, "rapid reset"; CVE-2019-9512, -9514, -9515).

A call that its peer has reset counts no more among those of the connection, but its work goes on until it notices. Go's
net/http2 and grpc-go bound that work; the rate is bounded here too, for cancelling costs something even when it is
quick.
"""

from __future__ import annotations

from collections.abc import Callable

from kubeactors.rpc.frames import Code, ConnectionBroken

RESETS_PER_CALL = 4
"""Calls that were reset and whose work goes on, for each call that a connection may have (as in Go's net/http2)."""
DEFAULT_CALLS = 1000
"""Stands for the calls of a connection that may have any number."""
RESETS_PER_SECOND = 1000.0
"""Resets that go on for ever. Clients that cancel much, all at once, have the number above besides."""
UNREAD_ANSWERS = 10_000
"""Answers to control frames while the peer does not read (as in Go's net/http2)."""


class FloodGuard:
    """One connection's counts. `max_calls`: those that it may have at a time; `now`: a clock, in seconds.

    What is too much raises ConnectionBroken (ENHANCE_YOUR_CALM).
    """

    def __init__(self, max_calls: int | None, now: Callable[[], float]) -> None:
        self._most = RESETS_PER_CALL * (max_calls or DEFAULT_CALLS)
        self._now = now
        self._level = 0.0  # resets, less those that time has forgiven
        self._measured = 0.0
        self._working = 0
        self._unread = 0

    def reset(self, *, working: bool) -> None:
        """The peer has reset a call; `working`: what it asked for is still under way, and `work_ended` will come."""
        now = self._now()
        self._level = max(0.0, self._level - (now - self._measured) * RESETS_PER_SECOND) + 1
        self._measured = now
        self._working += working
        if self._working > self._most:
            raise ConnectionBroken(Code.ENHANCE_YOUR_CALM, f"{self._working} calls were reset and still run")
        if self._level > self._most:
            raise ConnectionBroken(Code.ENHANCE_YOUR_CALM, "too many calls were opened and reset")

    def work_ended(self) -> None:
        self._working -= 1

    def unread_answer(self) -> None:
        """A control frame is answered, or a call refused, while what was sent before is not read."""
        self._unread += 1
        if self._unread > UNREAD_ANSWERS:
            raise ConnectionBroken(Code.ENHANCE_YOUR_CALM, "answers are asked for and not read")

    def reads_again(self) -> None:
        self._unread = 0
