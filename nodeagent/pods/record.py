"""What the next agent must know of a pod, on disk beside its volumes: the pod object and the worker's state.

The runtime's labels say which containers there are; the record adds what only this agent knew (probe and hook progress,
back-off, why something ended), and lets an agent care for its pods while no API server answers.
"""

import asyncio
import dataclasses
import logging
import os
from pathlib import Path
from typing import Any

import orjson

from kubeactors.api.meta import Object
from nodeagent.pods.backoff import BackOff
from nodeagent.pods.state import ContainerState, Failure, PodState, Resize, Run, Sandbox, Waiting, new_state

logger = logging.getLogger(__name__)


def encode(pod: Object, state: PodState) -> bytes:
    return orjson.dumps({"pod": pod, "state": dataclasses.asdict(state)}, default=list)


def decode(data: bytes) -> tuple[Object, PodState]:
    """Raises ValueError or KeyError for what no agent wrote."""
    decoded = orjson.loads(data)
    pod: Object = decoded["pod"]
    saved: dict[str, Any] = decoded["state"]
    state = new_state(pod, float(saved["start_time"]))
    for name, container in saved["containers"].items():
        if name in state.containers:
            state.containers[name] = _container(container)
    state.sandbox = Sandbox(**{**saved["sandbox"], "ips": tuple(saved["sandbox"]["ips"])})
    state.failure = Failure(**saved["failure"]) if saved["failure"] else None
    state.given = saved.get("given") or {}  # an agent of an earlier version knew of no resizes
    state.resize_pending = Resize(**saved["resize_pending"]) if saved.get("resize_pending") else None
    state.resize_progress = Resize(**saved["resize_progress"]) if saved.get("resize_progress") else None
    state.terminating_since = saved["terminating_since"]
    state.grace = saved["grace"]
    state.torn_down = saved["torn_down"]
    return pod, state


def read(path: Path) -> tuple[Object, PodState] | None:
    """The record, or None when there is none or it is unreadable. Blocks."""
    try:
        return decode(path.read_bytes())
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        logger.warning("ignoring the record %s: %s", path, error)
        return None


class RecordWriter:
    """Writes the latest record in the background. No sync: after a power failure there are no containers to adopt."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._latest: bytes | None = None
        self._written: bytes | None = None
        self._task: asyncio.Task[None] | None = None

    def save(self, pod: Object, state: PodState) -> None:
        data = encode(pod, state)
        if data in (self._latest, self._written) and self._latest is None:
            return
        self._latest = data
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._write_all(), name=f"record {self._path.parent.name}")

    async def flush(self) -> None:
        """Wait until the latest is on disk; whoever gives up waiting does not stop the writing."""
        if self._task is not None:
            await asyncio.shield(self._task)

    async def _write_all(self) -> None:
        while self._latest is not None:
            data, self._latest = self._latest, None
            if data == self._written:
                continue
            try:
                await asyncio.to_thread(_replace, self._path, data)
                self._written = data
            except OSError as error:
                logger.warning("could not write %s: %s", self._path, error)


def _replace(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(path.name + ".new")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(data)
    new.rename(path)


def _container(saved: dict[str, Any]) -> ContainerState:
    return ContainerState(
        **{
            **saved,
            "run": Run(**saved["run"]) if saved["run"] else None,
            "last": Run(**saved["last"]) if saved["last"] else None,
            "waiting": Waiting(**saved["waiting"]) if saved["waiting"] else None,
            "back_off": BackOff(**saved["back_off"]) if saved["back_off"] else None,
        }
    )
