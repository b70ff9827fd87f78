"""Fields of a pod that containers can read (fieldRef, resourceFieldRef of environments and downward volumes): pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from kubeactors.api.meta import Object, annotations, labels
from kubeactors.api.quantity import Quantity
from nodeagent.pods.resources import limits_of, requests_of


class FieldError(Exception):
    """A reference that leads nowhere; the text is kubelet's."""


@dataclass(frozen=True)
class PodFacts:
    """What the pod object itself does not say (yet)."""

    node_name: str
    host_ips: tuple[str, ...]
    pod_ips: tuple[str, ...]
    allocatable: Mapping[str, str]  # the node's, for limits that are not set


def field_value(pod: Object, path: str, facts: PodFacts) -> str:
    """The value of a fieldRef. Raises FieldError."""
    spec, metadata = pod["spec"], pod["metadata"]
    host_network = bool(spec.get("hostNetwork"))
    pod_ips = facts.host_ips if host_network else facts.pod_ips
    simple = {
        "metadata.name": metadata["name"],
        "metadata.namespace": metadata.get("namespace", ""),
        "metadata.uid": metadata.get("uid", ""),
        "spec.nodeName": spec.get("nodeName") or facts.node_name,
        "spec.serviceAccountName": spec.get("serviceAccountName") or "",
        "status.hostIP": facts.host_ips[0],
        "status.hostIPs": ",".join(facts.host_ips),
        "status.podIP": pod_ips[0] if pod_ips else "",
        "status.podIPs": ",".join(pod_ips),
    }
    if path in simple:
        return str(simple[path])
    if path == "metadata.labels":
        return _as_lines(labels(pod))
    if path == "metadata.annotations":
        return _as_lines(annotations(pod))
    name, bracket, key = path.partition("[")
    if bracket and key.endswith("]"):
        key = key[:-1].strip("'\"")
        if name == "metadata.labels":
            return labels(pod).get(key, "")
        if name == "metadata.annotations":
            return annotations(pod).get(key, "")
    raise FieldError(f"unsupported fieldPath: {path}")


def needs_pod_ip(path: str) -> bool:
    return path in ("status.podIP", "status.podIPs")


def resource_value(pod: Object, reference: Object, own_container: str, facts: PodFacts) -> str:
    """The value of a resourceFieldRef: an integer, rounded up after the division. Raises FieldError."""
    name = reference.get("containerName") or own_container
    spec = pod["spec"]
    found: Object | None = next(
        (c for c in [*(spec.get("initContainers") or ()), *spec["containers"]] if c["name"] == name), None
    )
    if found is None:
        raise FieldError(f"container {name} not found")
    path = reference["resource"]
    scope, _, resource = path.partition(".")
    if scope not in ("limits", "requests") or not resource:
        raise FieldError(f"unsupported container resource : {path}")
    if scope == "limits":
        amount = limits_of(found).get(resource) or facts.allocatable.get(resource) or "0"
    else:
        amount = requests_of(found).get(resource) or "0"
    divisor = Quantity.parse(reference.get("divisor") or "1")
    if divisor.is_zero:
        divisor = Quantity.parse("1")
    return str(-(-Quantity.parse(amount).nanos // divisor.nanos))


def _as_lines(pairs: Mapping[str, str]) -> str:
    """`key="value"` lines in the order of keys, as the downward API writes maps."""
    return "\n".join(f"{key}={_quoted(pairs[key])}" for key in sorted(pairs))


def _quoted(text: str) -> str:
    """Go's %q for what labels and annotations contain."""
    plain = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + plain.replace("\n", "\\n").replace("\t", "\\t").replace("\r", "\\r") + '"'
