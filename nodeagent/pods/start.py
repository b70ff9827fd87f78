"""Starting one attempt of a container: image, configuration, create, start. What a StartContainer action does."""

import asyncio
import logging
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from kubeactors.api.meta import Object
from nodeagent.images import ImageError
from nodeagent.paths import PodPaths
from nodeagent.pods.backoff import INITIAL
from nodeagent.pods.container_config import Surroundings, container_config
from nodeagent.pods.context import NodeContext
from nodeagent.pods.environment import (
    ConfigError,
    Environment,
    environment,
    environment_needs_pod_ip,
    references,
)
from nodeagent.pods.expansion import MissingValues, expand_fully
from nodeagent.pods.files import kernel_hostname
from nodeagent.pods.sandbox import PodSandbox
from nodeagent.pods.state import ContainerState, Run, Waiting
from nodeagent.runtime.interface import ExitCallback, Image, NoSuchImage, RuntimeFailure
from nodeagent.volumes.interface import VolumeError
from nodeagent.volumes.subpath import bind_subpath

logger = logging.getLogger(__name__)

#: What a start that the runtime refused is shown as (containerd's).
START_ERROR_CODE = 128


class StartFailure(Exception):
    """The attempt did not come to a run. `waiting` is what the status says; `retry_at` is when to try again."""

    def __init__(self, waiting: Waiting, retry_at: float) -> None:
        super().__init__(f"{waiting.reason}: {waiting.message}")
        self.waiting = waiting
        self.retry_at = retry_at


@dataclass(frozen=True)
class Attempt:
    """One attempt to start a container."""

    pod: Object
    container: Object
    state: ContainerState
    sandbox_attempt: int
    #: The runtime's id of the container whose process namespace it joins; empty: one of its own.
    process_target: str = ""


async def start_container(
    context: NodeContext,
    paths: PodPaths,
    sandbox: PodSandbox,
    attempt: Attempt,
    on_created: Callable[[Run], None],
    on_exit: ExitCallback,
) -> Run:
    """Bring one attempt to a run; `on_created` is called before it starts. A run that would not start is returned as
    exited with a StartError.

    Raises StartFailure, and SandboxError when the sandbox does not come about.
    """
    pod, container, kind = attempt.pod, attempt.container, attempt.state.kind

    def tell(type: str, reason: str, message: str) -> None:
        context.tell(pod, type, reason, message, container["name"], kind)

    container_id = ""
    try:
        image, volumes, _ = await asyncio.gather(
            context.images.ensure(container["image"], container.get("imagePullPolicy") or "", tell),
            sandbox.volumes(pod),
            sandbox.local(pod),
        )
        number = attempt.state.attempt
        container_id = await _create(context, paths, sandbox, attempt, image, volumes, tell)
        run = Run(
            id=container_id,
            attempt=number,
            status="created",
            created_at=context.clock(),
            image=container["image"],
            image_id=image.digests[0] if image.digests else image.id,
            sandbox=attempt.sandbox_attempt,
            stop_signal=_signal(container, image),
            resources=dict(container.get("resources") or {}),
        )
        await sandbox.network(pod)
        on_created(run)
        tell("Normal", "Created", "Container created")
        try:
            started = await context.runtime.start_container(container_id, on_exit)
        except RuntimeFailure as error:
            tell("Warning", "Failed", f"Error: {error}")
            run.status, run.exit_code, run.reason = "exited", START_ERROR_CODE, "StartError"
            run.message = str(error)
            run.started_at = run.finished_at = context.clock()
            return run
        tell("Normal", "Started", "Container started")
        if run.status == "created":  # else it has ended already, and on_exit has said so
            run.status = "running"
        run.pid, run.started_at = started.pid, started.started_at
        return run
    except ImageError as error:
        tell("Warning", "Failed", f"Error: {error.reason}")
        raise StartFailure(Waiting(error.reason, error.message), error.retry_at) from error
    except BaseException:
        if container_id:
            # Also when cancelled in the middle: nobody knows of this container yet, or its outcome is unknown.
            await asyncio.shield(_discard(context, container_id))
        raise


