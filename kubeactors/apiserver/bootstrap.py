"""What every cluster has from the first moment: namespaces, priority classes, and the Service by which pods reach the
API servers.

Which servers that are is kept by `masters.py`.
"""

from __future__ import annotations

import ipaddress
import logging
from collections.abc import Callable, Sequence
from typing import Any

import orjson

from kubeactors.api import flowcontrol
from kubeactors.api.errors import StatusError
from kubeactors.api.kinds import KindRegistry
from kubeactors.api.meta import Object
from kubeactors.api.validation.priority_class import SYSTEM_CLASSES
from kubeactors.apiserver.local_apis import local_api_services
from kubeactors.apiserver.request import ApiHandler, Request, UserInfo, Verb

logger = logging.getLogger(__name__)

#: Whom the server itself acts as (k8s.io/apiserver's user.APIServerUser).
LOOPBACK_USER = UserInfo("system:apiserver", ("system:masters", "system:authenticated"))
NAMESPACES = ("default", "kube-system", "kube-public", "kube-node-lease")


def service_address(service_cidr: str) -> str:
    """The first address of the service range, which is the API server's own."""
    return str(ipaddress.ip_network(service_cidr)[1])


def kubernetes_service(service_cidr: str, port: int) -> Object:
    """The Service default/kubernetes: port 443, forwarded to the servers' own port."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": "kubernetes",
            "namespace": "default",
            "labels": {"component": "apiserver", "provider": "kubernetes"},
        },
        "spec": {
            "clusterIP": service_address(service_cidr),
            "ports": [{"name": "https", "port": 443, "protocol": "TCP", "targetPort": port}],
            "sessionAffinity": "None",
            "type": "ClusterIP",
        },
    }


def kubernetes_service_cidr(service_cidr: str) -> Object:
    """The ServiceCIDR of the range that is configured."""
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "ServiceCIDR",
        "metadata": {"name": "kubernetes"},
        "spec": {"cidrs": [str(ipaddress.ip_network(service_cidr))]},
    }


def kubernetes_endpoints(addresses: Sequence[str], port: int) -> Object:
    """The Endpoints of default/kubernetes; the label keeps the mirroring controller away."""
    return {
        "apiVersion": "v1",
        "kind": "Endpoints",
        "metadata": {
            "name": "kubernetes",
            "namespace": "default",
            "labels": {"endpointslice.kubernetes.io/skip-mirror": "true"},
        },
        "subsets": [
            {
                "addresses": [{"ip": address} for address in addresses],
                "ports": [{"name": "https", "port": port, "protocol": "TCP"}],
            },
        ],
    }


def kubernetes_endpoint_slice(addresses: Sequence[str], port: int) -> Object:
    """The EndpointSlice of default/kubernetes. The addresses are of one family."""
    family = "IPv6" if ipaddress.ip_address(addresses[0]).version == 6 else "IPv4"
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": "kubernetes",
            "namespace": "default",
            "labels": {"kubernetes.io/service-name": "kubernetes"},
        },
        "addressType": family,
        "endpoints": [{"addresses": [address], "conditions": {"ready": True}} for address in addresses],
        "ports": [{"name": "https", "port": port, "protocol": "TCP"}],
    }


class Bootstrap:
    """Makes what is missing. Every step may be repeated, by several servers at once too."""

    def __init__(self, handler: ApiHandler, registry: KindRegistry) -> None:
        self._handler = handler
        self._registry = registry

    async def run(self, *, port: int, service_cidr: str) -> None:
        """Make the namespaces, the priority classes, the Service and what describes this server. Raises StatusError."""
        for name in NAMESPACES:
            await self._ensure({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}, None)
        for name, fields in SYSTEM_CLASSES.items():
            await self._ensure(
                {"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": {"name": name}, **fields},
                None,
            )
        await self._ensure(kubernetes_service(service_cidr, port), _same_ports)
        await self._ensure(kubernetes_service_cidr(service_cidr), None)
        for document in (*flowcontrol.bootstrap_objects(), *local_api_services(self._registry)):
            await self._ensure(document, None)

    async def publish(self, addresses: Sequence[str], port: int) -> None:
        """Make the API servers at `addresses` the endpoints of the Service. Raises StatusError."""
        await self._ensure(kubernetes_endpoints(addresses, port), _same("subsets"))
        await self._ensure(kubernetes_endpoint_slice(addresses, port), _same("endpoints", "ports"))

    async def _ensure(self, wanted: Object, same: Callable[[Object, Object], bool] | None) -> None:
        """Create the object, or replace one that differs by `same`; None: one that exists is left alone."""
        try:
            found = orjson.loads(await self._call("get", wanted))
        except StatusError as error:
            if error.code != 404:
                raise
            await self._create(wanted)
            return
        if same is None or same(found, wanted):
            return
        changed = {**found, **{key: value for key, value in wanted.items() if key not in ("metadata", "spec")}}
        if "spec" in wanted:
            changed["spec"] = {**found["spec"], "ports": wanted["spec"]["ports"]}
        logger.info("updating %s default/%s", wanted["kind"], wanted["metadata"]["name"])
        await self._call("update", changed)

    async def _create(self, wanted: Object) -> None:
        try:
            await self._call("create", wanted)
        except StatusError as error:
            if error.reason != "AlreadyExists":
                raise

    async def _call(self, verb: Verb, document: Object) -> bytes:
        kind = self._registry.by_gvk(document["apiVersion"], document["kind"])
        if kind is None:
            raise LookupError(f"{document['kind']} is not a kind of this server")
        metadata = document["metadata"]
        request = Request(
            verb=verb,
            kind=kind,
            user=LOOPBACK_USER,
            namespace=metadata.get("namespace", ""),
            name="" if verb == "create" else metadata["name"],
            body=b"" if verb == "get" else orjson.dumps(document),
            user_agent="kube-apiserver",
        )
        return (await self._handler.handle(request)).body


def _same(*fields: str) -> Callable[[Object, Object], bool]:
    def compare(found: Object, wanted: Object) -> bool:
        return all(_covers(found.get(field), wanted.get(field)) for field in fields)

    return compare


def _same_ports(found: Object, wanted: Object) -> bool:
    return _covers(found["spec"].get("ports"), wanted["spec"]["ports"])


def _covers(found: Any, wanted: Any) -> bool:
    """Whether everything that is wanted is there; the server adds defaults to it."""
    if isinstance(wanted, dict):
        return isinstance(found, dict) and all(_covers(found.get(key), value) for key, value in wanted.items())
    if isinstance(wanted, list):
        return isinstance(found, list) and len(found) == len(wanted) and all(map(_covers, found, wanted))
    return bool(found == wanted)
