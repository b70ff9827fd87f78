"""Requests to the store, by operation and resource; the names say etcd, as Kubernetes' do."""

from __future__ import annotations

from collections.abc import Iterable

from kubeactors.apiserver.metrics.families import Counter, Distribution, Family, Histogram, Number
from kubeactors.apiserver.metrics.requests import SECONDS

_LABELS = ("operation", "group", "resource")
_ROOT = len(b"/registry/")


class StoreMetrics:
    """`observe` what the API server asks of the store."""

    def __init__(self) -> None:
        self._duration = Histogram(
            "etcd_request_duration_seconds",
            "Etcd request latency in seconds for each operation and object type.",
            _LABELS,
            SECONDS,
        )
        self._total = Counter("etcd_requests_total", "Etcd request counts for each operation and object type.", _LABELS)
        self._errors = Counter(
            "etcd_request_errors_total", "Etcd failed request counts for each operation and object type.", _LABELS
        )
        self._resources: dict[bytes, tuple[str, str]] = {}
        self._children: dict[tuple[str, bytes], tuple[Distribution, Number]] = {}

    def add_resource(self, prefix: str, group: str, resource: str) -> None:
        """Keys with this prefix are of this resource."""
        self._resources[prefix.encode()] = (group, resource)

    def observe(self, operation: str, key: bytes, seconds: float) -> None:
        """A request was answered."""
        prefix = self._prefix(key)
        found = self._children.get((operation, prefix))
        if found is None:
            labels = (operation, *self._resources[prefix])
            found = self._children[operation, prefix] = (self._duration.child(*labels), self._total.child(*labels))
        found[0].observe(seconds)
        found[1].value += 1

    def failed(self, operation: str, key: bytes) -> None:
        """A request was not answered, or with an error of the store."""
        labels = (operation, *self._resources[self._prefix(key)])
        self._total.child(*labels).value += 1
        self._errors.child(*labels).value += 1

    def _prefix(self, key: bytes) -> bytes:
        cut = key.find(b"/", _ROOT) + 1
        while cut:
            if key[:cut] in self._resources:
                return key[:cut]
            cut = key.find(b"/", cut) + 1
        self._resources.setdefault(b"", ("", "other"))
        return b""

    def families(self) -> Iterable[Family]:
        return (self._duration, self._total, self._errors)