async def _create(
    context: NodeContext,
    paths: PodPaths,
    sandbox: PodSandbox,
    attempt: Attempt,
    image: Image,
    volumes: dict[str, Path],
    tell: Callable[[str, str, str], None],
) -> str:
    pod, container = attempt.pod, attempt.container
    ips = await sandbox.network(pod) if environment_needs_pod_ip(container) else ()
    try:
        env = await _environment(context, attempt, ips)
        for source, names in env.skipped:
            text = f"Keys [{', '.join(names)}] from the EnvFrom {source} were skipped since they are considered invalid"
            tell("Warning", "InvalidEnvironmentVariableNames", f"{text} environment variable names.")
        number = attempt.state.attempt
        log, termination = (paths.log(container["name"], number), paths.termination_log(container["name"], number))
        subpaths = await asyncio.to_thread(_prepare, paths, container, env.variables, volumes, termination)
        host_network = bool(pod["spec"].get("hostNetwork"))
        config = container_config(
            pod,
            container,
            attempt=number,
            sandbox_attempt=attempt.sandbox_attempt,
            image=image,
            env=env.variables,
            volumes=volumes,
            subpaths=subpaths,
            surroundings=Surroundings(
                netns="" if host_network else str(paths.netns),
                hostname=kernel_hostname(pod, context.config.cluster_domain),
                ipc=str(paths.ipc),
                shm=str(paths.shm),
                hosts=str(paths.hosts),
                resolv_conf=str(paths.resolv_conf),
                hostname_file=str(paths.hostname),
                cgroup=sandbox.cgroup(pod),
                log=str(log),
                termination_log=str(termination),
            ),
            node_memory=context.node_memory,
            process_target=attempt.process_target,
        )
    except (ConfigError, VolumeError, OSError) as error:
        tell("Warning", "Failed", f"Error: {error}")
        waiting = Waiting("CreateContainerConfigError", str(error))
        raise StartFailure(waiting, context.clock() + INITIAL) from error
    try:
        return await context.runtime.create(config)
    except RuntimeFailure as error:
        tell("Warning", "Failed", f"Error: {error}")
        delay = 1.0 if isinstance(error, NoSuchImage) else INITIAL  # gone since we looked: look again
        raise StartFailure(Waiting("CreateContainerError", str(error)), context.clock() + delay) from error


async def _environment(context: NodeContext, attempt: Attempt, ips: tuple[str, ...]) -> Environment:
    """The environment; while no API server tells what it needs, the one of the attempt before."""
    pod, container = attempt.pod, attempt.container
    namespace = pod["metadata"].get("namespace", "")
    before = attempt.state.run
    try:
        services = await context.services()
        await context.objects.use(pod["metadata"]["uid"], [(r, namespace, n) for r, n in sorted(references(container))])
    except TimeoutError as error:
        if before is not None and (kept := await context.runtime.environment(before.id)) is not None:
            return Environment(kept)
        text = "services have not yet been read at least once, cannot construct envvars"
        raise ConfigError(text) from error
    return environment(
        pod,
        container,
        context.facts(ips),
        services,
        lambda resource, name: context.objects.get(resource, namespace, name),
    )


def _prepare(
    paths: PodPaths, container: Object, env: dict[str, str], volumes: dict[str, Path], termination: Path
) -> dict[int, Path]:
    """The termination log and the bound subpaths. Blocks. Raises ConfigError, VolumeError or OSError."""
    termination.parent.mkdir(parents=True, exist_ok=True)
    termination.write_bytes(b"")
    termination.chmod(0o666)  # whatever user the container runs as
    bound = {}
    for index, mount in enumerate(container.get("volumeMounts") or ()):
        try:
            subpath = mount.get("subPath") or expand_fully(mount.get("subPathExpr") or "", env)
        except MissingValues as error:
            raise ConfigError(str(error)) from error
        if subpath and mount["name"] in volumes:
            target = paths.subpath(mount["name"], container["name"], index)
            try:
                bound[index] = bind_subpath(volumes[mount["name"]], subpath, target)
            except (VolumeError, OSError) as error:
                # No more than kubelet says: what is where a link leads to is not the pod's business.
                where = f'volumeMount "{mount["name"]}" of container "{container["name"]}"'
                logger.warning("subPath of %s: %s", where, error)
                raise VolumeError(f"failed to prepare subPath for {where}") from error
    return bound


def _signal(container: Object, image: Image) -> int:
    """The number of the signal that asks the container to end."""
    name = (container.get("lifecycle") or {}).get("stopSignal") or image.stop_signal or "SIGTERM"
    try:
        return int(name) if name.isdigit() else int(signal.Signals[name if name.startswith("SIG") else f"SIG{name}"])
    except (KeyError, ValueError):
        logger.warning("unknown stop signal %s: using SIGTERM", name)
        return int(signal.SIGTERM)


async def _discard(context: NodeContext, container_id: str) -> None:
    try:
        await context.runtime.remove(container_id)
    except RuntimeFailure as error:
        logger.warning("could not remove container %s: %s; the next resync will", container_id[:12], error)
