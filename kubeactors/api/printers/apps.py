"""Cells of daemon sets, stateful sets and controller revisions."""

from datetime import datetime
from typing import Any

from kubeactors.api.meta import Object, controller_of
from kubeactors.api.printers.text import (
    NONE,
    age,
    container_names_and_images,
    format_label_selector,
    format_labels,
    name,
)


def daemon_set_cells(daemon_set: Object, now: datetime) -> list[Any]:
    spec, status = daemon_set.get("spec") or {}, daemon_set.get("status") or {}
    template = spec.get("template") or {}
    return [
        name(daemon_set),
        status.get("desiredNumberScheduled", 0),
        status.get("currentNumberScheduled", 0),
        status.get("numberReady", 0),
        status.get("updatedNumberScheduled", 0),
        status.get("numberAvailable", 0),
        format_labels((template.get("spec") or {}).get("nodeSelector")),
        age(daemon_set, now),
        *container_names_and_images(template),
        format_label_selector(spec.get("selector")),
    ]


def stateful_set_cells(stateful_set: Object, now: datetime) -> list[Any]:
    spec, status = stateful_set.get("spec") or {}, stateful_set.get("status") or {}
    return [
        name(stateful_set),
        f"{status.get('readyReplicas', 0)}/{spec.get('replicas', 0)}",
        age(stateful_set, now),
        *container_names_and_images(spec.get("template") or {}),
    ]


def controller_revision_cells(revision: Object, now: datetime) -> list[Any]:
    return [name(revision), _controller(revision), revision.get("revision", 0), age(revision, now)]


def _controller(revision: Object) -> str:
    """`statefulset.apps/web`, the object that the revision is of."""
    owner = controller_of(revision)
    if owner is None:
        return NONE
    group, slash, _ = (owner.get("apiVersion") or "").partition("/")
    kind = (owner.get("kind") or "").lower()
    return f"{kind}.{group}/{owner.get('name')}" if slash else f"{kind}/{owner.get('name')}"
