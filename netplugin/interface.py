"""What a node agent asks of a network: the contract of CNI (ADD, CHECK, DEL) as a Python protocol.

A pod is a network namespace made by the plugin plus containers that join it by path. `BridgeNetwork` (netplugin.plugin)
implements the protocol itself; `CniPlugin` (netplugin.cni_plugin) implements it by executing any CNI plugin.

Source of the verbs' meaning: the CNI specification 1.1, https://www.cni.dev/docs/spec/.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable


class NetworkError(Exception):
    """A pod's network could not be made, checked or removed. The text says what failed and why."""


class NotConfigured(NetworkError):
    """The node's address range is not known yet: `configure` must come before `add`."""


@dataclass(frozen=True)
class HostPort:
    """A port of the node that leads to a container's port (spec.containers[].ports[].hostPort)."""

    host_ip: str  # the node's address to listen on; "" or "0.0.0.0" is every address
    host_port: int
    container_port: int
    protocol: str = "TCP"  # TCP, UDP or SCTP


@dataclass(frozen=True)
class PodRequest:
    """The pod that needs a network. `uid` identifies it; namespace and name are for people and for CNI_ARGS."""

    namespace: str
    name: str
    uid: str
    host_ports: tuple[HostPort, ...] = ()


@dataclass(frozen=True)
class PodNetwork:
    """A pod's network as it stands."""

    netns: str  # path of the namespace file, which containers join
    ips: tuple[str, ...]  # the pod's addresses without prefix length, the primary one first


@runtime_checkable
class NetworkPlugin(Protocol):
    """A network for the pods of one node. All calls may run concurrently, for one pod also."""

    async def start(self) -> None:
        """Begin serving; adopts what an earlier process left. Raises NetworkError when the node cannot do it."""

    async def stop(self) -> None:
        """Stop working. Pods, routes and service rules stay as they are."""

    async def health(self) -> dict[str, str]:
        """Named check → "ok" or what is wrong."""

    async def configure(self, pod_cidrs: Sequence[str]) -> None:
        """Take the node's address ranges (Node.spec.podCIDRs), once they are known. Idempotent."""

    async def add(self, pod: PodRequest) -> PodNetwork:
        """Give the pod a namespace, a link and an address; the same ones when it has them already (by uid).

        Raises NetworkError, after which nothing of a half-made network is left.
        """

    async def check(self, pod: PodRequest) -> PodNetwork | None:
        """The pod's network, or None when it has none or it is not whole."""

    async def mend(self, pod: PodRequest) -> PodNetwork | None:
        """The pod's network, after making anew what was missing of it in the namespace that its containers are in.

        None when that is not possible: the pod needs another namespace. Raises NetworkError when making it failed.
        """

    async def delete(self, uid: str) -> None:
        """Remove the pod's network. Idempotent: a pod without one is no error."""

    async def pods(self) -> list[str]:
        """The uids that have a network on this node, half-made ones too (for garbage collection)."""

    async def purge(self) -> None:
        """Remove everything of this cluster's network from this node; also in a fresh process with no API server."""
