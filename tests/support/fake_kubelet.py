"""A node agent that runs nothing: gives bound pods an address, reports them running and ready, lets deleted ones go.

Works on any client, so beneath it may be the in-memory API or a real API server.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

from kubeactors.api.errors import StatusError
from kubeactors.api.meta import Object, is_deleting, now_rfc3339
from kubeactors.client import AsyncClient, Informer

_addresses = itertools.count(1)


def node_object(name: str, **allocatable: str) -> Object:
    """A ready node to create."""
    resources = {"cpu": "8", "memory": "16Gi", "pods": "110", **allocatable}
    ready = {"type": "Ready", "status": "True", "reason": "KubeletReady", "message": "faked"}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name}},
        "status": {"capacity": resources, "allocatable": resources, "conditions": [ready]},
    }


class FakeKubelet:
    """`async with FakeKubelet(client):` plays the agent of every node.

    `is_ready(pod)` decides which pods become ready; `ends(pod)` which deleted pods end.
    """

    def __init__(
        self,
        client: AsyncClient,
        is_ready: Callable[[Object], bool] = lambda _: True,
        ends: Callable[[Object], bool] = lambda _: True,
    ) -> None:
        self.is_ready = is_ready
        self.ends = ends
        self._client = client
        self._pods = Informer(client, "pods")
        self._tasks: set[asyncio.Task[None]] = set()
        self._started: set[str] = set()

    async def __aenter__(self) -> Self:
        self._pods.add_handler(self._seen, lambda _, new: self._seen(new))
        await self._pods.start()
        await self._pods.wait_synced()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._pods.stop()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _seen(self, pod: Object) -> None:
        if not pod["spec"].get("nodeName"):
            return
        if is_deleting(pod):
            if self.ends(pod):
                self._spawn(self._end(pod))
        elif pod["metadata"]["uid"] not in self._started:
            self._started.add(pod["metadata"]["uid"])
            self._spawn(self.report(pod, self.is_ready(pod)))

    def _spawn(self, work: object) -> None:
        task: asyncio.Task[None] = asyncio.ensure_future(work)  # type: ignore[arg-type]
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def report(self, pod: Object, ready: bool) -> None:
        """Write the pod's status as running."""
        now = now_rfc3339(datetime.now(UTC))
        ip = (pod.get("status") or {}).get("podIP") or f"10.1.{next(_addresses) // 250}.{next(_addresses) % 250 + 1}"
        value = "True" if ready else "False"
        conditions = [
            {"type": kind, "status": value, "lastTransitionTime": now} for kind in ("ContainersReady", "Ready")
        ]
        containers = [
            {
                "name": container["name"],
                "image": container.get("image", ""),
                "imageID": "",
                "ready": ready,
                "started": True,
                "restartCount": 0,
                "state": {"running": {"startedAt": now}},
            }
            for container in pod["spec"].get("containers") or ()
        ]
        status = {
            "phase": "Running",
            "podIP": ip,
            "podIPs": [{"ip": ip}],
            "startTime": now,
            "conditions": conditions,
            "containerStatuses": containers,
        }
        await self._patch(pod, status)

    async def _end(self, pod: Object) -> None:
        meta = pod["metadata"]
        with suppress(StatusError):  # gone already
            await self._client.delete(
                "pods", meta["name"], meta["namespace"], grace_period_seconds=0, preconditions={"uid": meta["uid"]}
            )

    async def _patch(self, pod: Object, status: Object) -> None:
        meta = pod["metadata"]
        patch = {"metadata": {"uid": meta["uid"]}, "status": status}
        with suppress(StatusError):
            await self._client.patch(
                "pods", meta["name"], patch, meta["namespace"], patch_type="strategic", subresource="status"
            )
