"""Whether a group version of another server is available, as far as objects tell, and the condition that says so.

The reasons and messages are those of kube-aggregator's AvailableConditionController. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from kubeactors.api.fielderrors import go_quote
from kubeactors.api.meta import Object
from kubeactors.apiserver.aggregation.remote import Remote


@dataclass(frozen=True, slots=True)
class Verdict:
    """The condition Available."""

    available: bool
    reason: str
    message: str

    @property
    def status(self) -> str:
        return "True" if self.available else "False"


LOCAL: Final = Verdict(True, "Local", "Local APIServices are always available")
PASSED: Final = Verdict(True, "Passed", "all checks passed")


def failed_check(message: str) -> Verdict:
    """The server did not answer as it should."""
    return Verdict(False, "FailedDiscoveryCheck", message)


def judge(remote: Remote, service: Object | None, slices: Sequence[Object]) -> Verdict | None:
    """What keeps the version from being available; None: the server is to be asked."""
    place = f"service/{remote.service} in {go_quote(remote.namespace)}"
    if service is None:
        return Verdict(False, "ServiceNotFound", f"{place} is not present")
    spec = service.get("spec") or {}
    if (spec.get("type") or "ClusterIP") != "ClusterIP":
        return None
    port = service_port(service, remote.port)
    if port is None:
        return Verdict(False, "ServicePortError", f"{place} is not listening on port {remote.port}")
    if not slices:
        return Verdict(False, "EndpointsNotFound", f"cannot find endpointslices for {place}")
    name = port.get("name") or ""
    if not any(_has_endpoint(each, name) for each in slices):
        message = f"endpointslices for {place} have no addresses with port name {go_quote(name)}"
        return Verdict(False, "MissingEndpoints", message)
    return None


def service_port(service: Object, number: int) -> dict[str, Any] | None:
    """The port of a Service by its number."""
    ports: Iterable[dict[str, Any]] = (service.get("spec") or {}).get("ports") or ()
    return next((port for port in ports if port.get("port") == number), None)


def _has_endpoint(endpoint_slice: Object, port_name: str) -> bool:
    return any(map(is_ready, endpoint_slice.get("endpoints") or ())) and any(
        (port.get("name") or "") == port_name and port.get("port") for port in endpoint_slice.get("ports") or ()
    )


def is_ready(endpoint: Object) -> bool:
    """Whether requests may go there."""
    return (endpoint.get("conditions") or {}).get("ready") is not False
