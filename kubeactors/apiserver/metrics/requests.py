"""Requests: how many, how long, how large, by verb and resource."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.exposition import generate_latest

from kubeactors.api.kinds import Kind
from kubeactors.apiserver.metrics.families import (
    Counter,
    Distribution,
    Family,
    Gauge,
    Histogram,
    Number,
    exponential,
    exposition,
)
from kubeactors.apiserver.request import Verb
from kubeactors.apiserver.version import version_info

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
SECONDS = (0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1, 1.25, 1.5, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 45, 60)
_BYTES = exponential(1000, 10, 7)
_COMPONENT = "apiserver"

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
_CONNECT = frozenset({"exec", "attach", "portforward", "proxy", "log"})
_LABELS = ("verb", "group", "version", "resource", "subresource", "scope")
# Requests without an end say nothing about how fast the server answers.
_NO_SLI = frozenset({"WATCH", "CONNECT"})


def request_key(verb: Verb, kind: Kind, subresource: str, namespace: str, name: str, *, apply: bool = False) -> Key:
    """The labels of a request, as Kubernetes labels it; `apply`: the patch is a server-side apply."""
    scope = "resource" if name or verb == "create" else "namespace" if namespace else "cluster"
    word = "CONNECT" if subresource in _CONNECT else "APPLY" if apply else _VERBS[verb]
    return (word, kind.group, kind.version, kind.plural, subresource, scope)


def path_key(method: str, path: str) -> Key:
    """The labels of a request for something that is no resource, such as `/healthz`."""
    return (method, "", "", "", path, "")


class Metrics:
    """Counts requests. One per server, so that two servers in one process do not mix."""

    def __init__(self) -> None:
        # What the process needs, as prometheus_client tells it.
        self._process = CollectorRegistry()
        ProcessCollector(registry=self._process)
        self._sources: list[Callable[[], Iterable[Family]]] = []
        self._total = Counter(
            "apiserver_request_total",
            "Counter of apiserver requests broken out for each verb, dry run value, group, version, resource, scope, "
            "component, and HTTP response code.",
            (*_LABELS, "component", "dry_run", "code"),
            stability="STABLE",
        )
        self._duration = Histogram(
            "apiserver_request_duration_seconds",
            "Response latency distribution in seconds for each verb, dry run value, group, version, resource, "
            "subresource, scope and component.",
            (*_LABELS, "component", "dry_run"),
            SECONDS,
            stability="STABLE",
        )
        self._size = Histogram(
            "apiserver_response_sizes",
            "Response size distribution in bytes for each group, version, verb, resource, subresource, scope and "
            "component.",
            (*_LABELS, "component"),
            _BYTES,
            stability="STABLE",
        )
        inflight = Gauge(
            "apiserver_current_inflight_requests",
            "Number of requests that are being handled, by kind of request.",
            ("request_kind",),
            stability="STABLE",
        )
        self._long_running = Gauge(
            "apiserver_longrunning_requests",
            "Gauge of all active long-running apiserver requests broken out by verb, group, version, resource, scope "
            "and component.",
            (*_LABELS, "component"),
            stability="STABLE",
        )
        self._deprecated = Gauge(
            "apiserver_requested_deprecated_apis",
            "Gauge of deprecated APIs that have been requested, broken out by API group, version, resource, "
            "subresource, and removed_release.",
            ("group", "version", "resource", "subresource", "removed_release"),
            stability="STABLE",
        )
        self._terminations = Counter(
            "apiserver_request_terminations_total",
            "Number of requests which apiserver terminated in self-defense.",
            ("component", "code"),
        )
        self._build = Gauge(
            "kubernetes_build_info",
            "A metric with a constant '1' value labeled by what this server was built from and runs on.",
            ("major", "minor", "git_version", "git_commit", "git_tree_state", "build_date", "go_version", "compiler",
             "platform"),
            stability="BETA",
        )  # fmt: skip
        self._health = Gauge(
            "kubernetes_healthcheck",
            "This metric records the result of a single healthcheck.",
            ("name", "type"),
            stability="STABLE",
        )
        self._health_total = Counter(
            "kubernetes_healthchecks_total",
            "This metric records the results of all healthcheck.",
            ("name", "type", "status"),
            stability="STABLE",
        )
        self.reading = inflight.child("readOnly")
        self.mutating = inflight.child("mutating")
        self._families: tuple[Family, ...] = (
            self._total, self._duration, self._size, inflight, self._long_running, self._deprecated,
            self._terminations, self._build,
        )  # fmt: skip
        self._children: dict[tuple[Key, bool], tuple[Distribution, Distribution, dict[int, Number]]] = {}
        self._tell_build()

    def _tell_build(self) -> None:
        info = version_info()
        names = ("major", "minor", "gitVersion", "gitCommit", "gitTreeState", "buildDate", "goVersion", "compiler",
                 "platform")  # fmt: skip
        self._build.child(*(info[name] for name in names)).value = 1

    def add_source(self, source: Callable[[], Iterable[Family]]) -> None:
        """Ask here for further metrics whenever they are read."""
        self._sources.append(source)

    def long_running(self, key: Key) -> Number:
        """How many requests without an end there are; add 1 and take it away again."""
        return self._long_running.child(*key, _COMPONENT)

    def observe(self, key: Key, code: int, seconds: float, size: int, *, dry_run: bool = False) -> None:
        """Count one finished request; `size` is of its answer's body, in bytes."""
        found = self._children.get((key, dry_run))
        if found is None:
            found = self._children[key, dry_run] = self._make(key, dry_run)
        duration, sizes, codes = found
        duration.observe(seconds)
        sizes.observe(size)
        number = codes.get(code)
        if number is None:
            labels = (*key, _COMPONENT, "All" if dry_run else "", str(code))
            number = codes[code] = self._total.child(*labels)
        number.value += 1

    def _make(self, key: Key, dry_run: bool) -> tuple[Distribution, Distribution, dict[int, Number]]:
        duration = self._duration.child(*key, _COMPONENT, "All" if dry_run else "")
        return duration, self._size.child(*key, _COMPONENT), {}

    def note_deprecated(self, kind: Kind, subresource: str) -> None:
        """A deprecated API was asked for."""
        self._deprecated.child(kind.group, kind.version, kind.plural, subresource, "").value = 1

    def note_termination(self, code: int) -> None:
        """A request was ended by the server: too large, too slow, or its watcher lagged."""
        self._terminations.child(_COMPONENT, str(code)).value += 1

    def note_health(self, endpoint: str, results: Mapping[str, str]) -> None:
        """Health checks were made for `healthz`, `livez` or `readyz`."""
        for name, result in results.items():
            good = result == "ok"
            self._health.child(name, endpoint).value = int(good)
            self._health_total.child(name, endpoint, "success" if good else "error").value += 1

    def _sli(self) -> Histogram:
        """Kubernetes' second view of latencies, in which dry runs and real requests are one."""
        found = Histogram(
            "apiserver_request_sli_duration_seconds",
            "Response latency distribution (not counting webhook duration and priority & fairness queue wait times) "
            "in seconds for each verb, group, version, resource, subresource, scope and component.",
            (*_LABELS, "component"),
            SECONDS,
        )
        for values, child in self._duration.items():
            if values[0] not in _NO_SLI:
                found.child(*values[:-1]).add(child)
        return found

    def render(self) -> bytes:
        """The text of everything counted, for /metrics."""
        families = [*self._families, self._sli(), *(family for source in self._sources for family in source())]
        return exposition(families).encode() + generate_latest(self._process)

    def render_slis(self) -> bytes:
        """The results of health checks, for /metrics/slis."""
        return exposition((self._health, self._health_total)).encode()
