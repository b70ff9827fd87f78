"""The containers of a pod's spec, whatever their kind: pure."""

from kubeactors.api.meta import Object


def all_containers(pod: Object) -> list[Object]:
    """Init containers (sidecars among them), the main ones, then the ephemeral ones that were added for debugging."""
    spec = pod["spec"]
    return [*(spec.get("initContainers") or ()), *spec["containers"], *(spec.get("ephemeralContainers") or ())]


def container_of(pod: Object, name: str) -> Object:
    """The container of that name. Raises KeyError."""
    for container in all_containers(pod):
        if container["name"] == name:
            return container
    raise KeyError(name)
