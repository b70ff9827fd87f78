"""`kubeactors down`: removes every container, namespace, rule and process of the cluster, and nothing else."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from kubeactors.actors import acting, ray_cluster
from kubeactors.actors.config import ClusterConfig
from kubeactors.actors.daemon import Daemon
from kubeactors.actors.node_host import PurgeError, purge_this_machine
from kubeactors.actors.paths import Paths
from kubeactors.actors.state import StateFile
from kubeactors.cli import prerequisites
from kubeactors.cli.errors import CommandError
from kubeactors.cli.progress import Progress, Step

SHUT_DOWN_TIMEOUT = 180.0
STORE_GRACE = 15.0
TAKE_OVER_TIMEOUT = 20.0


async def run(paths: Paths, ray_address: str | None, *, delete_data: bool) -> int:
    """Returns 1 when something could not be removed, and says what. Raises CommandError where nothing can be done."""
    progress = Progress()
    prerequisites.check()
    config = ClusterConfig.load(paths.config) if paths.config.exists() else ClusterConfig()
    with progress.step("components") as step:
        problems, away = await _shut_down_actors(config, paths, ray_address, delete_data, step)
    with progress.step("this machine"):
        try:
            await purge_this_machine(config, paths)
        except PurgeError as error:
            problems.append(f"this machine: {error}")
        await Daemon(paths.store_pid).stop(grace=STORE_GRACE)
    with progress.step("Ray"):
        await ray_cluster.stop_local(paths)
    if delete_data:
        with progress.step("data"):
            try:
                await asyncio.to_thread(paths.delete)
            except OSError as error:
                raise CommandError(f"cannot delete {error.filename}: {error.strerror}") from error
    for machine in away:
        progress.say(f"left alone: {machine}")
    for problem in problems:
        progress.say(f"could not remove everything: {problem}")
    return 1 if problems else 0


async def _shut_down_actors(
    config: ClusterConfig, paths: Paths, ray_address: str | None, delete_data: bool, step: Step
) -> tuple[list[str], list[str]]:
    state = StateFile(paths.state).load()
    try:
        remembered = state.ray_address if state is not None else ""
        if not await ray_cluster.connect(config, paths, ray_address, remembered=remembered):
            if state is not None and len(state.names) > 1:
                return [], ["the other machines: Ray does not answer; run `kubeactors down` on each"]
            return [], []
    except ray_cluster.RayUnavailableError as error:
        raise CommandError(str(error)) from error
    try:
        cluster = await _one_that_can()
        if cluster is None:
            return [], []
        step.waiting_for("containers and processes on every machine")
        problems, away = await ray_cluster.call(cluster.shut_down, delete_data, timeout=SHUT_DOWN_TIMEOUT)
        await ray_cluster.within(ray_cluster.CALL_TIMEOUT, ray_cluster.end, cluster, False)
        return problems, away
    except (ray_cluster.RayCallError, ray_cluster.RayUnavailableError, TimeoutError) as error:
        return [f"the cluster's actor: {error or 'no answer'}"], []
    finally:
        await ray_cluster.disconnect()


async def _one_that_can() -> Any:
    """The actor that acts. After a loss of the first master it takes another a moment to take over."""
    deadline = time.monotonic() + TAKE_OVER_TIMEOUT
    while True:
        try:
            found = await acting.acting(fresh=False, timeout=ray_cluster.CALL_TIMEOUT)
            return found[0] if found is not None else None
        except ray_cluster.RayCallError:
            if time.monotonic() > deadline:
                raise
        await asyncio.sleep(1.0)
