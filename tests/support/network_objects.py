"""Nodes, Services and EndpointSlices for tests of the network."""

from collections.abc import Sequence
from typing import Any

Object = dict[str, Any]


def node(name: str, address: str, pod_cidr: str) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name},
        "spec": {"podCIDR": pod_cidr, "podCIDRs": [pod_cidr]},
        "status": {"addresses": [{"type": "InternalIP", "address": address}]},
    }


def service(name: str, cluster_ip: str, *ports: Object, **spec: Any) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {
            "type": "ClusterIP",
            "clusterIP": cluster_ip,
            "clusterIPs": [cluster_ip],
            "ports": list(ports) or [{"port": 80, "protocol": "TCP"}],
            **spec,
        },
    }


def endpoint(address: str, node_name: str = "a", **conditions: bool) -> Object:
    return {
        "addresses": [address],
        "nodeName": node_name,
        "conditions": {"ready": True, "serving": True, "terminating": False, **conditions},
    }


def terminating(address: str, node_name: str = "a", *, serving: bool = True) -> Object:
    return endpoint(address, node_name, ready=False, serving=serving, terminating=True)


def endpoint_slice(
    service_name: str, endpoints: Sequence[Object], *ports: Object, suffix: str = "1", **fields: Any
) -> Object:
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": f"{service_name}-{suffix}",
            "namespace": "default",
            "labels": {"kubernetes.io/service-name": service_name},
        },
        "addressType": "IPv4",
        "ports": list(ports) or [{"name": "", "port": 8080, "protocol": "TCP"}],
        "endpoints": list(endpoints),
        **fields,
    }
