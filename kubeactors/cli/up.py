"""`kubeactors up`: starts a cluster, or brings a running one to health. Run again, it changes nothing."""

from __future__ import annotations

import asyncio
import dataclasses
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kubeactors.actors import acting, ray_cluster
from kubeactors.actors.cluster import Cluster
from kubeactors.actors.config import ClusterConfig
from kubeactors.actors.credentials import write_credentials
from kubeactors.actors.machines import Machine
from kubeactors.actors.paths import Paths
from kubeactors.actors.settings import CLUSTER, ComponentSettings
from kubeactors.actors.state import ClusterState, StateFile
from kubeactors.api import meta
from kubeactors.api.errors import StatusError
from kubeactors.cli import prerequisites
from kubeactors.cli.errors import CommandError
from kubeactors.cli.progress import Progress, Step
from kubeactors.client.async_client import AsyncClient
from kubeactors.pki.cluster import ClusterPki
from kubeactors.pki.files import PRIVATE, PUBLIC, write_atomically

POLL_PERIOD = 0.25
CHECK_TIMEOUT = 20.0


async def run(
    paths: Paths, ray_address: str | None, config_file: Path | None, given: Mapping[str, Any], timeout: float
) -> int:
    """Raises CommandError, ConfigError when the cluster does not come up within `timeout` seconds."""
    deadline = time.monotonic() + timeout
    progress = Progress()
    prerequisites.check()
    config, masters = _configuration(paths, config_file, given)
    try:
        with progress.step("Ray") as step:
            await _connect_ray(config, paths, ray_address, step)
            machine = await ray_cluster.within(ray_cluster.CALL_TIMEOUT, ray_cluster.this_machine)
        config = config.at(machine.address)
        with progress.step("certificates and kubeconfig"):
            state = await _prepare(config, paths, machine, masters)
        with progress.step("control plane") as step:
            status = await _start(config, paths, machine, state, masters, step, deadline)
        with progress.step("nodes") as step:
            await _wait_for_nodes(paths, step, deadline)
    except ray_cluster.RayUnavailableError as error:
        raise CommandError(str(error)) from error
    finally:
        await ray_cluster.disconnect()
    for line in _advice(status):
        progress.say(line)
    progress.say(f"The cluster is up. Use it with: export KUBECONFIG={paths.kubeconfig}")
    return 0


def _configuration(
    paths: Paths, config_file: Path | None, given: Mapping[str, Any]
) -> tuple[ClusterConfig, int | None]:
    """What is given on the command line wins over the file, that over what the last `up` used, that over defaults.

    The second is how many masters there are to be, None when nobody says.
    """
    merged = dataclasses.asdict(ClusterConfig.load(paths.config) if paths.config.exists() else ClusterConfig())
    asked = dict(given)
    if config_file is not None:
        try:
            asked = ClusterConfig.named_in(config_file) | asked
        except OSError as error:
            raise CommandError(f"cannot read {config_file}: {error.strerror}") from error
    config = ClusterConfig.from_mapping(merged | asked)
    return config, config.masters if "masters" in asked else None


async def _connect_ray(config: ClusterConfig, paths: Paths, address: str | None, step: Step) -> None:
    try:
        if await ray_cluster.connect(config, paths, address):
            return
        step.waiting_for("starting a local head")
        await ray_cluster.start_local(config, paths)
    except (ray_cluster.RayUnavailableError, OSError, TimeoutError) as error:
        raise CommandError(str(error)) from error


