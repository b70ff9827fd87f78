"""What can go wrong on the way to the API server. Its own answers stay `StatusError`."""

from __future__ import annotations

from typing import Any

from kubeactors.api.errors import StatusError


def _status(code: int, reason: str, message: str) -> dict[str, Any]:
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": message,
        "reason": reason,
        "code": code,
    }


class ApiUnavailable(StatusError):
    """No API server answered before the deadline, and the call has had no effect (503, ServiceUnavailable)."""

    def __init__(self, message: str) -> None:
        super().__init__(_status(503, "ServiceUnavailable", message))


class OutcomeUnknown(StatusError):
    """A write was sent and its answer never came: it may have happened (504, Timeout). Read before retrying."""

    def __init__(self, message: str) -> None:
        super().__init__(_status(504, "Timeout", message))


class WaitTimeout(TimeoutError):
    """`wait` gave up. `last` is the object as last seen, None when it did not exist."""

    def __init__(self, message: str, last: dict[str, Any] | None) -> None:
        super().__init__(message)
        self.last = last


class WaitFailed(Exception):
    """What `wait` was asked to wait for will not come. `last` is the object as last seen."""

    def __init__(self, message: str, last: dict[str, Any] | None) -> None:
        super().__init__(message)
        self.last = last
