"""What all pod workers of a node share."""

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from kubeactors.api.meta import Object
from kubeactors.client import EventRecorder
from netplugin.interface import NetworkPlugin
from nodeagent.config import NodeAgentConfig
from nodeagent.images import Images
from nodeagent.kernel.cgroups import Cgroups
from nodeagent.objects import ReferencedObjects
from nodeagent.pods.allocations import Allocations
from nodeagent.pods.field_refs import PodFacts
from nodeagent.pods.status import Host
from nodeagent.probes.prober import Handlers
from nodeagent.runtime.interface import Runtime
from nodeagent.slots import Slots
from nodeagent.tokens import PodTokens

_LISTS = {"main": "containers", "ephemeral": "ephemeralContainers"}


@dataclass
class NodeContext:
    """The node as workers see it. `clock` is seconds since the epoch."""

    config: NodeAgentConfig
    runtime: Runtime
    network: NetworkPlugin
    images: Images
    objects: ReferencedObjects
    tokens: PodTokens
    handlers: Handlers
    recorder: EventRecorder
    host: Host
    node_memory: int
    allocatable: dict[str, str]
    #: All services, waiting until they are known. Raises TimeoutError when no API server tells.
    services: Callable[[], Awaitable[Sequence[Object]]]
    cgroups: Cgroups
    #: The Node, as last seen or asked for anew; None when it is not known.
    node: Callable[[bool], Awaitable[Object | None]]
    allocations: Allocations
    clock: Callable[[], float] = time.time
    #: Networks that are made at once: more would only delay the first pods of many.
    network_slots: Slots = field(default_factory=lambda: Slots(4))

    def facts(self, pod_ips: tuple[str, ...]) -> PodFacts:
        return PodFacts(self.config.node_name, self.host.ips, pod_ips, self.allocatable)

    def tell(self, pod: Object, type: str, reason: str, message: str, container: str = "", kind: str = "main") -> None:
        """Record an event about the pod, or one of its containers."""
        path = None
        if container:
            path = f"spec.{_LISTS.get(kind, 'initContainers')}{{{container}}}"
        self.recorder.event(pod, type, reason, message, field_path=path)
