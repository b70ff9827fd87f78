"""The EndpointSlice controller, which keeps the Endpoints object of each Service as well."""

from __future__ import annotations

import logging

from kubeactors.api import meta
from kubeactors.api.errors import StatusError
from kubeactors.api.meta import Object, is_deleting, key, labels, namespace
from kubeactors.api.selectors import from_map
from kubeactors.controllers.controller import Controller, Surroundings, pod_informer
from kubeactors.controllers.endpointslice import mirror
from kubeactors.controllers.endpointslice.endpoints import (
    Port,
    address_of_family,
    endpoint_of,
    endpoint_ports,
    is_candidate,
    pod_addresses,
)
from kubeactors.controllers.endpointslice.hints import with_hints
from kubeactors.controllers.endpointslice.slices import (
    CONTROLLER_NAME,
    MANAGED_BY,
    SERVICE_NAME,
    Changes,
    address_types,
    plan,
)
from kubeactors.controllers.endpointslice.trigger_time import TriggerTimes, annotated
from kubeactors.controllers.endpointslice.unseen import UnseenWrites
from kubeactors.controllers.pods import ready_condition
from kubeactors.controllers.refusals import is_namespace_terminating

logger = logging.getLogger(__name__)

SLICES = "endpointslices.discovery.k8s.io"
ZONE = "topology.kubernetes.io/zone"


def by_service(endpoint_slice: Object) -> tuple[str, ...]:
    """Under "service": `namespace/name` of the Service that a slice belongs to."""
    service = labels(endpoint_slice).get(SERVICE_NAME)
    return (f"{namespace(endpoint_slice)}/{service}",) if service else ()


class ServicePods(Controller):
    """What the two controllers share: handlers that enqueue the Services whose endpoints a change may concern."""

    def __init__(self, around: Surroundings) -> None:
        super().__init__(around)
        self.services = around.informers.informer("services")
        self.pods = pod_informer(around.informers)
        self.services.add_handler(self.enqueue, lambda _, new: self.enqueue(new), self.enqueue)
        self.pods.add_handler(self._pod_changed, self._pod_updated, self._pod_changed)

    def _pod_changed(self, pod: Object) -> None:
        for service in self.services.lister.list(namespace(pod)):
            selector = service["spec"].get("selector")
            if selector and selector.items() <= labels(pod).items():
                self.enqueue(service)

    def _pod_updated(self, old: Object, new: Object) -> None:
        if labels(old) != labels(new):
            self._pod_changed(old)
            self._pod_changed(new)
        elif _endpoint_facts(old) != _endpoint_facts(new):
            self._pod_changed(new)

    def pods_of(self, service: Object) -> list[Object]:
        selector = from_map(service["spec"]["selector"])
        return list(self.pods.lister.list(namespace(service), selector))


def _endpoint_facts(pod: Object) -> tuple[object, ...]:
    """All of a pod that its endpoints depend on: most updates of a pod change none of it."""
    condition = ready_condition(pod) or {}
    spec = pod["spec"]
    return (
        pod_addresses(pod),
        (pod.get("status") or {}).get("phase"),
        condition.get("status"),
        condition.get("lastTransitionTime"),
        is_deleting(pod),
        spec.get("nodeName"),
        spec.get("hostname"),
        spec.get("subdomain"),
    )


