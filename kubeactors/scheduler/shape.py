"""A pod's shape: all of it that decides where it may go. Pods of equal shape are placed in one pass. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from kubeactors.api.meta import Object
from kubeactors.api.resource_amounts import CPU, MEMORY, PODS, pod_requests

# (key, operator, values) of a node selector requirement.
Requirement = tuple[str, str, tuple[str, ...]]


@dataclass(frozen=True)
class Term:
    """One node selector term: all of its requirements on labels and on fields (metadata.name)."""

    expressions: tuple[Requirement, ...] = ()
    fields: tuple[Requirement, ...] = ()


@dataclass(frozen=True)
class Toleration:
    key: str
    operator: str
    value: str
    effect: str

    def tolerates(self, key: str, value: str, effect: str) -> bool:
        if self.effect and self.effect != effect:
            return False
        if self.key and self.key != key:
            return False
        if self.operator == "Exists":
            return True
        if self.operator in ("Gt", "Lt"):
            return _compares(value, self.operator, self.value)
        return self.value == value


@dataclass(frozen=True)
class HostPort:
    ip: str  # 0.0.0.0 for every address
    protocol: str
    port: int


@dataclass(frozen=True)
class Shape:
    """Hashable, so that equal pods group. `requests` counts the pod itself as one of the resource "pods"."""

    requests: tuple[tuple[str, int], ...] = ((PODS, 1),)
    nonzero: tuple[int, int] = (0, 0)  # CPU and memory for scoring
    best_effort: bool = True
    node_selector: tuple[tuple[str, str], ...] = ()
    required: tuple[Term, ...] | None = None  # any of these; None: no requirement
    preferred: tuple[tuple[int, Term], ...] = ()
    tolerations: tuple[Toleration, ...] = ()
    host_ports: tuple[HostPort, ...] = ()
    priority: int = 0
    preempts: bool = True
    unsupported: tuple[str, ...] = ()  # hard requirements that no plugin here can meet
    ignored: tuple[str, ...] = ()  # preferences that no plugin here weighs
    # Annotations that plugins read, as (name, value); see `framework.AnnotationPlugin`.
    extra: tuple[tuple[str, str], ...] = field(default=())


def shape_of(pod: Object, extra_annotations: tuple[str, ...] = ()) -> Shape:
    """The shape of a pod; annotations named in `extra_annotations` become part of it."""
    spec = pod["spec"]
    requests = pod_requests(pod)
    nonzero = pod_requests(pod, nonzero=True)
    affinity = spec.get("affinity") or {}
    node_affinity = affinity.get("nodeAffinity") or {}
    required = node_affinity.get("requiredDuringSchedulingIgnoredDuringExecution")
    preferred = node_affinity.get("preferredDuringSchedulingIgnoredDuringExecution") or ()
    annotations = pod["metadata"].get("annotations") or {}
    unsupported, ignored = _not_built(spec, affinity)
    return Shape(
        requests=(*sorted((name, value) for name, value in requests.items() if name != PODS), (PODS, 1)),
        nonzero=(nonzero.get(CPU, 0), nonzero.get(MEMORY, 0)),
        best_effort=not any(requests.values()),
        node_selector=tuple(sorted((spec.get("nodeSelector") or {}).items())),
        required=None if required is None else tuple(map(_term, required.get("nodeSelectorTerms") or ())),
        preferred=tuple((int(p["weight"]), _term(p["preference"])) for p in preferred),
        tolerations=tuple(map(_toleration, spec.get("tolerations") or ())),
        host_ports=_host_ports(spec),
        priority=int(spec.get("priority") or 0),
        preempts=spec.get("preemptionPolicy") != "Never",
        unsupported=unsupported,
        ignored=ignored,
        extra=tuple((name, annotations[name]) for name in extra_annotations if name in annotations),
    )


def _term(term: Mapping[str, Any]) -> Term:
    def requirements(field: str) -> tuple[Requirement, ...]:
        return tuple((r["key"], r["operator"], tuple(r.get("values") or ())) for r in term.get(field) or ())

    return Term(requirements("matchExpressions"), requirements("matchFields"))


def _toleration(toleration: Mapping[str, Any]) -> Toleration:
    return Toleration(
        toleration.get("key") or "",
        toleration.get("operator") or "Equal",
        toleration.get("value") or "",
        toleration.get("effect") or "",
    )


def _host_ports(spec: Object) -> tuple[HostPort, ...]:
    sidecars = [c for c in spec.get("initContainers") or () if c.get("restartPolicy") == "Always"]
    found = set()
    for container in [*(spec.get("containers") or ()), *sidecars]:
        for port in container.get("ports") or ():
            if port.get("hostPort"):
                ip = port.get("hostIP") or "0.0.0.0"
                found.add(HostPort(ip, port.get("protocol") or "TCP", int(port["hostPort"])))
    return tuple(sorted(found, key=lambda p: (p.protocol, p.port, p.ip)))


def _not_built(spec: Object, affinity: Object) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Names of the pod's features that this scheduler lacks: requirements, and mere preferences."""
    hard: list[str] = []
    soft: list[str] = []
    for kind in ("podAffinity", "podAntiAffinity"):
        rules = affinity.get(kind) or {}
        if rules.get("requiredDuringSchedulingIgnoredDuringExecution"):
            hard.append(f"spec.affinity.{kind}")
        if rules.get("preferredDuringSchedulingIgnoredDuringExecution"):
            soft.append(f"preferred spec.affinity.{kind}")
    for constraint in spec.get("topologySpreadConstraints") or ():
        must = constraint.get("whenUnsatisfiable", "DoNotSchedule") == "DoNotSchedule"
        (hard if must else soft).append("spec.topologySpreadConstraints")
    if any("persistentVolumeClaim" in v or "ephemeral" in v for v in spec.get("volumes") or ()):
        hard.append("persistent volume claims")
    if spec.get("resourceClaims"):
        hard.append("spec.resourceClaims")
    return tuple(dict.fromkeys(hard)), tuple(dict.fromkeys(soft))


def _compares(value: str, operator: str, bound: str) -> bool:
    try:
        have, limit = int(value), int(bound)
    except ValueError:
        return False
    return have > limit if operator == "Gt" else have < limit
