"""Nodes and pods for the scheduler's tests."""

from __future__ import annotations

from typing import Any

from kubeactors.api.meta import Object


def node(
    name: str,
    cpu: str = "8",
    memory: str = "16Gi",
    pods: str = "110",
    *,
    labels: dict[str, str] | None = None,
    taints: list[Object] | None = None,
    unschedulable: bool = False,
    **more: str,
) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "uid": f"uid-{name}", "labels": labels or {}},
        "spec": {"taints": taints or [], "unschedulable": unschedulable},
        "status": {"allocatable": {"cpu": cpu, "memory": memory, "pods": pods, **more}},
    }


def pod(name: str, requests: dict[str, str] | None = None, *, node: str | None = None, **spec: Any) -> Object:
    body: Object = {"containers": [{"name": "main", "resources": {"requests": requests or {}}}], **spec}
    if node:
        body["nodeName"] = node
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "default", "uid": f"uid-{name}", "generation": 1},
        "spec": body,
        "status": {"phase": "Pending"},
    }