class EndpointSliceController(ServicePods):
    name = "endpointslice"

    def __init__(self, around: Surroundings) -> None:
        super().__init__(around)
        self._slices = around.informers.informer(SLICES, indexers={"service": by_service})
        self._nodes = around.informers.informer("nodes")
        self._times = TriggerTimes()
        self._unseen = UnseenWrites(around.clock)
        self._slices.add_handler(self._slice_changed, lambda _, new: self._slice_changed(new), self._slice_deleted)
        self._nodes.add_handler(self._node_changed, self._node_updated, self._node_changed)

    # Handlers

    def _slice_changed(self, endpoint_slice: Object) -> None:
        for service in by_service(endpoint_slice):
            if not self._unseen.seen(service, endpoint_slice):
                self._enqueue_service(endpoint_slice)

    def _slice_deleted(self, endpoint_slice: Object) -> None:
        for service in by_service(endpoint_slice):
            self._unseen.gone(service, endpoint_slice)
        self._enqueue_service(endpoint_slice)

    def _enqueue_service(self, endpoint_slice: Object) -> None:
        if labels(endpoint_slice).get(MANAGED_BY) == CONTROLLER_NAME:
            for service in by_service(endpoint_slice):
                self.queue.add(service)

    def _node_changed(self, node: Object) -> None:
        """A node that came or whose zone changed: the endpoints of its pods depend on it."""
        for pod in self.pods.lister.by_index("node", meta.name(node)):
            self._pod_changed(pod)

    def _node_updated(self, old: Object, new: Object) -> None:
        if labels(old).get(ZONE) != labels(new).get(ZONE):
            self._node_changed(new)

    # Reconciling

    async def reconcile(self, key: str) -> float | None:
        service = self.services.lister.get_by_key(key)
        if service is None:
            self._times.forget(key)  # the garbage collector deletes its slices
            self._unseen.forget(key)
            return None
        if not service["spec"].get("selector") or service["spec"].get("type") == "ExternalName":
            return None  # its endpoints are somebody else's business
        if is_deleting(service):
            return None
        mine = [
            held
            for held in self._slices.lister.by_index("service", key)
            if labels(held).get(MANAGED_BY) == CONTROLLER_NAME and not is_deleting(held)
        ]
        if self._unseen.any(key):
            return 0.05  # the informer is behind our own writes
        pods = self.pods_of(service)
        time = self._times.observe(key, service, pods)
        families = address_types(service)
        for family in families:
            existing = [held for held in mine if held.get("addressType") == family]
            changes = plan(service, family, self._groups(service, pods, family), existing)
            await self._write(key, changes, time)
        for held in mine:
            if held.get("addressType") not in families:
                await self._delete(held)
        return None

    def _groups(self, service: Object, pods: list[Object], family: str) -> dict[tuple[Port, ...], list[Object]]:
        groups: dict[tuple[Port, ...], list[Object]] = {}
        publish = bool(service["spec"].get("publishNotReadyAddresses"))
        has_ports = bool(service["spec"].get("ports"))
        distribution = service["spec"].get("trafficDistribution")
        for pod in pods:
            if not is_candidate(pod, include_terminating=True):
                continue
            addresses = address_of_family(pod, family)
            ports = endpoint_ports(service, pod)
            if not addresses or (has_ports and not ports):
                continue
            node_name = pod["spec"].get("nodeName")
            node = self._nodes.lister.get(None, node_name) if node_name else None
            if node_name and node is None and not publish:
                continue  # comes back when the node does; a pod of a node that is gone takes no traffic
            groups.setdefault(ports, []).append(endpoint_of(pod, service, node, addresses))
        return {ports: with_hints(endpoints, distribution) for ports, endpoints in groups.items()}

    async def _write(self, key: str, changes: Changes, time: str | None) -> None:
        for wanted in changes.create:
            try:
                self._note(key, await self.client.create(SLICES, annotated(wanted, time)))
            except StatusError as error:
                if not is_namespace_terminating(error):
                    raise
        for changed in changes.update:
            try:
                self._note(key, await self.client.update(SLICES, annotated(changed, time)))
            except StatusError as error:
                if error.code != 404:  # gone meanwhile: its deletion brings the Service back
                    raise
        for surplus in changes.delete:
            await self._delete(surplus)

    def _note(self, service: str, written: Object) -> None:
        seen = self._slices.lister.get_by_key(key(written))
        if seen is None or int(meta.resource_version(seen)) < int(meta.resource_version(written)):
            self._unseen.wrote(service, written)

    async def _delete(self, surplus: Object) -> None:
        found = surplus["metadata"]
        try:
            await self.client.delete(SLICES, found["name"], found["namespace"], preconditions={"uid": found["uid"]})
        except StatusError as error:
            if error.code != 404:
                raise


class EndpointsController(ServicePods):
    """Mirrors each Service's endpoints into one Endpoints object, for clients of the older API."""

    name = "endpoints"

    def __init__(self, around: Surroundings) -> None:
        super().__init__(around)
        self._endpoints = around.informers.informer("endpoints")
        self._endpoints.add_handler(None, lambda _, new: self._changed(new), self._changed)
        self._times = TriggerTimes()

    def _changed(self, endpoints: Object) -> None:
        service = self.services.lister.get_by_key(key(endpoints))
        if service is not None and service["spec"].get("selector"):
            self.enqueue(service)

    async def reconcile(self, key: str) -> float | None:
        service = self.services.lister.get_by_key(key)
        present = self._endpoints.lister.get_by_key(key)
        if service is None:
            self._times.forget(key)
            if present is not None and labels(present).get(mirror.MANAGED_BY) == mirror.CONTROLLER_NAME:
                await self._delete(present)
            return None
        if not service["spec"].get("selector") or service["spec"].get("type") == "ExternalName":
            return None
        if is_deleting(service):
            return None
        pods = self.pods_of(service)
        time = self._times.observe(key, service, pods)
        subsets, truncated = mirror.truncated(mirror.subsets(service, pods))
        wanted_labels = mirror.endpoints_labels(service)
        if present is not None and self._is_right(present, subsets, wanted_labels, truncated):
            return None
        base: Object = present or {"metadata": {"name": meta.name(service), "namespace": namespace(service)}}
        built = annotated({**base, "metadata": {**base["metadata"], "labels": wanted_labels}}, time)
        built.pop("subsets", None)
        if subsets:
            built["subsets"] = subsets
        notes = {k: v for k, v in meta.annotations(built).items() if k != mirror.OVER_CAPACITY}
        if truncated:
            notes[mirror.OVER_CAPACITY] = "truncated"
        if notes:
            built["metadata"]["annotations"] = notes
        else:
            built["metadata"].pop("annotations", None)
        if present is not None:
            await self.client.update("endpoints", built)
            return None
        return await self._create(built)

    @staticmethod
    def _is_right(present: Object, subsets: list[Object], wanted_labels: dict[str, str], truncated: bool) -> bool:
        return (
            (present.get("subsets") or []) == subsets
            and labels(present) == wanted_labels
            and (mirror.OVER_CAPACITY in meta.annotations(present)) == truncated
        )

    async def _create(self, built: Object) -> float | None:
        try:
            await self.client.create("endpoints", built)
        except StatusError as error:
            if error.reason == "AlreadyExists":
                return 0.05  # the informer is behind
            if not is_namespace_terminating(error):
                raise
        return None

    async def _delete(self, present: Object) -> None:
        found = present["metadata"]
        try:
            await self.client.delete("endpoints", found["name"], found["namespace"])
        except StatusError as error:
            if error.code != 404:
                raise
