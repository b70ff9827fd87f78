"""What is told of a container that is held back: until its restart, or until its image is pulled again."""

from kubeactors.api.meta import Object
from nodeagent.pods.context import NodeContext
from nodeagent.pods.spec import container_of
from nodeagent.pods.state import ContainerState, Waiting


def hold_restart(context: NodeContext, pod: Object, container: ContainerState, delay: float) -> None:
    """CrashLoopBackOff; `delay` is the whole back-off in seconds."""
    metadata = pod["metadata"]
    full = f"{metadata['name']}_{metadata.get('namespace', '')}({metadata['uid']})"
    text = f"Back-off restarting failed container {container.name} in pod {full}"
    context.tell(pod, "Warning", "BackOff", text, container.name, container.kind)
    message = f"back-off {_go_duration(delay)} restarting failed container={container.name} pod={full}"
    container.waiting = Waiting("CrashLoopBackOff", message)


def hold_pull(context: NodeContext, pod: Object, container: ContainerState) -> None:
    """ImagePullBackOff, after an ErrImagePull."""
    image = container_of(pod, container.name)["image"]
    cause = container.waiting.message if container.waiting else ""
    context.tell(pod, "Normal", "BackOff", f'Back-off pulling image "{image}"', container.name, container.kind)
    context.tell(pod, "Warning", "Failed", "Error: ImagePullBackOff", container.name, container.kind)
    container.waiting = Waiting("ImagePullBackOff", f'Back-off pulling image "{image}": ErrImagePull: {cause}')


def _go_duration(seconds: float) -> str:
    """Go's text of seconds: 10s, 1m20s, 5m0s, 500ms."""
    if 0 < seconds < 1:
        return f"{round(seconds * 1000)}ms"
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}m{rest}s" if minutes else f"{rest}s"
