"""/healthz, /livez and /readyz with named checks.

The text is that of k8s.io/apiserver: https://kubernetes.io/docs/reference/using-api/health-checks/.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from kubeactors.api.fielderrors import go_quote
from kubeactors.apiserver.http.query import Query

#: Runs every check: name → "ok" or what is wrong.
Checks = Callable[[], Awaitable[Mapping[str, str]]]

ENDPOINTS = frozenset({"healthz", "livez", "readyz"})
# What says whether to send requests here, not whether to start the server anew.
_READINESS = frozenset({"etcd-readiness", "informer-sync", "shutdown"})


def checks_of(endpoint: str, results: Mapping[str, str]) -> Mapping[str, str]:
    """The checks that an endpoint shows."""
    if endpoint == "readyz":
        return results
    return {name: result for name, result in results.items() if name not in _READINESS}


@dataclass(frozen=True, slots=True)
class HealthReport:
    """The answer to a health request."""

    status: int
    text: str


def report(endpoint: str, check: str, results: Mapping[str, str], query: Query) -> HealthReport | None:
    """The answer for `/ENDPOINT[/CHECK]`, None if there is no such check.

    What is wrong is told only to those who ask for `verbose`, as names and not as causes: anybody may ask.
    """
    if check:
        if check not in results:
            return None
        if results[check] == "ok":
            return HealthReport(200, "ok")
        return HealthReport(500, f"internal server error: {check} check failed\n")
    excluded = set(query.all("exclude"))
    considered = {name: result for name, result in results.items() if name not in excluded}
    failed = [name for name, result in considered.items() if result != "ok"]
    if not failed and "verbose" not in query:
        return HealthReport(200, "ok")
    lines = [f"[+]{name} excluded: ok" if name in excluded else _line(name, result) for name, result in results.items()]
    unknown = sorted(excluded - set(results))
    if unknown:
        quoted = ",".join(map(go_quote, unknown))
        lines.append(f"warn: some health checks cannot be excluded: no matches for {quoted}")
    lines.append(f"{endpoint} check {'failed' if failed else 'passed'}")
    return HealthReport(500 if failed else 200, "\n".join(lines) + "\n")


def _line(name: str, result: str) -> str:
    return f"[+]{name} ok" if result == "ok" else f"[-]{name} failed: reason withheld"
