"""`kubeactors down`: removes every container, namespace, rule and process of the cluster, and nothing else."""

from __future__ import annotations

import asyncio
import shutil

from kubeactors.actors import ray_cluster
from kubeactors.actors.config import ClusterConfig
from kubeactors.actors.daemon import Daemon
from kubeactors.actors.node_host import PurgeError, purge_this_machine
from kubeactors.actors.paths import Paths
from kubeactors.actors.settings import CLUSTER_ACTOR
from kubeactors.cli import prerequisites
from kubeactors.cli.errors import CommandError
from kubeactors.cli.progress import Progress, Step

SHUT_DOWN_TIMEOUT = 180.0
STORE_GRACE = 15.0


async def run(paths: Paths, ray_address: str | None, *, delete_data: bool) -> int:
    """Returns 1 when something could not be removed, and says what. Raises CommandError where nothing can be done."""
    progress = Progress()
    prerequisites.check()
    config = ClusterConfig.load(paths.config) if paths.config.exists() else ClusterConfig()
    with progress.step("components") as step:
        problems, away = await _shut_down_actors(config, paths, ray_address, step)
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
            for directory in (paths.lib, paths.etc, paths.run, paths.log):
                await asyncio.to_thread(shutil.rmtree, directory, ignore_errors=False, onerror=_unless_absent)
    for machine in away:
        progress.say(f"left alone: {machine}")
    for problem in problems:
        progress.say(f"could not remove everything: {problem}")
    return 1 if problems else 0


async def _shut_down_actors(
    config: ClusterConfig, paths: Paths, ray_address: str | None, step: Step
) -> tuple[list[str], list[str]]:
    try:
        if not ray_cluster.connect(config, paths, ray_address):
            return [], []
    except ray_cluster.RayUnavailableError as error:
        raise CommandError(str(error)) from error
    try:
        cluster = ray_cluster.find_actor(CLUSTER_ACTOR)
        if cluster is None:
            return [], []
        step.waiting_for("containers and processes on every machine")
        problems, away = await ray_cluster.call(cluster.shut_down, timeout=SHUT_DOWN_TIMEOUT)
        ray_cluster.kill(cluster, restart=False)
        return problems, away
    except (ray_cluster.RayCallError, TimeoutError) as error:
        return [f"the cluster's actor: {error}"], []
    finally:
        ray_cluster.disconnect()


def _unless_absent(function: object, path: str, info: tuple[type[BaseException], BaseException, object]) -> None:
    if not isinstance(info[1], FileNotFoundError):
        raise CommandError(f"cannot delete {path}: {info[1]}")
