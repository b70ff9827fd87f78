"""`kubeactors up`: starts a cluster, or brings a running one to health. Run again, it changes nothing."""

from __future__ import annotations

import asyncio
import dataclasses
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from kubeactors.actors import ray_cluster
from kubeactors.actors.cluster import Cluster
from kubeactors.actors.config import ClusterConfig
from kubeactors.actors.machines import Machine
from kubeactors.actors.paths import Paths
from kubeactors.actors.settings import CLUSTER_ACTOR
from kubeactors.api import meta
from kubeactors.api.errors import StatusError
from kubeactors.cli import prerequisites
from kubeactors.cli.errors import CommandError
from kubeactors.cli.progress import Progress, Step
from kubeactors.client.async_client import AsyncClient
from kubeactors.pki import kubeconfig
from kubeactors.pki.cluster import ClusterPki

POLL_PERIOD = 0.25


async def run(
    paths: Paths, ray_address: str | None, config_file: Path | None, given: Mapping[str, Any], timeout: float
) -> int:
    """Raises CommandError, ConfigError when the cluster does not come up within `timeout` seconds."""
    deadline = time.monotonic() + timeout
    progress = Progress()
    prerequisites.check()
    config = _configuration(paths, config_file, given)
    try:
        with progress.step("Ray") as step:
            await _connect_ray(config, paths, ray_address, step)
            master = ray_cluster.this_machine()
        config = dataclasses.replace(config, advertise_address=master.address)
        with progress.step("certificates and kubeconfig"):
            _write_credentials(config, paths, master)
        with progress.step("control plane") as step:
            await _start_components(config, paths, master, step, deadline)
        with progress.step("nodes") as step:
            await _wait_for_nodes(paths, step, deadline)
    finally:
        ray_cluster.disconnect()
    progress.say(f"The cluster is up. Use it with: export KUBECONFIG={paths.kubeconfig}")
    return 0


def _configuration(paths: Paths, config_file: Path | None, given: Mapping[str, Any]) -> ClusterConfig:
    """What is given on the command line wins over the file, that over what the last `up` used, that over defaults."""
    config = ClusterConfig.load(paths.config) if paths.config.exists() else ClusterConfig()
    merged = dataclasses.asdict(config)
    if config_file is not None:
        try:
            merged |= dataclasses.asdict(ClusterConfig.load(config_file))
        except OSError as error:
            raise CommandError(f"cannot read {config_file}: {error.strerror}") from error
    return ClusterConfig.from_mapping(merged | dict(given))


async def _connect_ray(config: ClusterConfig, paths: Paths, address: str | None, step: Step) -> None:
    try:
        if ray_cluster.connect(config, paths, address):
            return
        step.waiting_for("starting a local head")
        await ray_cluster.start_local(config, paths)
    except (ray_cluster.RayUnavailableError, OSError, TimeoutError) as error:
        raise CommandError(str(error)) from error


def _write_credentials(config: ClusterConfig, paths: Paths, master: Machine) -> None:
    paths.etc.mkdir(parents=True, exist_ok=True, mode=0o755)
    paths.lib.mkdir(parents=True, exist_ok=True, mode=0o755)
    pki = ClusterPki(paths.pki)
    local = ["localhost", "127.0.0.1", master.hostname, master.address]
    service = [
        "kubernetes",
        "kubernetes.default",
        "kubernetes.default.svc",
        f"kubernetes.default.svc.{config.cluster_domain}",
    ]
    pki.ensure([*local, *service, config.first_service_address], local, datetime.now(UTC))
    document = kubeconfig.render(
        config.cluster_name,
        f"https://{master.address}:{config.https_port}",
        "kubernetes-admin",
        pki.ca.read_bytes(),
        pki.certificate("admin").read_bytes(),
        pki.key("admin").read_bytes(),
    )
    kubeconfig.write(paths.kubeconfig, document)


async def _start_components(config: ClusterConfig, paths: Paths, master: Machine, step: Step, deadline: float) -> None:
    running = ray_cluster.find_actor(CLUSTER_ACTOR)
    if running is not None and paths.config.exists() and ClusterConfig.load(paths.config) != config:
        raise CommandError("the cluster runs with another configuration: run `kubeactors down` first, then `up` again")
    config.save(paths.config)
    cluster = await asyncio.to_thread(
        ray_cluster.create_actor, Cluster, CLUSTER_ACTOR, master, config, str(paths.root), master
    )
    while True:
        try:
            status = await ray_cluster.call(cluster.check, timeout=20.0)
            waiting = unhealthy(status)
        except ray_cluster.RayCallError as error:
            waiting = f"the cluster's actor: {error}"
        if not waiting:
            return
        step.waiting_for(waiting)
        if time.monotonic() > deadline:
            raise CommandError(
                f"gave up waiting for {waiting}. Logs are in {paths.log}; `kubeactors status` shows the rest"
            )
        await asyncio.sleep(POLL_PERIOD)


def unhealthy(status: Mapping[str, Any]) -> str:
    """What keeps the cluster from health, in words; empty if nothing does."""
    if status["failure"]:
        return str(status["failure"])
    if not status["components"]:
        return "the first machine"
    return "; ".join(
        f"{component['component']} on {component['node']} ({check}: {answer})"
        for component in status["components"]
        for check, answer in component["health"].items()
        if answer != "ok"
    )


async def _wait_for_nodes(paths: Paths, step: Step, deadline: float) -> None:
    expected = len(await asyncio.to_thread(ray_cluster.machines))
    client = AsyncClient.from_kubeconfig(paths.kubeconfig)
    try:
        while True:
            try:
                nodes = (await client.list("nodes")).items
                ready = [meta.name(node) for node in nodes if node_is_ready(node)]
                waiting = f"{len(ready)} of {expected} ready"
            except (StatusError, OSError, TimeoutError) as error:
                ready, waiting = [], str(error)
            if len(ready) >= expected:
                return
            step.waiting_for(waiting)
            if time.monotonic() > deadline:
                raise CommandError(f"gave up waiting for nodes ({waiting}). Logs are in {paths.log}")
            await asyncio.sleep(POLL_PERIOD)
    finally:
        await client.close()


def node_is_ready(node: meta.Object) -> bool:
    """Whether a Node's Ready condition is True."""
    condition = meta.get_condition(node, "Ready")
    return condition is not None and condition.get("status") == "True"
