"""From outside the cluster's actors: which `Cluster` actor acts, and what it says."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

from kubeactors.actors import ray_cluster
from kubeactors.actors.settings import CLUSTER

FIND_TIMEOUT = 5.0


async def cluster_actors() -> dict[str, Any]:
    """The cluster's `Cluster` actors by name. Raises RayUnavailableError."""
    return await ray_cluster.within(FIND_TIMEOUT, ray_cluster.find_actors, f"{CLUSTER}:")


async def acting(*, fresh: bool, timeout: float) -> tuple[Any, dict[str, Any]] | None:
    """The actor that acts and its status, after a new look at everything if `fresh`; None when there is no actor.

    Raises RayUnavailableError, and RayCallError when there are actors but none acts: its text says why.
    """
    actors = await cluster_actors()
    if not actors:
        return None
    answers = await asyncio.gather(*(_status(actor, timeout) for actor in actors.values()))
    for actor, answer in zip(actors.values(), answers, strict=True):
        if isinstance(answer, dict) and answer["acts"]:
            if fresh:
                with contextlib.suppress(TimeoutError):  # something hangs: what was heard last must do
                    answer = await ray_cluster.call(actor.check, timeout=timeout)
            return actor, answer
    reasons = [
        f"{name}: {answer['failure'] or 'waiting' if isinstance(answer, dict) else answer}"
        for name, answer in zip(actors, answers, strict=True)
    ]
    raise ray_cluster.RayCallError("; ".join(reasons))


async def _status(actor: Any, timeout: float) -> dict[str, Any] | str:
    try:
        status: dict[str, Any] = await ray_cluster.call(actor.status, timeout=timeout)
    except TimeoutError:
        return "no answer"
    except ray_cluster.RayCallError as error:
        return str(error)
    return status