async def _prepare(config: ClusterConfig, paths: Paths, machine: Machine, masters: int | None) -> ClusterState:
    """This master's files. A machine without any founds a cluster, unless one runs already."""
    file = StateFile(paths.state)
    state = file.load()
    if state is None:
        if running := await acting.cluster_actors():
            names = ", ".join(name.partition(":")[2] for name in running)
            raise CommandError(
                f"the cluster {config.cluster_name} runs, and this machine is none of its masters ({names}): run it "
                "there"
            )
        address = await ray_cluster.within(ray_cluster.CALL_TIMEOUT, ray_cluster.head_address)
        state = ClusterState.found(machine, masters or 1, address)
        if not config.external_store and not paths.store_data.exists():
            write_atomically(paths.founding, b"", PUBLIC)
    elif machine.address not in state.masters:
        raise CommandError(
            f"this machine ({machine.address}) is no master of its cluster: run it on one of {', '.join(state.masters)}"
        )
    differs = paths.config.exists() and ClusterConfig.load(paths.config).common != config.common
    if differs and await acting.cluster_actors():
        raise CommandError("the cluster runs with another configuration: run `kubeactors down` first, then `up` again")
    pki = ClusterPki(paths.pki)
    if pki.complete or len(state.masters) == 1:
        _copy_store_certificates(config, pki)
        write_credentials(config, paths, machine)
    # else another master has the keys and hands them over
    config.save(paths.config)
    file.take(state)
    return state


def _copy_store_certificates(config: ClusterConfig, pki: ClusterPki) -> None:
    """The files for an external store, where they are kept with the other keys and reach the other masters."""
    for source, name, mode in (
        (config.store_ca_file, "ca.crt", PUBLIC),
        (config.store_cert_file, "client.crt", PUBLIC),
        (config.store_key_file, "client.key", PRIVATE),
    ):
        if source:
            try:
                write_atomically(pki.external_store / name, Path(source).read_bytes(), mode)
            except OSError as error:
                raise CommandError(f"cannot read {source}: {error.strerror}") from error


async def _start(
    config: ClusterConfig,
    paths: Paths,
    machine: Machine,
    state: ClusterState,
    masters: int | None,
    step: Step,
    deadline: float,
) -> dict[str, Any]:
    settings = ComponentSettings(
        component=CLUSTER,
        node_name=state.name(machine.address),
        address=machine.address,
        root_dir=str(paths.root),
        config=config,
        hostname=machine.hostname,
    )
    await ray_cluster.within(
        ray_cluster.CALL_TIMEOUT, ray_cluster.create_actor, Cluster, settings.actor_name, machine, settings
    )
    while True:
        try:
            found = await acting.acting(fresh=True, timeout=CHECK_TIMEOUT)
            waiting = "the cluster's actor"
            if found is not None:
                actor, status = found
                waiting = unhealthy(status)
                if masters is not None and masters != status["wanted"]:
                    await ray_cluster.call(actor.want_masters, masters, timeout=CHECK_TIMEOUT)
                    waiting = f"the decision for {masters} masters"
                if not waiting:
                    return status
        except TimeoutError:
            waiting = "the cluster's actor: no answer"
        except (ray_cluster.RayCallError, ray_cluster.RayUnavailableError) as error:
            if "cannot go back" in str(error):
                raise CommandError(str(error).partition(": ")[2]) from error
            waiting = f"the cluster's actor: {error}"
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
    if len(status["masters"]) < status["wanted"]:
        lacking = status["wanted"] - status["machines"]
        if lacking > 0:
            return (
                f"{lacking} more machine{'s' if lacking > 1 else ''} to be masters: run `ray start --address="
                f"{status['ray_address']}` on {'them' if lacking > 1 else 'it'}"
            )
        return f"the decision which machines are the {status['wanted']} masters"
    if not status["components"]:
        return "the first machine"
    return "; ".join(
        f"{component['component']} on {component['node']} ({check}: {answer})"
        for component in status["components"]
        for check, answer in component["health"].items()
        if answer != "ok"
    )


def _advice(status: Mapping[str, Any]) -> list[str]:
    """What Ray was not told that the cluster would need to outlive Ray's head."""
    return [
        f"warning: `ray start` on {node} had no {' and no '.join(lacking)} in its environment, so the cluster does not "
        "outlive Ray's head for long; see \"Ray's settings\" in the README"
        for node, lacking in status["advice"].items()
        if lacking
    ]


async def _wait_for_nodes(paths: Paths, step: Step, deadline: float) -> None:
    expected = len(await ray_cluster.within(ray_cluster.CALL_TIMEOUT, ray_cluster.machines))
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
