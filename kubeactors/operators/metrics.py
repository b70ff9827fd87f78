"""What an operator tells Prometheus, under the names that controller-runtime gave these numbers."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import generate_latest


class Metrics:
    """The calls of the functions of one operator's controllers. Times are in seconds."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._calls = Counter(
            "controller_runtime_reconcile",
            "Calls of a controller's function, by result (success, requeue_after, error).",
            ["controller", "result"],
            registry=self._registry,
        )
        self._seconds = Histogram(
            "controller_runtime_reconcile_time_seconds",
            "How long calls of a controller's function took.",
            ["controller"],
            registry=self._registry,
        )
        self._depth = Gauge("workqueue_depth", "Objects that wait for a call.", ["controller"], registry=self._registry)

    def reconciled(self, controller: str, result: str, seconds: float, waiting: int) -> None:
        """A call has ended; `waiting` objects are still queued."""
        self._calls.labels(controller, result).inc()
        self._seconds.labels(controller).observe(seconds)
        self._depth.labels(controller).set(waiting)

    def text(self) -> bytes:
        """Everything in Prometheus' text format."""
        return generate_latest(self._registry)
