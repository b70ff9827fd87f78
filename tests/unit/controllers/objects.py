"""Objects for the controllers' tests."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from kubeactors.api.meta import Object

NOW = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)


def ago(seconds: float) -> str:
    return (NOW - timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


def deployment(name: str = "web", replicas: int | None = 3, **spec: Any) -> Object:
    status = spec.pop("status", {})
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": "default", "uid": f"uid-{name}", "generation": 1},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": template(name),
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}},
            "progressDeadlineSeconds": 600,
            "revisionHistoryLimit": 10,
            **spec,
        },
        "status": status,
    }


def template(app: str = "web", image: str = "registry.example/web:1") -> Object:
    return {"metadata": {"labels": {"app": app}}, "spec": {"containers": [{"name": "main", "image": image}]}}


def replica_set(
    name: str,
    replicas: int = 1,
    available: int = 0,
    *,
    age: float = 0,
    image: str = "x:1",
    annotations: dict[str, str] | None = None,
    **status: Any,
) -> Object:
    made = template("web", image)
    made["metadata"]["labels"]["pod-template-hash"] = name
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {
            "name": name,
            "namespace": "default",
            "uid": f"uid-{name}",
            "generation": 1,
            "creationTimestamp": ago(age),
            "annotations": annotations or {},
            "labels": dict(made["metadata"]["labels"]),
        },
        "spec": {"replicas": replicas, "template": made, "selector": {"matchLabels": {"app": "web"}}},
        "status": {
            "replicas": replicas,
            "availableReplicas": available,
            "readyReplicas": available,
            "observedGeneration": 1,
            **status,
        },
    }


def pod(
    name: str,
    *,
    labels: dict[str, str] | None = None,
    ready: bool | None = True,
    ready_for: float = 60,
    node: str | None = "n1",
    ip: str | None = "10.0.0.1",
    phase: str = "Running",
    deleting: bool = False,
    age: float = 100,
    **spec: Any,
) -> Object:
    made: Object = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": "default",
            "uid": f"uid-{name}",
            "labels": labels or {"app": "web"},
            "creationTimestamp": ago(age),
        },
        "spec": {"containers": [{"name": "main"}], **spec},
        "status": {"phase": phase},
    }
    if node:
        made["spec"]["nodeName"] = node
    if ip:
        made["status"] |= {"podIP": ip, "podIPs": [{"ip": ip}]}
    if ready is not None:
        condition = {"type": "Ready", "status": str(ready), "lastTransitionTime": ago(ready_for)}
        made["status"]["conditions"] = [condition]
    if deleting:
        made["metadata"]["deletionTimestamp"] = ago(0)
    return made


def service(
    name: str = "web", *, selector: dict[str, str] | None = None, ports: list[Object] | None = None, **spec: Any
) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": name,
            "namespace": "default",
            "uid": f"uid-svc-{name}",
            "creationTimestamp": ago(1000),
            "labels": {"svc": name},
        },
        "spec": {
            "clusterIP": "10.96.0.5",
            "ipFamilies": ["IPv4"],
            "selector": selector or {"app": "web"},
            "ports": ports if ports is not None else [{"name": "http", "port": 80, "targetPort": 8080}],
            **spec,
        },
    }


def node(name: str, *, ready: str | None = "True", beat: float = 0, **spec: Any) -> Object:
    conditions = []
    if ready is not None:
        conditions = [
            {"type": "Ready", "status": ready, "lastHeartbeatTime": ago(beat), "lastTransitionTime": ago(1000)}
        ]
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "uid": f"uid-node-{name}", "labels": {}, "creationTimestamp": ago(2000)},
        "spec": dict(spec),
        "status": {"conditions": conditions},
    }
