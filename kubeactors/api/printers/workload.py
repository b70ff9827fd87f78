"""Cells of deployments and replica sets."""

from datetime import datetime
from typing import Any

from kubeactors.api.meta import Object
from kubeactors.api.printers.text import age, container_names_and_images, format_label_selector, name


def deployment_cells(deployment: Object, now: datetime) -> list[Any]:
    spec, status = deployment.get("spec") or {}, deployment.get("status") or {}
    return [
        name(deployment),
        f"{status.get('readyReplicas', 0)}/{spec.get('replicas', 0)}",
        status.get("updatedReplicas", 0),
        status.get("availableReplicas", 0),
        age(deployment, now),
        *container_names_and_images(spec.get("template") or {}),
        format_label_selector(spec.get("selector")),
    ]


def replica_set_cells(replica_set: Object, now: datetime) -> list[Any]:
    spec, status = replica_set.get("spec") or {}, replica_set.get("status") or {}
    return [
        name(replica_set),
        spec.get("replicas", 0),
        status.get("replicas", 0),
        status.get("readyReplicas", 0),
        age(replica_set, now),
        *container_names_and_images(spec.get("template") or {}),
        format_label_selector(spec.get("selector")),
    ]
