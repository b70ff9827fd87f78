"""The API server's metrics, under the names that Kubernetes' dashboards and alerts use.

See https://kubernetes.io/docs/reference/instrumentation/metrics/.
"""

from __future__ import annotations

from functools import cache

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, PlatformCollector, ProcessCollector
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from kubeactors.api.kinds import Kind
from kubeactors.apiserver.request import Verb

_SECONDS = (0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0, 1.25, 1.5, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 45, 60)
_BYTES = (1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9)
CONTENT_TYPE = CONTENT_TYPE_LATEST

#: verb, group, version, resource, subresource, scope
Key = tuple[str, str, str, str, str, str]

_VERBS = {
    "get": "GET",
    "list": "LIST",
    "watch": "WATCH",
    "create": "POST",
    "update": "PUT",
    "patch": "PATCH",
    "delete": "DELETE",
    "deletecollection": "DELETECOLLECTION",
}


def request_key(verb: Verb, kind: Kind, subresource: str, namespace: str, name: str) -> Key:
    """The labels of a request, as Kubernetes labels it."""
    scope = "resource" if name else "namespace" if namespace else "cluster"
    return (_VERBS[verb], kind.group, kind.version, kind.plural, subresource, scope)


class Metrics:
    """Counts requests. One per server, with its own registry, so that two servers in one process do not mix."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        labels = ("verb", "group", "version", "resource", "subresource", "scope")
        self._total = Counter(
            "apiserver_request_total",
            "Counter of apiserver requests broken out for each verb, group, version, resource, scope and HTTP code.",
            (*labels, "code"),
            registry=self.registry,
        )
        self._duration = Histogram(
            "apiserver_request_duration_seconds",
            "Response latency in seconds for each verb, group, version, resource, subresource and scope.",
            labels,
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._size = Histogram(
            "apiserver_response_sizes",
            "Response size in bytes for each group, version, verb, resource, subresource and scope.",
            labels,
            buckets=_BYTES,
            registry=self.registry,
        )
        self._inflight = Gauge(
            "apiserver_current_inflight_requests",
            "Number of requests being handled, by kind (mutating or not).",
            ("request_kind",),
            registry=self.registry,
        )
        self.long_running = Gauge(
            "apiserver_longrunning_requests",
            "Number of watches, logs and other requests without an end that are being served.",
            labels,
            registry=self.registry,
        )
        self.reading = self._inflight.labels("readOnly")
        self.mutating = self._inflight.labels("mutating")
        self._child = cache(self._make_children)
        self._code = cache(self._make_code)

    def observe(self, key: Key, code: int, seconds: float, size: int) -> None:
        """Count one finished request; `key` is verb, group, version, resource, subresource and scope."""
        duration, sizes = self._child(key)
        self._code(key, code).inc()
        duration.observe(seconds)
        sizes.observe(size)

    def _make_children(self, key: Key) -> tuple[Histogram, Histogram]:
        return self._duration.labels(*key), self._size.labels(*key)

    def _make_code(self, key: Key, code: int) -> Counter:
        return self._total.labels(*key, str(code))

    def render(self) -> bytes:
        """The text exposition of everything counted."""
        return generate_latest(self.registry)
