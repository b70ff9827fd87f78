"""Writing pods' statuses to the API server: in the background, the latest wins, repeated until it is taken."""

import asyncio
import logging
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from kubeactors.api.errors import StatusError
from kubeactors.api.meta import Object, key, name, namespace, uid
from kubeactors.client import AsyncClient
from nodeagent.pods.status import RESIZE_CONDITIONS
from nodeagent.waiting import wait_event

logger = logging.getLogger(__name__)

_RETRY_INITIAL, _RETRY_LONGEST = 0.1, 10.0
#: A pod that is only being set up is not told at once: most are running before this has passed, in seconds.
_PENDING_DELAY = 0.15


@dataclass
class _Entry:
    pod: Object
    #: The status as the API server has it, as far as we know.
    known: Object
    wanted: Object | None = None
    on_written: Callable[[], None] | None = None
    task: asyncio.Task[None] | None = None
    hurry: asyncio.Event | None = None


class StatusManager:
    """One writer per pod that has something to write. Pods are told apart by uid."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client
        self._entries: dict[str, _Entry] = {}

    def update(self, pod: Object, status: Object, on_written: Callable[[], None]) -> None:
        """Write `status`; `on_written` is called once it (not a later one) is known to be there."""
        entry = self._entries.get(uid(pod))
        if entry is None:
            entry = self._entries[uid(pod)] = _Entry(pod, dict(pod.get("status") or {}))
        entry.pod = pod
        if entry.wanted is None and not _difference(entry.known, status):
            on_written()
            return
        entry.wanted, entry.on_written = status, on_written
        if entry.task is None or entry.task.done():
            entry.hurry = asyncio.Event()
            entry.task = asyncio.create_task(self._write(entry), name=f"status of {key(pod)}")
        if entry.hurry is not None and not _may_wait(status):
            entry.hurry.set()

    async def delete(self, pod: Object) -> None:
        """Delete the pod object for good. Raises StatusError."""
        await self._client.delete(
            "pods", name(pod), namespace(pod), grace_period_seconds=0, preconditions={"uid": uid(pod)}
        )

    def forget(self, pod_uid: str) -> None:
        entry = self._entries.pop(pod_uid, None)
        if entry is not None and entry.task is not None:
            entry.task.cancel()

    async def stop(self) -> None:
        tasks = [entry.task for entry in self._entries.values() if entry.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _write(self, entry: _Entry) -> None:
        delay = _RETRY_INITIAL
        while entry.wanted is not None:
            if entry.hurry is not None and not entry.hurry.is_set():
                if not await wait_event(entry.hurry, _PENDING_DELAY):
                    entry.hurry.set()
                continue
            status, on_written = entry.wanted, entry.on_written
            difference = _difference(entry.known, status)
            if difference and not await self._send(entry, difference):
                await asyncio.sleep(delay * (1 + random.random()))
                delay = min(_RETRY_LONGEST, delay * 2)
                continue
            delay = _RETRY_INITIAL
            entry.known = {**entry.known, **status}
            for gone in set(entry.known) - set(status):
                if gone in _OPTIONAL:
                    del entry.known[gone]
            if entry.wanted is status:
                entry.wanted = entry.on_written = None
            if on_written is not None:
                on_written()

    async def _send(self, entry: _Entry, difference: dict[str, Any]) -> bool:
        """True when it is written, or never will be."""
        pod = entry.pod
        patch = {"metadata": {"uid": uid(pod)}, "status": difference}
        try:
            await self._client.patch(
                "pods", name(pod), patch, namespace(pod), patch_type="strategic", subresource="status"
            )
        except StatusError as error:
            if error.code == 404 or (error.is_of_another and await self._is_replaced(pod)):
                logger.debug("status of %s is not wanted any more: %s", key(pod), error)
                return True
            if error.code in (400, 422):
                logger.error("the API server refuses the status of %s: %s", key(pod), error)
                return True
            logger.warning("status of %s: %s; trying again", key(pod), error)
            return False
        return True

    async def _is_replaced(self, pod: Object) -> bool:
        """Whether the conflict is for good: another pod has the name now."""
        try:
            return uid(await self._client.get("pods", name(pod), namespace(pod))) != uid(pod)
        except StatusError as error:
            return error.code == 404


#: Fields that a later status may lack.
_OPTIONAL = ("podIP", "podIPs", "reason", "message", "initContainerStatuses")


def _difference(known: Object, wanted: Object) -> dict[str, Any]:
    """The strategic merge patch of status that leads from `known` to `wanted`."""
    patch: dict[str, Any] = {}
    for field, value in wanted.items():
        before = known.get(field)
        if value == before:
            continue
        if field == "conditions":
            changed = _changed_conditions(before or [], value)
            present = {condition["type"] for condition in value}
            over = [c["type"] for c in before or () if c["type"] in RESIZE_CONDITIONS and c["type"] not in present]
            changed += [{"$patch": "delete", "type": type} for type in over]
            if changed:
                patch[field] = changed
        elif field in ("podIPs", "hostIPs"):
            gone = [entry for entry in before or () if entry not in value]
            patch[field] = [*value, *({"$patch": "delete", "ip": entry["ip"]} for entry in gone)]
        else:
            patch[field] = value
    for field in _OPTIONAL:
        if field in known and field not in wanted:
            patch[field] = None
    return patch


def _changed_conditions(before: list[Object], wanted: list[Object]) -> list[Object]:
    known = {condition["type"]: condition for condition in before}
    changed = []
    for condition in wanted:
        old = known.get(condition["type"])
        # A reason or message that has gone must be taken away.
        gone: dict[str, Any] = {f: None for f in ("reason", "message") if f in (old or {}) and f not in condition}
        if old is None or gone or any(old.get(k) != v for k, v in condition.items()):
            changed.append({**condition, **gone})
    return changed


def _may_wait(status: Object) -> bool:
    """Whether the pod is only being set up, with nothing wrong."""
    if status.get("phase") != "Pending":
        return False
    statuses = [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]
    states = [s["state"] for s in statuses]
    return all(s.get("waiting", {}).get("reason") in ("ContainerCreating", "PodInitializing") for s in states)
