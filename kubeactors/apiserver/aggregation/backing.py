"""The Services and EndpointSlices behind remote group versions, out of the watch cache."""

from __future__ import annotations

from kubeactors.api.meta import Object
from kubeactors.api.selectors import parse_label_selector
from kubeactors.apiserver.aggregation.remote import Remote
from kubeactors.apiserver.registry.resource import Resource
from kubeactors.apiserver.watchcache.matcher import Matcher

SERVICE_NAME = "kubernetes.io/service-name"


class Backing:
    """Nothing of what it gives is to be changed."""

    def __init__(self, services: Resource, slices: Resource) -> None:
        self.services = services
        self.slices = slices

    def find(self, remote: Remote) -> tuple[Object | None, list[Object]]:
        """The Service, None if it does not exist, and its EndpointSlices."""
        record = self.services.cache.get(remote.namespace, remote.service)
        if record is None:
            return None, []
        matcher = Matcher(remote.namespace, labels=parse_label_selector(f"{SERVICE_NAME}={remote.service}"))
        return record.decode(), [each.decode() for each in self.slices.cache.select(matcher)]
