"""Defaults of pods and pod templates."""

from typing import Any

from kubeactors.api.defaults.image import default_pull_policy
from kubeactors.api.defaults.volume import default_volumes
from kubeactors.api.pod_resources import container_sums

JsonObject = dict[str, Any]

CONTAINER_LISTS = ("initContainers", "containers", "ephemeralContainers")


def default_pod(obj: JsonObject) -> None:
    """Defaults of a Pod: those of its spec, and those that templates do not get."""
    spec = obj.setdefault("spec", {})
    spec.setdefault("enableServiceLinks", True)
    default_pod_spec(spec)
    for name in ("initContainers", "containers"):
        for container in spec.get(name) or ():
            _requests_from_limits(container.get("resources") or {})
    if spec.get("resources"):
        _default_pod_resources(spec)
    if spec.get("hostNetwork"):
        default_host_network_ports(spec)


def default_pod_spec(spec: JsonObject) -> None:
    """Defaults of a pod spec, as found in pods and in the templates of workloads."""
    for name in CONTAINER_LISTS:
        for container in spec.get(name) or ():
            _default_container(container)
    if spec.get("volumes"):
        default_volumes(spec["volumes"])
    if not spec.get("restartPolicy"):
        spec["restartPolicy"] = "Always"
    if not spec.get("dnsPolicy"):
        spec["dnsPolicy"] = "ClusterFirst"
    spec.setdefault("terminationGracePeriodSeconds", 30)
    spec.setdefault("securityContext", {})
    if not spec.get("schedulerName"):
        spec["schedulerName"] = "default-scheduler"
    account = spec.get("serviceAccountName") or spec.get("serviceAccount")
    if account:
        spec["serviceAccountName"] = spec["serviceAccount"] = account


def default_host_network_ports(spec: JsonObject) -> None:
    """On the host's network a container's port is the host's port."""
    for name in ("initContainers", "containers"):
        for container in spec.get(name) or ():
            for port in container.get("ports") or ():
                if not port.get("hostPort"):
                    port["hostPort"] = port.get("containerPort", 0)


def _default_container(container: JsonObject) -> None:
    if not container.get("imagePullPolicy"):
        container["imagePullPolicy"] = default_pull_policy(container.get("image") or "")
    if not container.get("terminationMessagePath"):
        container["terminationMessagePath"] = "/dev/termination-log"
    if not container.get("terminationMessagePolicy"):
        container["terminationMessagePolicy"] = "File"
    for port in container.get("ports") or ():
        if not port.get("protocol"):
            port["protocol"] = "TCP"
    for variable in container.get("env") or ():
        source = variable.get("valueFrom")
        if source:
            default_field_sources(source)
    for name in ("livenessProbe", "readinessProbe", "startupProbe"):
        if name in container:
            _default_probe(container[name])
    lifecycle = container.get("lifecycle") or {}
    for name in ("postStart", "preStop"):
        if name in lifecycle:
            _default_http(lifecycle[name])


def default_field_sources(source: JsonObject) -> None:
    """Of an environment variable or a file that shows a field or a resource."""
    reference = source.get("fieldRef")
    if reference is not None and not reference.get("apiVersion"):
        reference["apiVersion"] = "v1"
    resource = source.get("resourceFieldRef")
    if resource is not None:
        resource.setdefault("divisor", "0")


def _default_probe(probe: JsonObject) -> None:
    for field, value in (
        ("timeoutSeconds", 1),
        ("periodSeconds", 10),
        ("successThreshold", 1),
        ("failureThreshold", 3),
    ):
        if not probe.get(field):
            probe[field] = value
    if "grpc" in probe:
        probe["grpc"]["service"] = probe["grpc"].get("service") or ""
    _default_http(probe)


def _default_http(handler: JsonObject) -> None:
    action = handler.get("httpGet")
    if action is not None:
        if not action.get("path"):
            action["path"] = "/"
        if not action.get("scheme"):
            action["scheme"] = "HTTP"


def _requests_from_limits(resources: JsonObject) -> None:
    limits = resources.get("limits")
    if not limits:
        return
    requests = resources.setdefault("requests", {})
    for name, value in limits.items():
        requests.setdefault(name, value)


def _default_pod_resources(spec: JsonObject) -> None:
    """Pod-level requests: what the containers ask for where they do, else the pod-level limit (KEP-2837)."""
    resources = spec["resources"]
    limits = resources.get("limits") or {}
    requests = resources.get("requests") or {}
    total = container_sums(spec, "requests")
    for name in (*limits, *total):
        if name in requests or not _pod_level(name):
            continue
        if name in total:
            requests[name] = total[name]
        elif name in limits:
            requests[name] = limits[name]
    if requests:
        resources["requests"] = requests


def _pod_level(name: str) -> bool:
    return name in ("cpu", "memory") or name.startswith("hugepages-")
