"""Where the server behind a Service is reached. Pure.

Requests go straight to a ready endpoint, as with kube-apiserver's --enable-aggregator-routing: that works whether or
not this machine has a service proxy.
"""

from __future__ import annotations

from collections.abc import Sequence

from kubeactors.api.fielderrors import go_quote
from kubeactors.api.meta import Object
from kubeactors.apiserver.aggregation.availability import is_ready, service_port
from kubeactors.apiserver.aggregation.remote import Remote
from kubeactors.apiserver.streams.proxy.urls import Location


class Unresolvable(Exception):
    """There is no address; the text says why."""


def locations(remote: Remote, service: Object | None, slices: Sequence[Object]) -> list[Location]:
    """Every address of the server, at least one. Raises Unresolvable."""
    if service is None:
        raise Unresolvable(f"service {go_quote(remote.service)} not found")
    spec = service.get("spec") or {}
    if spec.get("type") == "ExternalName":
        return [Location("https", spec.get("externalName") or "", remote.port)]
    port = service_port(service, remote.port)
    if port is None:
        raise Unresolvable(f"no service port {remote.port} found for service {go_quote(remote.service)}")
    name = port.get("name") or ""
    found = [
        Location("https", endpoint["addresses"][0], int(each["port"]))
        for endpoint_slice in slices
        for each in endpoint_slice.get("ports") or ()
        if (each.get("name") or "") == name and each.get("port")
        for endpoint in endpoint_slice.get("endpoints") or ()
        if is_ready(endpoint) and endpoint.get("addresses")
    ]
    if not found:
        raise Unresolvable(f"no endpoints available for service {go_quote(remote.service)}")
    return found
