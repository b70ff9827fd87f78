"""Keeps this machine's Node object and its Lease: registration, address range, status, heartbeats."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

from kubeactors.api.errors import StatusError
from kubeactors.api.meta import Object, labels, now_rfc3339_micro, uid
from kubeactors.client import AsyncClient, Informer
from nodeagent.config import NodeAgentConfig
from nodeagent.node.machine import Machine
from nodeagent.node.status import differs, node_labels, node_object, node_status
from nodeagent.runtime.interface import Version
from nodeagent.waiting import wait_event

logger = logging.getLogger(__name__)

_LEASE_NAMESPACE = "kube-node-lease"
_RETRY = 2.0


class NodeRegistrar:
    """`problems()` is what keeps the node from being ready (check → text); `on_cidrs` gets the node's address ranges
    whenever they become known."""

    def __init__(
        self,
        client: AsyncClient,
        config: NodeAgentConfig,
        machine: Machine,
        *,
        runtime_version: Callable[[], Version],
        port: Callable[[], int],
        problems: Callable[[], Awaitable[dict[str, str]]],
        on_cidrs: Callable[[list[str]], Awaitable[None]],
        clock: Callable[[], float],
    ) -> None:
        self._client = client
        self._config = config
        self._machine = machine
        self._runtime_version = runtime_version
        self._port = port
        self._problems = problems
        self._on_cidrs = on_cidrs
        self._clock = clock
        self._node: Object | None = None
        self._reported_at = 0.0
        self._told: list[str] = []  # the ranges that on_cidrs knows
        self._changed = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._informer = Informer(client, "nodes", field_selector=f"metadata.name={config.node_name}")
        self.registered = asyncio.Event()

    async def start(self) -> None:
        self._informer.add_handler(self._on_node, lambda _old, new: self._on_node(new), lambda _last: self._gone())
        await self._informer.start()
        self._tasks = [
            asyncio.create_task(self._keep_node(), name="node status"),
            asyncio.create_task(self._keep_lease(), name="node lease"),
        ]

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._informer.stop()

    def reconsider(self) -> None:
        """Something that the status tells of has changed."""
        self._changed.set()

    @property
    def node(self) -> Object | None:
        """The Node as last seen."""
        return self._node

    # -- the Node --------------------------------------------------------------------------------------------------

    def _on_node(self, node: Object) -> None:
        self._node = node
        if _cidrs(node) != self._told:
            self._changed.set()

    def _gone(self) -> None:
        """Somebody deleted the Node: kubelet registers again only at its next start; we do at once."""
        self._node = None
        self.registered.clear()
        self._changed.set()

    async def _keep_node(self) -> None:
        while True:
            self._changed.clear()
            wait = self._config.status_interval
            try:
                if not self.registered.is_set():
                    await self._register()
                cidrs = _cidrs(self._node) if self._node else []
                if cidrs and cidrs != self._told:
                    await self._on_cidrs(cidrs)
                    self._told = cidrs
                await self._report()
                # The answer to a write may bring the range before the watch does.
                if self._node is not None and _cidrs(self._node) not in ([], self._told):
                    continue
            except StatusError as error:
                logger.warning("node %s: %s; trying again", self._config.node_name, error)
                wait = _RETRY
            except Exception:
                logger.exception("keeping node %s failed; trying again", self._config.node_name)
                wait = _RETRY
            await wait_event(self._changed, wait * (1 + 0.04 * random.random()))

    async def _register(self) -> None:
        name = self._config.node_name
        wanted = node_object(self._config, self._machine)
        try:
            self._node = await self._client.create("nodes", wanted)
            logger.info("registered node %s", name)
        except StatusError as error:
            if error.reason != "AlreadyExists":
                raise
            self._node = await self._client.get("nodes", name)
            missing = {
                key: value
                for key, value in node_labels(self._config, self._machine).items()
                if labels(self._node).get(key) != value
            }
            if missing:
                self._node = await self._client.patch("nodes", name, {"metadata": {"labels": missing}})
        self.registered.set()

    async def _report(self) -> None:
        """Write the status when it differs, and now and then when it does not."""
        node = self._node
        if node is None:
            return
        now = self._clock()
        wanted = node_status(
            node,
            self._config,
            self._machine,
            self._runtime_version(),
            self._port(),
            await self._problems(),
            now,
        )
        present = node.get("status") or {}
        if not differs(present, wanted) and now - self._reported_at < self._config.status_report_interval:
            return
        self._node = await self._client.patch(
            "nodes", self._config.node_name, {"status": wanted}, patch_type="strategic", subresource="status"
        )
        self._reported_at = now

    # -- the Lease -------------------------------------------------------------------------------------------------

    async def _keep_lease(self) -> None:
        await self.registered.wait()
        lease: Object | None = None
        while True:
            try:
                lease = await self._renew(lease)
                wait = self._config.lease_interval * (1 + 0.04 * random.random())
            except StatusError as error:
                logger.warning("renewing the lease of node %s: %s; trying again", self._config.node_name, error)
                lease, wait = None, min(_RETRY, self._config.lease_interval)
            await asyncio.sleep(wait)

    async def _renew(self, lease: Object | None) -> Object:
        name = self._config.node_name
        spec: dict[str, Any] = {
            "holderIdentity": name,
            "leaseDurationSeconds": self._config.lease_duration,
            "renewTime": now_rfc3339_micro(datetime.fromtimestamp(self._clock(), UTC)),
        }
        timeout = max(1.0, self._config.lease_interval)
        if lease is None:
            try:
                lease = await self._client.get("leases", name, _LEASE_NAMESPACE, timeout=timeout)
            except StatusError as error:
                if error.code != 404:
                    raise
                return await self._client.create("leases", self._new_lease(spec), _LEASE_NAMESPACE, timeout=timeout)
        updated = {**lease, "spec": {**lease["spec"], **spec}}
        return await self._client.update("leases", updated, timeout=timeout)

    def _new_lease(self, spec: dict[str, Any]) -> Object:
        metadata: dict[str, Any] = {"name": self._config.node_name, "namespace": _LEASE_NAMESPACE}
        if self._node is not None:
            owner = {"apiVersion": "v1", "kind": "Node", "name": self._config.node_name, "uid": uid(self._node)}
            metadata["ownerReferences"] = [owner]
        return {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": metadata, "spec": spec}


def _cidrs(node: Object) -> list[str]:
    spec = node.get("spec") or {}
    return list(spec.get("podCIDRs") or ([spec["podCIDR"]] if spec.get("podCIDR") else []))
